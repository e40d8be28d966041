"""Builds and joins all rooms."""
