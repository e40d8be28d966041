"""Who asks: the owner of a key, with everything that decides what they may do."""

from typing import Any, Final

from proxy.domain.alias_mapping import AliasMapping
from proxy.domain.terms import TenantTerms

_NO_MAPPING = AliasMapping()
_NO_TERMS = TenantTerms()
_FACTS: Final = (
    "key_id",
    "user_id",
    "email",
    "tenant_id",
    "tenant",
    "role",
    "permissions",
    "disabled_models",
    "mapping",
    "active",
    "expires_at",
    "role_id",
    "allowed_models",
    "role_credits",
    "web_search",
    "terms",
)


class Caller:
    """The live rights behind one API key. `key_id` names the key, it is never the secret itself.

    `allowed_models` is the package's list, None where it has none. `role_credits` are the
    micro-credits the role grants each of its users per month, None where it sets no cap.
    `web_search`: has the tenant web search, where the installation has it?

    A class of its own, not a struct, and for the reason of `domain/call.py`. Shared by all requests
    of a key: nobody changes one.
    """

    __slots__ = (
        "active",
        "allowed_models",
        "disabled_models",
        "email",
        "expires_at",
        "key_id",
        "mapping",
        "permissions",
        "role",
        "role_credits",
        "role_id",
        "tenant",
        "tenant_id",
        "terms",
        "user_id",
        "web_search",
    )

    def __init__(  # noqa: PLR0917 - facts, in the order of their weight
        self,
        key_id: str,
        user_id: str,
        email: str,
        tenant_id: str,
        tenant: str,
        role: str,
        permissions: frozenset[str] = frozenset(),
        disabled_models: frozenset[str] = frozenset(),
        mapping: AliasMapping = _NO_MAPPING,
        active: bool = True,
        expires_at: int | None = None,
        role_id: str = "",
        allowed_models: frozenset[str] | None = None,
        role_credits: int | None = None,
        web_search: bool = True,
        terms: TenantTerms = _NO_TERMS,
    ) -> None:
        self.key_id = key_id
        self.user_id = user_id
        self.email = email
        self.tenant_id = tenant_id
        self.tenant = tenant
        self.role = role
        self.permissions = permissions
        self.disabled_models = disabled_models
        self.mapping = mapping
        self.active = active
        self.expires_at = expires_at
        self.role_id = role_id
        self.allowed_models = allowed_models
        self.role_credits = role_credits
        self.web_search = web_search
        self.terms = terms

    def facts(self) -> tuple[object, ...]:
        """All there is to a caller, in the order of `__init__`."""
        return tuple([getattr(self, name) for name in _FACTS])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Caller) and self.facts() == other.facts()

    def __hash__(self) -> int:
        return hash(self.facts())

    def __repr__(self) -> str:
        return f"Caller(key {self.key_id}, user {self.user_id}, tenant {self.tenant_id})"

    def but(self, **changes: Any) -> "Caller":
        """The same caller with some of the facts changed, by their names."""
        return Caller(**{**dict(zip(_FACTS, self.facts(), strict=True)), **changes})
