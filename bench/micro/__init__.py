"""Single steps of the hot path, one file per question."""
