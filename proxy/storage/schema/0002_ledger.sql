-- The books: one row for every generation that ended, whatever its end was (domain.md 10).
--
-- No foreign keys: rows outlive the people in them. Credits are micro-credits. `event_id` makes
-- writing a row twice the same as writing it once.

CREATE TABLE entries (
    event_id TEXT PRIMARY KEY,
    request_id TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at BIGINT NOT NULL,
    tenant_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    role TEXT NOT NULL,
    key_id TEXT NOT NULL,
    requested_model TEXT NOT NULL,
    model TEXT NOT NULL,
    resolved_via TEXT NOT NULL,
    outcome TEXT NOT NULL,
    status INTEGER NOT NULL,
    surface TEXT NOT NULL,
    streamed SMALLINT NOT NULL,
    user_agent TEXT NOT NULL,
    client TEXT NOT NULL,
    session_id TEXT NOT NULL,
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
    error_type TEXT NOT NULL,
    stop_reason TEXT NOT NULL,
    provider TEXT NOT NULL,
    provider_request_id TEXT NOT NULL,
    first_byte_ms BIGINT,
    total_ms BIGINT NOT NULL,
    attempts INTEGER NOT NULL
);
-- Each index costs every row a microsecond: only those that a query uses.
CREATE INDEX entries_by_time ON entries (started_at);
CREATE INDEX entries_by_request ON entries (request_id);

-- Requests that were refused before anything was generated: what support needs to answer "why".
-- Only the newest are kept, see storage/entries.py.
CREATE TABLE refusals (
    id TEXT PRIMARY KEY,
    request_id TEXT NOT NULL,
    at BIGINT NOT NULL,
    tenant_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    requested_model TEXT NOT NULL,
    status INTEGER NOT NULL,
    error_type TEXT NOT NULL,
    reason TEXT NOT NULL,
    client TEXT NOT NULL,
    path TEXT NOT NULL
);
CREATE INDEX refusals_by_time ON refusals (at, id);
CREATE INDEX refusals_by_request ON refusals (request_id);
