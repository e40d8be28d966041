"""How much and how fast: what a tenant, a role and a key may still use."""
