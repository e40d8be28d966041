"""The model lists as ready bytes: the product's own (domain.md 4.1) and Anthropic's
(client-contract.md 13.2).

Kept under the version of the catalogue and what is hidden from the caller, so a change of either
is seen by the next call and callers with the same rights share the bytes. Lists hold what a caller
may use and nothing else. A model that a limit keeps from them for now stays in the product's list
and says so: that state is temporary (domain.md 4.2).
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec

from proxy.catalog.aliases import native_twin
from proxy.catalog.catalog import Catalog
from proxy.catalog.cupboard import Cupboard
from proxy.domain.caller import Caller
from proxy.domain.fault import Fault, Kind
from proxy.domain.model import FAMILIES, REFERENCE_RATES, Model, Rates

LIMIT_MAX: Final = 1000
LONG_CONTEXT_TOKENS: Final = 1_000_000


class Page(msgspec.Struct, frozen=True):
    """Which part of Anthropic's list is asked for."""

    limit: int = 20
    after_id: str = ""
    before_id: str = ""
    lifecycles: frozenset[str] = frozenset()


class Limited(NamedTuple):
    """What keeps a model from a caller for now: whose limit, and until when (RFC 3339)."""

    scope: str
    resets_at: str | None


Limits = Callable[[Caller], Awaitable[Mapping[str, Limited]]]
"""Which models, by id, a limit keeps from a caller now."""
NOT_LIMITED: Final[Mapping[str, Limited]] = MappingProxyType({})


async def unlimited(caller: Caller) -> Mapping[str, Limited]:
    """No model is kept from anybody."""
    return NOT_LIMITED


class _ProductRow(msgspec.Struct, frozen=True):
    """The five documented fields first, untouched; ours after them. Tools and prompt caching are
    left out until the catalogue knows them: absent is better than invented."""

    name: str
    developer: str
    display_name: str
    max_tokens: int
    vision: bool
    id: str
    object: str
    family: str | None
    current_for_alias: list[str]
    context_window: int
    max_output_tokens: int
    multiplier: float
    rate_limited: bool = False
    rate_limit_scope: str | None = None
    resets_at: str | None = None


class _AnthropicRow(msgspec.Struct, frozen=True):
    """Anthropic's `ModelInfo`, then three fields that Claude Desktop's discovery reads.
    `capabilities` stays null: half a truth there would switch features off in clients."""

    type: str
    id: str
    display_name: str
    created_at: str
    max_input_tokens: int
    max_tokens: int
    lifecycle: str
    line: str | None
    capabilities: None
    deprecated_at: None
    retires_at: None
    anthropic_family_tier: str | None
    is_family_default: bool
    supports_1m: bool


class _ProductList(msgspec.Struct, frozen=True):
    data: list[_ProductRow]


class _AnthropicList(msgspec.Struct, frozen=True):
    data: list[_AnthropicRow]
    has_more: bool
    first_id: str | None
    last_id: str | None


_LIFECYCLE = "active"
_encode = msgspec.json.Encoder().encode


class ModelLists:
    """One per process.

    With `list_native_ids` each `anthropic.claude-x` is followed by its native twin `claude-x`.
    The twin is then the family's default: it follows the caller's mapping, which the product id
    never does, and Desktop sends the default's id for a bare `opus` (client-contract.md 12.6).
    """

    def __init__(
        self,
        *,
        list_native_ids: bool = False,
        reference: Rates = REFERENCE_RATES,
        lists_cached_max: int = 256,
        ttl_s: float = 60,
    ) -> None:
        self._list_native_ids = list_native_ids
        self._reference = reference
        self._kept = Cupboard[bytes](entries_max=lists_cached_max, ttl_s=ttl_s)

    async def product(
        self,
        catalog: Catalog,
        caller: Caller,
        limited: Mapping[str, Limited] = NOT_LIMITED,
        *,
        available_only: bool = False,
    ) -> bytes:
        """The body of `GET /v1/chat/models`. `limited` are the models, by id, that a limit keeps
        from this caller now; with `available_only` they are left out."""
        key = (
            "product",
            catalog.version,
            catalog.hidden(caller),
            frozenset(limited.items()),
            available_only,
        )
        body = await self._kept.get(key)
        if body is None:
            current = _current_ids(catalog, caller)
            rows = [
                _product_row(model, current, self._reference, limited.get(model.id))
                for model in catalog.visible(caller)
                if not (available_only and model.id in limited)
            ]
            body = _encode(_ProductList(rows))
            await self._kept.put(key, body)
        return body

    async def anthropic(self, catalog: Catalog, caller: Caller, page: Page) -> bytes:
        """The body of `GET …/models`. Raises Fault BAD_REQUEST for a cursor not in the list."""
        key = (page, catalog.version, catalog.hidden(caller))
        body = await self._kept.get(key)
        if body is None:
            rows = self._rows(catalog, caller)
            if page.lifecycles and _LIFECYCLE not in page.lifecycles:
                rows = []
            body = _encode(_cut(rows, page))
            await self._kept.put(key, body)
        return body

    def one(self, catalog: Catalog, caller: Caller, asked: str) -> bytes:
        """The body of `GET …/models/{id}`: what a request for this name would run on, so aliases,
        native ids and the caller's mapping count. Raises Fault NOT_FOUND."""
        model = catalog.resolve(asked, caller).model
        is_default = model.id in _current_ids(catalog, caller)
        return _encode(_anthropic_row(model, model.id, is_default))

    def _rows(self, catalog: Catalog, caller: Caller) -> list[_AnthropicRow]:
        current = _current_ids(catalog, caller)
        rows: list[_AnthropicRow] = []
        for model in catalog.visible(caller):
            is_default = model.id in current
            twin = native_twin(model.id) if self._list_native_ids else None
            if twin is None or catalog.find(twin) is not None:
                rows.append(_anthropic_row(model, model.id, is_default))
            else:
                rows.append(_anthropic_row(model, model.id, False))
                rows.append(_anthropic_row(model, twin, is_default))
        return rows


def read_page(query: Iterable[tuple[str, str]]) -> Page:
    """The query of a list request; unknown parameters are ignored. Raises Fault BAD_REQUEST."""
    found: dict[str, Any] = {}
    lifecycles: set[str] = set()
    for name, value in query:
        if name == "limit":
            found["limit"] = _read_limit(value)
        elif name in ("after_id", "before_id"):
            found[name] = value
        elif name in ("lifecycle", "lifecycle[]"):
            lifecycles.update(value.split(","))
    if found.get("after_id") and found.get("before_id"):
        raise Fault(Kind.BAD_REQUEST, "before_id: Cannot be given together with after_id.")
    return Page(**found, lifecycles=frozenset(lifecycles - {""}))


def _read_limit(text: str) -> int:
    # The length first: turning thousands of digits into a number costs seconds.
    if not (text.isascii() and text.removeprefix("-").isdecimal() and len(text) <= 9):
        raise Fault(Kind.BAD_REQUEST, "limit: Input should be a valid integer.")
    limit = int(text)
    if limit < 1:
        raise Fault(Kind.BAD_REQUEST, "limit: Input should be greater than or equal to 1.")
    if limit > LIMIT_MAX:
        raise Fault(Kind.BAD_REQUEST, f"limit: Input should be less than or equal to {LIMIT_MAX}.")
    return limit


def _cut(rows: list[_AnthropicRow], page: Page) -> _AnthropicList:
    """The page. `has_more` looks on in the direction of paging, as Anthropic's does."""
    if page.before_id:
        end = _position(rows, "before_id", page.before_id)
        start = max(0, end - page.limit)
        has_more = start > 0
    else:
        start = _position(rows, "after_id", page.after_id) + 1 if page.after_id else 0
        end = start + page.limit
        has_more = end < len(rows)
    data = rows[start:end]
    if not data:
        return _AnthropicList([], False, None, None)
    return _AnthropicList(data, has_more, data[0].id, data[-1].id)


def _position(rows: list[_AnthropicRow], parameter: str, cursor: str) -> int:
    for position, row in enumerate(rows):
        if row.id == cursor:
            return position
    # An empty page would end a client's loop as if it had seen all.
    raise Fault(
        Kind.BAD_REQUEST,
        f"{parameter}: No model of this id is in your list.",
        hint="Start again from the first page.",
    )


def _current_ids(catalog: Catalog, caller: Caller) -> dict[str, str]:
    """Id to family, for the models that the aliases mean without any mapping."""
    current: dict[str, str] = {}
    for family in FAMILIES:
        model = catalog.current(family, caller)
        if model is not None:
            current[model.id] = family
    return current


def _product_row(
    model: Model, current: dict[str, str], reference: Rates, limited: Limited | None
) -> _ProductRow:
    alias = current.get(model.id)
    return _ProductRow(
        name=model.id,
        developer=model.developer,
        display_name=model.display_name,
        max_tokens=model.context_window,
        vision=model.vision,
        id=model.id,
        object="model",
        family=model.family,
        current_for_alias=[] if alias is None else [alias],
        context_window=model.context_window,
        max_output_tokens=model.max_output_tokens,
        multiplier=model.multiplier(reference),
        rate_limited=limited is not None,
        rate_limit_scope=None if limited is None else limited.scope,
        resets_at=None if limited is None else limited.resets_at,
    )


def _anthropic_row(model: Model, listed_id: str, is_default: bool) -> _AnthropicRow:
    return _AnthropicRow(
        type="model",
        id=listed_id,
        display_name=model.display_name,
        created_at=f"{model.released.isoformat()}T00:00:00Z",
        max_input_tokens=model.context_window,
        max_tokens=model.max_output_tokens,
        lifecycle=_LIFECYCLE,
        line=model.family,
        capabilities=None,
        deprecated_at=None,
        retires_at=None,
        anthropic_family_tier=model.family,
        is_family_default=is_default,
        supports_1m=model.context_window >= LONG_CONTEXT_TOKENS,
    )
