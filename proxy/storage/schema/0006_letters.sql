-- Mail: what tenants were told, and letters until a mail server took them.

-- Whoever writes this row first tells the tenant; once for each month and kind, whatever happens to
-- the letters.
CREATE TABLE notices (
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    period TEXT NOT NULL,
    kind TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, period, kind)
);

-- `due_at`: when it is tried next; null: it is over, and `outcome` says how. Whoever tries it moves
-- `due_at` ahead first and signs with `taken_by`: should they die, it comes back by itself.
CREATE TABLE letters (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    recipient TEXT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    reply_to TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL DEFAULT 0,
    due_at BIGINT,
    taken_by TEXT NOT NULL DEFAULT '',
    ended_at BIGINT,
    outcome TEXT NOT NULL DEFAULT ''
);
CREATE INDEX letters_by_due ON letters (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX letters_by_end ON letters (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX letters_by_user ON letters (user_id, created_at);

-- The tenants' own sums are looked through each minute, and must be found among those of all users.
CREATE INDEX month_use_of_tenants ON month_use (period, tenant_id) WHERE user_id = '';
