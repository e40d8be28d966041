-- Who may sign in to the console, and who is signed in.
--
-- Neither a password nor what a browser holds is here: `hash` is argon2's, with its salt and
-- parameters; `digest` is the keyed hash of a session or a link.

CREATE TABLE passwords (
    user_id TEXT PRIMARY KEY REFERENCES users (id),
    hash TEXT NOT NULL,
    changed_at BIGINT NOT NULL
);

CREATE TABLE sessions (
    digest BLOB PRIMARY KEY,
    id TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id),
    created_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_end ON sessions (expires_at);

-- A link by which somebody chooses their password, once.
CREATE TABLE sign_in_links (
    digest BLOB PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id),
    expires_at BIGINT NOT NULL
);
CREATE INDEX sign_in_links_by_user ON sign_in_links (user_id);

-- Tries to sign in, by what they have in common: an address on the net, an email address.
CREATE TABLE sign_in_tries (
    subject TEXT PRIMARY KEY,
    tries INTEGER NOT NULL,
    first_at BIGINT NOT NULL
);
CREATE INDEX sign_in_tries_by_time ON sign_in_tries (first_at);
