"""Settings: one file, one frozen tree."""
