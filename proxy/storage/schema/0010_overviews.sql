-- Sums that are wider than those by hour, kept in the same transaction, so that a page about a
-- month of a million requests reads a few thousand of them, however many people they are of.
-- `tenant_id` is empty where a sum is of all tenants. Days, like hours, are those of UTC.

-- All together, by quarter of an hour: every zone of our day begins its hours with one.
CREATE TABLE quarter_use (
    tenant_id TEXT NOT NULL,
    quarter BIGINT NOT NULL,
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
    PRIMARY KEY (tenant_id, quarter)
);

INSERT INTO quarter_use
    SELECT tenant_id, started_at / 900000, count(*),
        CAST(sum(CASE WHEN outcome IN ('completed', 'client_gone') THEN 0 ELSE 1 END) AS BIGINT),
        CAST(sum(input_tokens) AS BIGINT), CAST(sum(output_tokens) AS BIGINT),
        CAST(sum(cache_write_5m_tokens) AS BIGINT), CAST(sum(cache_write_1h_tokens) AS BIGINT),
        CAST(sum(cache_read_tokens) AS BIGINT), CAST(sum(thinking_tokens) AS BIGINT),
        CAST(sum(web_searches) AS BIGINT), CAST(sum(credits_in) AS BIGINT),
        CAST(sum(credits_out) AS BIGINT), CAST(sum(credits_actions) AS BIGINT)
    FROM entries
    GROUP BY tenant_id, started_at / 900000;

INSERT INTO quarter_use
    SELECT '', quarter, CAST(sum(requests) AS BIGINT), CAST(sum(errors) AS BIGINT),
        CAST(sum(input_tokens) AS BIGINT), CAST(sum(output_tokens) AS BIGINT),
        CAST(sum(cache_write_5m_tokens) AS BIGINT), CAST(sum(cache_write_1h_tokens) AS BIGINT),
        CAST(sum(cache_read_tokens) AS BIGINT), CAST(sum(thinking_tokens) AS BIGINT),
        CAST(sum(web_searches) AS BIGINT), CAST(sum(credits_in) AS BIGINT),
        CAST(sum(credits_out) AS BIGINT), CAST(sum(credits_actions) AS BIGINT)
    FROM quarter_use
    GROUP BY quarter;

-- By what was asked with what, whoever asked.
CREATE TABLE day_use (
    tenant_id TEXT NOT NULL,
    day BIGINT NOT NULL,
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
    PRIMARY KEY (tenant_id, day, model, surface, client)
);

INSERT INTO day_use
    SELECT tenant_id, hour / 24, model, surface, client, CAST(sum(requests) AS BIGINT),
        CAST(sum(errors) AS BIGINT), CAST(sum(input_tokens) AS BIGINT),
        CAST(sum(output_tokens) AS BIGINT), CAST(sum(cache_write_5m_tokens) AS BIGINT),
        CAST(sum(cache_write_1h_tokens) AS BIGINT), CAST(sum(cache_read_tokens) AS BIGINT),
        CAST(sum(thinking_tokens) AS BIGINT), CAST(sum(web_searches) AS BIGINT),
        CAST(sum(credits_in) AS BIGINT), CAST(sum(credits_out) AS BIGINT),
        CAST(sum(credits_actions) AS BIGINT)
    FROM hour_use
    GROUP BY tenant_id, hour / 24, model, surface, client;

INSERT INTO day_use
    SELECT '', day, model, surface, client, CAST(sum(requests) AS BIGINT),
        CAST(sum(errors) AS BIGINT), CAST(sum(input_tokens) AS BIGINT),
        CAST(sum(output_tokens) AS BIGINT), CAST(sum(cache_write_5m_tokens) AS BIGINT),
        CAST(sum(cache_write_1h_tokens) AS BIGINT), CAST(sum(cache_read_tokens) AS BIGINT),
        CAST(sum(thinking_tokens) AS BIGINT), CAST(sum(web_searches) AS BIGINT),
        CAST(sum(credits_in) AS BIGINT), CAST(sum(credits_out) AS BIGINT),
        CAST(sum(credits_actions) AS BIGINT)
    FROM day_use
    GROUP BY day, model, surface, client;

-- By who asked.
CREATE TABLE day_people (
    day BIGINT NOT NULL,
    tenant_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
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
    PRIMARY KEY (day, tenant_id, user_id)
);
CREATE INDEX day_people_by_tenant ON day_people (tenant_id, day);

INSERT INTO day_people
    SELECT hour / 24, tenant_id, user_id, CAST(sum(requests) AS BIGINT),
        CAST(sum(errors) AS BIGINT), CAST(sum(input_tokens) AS BIGINT),
        CAST(sum(output_tokens) AS BIGINT), CAST(sum(cache_write_5m_tokens) AS BIGINT),
        CAST(sum(cache_write_1h_tokens) AS BIGINT), CAST(sum(cache_read_tokens) AS BIGINT),
        CAST(sum(thinking_tokens) AS BIGINT), CAST(sum(web_searches) AS BIGINT),
        CAST(sum(credits_in) AS BIGINT), CAST(sum(credits_out) AS BIGINT),
        CAST(sum(credits_actions) AS BIGINT)
    FROM hour_use
    GROUP BY hour / 24, tenant_id, user_id;

-- One person's own hours, in a tenant of many.
CREATE INDEX hour_use_by_user ON hour_use (user_id, tenant_id, hour);
