"""A user's own preferences over HTTP: the custom mapping of opus, sonnet and haiku (domain.md 6).

Owns what may be saved and what a saved mapping amounts to right now. A pick whose model was
switched off later is kept and told as such, never replaced.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec
from aiohttp import web
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from proxy.admin.endpoint import RequestIdOf, given_request_id
from proxy.catalog.access import may_use
from proxy.catalog.catalog import Catalog
from proxy.catalog.lists import Limited, Limits, unlimited
from proxy.catalog.mappings import AliasMaps, MappingStore
from proxy.catalog.refresh import Shelf
from proxy.domain.alias_mapping import AliasMapping
from proxy.domain.caller import Caller
from proxy.domain.fault import Fault, Kind
from proxy.domain.model import FAMILIES
from proxy.domain.people import Actor

Admit = Callable[[web.Request, bool], Awaitable[Caller]]
"""Who asks; the second argument: may the key come as Bearer? Raises Fault."""

Changed = Callable[[Caller, AliasMapping, AliasMapping], Awaitable[None]]
"""Told after a mapping was saved: whose, what it was, what it is."""

BODY_BYTES_MAX: Final = 16_384
ECHO_CHARS_MAX: Final = 200
_HEADERS: Final = {"Cache-Control": "no-store"}


class _Picks(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    opus: str | UnsetType | None = UNSET
    sonnet: str | UnsetType | None = UNSET
    haiku: str | UnsetType | None = UNSET


class _Wish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a PUT. What is left out stays as it is."""

    enabled: bool | UnsetType = UNSET
    mappings: _Picks | UnsetType = UNSET


class _Saved(msgspec.Struct, frozen=True):
    opus: str | None
    sonnet: str | None
    haiku: str | None


class _Effective(msgspec.Struct, frozen=True):
    model: str | None
    source: str
    status: str
    resets_at: str | None = None


class _State(msgspec.Struct, frozen=True):
    enabled: bool
    mappings: _Saved
    effective: dict[str, _Effective]


_wish = msgspec.json.Decoder(_Wish)
_encode = msgspec.json.Encoder().encode


async def _nobody(caller: Caller, before: AliasMapping, after: AliasMapping) -> None:
    return None


class GatewayMapping:
    """The handlers of `/v1/preferences/gateway-mapping`. Reads the store and not the memory: a
    user who looks wants the truth. `changed` is where the house hears of a save."""

    def __init__(
        self,
        shelf: Shelf,
        store: MappingStore,
        maps: AliasMaps,
        admit: Admit,
        changed: Changed = _nobody,
        limits: Limits = unlimited,
        *,
        wall: Callable[[], float] = time.time,
        request_id_of: RequestIdOf = given_request_id,
    ) -> None:
        self._wall = wall
        self._request_id_of = request_id_of
        self._shelf = shelf
        self._limits = limits
        self._store = store
        self._maps = maps
        self._admit = admit
        self._changed = changed

    async def read(self, request: web.Request) -> web.Response:
        """`GET`: the switch, the saved picks, and what each alias leads to now."""
        caller = await self._admit(request, False)
        mapping = await self._store.get(caller.user_id)
        return await self._answer(mapping, caller)

    async def save(self, request: web.Request) -> web.Response:
        """`PUT`: what is given changes, the rest stays. In force with the next request."""
        caller = await self._admit(request, False)
        wish = _read_wish(await _body(request))
        before = await self._store.get(caller.user_id)
        after = _merged(before, wish, self._shelf.current, caller)
        if after != before:
            by = Actor(
                caller.user_id, caller.email, int(self._wall() * 1000), self._request_id_of(request)
            )
            await self._store.put(caller.user_id, after, by, caller.tenant_id)
            self._maps.invalidate()
            await self._changed(caller, before, after)
        return await self._answer(after, caller)

    async def _answer(self, mapping: AliasMapping, caller: Caller) -> web.Response:
        limited = await self._limits(caller)
        catalog = self._shelf.current
        effective = {
            family: _effective(family, mapping, catalog, caller, limited) for family in FAMILIES
        }
        saved = _Saved(mapping.opus, mapping.sonnet, mapping.haiku)
        body = _encode(_State(mapping.enabled, saved, effective))
        return web.Response(body=body, content_type="application/json", headers=_HEADERS)


async def _body(request: web.Request) -> bytes:
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise Fault(Kind.TOO_LARGE, f"body: At most {BODY_BYTES_MAX} bytes are read here.")
    return bytes(body)


def _read_wish(body: bytes) -> _Wish:
    try:
        return _wish.decode(body)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at `$")
        field = path.strip("`.") or "body"
        raise Fault(Kind.BAD_REQUEST, f"{field}: {problem}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Fault(Kind.BAD_REQUEST, "body: Not valid JSON.") from None


def _merged(before: AliasMapping, wish: _Wish, catalog: Catalog, caller: Caller) -> AliasMapping:
    after = before
    if wish.enabled is not UNSET:
        after = replace(after, enabled=wish.enabled)
    if wish.mappings is UNSET:
        return after
    for family in FAMILIES:
        picked: str | UnsetType | None = getattr(wish.mappings, family)
        # A pick that was there before may stay although its model is switched off by now: a page
        # that sends all its fields back must still be able to change the others.
        if picked is UNSET or picked == getattr(before, family):
            continue
        after = replace(after, **{family: _target(family, picked, catalog, caller)})
    return after


def _target(family: str, picked: str | None, catalog: Catalog, caller: Caller) -> str | None:
    """The catalogue's spelling of a pick; none for an empty one."""
    if picked is None or not picked.strip():
        return None
    model = catalog.find(picked)
    if model is not None and may_use(model, caller):
        return model.id
    close = catalog.close_ids(picked, caller)
    raise Fault(
        Kind.BAD_REQUEST,
        f"mappings.{family}: {picked[:ECHO_CHARS_MAX]} was not found, or it is not enabled for your"
        " account.",
        hint="Use an id from GET /v1/chat/models"
        + (f", such as {', '.join(close)}." if close else "."),
    )


def _effective(
    family: str,
    mapping: AliasMapping,
    catalog: Catalog,
    caller: Caller,
    limited: Mapping[str, Limited],
) -> _Effective:
    target = mapping.target(family)
    if target:
        model = catalog.find(target)
        if model is None or not may_use(model, caller):
            return _Effective(target, "mapping", "disabled")
        return _standing(target, "mapping", limited.get(model.id))
    current = catalog.current(family, caller)
    if current is None:
        return _Effective(None, "none", "disabled")
    return _standing(current.id, "family_default", limited.get(current.id))


def _standing(model_id: str, source: str, limited: Limited | None) -> _Effective:
    if limited is None:
        return _Effective(model_id, source, "ok")
    return _Effective(model_id, source, "rate_limited", limited.resets_at)
