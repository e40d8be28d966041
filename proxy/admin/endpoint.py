"""The one way an office endpoint is written: a row of a table, and a function from what was asked
to what is answered.

Owns admission, permission, reading of query and body, and the writing of replies, in that order, so
that who may not do something does not learn what it takes. Knows no tenant and no store. A write
is followed by `changed`: this process acts on it with its very next request.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Generic, NoReturn, Protocol, TypeVar

import msgspec
from aiohttp import web
from msgspec import Meta

from proxy.domain.caller import Caller
from proxy.domain.fault import Fault, Kind
from proxy.domain.ids import is_request_id
from proxy.domain.people import Actor
from proxy.domain.permissions import MEANINGS

Admit = Callable[[web.Request, bool], Awaitable[Caller]]
"""Who asks; the second argument: may the key come as Bearer? Raises Fault."""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Changed = Callable[[], Awaitable[None]]
"""Told after every write that succeeded."""

Limit = Annotated[int, Meta(ge=1, le=1000, description="Rows of this page.")]
Offset = Annotated[int, Meta(ge=0, le=1_000_000_000, description="Rows before this page.")]

BODY_BYTES_MAX: Final = 1 << 20
ECHO_CHARS_MAX: Final = 200
READING: Final = ("GET", "HEAD")
_NO_STORE: Final = "no-store"

Q = TypeVar("Q")
B = TypeVar("B")
# What a message of msgspec's says where: `… - at `$.users[3].email``.
_PLACE = re.compile(r" - at `(?:key` in `)?\$\.?(?P<path>[^`]*)`$")
_NAMED = re.compile(r"^Object (?P<what>contains unknown|missing required) field `(?P<name>.*)`$")
_BRACKETS = re.compile(r"\[(\d+|\.\.\.)\]")
PATH_NAME: Final = re.compile(r"\{(\w+)(?::[^{}]*)?\}")


class NoQuery(msgspec.Struct, frozen=True):
    """An endpoint that reads no query."""


class Asked(msgspec.Struct, Generic[Q, B], frozen=True):
    """A request that is admitted and well-formed. `path` are the parts of the path by name;
    `now_ms` is Unix milliseconds; `accept` is the Accept header, in lower case."""

    caller: Caller
    query: Q
    body: B
    path: Mapping[str, str]
    request_id: str
    now_ms: int
    accept: str = ""

    @property
    def actor(self) -> Actor:
        """Under whose name a change goes into the audit."""
        caller = self.caller
        return Actor(caller.user_id, caller.email, self.now_ms, self.request_id)


class Deleted(msgspec.Struct, frozen=True):
    """The reply of a DELETE: what is no more."""

    id: str
    deleted: bool = True


class Text(msgspec.Struct, frozen=True):
    """A reply that is not JSON, such as CSV."""

    body: bytes
    content_type: str
    headers: tuple[tuple[str, str], ...] = ()


class Answers(Protocol[Q, B]):
    """The function behind an endpoint: gives what `reply` says (or `Text`), or raises Fault."""

    def __call__(self, asked: Asked[Q, B], /) -> Awaitable[Any]: ...


@dataclass(frozen=True, kw_only=True)
class Endpoint(Generic[Q, B]):
    """One row of the table of endpoints, all that the document of the API says included.

    `needs`: any one of these permissions is enough; empty: every caller may. `denied` is what is
    said first to who has none of them. `query` is a struct whose unknown names are ignored, `body`
    one that forbids unknown fields (`NoBody`: none is read). `refusals` are the statuses beside
    400, 401, 403, 413, 500 and 503. `also` are content types beside JSON that the handler may
    answer with (`Text`).
    """

    method: str
    path: str
    summary: str
    handler: Answers[Q, B]
    reply: Any
    query: type[Q]
    body: type[B]
    needs: tuple[str, ...] = ()
    denied: str = ""
    status: int = 200
    refusals: tuple[int, ...] = ()
    also: tuple[str, ...] = ()
    bearer: bool = False
    tag: str = field(default="admin")

    @property
    def path_names(self) -> list[str]:
        """The names in the path, in order."""
        return PATH_NAME.findall(self.path)


AnyEndpoint = Endpoint[Any, Any]
NoBody = type(None)
"""`body=NoBody`: no body is read."""


RequestIdOf = Callable[[web.Request], str]
"""The id a request goes by; the envelope around the handlers knows it."""


async def _nobody() -> None:
    return None


def given_request_id(request: web.Request) -> str:
    """The id the client gave, if it can be one: all that is known without the envelope."""
    given = ",".join(request.headers.getall("x-request-id", ()))
    return given if is_request_id(given) else ""


def routes(
    endpoints: Iterable[AnyEndpoint],
    admit: Admit,
    wall: Callable[[], float],
    changed: Changed = _nobody,
    request_id_of: RequestIdOf = given_request_id,
) -> list[tuple[str, str, Handler]]:
    """Method, path, handler of every spelling: with and without a slash at the end, and HEAD
    wherever there is GET. `wall` is the clock, in seconds."""
    table: list[tuple[str, str, Handler]] = []
    for endpoint in endpoints:
        handler = _Desk(endpoint, admit, wall, changed, request_id_of).serve
        for path in (endpoint.path, endpoint.path + "/"):
            table.append((endpoint.method, path, handler))
            if endpoint.method == "GET":
                table.append(("HEAD", path, handler))
    return table


class _Desk:
    """Where one endpoint is served."""

    def __init__(
        self,
        endpoint: AnyEndpoint,
        admit: Admit,
        wall: Callable[[], float],
        changed: Changed,
        request_id_of: RequestIdOf,
    ) -> None:
        self._endpoint = endpoint
        self._admit = admit
        self._wall = wall
        self._changed = changed
        self._request_id_of = request_id_of
        self._body = None if endpoint.body is NoBody else msgspec.json.Decoder(endpoint.body)
        self._encode = msgspec.json.Encoder().encode

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """The handler aiohttp calls."""
        endpoint = self._endpoint
        caller = await self._admit(request, endpoint.bearer)
        check_permission(caller, endpoint.needs, endpoint.denied)
        path = dict(request.match_info)
        _refuse_nul(path)
        asked: Asked[Any, Any] = Asked(
            caller=caller,
            query=_read_query(request, endpoint.query),
            body=None if self._body is None else _read_body(await _bytes(request), self._body),
            path=path,
            request_id=self._request_id_of(request),
            now_ms=int(self._wall() * 1000),
            accept=request.headers.get("accept", "").lower(),
        )
        reply = await endpoint.handler(asked)
        if endpoint.method not in READING:
            await self._changed()
        if isinstance(reply, Text):
            response = web.Response(body=reply.body, status=endpoint.status)
            response.headers["Content-Type"] = reply.content_type
            for name, value in reply.headers:
                response.headers[name] = value
        else:
            response = web.Response(
                body=self._encode(reply), status=endpoint.status, content_type="application/json"
            )
        response.headers["Cache-Control"] = _NO_STORE
        return response


def may(caller: Caller, *permissions: str) -> bool:
    """Has the caller any of these permissions?"""
    return any(name in caller.permissions for name in permissions)


def check_permission(caller: Caller, needs: tuple[str, ...], denied: str = "") -> None:
    """Raises Fault FORBIDDEN, which names what is missing, unless the caller has one of these."""
    if needs and not may(caller, *needs):
        meant = " or ".join(f'"{MEANINGS[name]}" ({name})' for name in needs)
        raise Fault(
            Kind.FORBIDDEN,
            f"{denied or f'Your role {caller.role} may not do this'}: it needs the permission"
            f" {meant}.",
            hint="Ask your administrator.",
            retry=False,
            reason="permission_missing",
        )


def bad(field: str, problem: str, hint: str = "") -> Fault:
    """A Fault for one field of what was sent, as all of them are worded."""
    return Fault(Kind.BAD_REQUEST, f"{field}: {problem}", hint=hint, retry=False)


def not_there(what: str, given: str, hint: str = "") -> Fault:
    """404, the same for what does not exist and for what the caller may not know of."""
    return Fault(
        Kind.NOT_FOUND,
        f"There is no {what} {given[:ECHO_CHARS_MAX]!r} that you may see.",
        hint=hint,
        retry=False,
    )


def _read_query(request: web.Request, kind: type[msgspec.Struct]) -> Any:
    given: dict[str, str] = {}
    for name, value in request.query.items():
        if name in kind.__struct_fields__:
            if name in given:
                raise bad(name, "Given more than once.")
            given[name] = value
    _refuse_nul(given)
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        _refuse(error, "query")


async def _bytes(request: web.Request) -> bytes:
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise Fault(Kind.TOO_LARGE, f"body: At most {BODY_BYTES_MAX} bytes are read here.")
    return bytes(body)


def _read_body(body: bytes, decoder: msgspec.json.Decoder[Any]) -> Any:
    if rb"\u0000" in body:
        raise bad("body", "The character U+0000 is not taken.")
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        _refuse(error, "body")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise bad("body", "Not valid JSON.") from None


def _refuse(error: msgspec.ValidationError, whole: str) -> NoReturn:
    """Field path first, as Anthropic words it: `users.3.email: Field required.`"""
    text = str(error)
    place = _PLACE.search(text)
    steps = _BRACKETS.sub(r".\1", place["path"]).strip(".") if place else ""
    problem = text[: place.start()] if place else text
    if named := _NAMED.match(problem):
        steps = f"{steps}.{named['name']}" if steps else named["name"]
        is_extra = named["what"] == "contains unknown"
        problem = "There is no such field" if is_extra else "Field required"
    raise bad(steps[:ECHO_CHARS_MAX] or whole, f"{problem}.") from None


def _refuse_nul(given: Mapping[str, str]) -> None:
    """PostgreSQL's text holds every character but this one."""
    for name, value in given.items():
        if "\0" in value:
            raise bad(name[:ECHO_CHARS_MAX], "The character U+0000 is not taken.")
