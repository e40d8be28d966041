"""What every endpoint of the office does before and after its own work."""

import asyncio
from typing import Annotated

import msgspec
import pytest
from aiohttp import web
from msgspec import Meta

from proxy.admin.endpoint import (
    BODY_BYTES_MAX,
    Asked,
    Endpoint,
    Limit,
    NoBody,
    NoQuery,
    Offset,
    Text,
    routes,
)
from proxy.domain.caller import Caller
from proxy.domain.fault import Fault, Kind
from proxy.domain.permissions import MANAGE_USERS, MSP_USERS
from tests.admin.office_floor import Browse, Visit, ask, floor
from tests.catalog.shop import make_caller


class Paging(msgspec.Struct, frozen=True):
    limit: Limit = 100
    offset: Offset = 0
    loud: bool = False


class Person(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    email: str
    age: Annotated[int, Meta(ge=0, le=150)] = 0


class People(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    users: Annotated[list[Person], Meta(min_length=1, max_length=3)]


class Echo(msgspec.Struct, frozen=True):
    who: str
    limit: int
    offset: int
    loud: bool
    name: str
    request_id: str
    now_ms: int


async def look(asked: Asked[Paging, None]) -> Echo:
    query = asked.query
    name = asked.path["name"]
    who = asked.caller.user_id
    return Echo(who, query.limit, query.offset, query.loud, name, asked.request_id, asked.now_ms)


async def add(asked: Asked[NoQuery, People]) -> list[str]:
    if asked.body.users[0].email == "taken":
        raise Fault(Kind.CONFLICT, "users.0.email: taken.")
    return [each.email for each in asked.body.users]


async def sheet(asked: Asked[NoQuery, None]) -> Text:
    return Text(b"a,b\r\n", "text/csv; charset=utf-8", (("X-Next-Cursor", "n"),))


LOOK = Endpoint(
    method="GET",
    path="/v1/things/{name}",
    summary="Look",
    handler=look,
    reply=Echo,
    query=Paging,
    body=NoBody,
)
ADD = Endpoint(
    method="POST",
    path="/v1/things",
    summary="Add",
    handler=add,
    reply=list[str],
    query=NoQuery,
    body=People,
    status=201,
    needs=(MANAGE_USERS, MSP_USERS),
)
SHEET = Endpoint(
    method="GET",
    path="/v1/sheet",
    summary="Sheet",
    handler=sheet,
    reply=list[str],
    query=NoQuery,
    body=NoBody,
    also=("text/csv",),
)


class Place:
    def __init__(self) -> None:
        self.bearer_allowed: set[bool] = set()
        self.changes = 0
        plain = make_caller("user_a")
        self.callers = {
            "plain": plain,
            "admin": plain.but(user_id="user_b", permissions=frozenset([MANAGE_USERS])),
        }
        self.browse: Browse

    async def admit(self, request: web.Request, bearer_allowed: bool) -> Caller:
        self.bearer_allowed.add(bearer_allowed)
        caller = self.callers.get(request.headers.get("X-Api-Key", ""))
        if caller is None:
            raise Fault(Kind.UNAUTHENTICATED, "who?")
        return caller

    async def changed(self) -> None:
        self.changes += 1


@pytest.fixture
async def place(aiohttp_client: Visit) -> Place:
    place = Place()
    app = floor(
        [LOOK, ADD, SHEET], place.admit, wall=lambda: 1_700_000_000.5, changed=place.changed
    )
    place.browse = await aiohttp_client(app)
    return place


@pytest.mark.parametrize("ending", ["", "/"])
async def test_a_handler_gets_what_was_asked_and_its_answer_goes_out(
    place: Place, ending: str
) -> None:
    said = await ask(
        place.browse, "GET", f"/v1/things/a%2Fb{ending}?limit=5&loud=true&other=1", "plain"
    )
    assert said.status == 200
    assert said.headers["cache-control"] == "no-store"
    assert said.headers["content-type"].startswith("application/json")
    document = said.json()
    del document["request_id"]
    assert document == {
        "who": "user_a",
        "limit": 5,
        "offset": 0,
        "loud": True,
        "name": "a/b",
        "now_ms": 1_700_000_000_500,
    }


async def test_head_answers_like_get_without_a_body(place: Place) -> None:
    said = await ask(place.browse, "HEAD", "/v1/things/x", "plain")
    assert (said.status, said.body) == (200, b"")


@pytest.mark.parametrize(("given", "known"), [("mine", "mine"), ("not one!", ""), (None, "")])
async def test_a_handler_knows_the_id_the_client_gave(
    place: Place, given: str | None, known: str
) -> None:
    headers = {} if given is None else {"X_Request_ID": given}
    said = await ask(place.browse, "GET", "/v1/things/x", "plain", **headers)
    assert said.json()["request_id"] == known
    assert (said.headers["x-request-id"] == given) == bool(known)


async def test_whoever_knows_the_id_better_may_tell_it(aiohttp_client: Visit) -> None:
    place = Place()
    app = web.Application()
    for method, path, handler in routes(
        [LOOK], place.admit, lambda: 0.0, request_id_of=lambda request: "the envelope's"
    ):
        app.router.add_route(method, path, handler)
    said = await ask(await aiohttp_client(app), "GET", "/v1/things/x", "plain")
    assert said.json()["request_id"] == "the envelope's"


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("limit=0", "limit: Expected `int` >= 1."),
        ("limit=1001", "limit: Expected `int` <= 1000."),
        ("limit=many", "limit: Expected `int`, got `str`."),
        ("limit=", "limit: Expected `int`, got `str`."),
        ("offset=-1", "offset: Expected `int` >= 0."),
        ("limit=%00", "limit: The character U+0000 is not taken."),
        ("limit=1&limit=2", "limit: Given more than once."),
    ],
)
async def test_a_wrong_query_is_refused_with_its_name_first(
    place: Place, query: str, says: str
) -> None:
    said = await ask(place.browse, "GET", f"/v1/things/x?{query}", "plain")
    assert (said.status, said.message) == (400, says)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "body: Not valid JSON."),
        (b"", "body: Not valid JSON."),
        (b'{"users":[{"email":"\xff"}]}', "body: Not valid JSON."),
        (b'{"users":[{"email":"\\ud800"}]}', "body: Not valid JSON."),
        (b'{"users":[{"email":"\\u0000"}]}', "body: The character U+0000 is not taken."),
        (b"[" * 100_000, "body: Expected `object`, got `array`."),
        ([], "body: Expected `object`, got `array`."),
        ({}, "users: Field required."),
        ({"users": []}, "users: Expected `array` of length >= 1."),
        ({"users": [{}]}, "users.0.email: Field required."),
        ({"users": [{"email": "a"}, {"email": 5}]}, "users.1.email: Expected `str`, got `int`."),
        ({"users": [{"email": "a", "age": 151}]}, "users.0.age: Expected `int` <= 150."),
        ({"users": [{"email": "a", "old": 1}]}, "users.0.old: There is no such field."),
        ({"user": []}, "user: There is no such field."),
    ],
)
async def test_a_wrong_body_is_refused_with_its_field_first(
    place: Place, body: object, says: str
) -> None:
    said = await ask(place.browse, "POST", "/v1/things", "admin", body)
    assert (said.status, said.message) == (400, says)
    assert place.changes == 0


async def test_a_huge_body_is_not_read_whole(place: Place) -> None:
    said = await ask(place.browse, "POST", "/v1/things", "admin", b" " * (BODY_BYTES_MAX + 1))
    assert said.status == 413


async def test_who_may_not_is_told_what_it_takes_and_nothing_of_the_body(place: Place) -> None:
    said = await ask(place.browse, "POST", "/v1/things", "plain", b"{")
    assert said.status == 403
    assert said.json()["error"]["type"] == "permission_error"
    assert said.message == (
        "Your role general_user may not do this: it needs the permission"
        ' "Invite, change and remove users of the tenant" (users.manage)'
        ' or "Manage the users of all tenants" (msp.users). Ask your administrator.'
    )
    assert said.headers["x-should-retry"] == "false"


async def test_strangers_are_not_let_in_and_bearer_keys_not_read(place: Place) -> None:
    for method, path in (("GET", "/v1/things/x"), ("POST", "/v1/things"), ("GET", "/v1/sheet")):
        assert (await ask(place.browse, method, path, "stranger", {})).status == 401
    assert place.bearer_allowed == {False}


async def test_the_house_hears_of_writes_that_happened_and_of_nothing_else(place: Place) -> None:
    body = {"users": [{"email": "a"}, {"email": "b"}]}
    said = await ask(place.browse, "POST", "/v1/things", "admin", body)
    assert (said.status, said.json(), place.changes) == (201, ["a", "b"], 1)
    await ask(place.browse, "GET", "/v1/things/x", "admin")
    taken = await ask(place.browse, "POST", "/v1/things", "admin", {"users": [{"email": "taken"}]})
    assert (taken.status, place.changes) == (409, 1)


async def test_a_reply_may_be_text(place: Place) -> None:
    said = await ask(place.browse, "GET", "/v1/sheet", "plain", accept="text/csv")
    assert (said.status, said.body) == (200, b"a,b\r\n")
    assert said.headers["content-type"] == "text/csv; charset=utf-8"
    assert (said.headers["x-next-cursor"], said.headers["cache-control"]) == ("n", "no-store")


@pytest.mark.parametrize("noise", ["%ED%A0%80", "%FF", "%80abc", "%", "%zz", "%C0%AF"])
async def test_what_is_no_text_in_an_address_breaks_nothing(place: Place, noise: str) -> None:
    for url in (f"/v1/things/{noise}", f"/v1/things/x?limit={noise}", f"/v1/things/x?{noise}=1"):
        said = await ask_raw(place.browse, url)
        assert said in (200, 400), url


async def ask_raw(browse: Browse, target: str) -> int:
    """The status of a GET whose target is sent as it is; a client library would mend it."""
    assert browse.port is not None
    reader, writer = await asyncio.open_connection(browse.host, browse.port)
    writer.write(
        f"GET {target} HTTP/1.1\r\nhost: x\r\nx-api-key: plain\r\n".encode()
        + b"connection: close\r\n\r\n"
    )
    line = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return int(line.split()[1])
