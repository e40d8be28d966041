"""Machine code of the hot path: made by `make compile` (`python -m compiled.build`)."""
