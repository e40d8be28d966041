"""`GET /v1/requests/{id}`: the support record of one request, for those it belongs to."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

from proxy.admin.requests import RequestLookup
from proxy.domain.caller import Caller
from proxy.domain.entry import Entry, Outcome
from proxy.domain.fault import Fault, Kind
from proxy.domain.refusal import Refusal
from proxy.storage.entries import Entries
from proxy.storage.migrations import migrate
from proxy.storage.sqlite import SqliteDatabase

ROW = Entry(
    "evt_1",
    "req_1",
    1_790_000_000_000,
    1_790_000_001_000,
    "tenant_1",
    "user_1",
    "general_user",
    "key_1",
    "sonnet",
    "claude-sonnet-5",
    "alias",
    Outcome.COMPLETED,
    200,
)
REFUSAL = Refusal(
    "req_2", 5, "tenant_1", "user_1", "key_1", "gpt-9", 404, "not_found_error", "no_model", "", "/x"
)
PEOPLE = {
    "owner": Caller("key_1", "user_1", "a@example.com", "tenant_1", "Acme", "general_user"),
    "colleague": Caller("key_2", "user_2", "b@example.com", "tenant_1", "Acme", "general_user"),
    "admin": Caller(
        "key_3",
        "user_3",
        "c@example.com",
        "tenant_1",
        "Acme",
        "client_admin",
        frozenset({"usage.view"}),
    ),
    "foreign": Caller(
        "key_4",
        "user_4",
        "d@example.com",
        "tenant_2",
        "Else",
        "client_admin",
        frozenset({"usage.view"}),
    ),
}

Ask = Callable[[str, str], Awaitable[tuple[int, Any]]]


async def admit(request: web.Request, bearer_allowed: bool) -> Caller:
    assert not bearer_allowed, "the support record is not one of the compatibility endpoints"
    who = PEOPLE.get(request.headers.get("X-Api-Key", ""))
    if who is None:
        raise Fault(Kind.UNAUTHENTICATED, "who?")
    return who


@web.middleware
async def faults(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except Fault as fault:
        return web.json_response({"said": fault.message}, status=fault.status)


@pytest.fixture
async def ask(tmp_path: Path, aiohttp_client: Any) -> Any:
    database = await SqliteDatabase.open(tmp_path / "gateway.db")
    await migrate(database)
    entries = Entries(database)
    await entries.insert([ROW, msgspec.structs.replace(ROW, event_id="evt_2", user_id="user_2")])
    await entries.insert_refusals([REFUSAL])
    application = web.Application(middlewares=[faults])
    lookup = RequestLookup(entries, admit)
    application.router.add_get("/v1/requests/{request_id}", lookup.read)
    client = await aiohttp_client(application)

    async def call(who: str, request_id: str) -> tuple[int, Any]:
        path = f"/v1/requests/{request_id}"
        async with client.get(path, headers={"X-Api-Key": who}) as reply:
            if reply.status == 200:
                assert reply.headers["Cache-Control"] == "no-store"
            return reply.status, await reply.json()

    yield call
    await database.close()


@pytest.mark.parametrize(
    ("who", "events"),
    [("owner", ["evt_1"]), ("colleague", ["evt_2"]), ("admin", ["evt_1", "evt_2"])],
)
async def test_people_see_their_own_records_and_administrators_their_workspaces(
    ask: Ask, who: str, events: list[str]
) -> None:
    status, document = await ask(who, "req_1")
    assert status == 200
    assert document["request_id"] == "req_1"
    assert [record["event_id"] for record in document["records"]] == events
    assert {record["type"] for record in document["records"]} == {"generation"}
    assert {record["usage_estimated"] for record in document["records"]} == {False}


async def test_a_refused_request_is_found_with_its_reason(ask: Ask) -> None:
    status, document = await ask("owner", "req_2")
    assert status == 200
    (record,) = document["records"]
    assert (record["type"], record["reason"], record["status"]) == ("refusal", "no_model", 404)


@pytest.mark.parametrize(
    ("who", "request_id"),
    [
        ("foreign", "req_1"),
        ("colleague", "req_2"),
        ("owner", "req_9"),
        ("owner", "no%20id"),
        ("owner", "x" * 129),
    ],
)
async def test_what_is_not_yours_looks_like_what_is_not_there(
    ask: Ask, who: str, request_id: str
) -> None:
    assert await ask(who, request_id) == await ask("owner", "req_unheard_of")
    assert (await ask(who, request_id))[0] == 404


async def test_nobody_is_asked_for_a_key(ask: Ask) -> None:
    status, document = await ask("stranger", "req_1")
    assert (status, document) == (401, {"said": "who?"})
