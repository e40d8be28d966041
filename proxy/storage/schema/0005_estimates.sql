-- Tokens we had to estimate, and how well we do.
--
-- `usage_estimated`: the provider reported no usage, the row's tokens are our own estimate.
ALTER TABLE entries ADD COLUMN usage_estimated SMALLINT NOT NULL DEFAULT 0;

-- What a model really counts, per token of ours: a running mean, kept by all workers together.
-- `weight` says how many requests stand behind it; it stops growing, so that a mean follows a
-- model that changes (catalog/calibration.py).
CREATE TABLE calibration (
    model_id TEXT PRIMARY KEY,
    ratio DOUBLE PRECISION NOT NULL,
    weight DOUBLE PRECISION NOT NULL,
    updated_at BIGINT NOT NULL
);
