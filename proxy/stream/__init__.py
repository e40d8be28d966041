"""Bytes rewritten as they pass."""
