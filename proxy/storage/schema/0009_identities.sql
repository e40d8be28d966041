-- Who somebody is at a provider of identities (OpenID Connect), once they have signed in by it. One
-- person there may be a user in several tenants; a user is one person there.

CREATE TABLE identities (
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id),
    linked_at BIGINT NOT NULL,
    PRIMARY KEY (issuer, user_id)
);
CREATE INDEX identities_by_subject ON identities (issuer, subject);
CREATE INDEX identities_by_user ON identities (user_id);
