"""The Hatz Anthropic Messages Gateway."""

from proxy import compiled as compiled  # before all others: it decides where they are found

__version__ = "0.1.0"
