-- Sums of the ledger by hour, kept in the very transaction that writes the rows, so that a page
-- about a month of a million requests reads thousands of rows. `hour` is since the epoch, in UTC.

CREATE TABLE hour_use (
    hour BIGINT NOT NULL,
    tenant_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    model TEXT NOT NULL,
    surface TEXT NOT NULL,
    client TEXT NOT NULL,
    requests BIGINT NOT NULL,
    errors BIGINT NOT NULL,
    input_tokens BIGINT NOT NULL,
    output_tokens BIGINT NOT NULL,
    cache_write_5m_tokens BIGINT NOT NULL,
    cache_write_1h_tokens BIGINT NOT NULL,
    cache_read_tokens BIGINT NOT NULL,
    thinking_tokens BIGINT NOT NULL,
    web_searches BIGINT NOT NULL,
    credits_in BIGINT NOT NULL,
    credits_out BIGINT NOT NULL,
    credits_actions BIGINT NOT NULL,
    PRIMARY KEY (hour, tenant_id, user_id, model, surface, client)
);
CREATE INDEX hour_use_by_tenant ON hour_use (tenant_id, hour);

INSERT INTO hour_use
    SELECT started_at / 3600000, tenant_id, user_id, model, surface, client, count(*),
        CAST(sum(CASE WHEN outcome IN ('completed', 'client_gone') THEN 0 ELSE 1 END) AS BIGINT),
        CAST(sum(input_tokens) AS BIGINT), CAST(sum(output_tokens) AS BIGINT),
        CAST(sum(cache_write_5m_tokens) AS BIGINT), CAST(sum(cache_write_1h_tokens) AS BIGINT),
        CAST(sum(cache_read_tokens) AS BIGINT), CAST(sum(thinking_tokens) AS BIGINT),
        CAST(sum(web_searches) AS BIGINT), CAST(sum(credits_in) AS BIGINT),
        CAST(sum(credits_out) AS BIGINT), CAST(sum(credits_actions) AS BIGINT)
    FROM entries
    GROUP BY started_at / 3600000, tenant_id, user_id, model, surface, client;

-- A person's own newest requests, in a tenant of many.
CREATE INDEX entries_by_user ON entries (tenant_id, user_id, started_at);
