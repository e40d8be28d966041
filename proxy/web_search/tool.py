"""The search tool as the client asks for it (translation.md 9.1, client-contract.md 10).

Every `web_search_*` is one tool, whatever its date. Who may call it (`allowed_callers`) does not
matter: there is no code execution here, so the model always calls it directly. Nor does
`response_inclusion`: results of a direct call are always part of the reply. Owns what of it is a
mistake, worded as Anthropic words it; refuses to know what becomes of it.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from proxy.domain.fault import Fault
from proxy.web_search.domains import Domain, read_domain
from proxy.wire.messages_request import ABSENT, bad, is_null

TYPE = "web_search_"
NAME = "web_search"
_MARK = TYPE.encode()
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_INCLUSIONS = (b"", b"null", b'"full"', b'"excluded"')
_PLACES = ("city", "region", "country", "timezone")


class Location(msgspec.Struct, frozen=True, gc=False):
    """Where the user is, roughly. `country` is in upper case."""

    city: str = ""
    region: str = ""
    country: str = ""
    timezone: str = ""


class SearchTool(msgspec.Struct, frozen=True):
    """The tool. `place` is where in `tools` it stands; `max_uses` is None where nothing is said."""

    place: int
    type: str
    max_uses: int | None = None
    allowed: tuple[Domain, ...] = ()
    blocked: tuple[Domain, ...] = ()
    location: Location | None = None
    cache_control: bytes = b""
    """JSON, empty where there is none."""


class Wish(msgspec.Struct, frozen=True):
    """A request that may search."""

    tool: SearchTool
    forced: bool
    """Has the first turn to search?"""
    is_point: bool
    """Is there nothing else the request is about: the only tool, or forced by name?"""
    has_client_tools: bool


class _Tool(msgspec.Struct, gc=False):
    type: Any = None
    name: Any = None
    max_uses: msgspec.Raw = ABSENT
    allowed_domains: msgspec.Raw = ABSENT
    blocked_domains: msgspec.Raw = ABSENT
    user_location: msgspec.Raw = ABSENT
    response_inclusion: msgspec.Raw = ABSENT
    cache_control: msgspec.Raw = ABSENT

    @property
    def is_search(self) -> bool:
        return isinstance(self.type, str) and self.type.startswith(TYPE)


class _Choice(msgspec.Struct, gc=False):
    type: Any = None
    name: Any = None


_TOOLS = msgspec.json.Decoder(list[_Tool])
_CHOICE = msgspec.json.Decoder(_Choice)


def read_wish(fields: Mapping[str, msgspec.Raw], *, counting: bool = False) -> Wish | None:
    """The wish of a request, given its top level; None when it cannot search, which costs one look
    at `tools`. Raises Fault 400 for a tool that is wrong, but not where tokens are only counted."""
    raw = fields.get("tools")
    if raw is None or bytes(raw).find(_MARK) < 0:
        return None
    try:
        tools = _TOOLS.decode(raw)
    except _UNREADABLE:
        return None  # whoever reads all the tools says what is wrong
    places = [place for place, tool in enumerate(tools) if tool.is_search]
    if not places:
        return None
    place = places[0]
    try:
        tool = _read_tool(tools[place], place)
        if sum(other.name == NAME for other in tools) > 1:
            raise bad("tools: Tool names must be unique.")
    except Fault:
        if not counting:
            raise
        tool = SearchTool(place, tools[place].type)
    choice = _read_choice(fields.get("tool_choice"))
    only = len(places) == len(tools)
    named = choice.type == "tool" and choice.name == NAME
    return Wish(
        tool,
        forced=named or (only and choice.type == "any"),
        is_point=(only and choice.type != "none") or named,
        has_client_tools=not only,
    )


def _read_choice(raw: msgspec.Raw | None) -> _Choice:
    if raw is None:
        return _Choice()
    try:
        return _CHOICE.decode(raw)
    except _UNREADABLE:
        return _Choice()


def _read_tool(tool: _Tool, place: int) -> SearchTool:
    where = f"tools.{place}.{tool.type}"
    if tool.name != NAME:
        said = "Field required" if tool.name is None else f"Input should be '{NAME}'"
        raise bad(f"{where}.name: {said}")
    allowed = _read_domains(tool.allowed_domains, f"{where}.allowed_domains")
    blocked = _read_domains(tool.blocked_domains, f"{where}.blocked_domains")
    if allowed and blocked:
        raise bad(f"{where}: Only one of allowed_domains or blocked_domains may be set.")
    if bytes(tool.response_inclusion) not in _INCLUSIONS:
        raise bad(f"{where}.response_inclusion: Input should be 'full' or 'excluded'")
    return SearchTool(
        place,
        tool.type,
        _read_max_uses(tool.max_uses, f"{where}.max_uses"),
        allowed,
        blocked,
        _read_location(tool.user_location, f"{where}.user_location"),
        b"" if _is_nothing(tool.cache_control) else bytes(tool.cache_control),
    )


def _is_nothing(raw: msgspec.Raw) -> bool:
    return not raw or is_null(raw)


def _read_max_uses(raw: msgspec.Raw, where: str) -> int | None:
    if _is_nothing(raw):
        return None
    try:
        most: int = msgspec.json.decode(raw, type=int)
    except _UNREADABLE:
        raise bad(f"{where}: Input should be a valid integer") from None
    if most < 1:
        raise bad(f"{where}: Input should be greater than 0")
    return most


def _read_domains(raw: msgspec.Raw, where: str) -> tuple[Domain, ...]:
    if _is_nothing(raw):
        return ()
    try:
        entries: list[Any] = msgspec.json.decode(raw, type=list[Any])
    except _UNREADABLE:
        raise bad(f"{where}: Input should be a valid list") from None
    if not entries:
        raise bad(
            f"{where}: Empty list of domains is ambiguous. Provide at least one domain or null."
        )
    domains: list[Domain] = []
    for number, entry in enumerate(entries):
        if not isinstance(entry, str):
            raise bad(f"{where}.{number}: Input should be a valid string")
        domain = read_domain(entry)
        if isinstance(domain, str):
            raise bad(f"{where}.{number}: {domain}")
        domains.append(domain)
    return tuple(dict.fromkeys(domains))


def _read_location(raw: msgspec.Raw, where: str) -> Location | None:
    if _is_nothing(raw):
        return None
    try:
        given: dict[str, Any] = msgspec.json.decode(raw, type=dict[str, Any])
    except _UNREADABLE:
        raise bad(f"{where}: Input should be a valid dictionary") from None
    if given.get("type") != "approximate":
        said = "Input should be 'approximate'" if "type" in given else "Field required"
        raise bad(f"{where}.type: {said}")
    said_of: dict[str, str] = {}
    for name in _PLACES:
        value = given.get(name)
        if value is None:
            continue
        if not isinstance(value, str):
            raise bad(f"{where}.{name}: Input should be a valid string")
        if value.strip():
            said_of[name] = value.strip()
    if not said_of:
        raise bad(f"{where}: At least one of city, region, country or timezone must be provided")
    country = said_of.get("country", "").upper()
    if country and len(country) != 2:
        short = "at least" if len(country) < 2 else "at most"
        raise bad(f"{where}.country: String should have {short} 2 characters")
    return Location(
        said_of.get("city", ""), said_of.get("region", ""), country, said_of.get("timezone", "")
    )
