"""Grammars of bytes."""
