-- Usage is asked for by tenant. Without this index every user's look at their own month would read
-- the rows of all tenants, on the thread that keys and the ledger wait for too.

CREATE INDEX entries_by_tenant ON entries (tenant_id, started_at);
