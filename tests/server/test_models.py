from collections.abc import Awaitable, Callable

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from proxy.catalog.lists import ModelLists
from proxy.catalog.refresh import Shelf
from proxy.domain.caller import Caller
from proxy.domain.fault import Fault, Kind
from proxy.server.models import ModelPages
from tests.catalog.shop import HAIKU_4_5, KIMI, MODELS, OPUS_4_7, Switches, make_caller, make_model

Browse = TestClient[web.Request, web.Application]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Door:
    """Lets everybody in who says who they are, and remembers whether Bearer was allowed."""

    def __init__(self) -> None:
        self.callers = {"a": make_caller("user_a"), "b": make_caller("b", disabled={OPUS_4_7.id})}
        self.bearer_allowed: list[bool] = []

    async def admit(self, request: web.Request, bearer_allowed: bool) -> Caller:
        self.bearer_allowed.append(bearer_allowed)
        caller = self.callers.get(request.headers.get("X-Api-Key", ""))
        if caller is None:
            raise Fault(Kind.UNAUTHENTICATED, "who?")
        return caller


@web.middleware
async def refuse(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Fault as fault:
        return web.json_response({"message": fault.message}, status=fault.status)


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.fixture
def switches() -> Switches:
    return Switches()


@pytest.fixture
async def shelf(switches: Switches) -> Shelf:
    slashed = make_model("vertex/claude-opus-4-1", family=None)
    shelf = Shelf([*MODELS, slashed], switches)
    await shelf.refresh(1)
    return shelf


@pytest.fixture
async def browse(
    shelf: Shelf, door: Door, aiohttp_client: Callable[[web.Application], Awaitable[Browse]]
) -> Browse:
    pages = ModelPages(shelf, ModelLists(), door.admit)
    app = web.Application(middlewares=[refuse])
    app.router.add_get("/v1/chat/models", pages.product_models)
    for base in ("/v1/anthropic", "/v1/anthropic/v1"):
        app.router.add_get(base + "/models", pages.anthropic_models)
        app.router.add_get(base + "/models/{model:.+}", pages.anthropic_model)
    return await aiohttp_client(app)


async def get(browse: Browse, path: str, key: str = "a") -> tuple[int, dict[str, object]]:
    async with browse.get(path, headers={"X-Api-Key": key}) as reply:
        decoded: dict[str, object] = msgspec.json.decode(await reply.read())
        return reply.status, decoded


def ids(decoded: dict[str, object]) -> list[str]:
    rows = decoded["data"]
    assert isinstance(rows, list)
    return [row["id"] for row in rows]


async def test_both_spellings_answer_the_same(browse: Browse) -> None:
    short = await get(browse, "/v1/anthropic/models?limit=1000")
    assert short[0] == 200
    assert short == await get(browse, "/v1/anthropic/v1/models?limit=1000")


async def test_a_reply_is_json_and_not_to_be_kept(browse: Browse) -> None:
    for path in ("/v1/chat/models", "/v1/anthropic/models", "/v1/anthropic/models/opus"):
        async with browse.get(path, headers={"X-Api-Key": "a"}) as reply:
            assert reply.status == 200
            assert reply.headers["Content-Type"] == "application/json"
            assert reply.headers["Cache-Control"] == "no-store"


async def test_the_product_list_takes_the_question_for_what_is_available(browse: Browse) -> None:
    status, decoded = await get(browse, "/v1/chat/models?available=true")
    assert status == 200
    assert (status, decoded) == await get(browse, "/v1/chat/models")


async def test_each_caller_sees_their_own_models(browse: Browse) -> None:
    for path in ("/v1/chat/models", "/v1/anthropic/v1/models?limit=1000"):
        everything, less = [ids((await get(browse, path, key))[1]) for key in "ab"]
        assert [id for id in everything if id not in less] == [OPUS_4_7.id]


async def test_a_switched_model_is_gone_with_the_next_call(
    browse: Browse, shelf: Shelf, switches: Switches
) -> None:
    switches.kept[KIMI.id] = False
    await shelf.refresh(2)
    for path in ("/v1/chat/models", "/v1/anthropic/v1/models?limit=1000"):
        assert KIMI.id not in ids((await get(browse, path))[1])
    assert (await get(browse, f"/v1/anthropic/models/{KIMI.id}"))[0] == 404


async def test_pages_are_as_asked(browse: Browse) -> None:
    _, first = await get(browse, "/v1/anthropic/models?limit=2")
    assert len(ids(first)) == 2 and first["has_more"] is True
    _, second = await get(browse, f"/v1/anthropic/models?limit=2&after_id={first['last_id']}")
    assert len(set(ids(first)) | set(ids(second))) == 4


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=1001", "after_id=no.such"])
async def test_a_bad_query_names_its_parameter(browse: Browse, query: str) -> None:
    status, decoded = await get(browse, f"/v1/anthropic/models?{query}")
    assert status == 400
    assert str(decoded["message"]).startswith(query.partition("=")[0])


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("anthropic.claude-haiku-4-5", HAIKU_4_5.id),
        ("anthropic.claude-haiku-4-5/", HAIKU_4_5.id),
        ("haiku", HAIKU_4_5.id),
        ("claude-haiku-4-5-20251001", HAIKU_4_5.id),
        ("anthropic%2Fclaude-haiku-4-5", HAIKU_4_5.id),
        ("anthropic/claude-haiku-4-5", HAIKU_4_5.id),
        ("claude-haiku-4-5%4020251001", HAIKU_4_5.id),
        ("vertex%2Fclaude-opus-4-1", "vertex/claude-opus-4-1"),
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", HAIKU_4_5.id),
        ("claude-haiku-4-5%5B1m%5D", HAIKU_4_5.id),
    ],
)
async def test_one_model_is_found_by_any_of_its_names(
    browse: Browse, asked: str, found: str
) -> None:
    status, decoded = await get(browse, f"/v1/anthropic/v1/models/{asked}")
    assert (status, decoded.get("id")) == (200, found)


async def test_an_unknown_and_a_hidden_model_are_404(browse: Browse) -> None:
    for asked, key in (("no.such", "a"), (OPUS_4_7.id, "b")):
        status, decoded = await get(browse, f"/v1/anthropic/models/{asked}", key)
        assert status == 404
        assert str(decoded["message"]).startswith(f"model: {asked} ")


async def test_nothing_is_shown_to_strangers_and_bearer_may_ask(browse: Browse, door: Door) -> None:
    for path in ("/v1/chat/models", "/v1/anthropic/models", "/v1/anthropic/models/opus"):
        assert (await get(browse, path, "stranger"))[0] == 401
    assert door.bearer_allowed == [True] * 3
