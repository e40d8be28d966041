-- Usage is asked for by tenant. Without this index every user's look at their own month would read
-- the rows of all tenants, while keys and the ledger wait for the same thread. It costs a row half
-- a microsecond where one tenant writes, and ten to twenty where each row is another tenant's.

CREATE INDEX entries_by_tenant ON entries (tenant_id, started_at);
