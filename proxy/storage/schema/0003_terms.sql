-- What was agreed: packages, credit packs, roles of the MSP's own people; what was used of it; who
-- changed what.
--
-- Credits are micro-credits, but for roles.user_credit_limit, which is in credits. JSON is text.
-- Null credits: no limit. A tenant without a package has no limit.

CREATE TABLE packages (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    monthly_credits BIGINT,
    allowed_models TEXT,
    ladder TEXT,
    created_at BIGINT NOT NULL
);

ALTER TABLE tenants ADD COLUMN package_id TEXT REFERENCES packages (id);
ALTER TABLE tenants ADD COLUMN next_package_id TEXT REFERENCES packages (id);
ALTER TABLE tenants ADD COLUMN next_package_from BIGINT;
ALTER TABLE tenants ADD COLUMN ladder TEXT;
ALTER TABLE tenants ADD COLUMN burst TEXT;
ALTER TABLE tenants ADD COLUMN config TEXT NOT NULL DEFAULT '{}';

CREATE TABLE credit_packs (
    id TEXT PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    name TEXT NOT NULL,
    credits BIGINT NOT NULL,
    valid_from BIGINT NOT NULL,
    valid_until BIGINT,
    created_at BIGINT NOT NULL
);
CREATE INDEX credit_packs_by_tenant ON credit_packs (tenant_id);

CREATE TABLE tenant_templates (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    package_id TEXT REFERENCES packages (id),
    default_model_name TEXT,
    beta_features SMALLINT NOT NULL DEFAULT 0,
    mfa_required SMALLINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

ALTER TABLE roles ADD COLUMN description TEXT NOT NULL DEFAULT '';
ALTER TABLE roles ADD COLUMN is_default SMALLINT NOT NULL DEFAULT 0;
UPDATE roles SET is_default = 1 WHERE tenant_id IS NULL;
UPDATE roles SET permissions = '["gateway.use","keys.create","usage.view","models.disable","users.manage","roles.manage","tenant.manage"]'
    WHERE id = 'role_client_admin';

-- The MSP's own people (domain.md 2.2).
INSERT INTO roles (id, tenant_id, slug, display_name, permissions, is_default) VALUES
    ('role_msp_primary_admin', NULL, 'msp_primary_admin', 'Primary Admin',
     '["gateway.use","keys.create","usage.view","models.disable","users.manage","roles.manage","tenant.manage","msp.view","msp.tenants","msp.users","msp.roles","msp.models","msp.billing","msp.settings"]', 1),
    ('role_msp_admin', NULL, 'msp_admin', 'Admin',
     '["gateway.use","keys.create","usage.view","models.disable","users.manage","roles.manage","tenant.manage","msp.view","msp.tenants","msp.users","msp.roles","msp.models","msp.billing","msp.settings"]', 1),
    ('role_msp_tenant_manager', NULL, 'msp_tenant_manager', 'Tenant Manager',
     '["gateway.use","keys.create","usage.view","models.disable","users.manage","roles.manage","tenant.manage","msp.view","msp.tenants","msp.users","msp.roles","msp.models"]', 1),
    ('role_msp_billing_manager', NULL, 'msp_billing_manager', 'Billing Manager',
     '["gateway.use","usage.view","msp.view","msp.billing"]', 1),
    ('role_msp_helpdesk', NULL, 'msp_helpdesk', 'Helpdesk',
     '["gateway.use","usage.view","msp.view","msp.users"]', 1);

ALTER TABLE users ADD COLUMN first_name TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN last_name TEXT NOT NULL DEFAULT '';
CREATE INDEX users_by_email ON users (email_folded);
CREATE INDEX users_by_role ON users (role_id);

-- Rates an administrator set; the newest that is in effect beats the configuration's. Rows of the
-- ledger are never priced again.
CREATE TABLE rates (
    model_id TEXT NOT NULL,
    effective_from BIGINT NOT NULL,
    input BIGINT NOT NULL,
    output BIGINT NOT NULL,
    cache_write_5m BIGINT NOT NULL,
    cache_write_1h BIGINT NOT NULL,
    cache_read BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (model_id, effective_from)
);

-- Sums of the ledger by calendar month ('2026-11' in the installation's zone), kept in the very
-- transaction that writes the rows. The row with an empty user_id is the tenant's.
CREATE TABLE month_use (
    period TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    credits BIGINT NOT NULL,
    requests BIGINT NOT NULL,
    PRIMARY KEY (period, tenant_id, user_id)
);
CREATE INDEX month_use_by_user ON month_use (user_id, period);

-- What each worker holds at this moment and no sum shows yet: reservations, rows on their way,
-- requests of this minute. A worker that is no longer seen holds nothing.
CREATE TABLE held_workers (
    worker TEXT PRIMARY KEY,
    seen_at BIGINT NOT NULL
);
CREATE TABLE held (
    worker TEXT NOT NULL,
    name TEXT NOT NULL,
    amount BIGINT NOT NULL,
    PRIMARY KEY (worker, name)
);

CREATE TABLE audit (
    id TEXT PRIMARY KEY,
    at BIGINT NOT NULL,
    actor_id TEXT NOT NULL,
    actor TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL,
    request_id TEXT NOT NULL
);
CREATE INDEX audit_by_time ON audit (at, id);
CREATE INDEX audit_by_tenant ON audit (tenant_id, at, id);

-- Settings of the installation that an administrator changed, such as the ladder.
CREATE TABLE installation (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

INSERT INTO changes (topic, version) VALUES ('terms', 0);
