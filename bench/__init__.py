"""Speed, measured: run as modules from the repository's root (`python -m bench.run`)."""
