"""The office: preferences, keys and records over HTTP."""
