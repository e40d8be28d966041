-- Who may come in, and what they chose.
--
-- Written for SQLite and PostgreSQL alike (there BLOB is made BYTEA by the driver). Times are Unix
-- milliseconds, flags are 0 or 1, lists are JSON text.

CREATE TABLE tenants (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL DEFAULT 'Active' CHECK (status IN ('Active', 'Suspended', 'Archived')),
    created_at BIGINT NOT NULL
);

-- A role without a tenant is a default role, there for all tenants. A null credit limit: the role
-- sets none.
CREATE TABLE roles (
    id TEXT PRIMARY KEY,
    tenant_id TEXT REFERENCES tenants (id),
    slug TEXT NOT NULL,
    display_name TEXT NOT NULL,
    permissions TEXT NOT NULL,
    user_credit_limit DOUBLE PRECISION,
    disabled_models TEXT NOT NULL DEFAULT '[]'
);
CREATE UNIQUE INDEX roles_by_slug ON roles (coalesce(tenant_id, ''), slug);

-- The four default roles (domain.md 2.3). Keys are made by those who may, used by all.
INSERT INTO roles (id, tenant_id, slug, display_name, permissions) VALUES
    ('role_client_admin', NULL, 'client_admin', 'Client Admin',
     '["gateway.use","keys.create","usage.view"]'),
    ('role_general_user', NULL, 'general_user', 'General User', '["gateway.use","keys.create"]'),
    ('role_chat_only_user', NULL, 'chat_only_user', 'Chat Only User', '["gateway.use"]'),
    ('role_workshop_user', NULL, 'workshop_user', 'Workshop User', '["gateway.use"]');

-- `email` is as it was typed, `email_folded` is what must be unique.
CREATE TABLE users (
    id TEXT PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    email TEXT NOT NULL,
    email_folded TEXT NOT NULL,
    role_id TEXT NOT NULL REFERENCES roles (id),
    status TEXT NOT NULL DEFAULT 'Active'
        CHECK (status IN ('Active', 'Invited', 'Suspended', 'Deleted')),
    created_at BIGINT NOT NULL,
    UNIQUE (tenant_id, email_folded)
);

-- The key itself is nowhere: `digest` is its keyed hash, `prefix` the few characters an owner
-- recognises it by.
CREATE TABLE keys (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    digest BLOB NOT NULL UNIQUE,
    prefix TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT,
    last_used_at BIGINT
);
CREATE INDEX keys_by_user ON keys (user_id);

-- Custom Anthropic Gateway Model Mapping (domain.md 6). Picks stay while it is off.
CREATE TABLE preferences (
    user_id TEXT PRIMARY KEY REFERENCES users (id),
    mapping_enabled SMALLINT NOT NULL DEFAULT 0,
    opus TEXT,
    sonnet TEXT,
    haiku TEXT,
    updated_at BIGINT NOT NULL
);

-- Models switched on or off by an administrator. `scope_id` is '' for 'msp'. No row: as configured.
CREATE TABLE model_switches (
    scope TEXT NOT NULL CHECK (scope IN ('msp', 'tenant', 'role')),
    scope_id TEXT NOT NULL,
    model_id TEXT NOT NULL,
    enabled SMALLINT NOT NULL,
    PRIMARY KEY (scope, scope_id, model_id)
);

-- What the gateway made for itself once and must find again, such as the key-hash secret.
CREATE TABLE secrets (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
);

-- A topic's version goes up in the same transaction as every change of that topic.
CREATE TABLE changes (
    topic TEXT PRIMARY KEY,
    version BIGINT NOT NULL
);
INSERT INTO changes (topic, version) VALUES
    ('people', 0), ('keys', 0), ('preferences', 0), ('models', 0);
