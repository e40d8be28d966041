"""The Hatz Anthropic Messages Gateway."""

__version__ = "0.1.0"
