"""Who asks: the owner of a key, with everything that decides what they may do."""

import msgspec

from proxy.domain.terms import TenantTerms


class AliasMapping(msgspec.Struct, frozen=True):
    """A user's own targets for the three aliases (domain.md 6); picks stay while it is off."""

    enabled: bool = False
    opus: str | None = None
    sonnet: str | None = None
    haiku: str | None = None

    def target(self, family: str) -> str | None:
        """The saved target of a family, or None while the mapping is off or the pick is empty."""
        if not self.enabled:
            return None
        pick: str | None = getattr(self, family, None)
        return pick


class Caller(msgspec.Struct, frozen=True):
    """The live rights behind one API key. `key_id` names the key, it is never the secret itself.

    `allowed_models` is the package's list, None where it has none. `role_credits` are the
    micro-credits the role grants each of its users per month, None where it sets no cap.
    """

    key_id: str
    user_id: str
    email: str
    tenant_id: str
    tenant: str
    role: str
    permissions: frozenset[str] = frozenset()
    disabled_models: frozenset[str] = frozenset()
    mapping: AliasMapping = AliasMapping()
    active: bool = True
    expires_at: int | None = None
    role_id: str = ""
    allowed_models: frozenset[str] | None = None
    role_credits: int | None = None
    web_search: bool = True
    """Has the tenant web search, where the installation has it?"""
    terms: TenantTerms = TenantTerms()
