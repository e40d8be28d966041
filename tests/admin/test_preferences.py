from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from proxy.admin.preferences import BODY_BYTES_MAX, GatewayMapping
from proxy.catalog.mappings import AliasMaps
from proxy.catalog.refresh import Shelf
from proxy.domain.alias_mapping import AliasMapping
from proxy.domain.caller import Caller
from proxy.domain.fault import Fault, Kind
from tests.catalog.shop import (
    GPT,
    HAIKU_4_5,
    HAIKU_TO_KIMI,
    KIMI,
    MODELS,
    OPUS_4_6,
    OPUS_4_7,
    SONNET_4_6,
    SWITCHED_OFF,
    Mappings,
    Switches,
    make_caller,
)

PATH = "/v1/preferences/gateway-mapping"
Browse = TestClient[web.Request, web.Application]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
NO_PICKS = {"opus": None, "sonnet": None, "haiku": None}


class Office:
    """The page and everything around it."""

    def __init__(self, shelf: Shelf, switches: Switches) -> None:
        self.shelf = shelf
        self.switches = switches
        self.store = Mappings()
        self.maps = AliasMaps(self.store)
        self.callers = {"a": make_caller("user_a"), "b": make_caller("user_b", disabled={GPT.id})}
        self.changes: list[tuple[str, AliasMapping, AliasMapping]] = []
        self.bearer_allowed: set[bool] = set()
        self.browse: Browse

    async def admit(self, request: web.Request, bearer_allowed: bool) -> Caller:
        self.bearer_allowed.add(bearer_allowed)
        caller = self.callers.get(request.headers.get("X-Api-Key", ""))
        if caller is None:
            raise Fault(Kind.UNAUTHENTICATED, "who?")
        return caller

    async def changed(self, caller: Caller, before: AliasMapping, after: AliasMapping) -> None:
        self.changes.append((caller.user_id, before, after))

    async def get(self, key: str = "a") -> dict[str, Any]:
        async with self.browse.get(PATH, headers={"X-Api-Key": key}) as reply:
            assert reply.status == 200
            decoded: dict[str, Any] = msgspec.json.decode(await reply.read())
            return decoded

    async def put(self, body: object, key: str = "a") -> tuple[int, dict[str, Any]]:
        data = body if isinstance(body, bytes) else msgspec.json.encode(body)
        async with self.browse.put(PATH, data=data, headers={"X-Api-Key": key}) as reply:
            decoded: dict[str, Any] = msgspec.json.decode(await reply.read())
            return reply.status, decoded


@web.middleware
async def refuse(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Fault as fault:
        return web.json_response({"message": fault.message}, status=fault.status)


@pytest.fixture
async def office(aiohttp_client: Callable[[web.Application], Awaitable[Browse]]) -> Office:
    switches = Switches()
    shelf = Shelf(MODELS, switches)
    await shelf.refresh(1)
    office = Office(shelf, switches)
    pages = GatewayMapping(shelf, office.store, office.maps, office.admit, office.changed)
    app = web.Application(middlewares=[refuse])
    app.router.add_get(PATH, pages.read)
    app.router.add_put(PATH, pages.save)
    office.browse = await aiohttp_client(app)
    return office


async def test_at_first_it_is_off_and_the_family_defaults_hold(office: Office) -> None:
    assert await office.get() == {
        "enabled": False,
        "mappings": NO_PICKS,
        "effective": {
            "opus": {
                "model": OPUS_4_7.id,
                "source": "family_default",
                "status": "ok",
                "resets_at": None,
            },
            "sonnet": {
                "model": SONNET_4_6.id,
                "source": "family_default",
                "status": "ok",
                "resets_at": None,
            },
            "haiku": {
                "model": HAIKU_4_5.id,
                "source": "family_default",
                "status": "ok",
                "resets_at": None,
            },
        },
    }


async def test_what_is_saved_is_answered_and_read_back(office: Office) -> None:
    wish = {"enabled": True, "mappings": {"opus": OPUS_4_6.id, "sonnet": None, "haiku": KIMI.id}}
    status, saved = await office.put(wish)
    assert status == 200
    assert saved == await office.get()
    assert saved["mappings"] == wish["mappings"]
    assert saved["effective"]["haiku"]["source"] == "mapping"
    assert saved["effective"]["haiku"]["model"] == KIMI.id
    assert saved["effective"]["sonnet"]["source"] == "family_default"
    assert office.store.kept["user_a"] == AliasMapping(True, opus=OPUS_4_6.id, haiku=KIMI.id)


async def test_the_next_request_already_follows_it(office: Office) -> None:
    assert not (await office.maps.get("user_a")).enabled
    await office.put({"enabled": True, "mappings": {"haiku": KIMI.id}})
    mapping = await office.maps.get("user_a")
    found = office.shelf.current.resolve("haiku", make_caller("user_a", mapping=mapping))
    assert found.model == KIMI


async def test_off_keeps_the_picks_and_on_brings_them_back(office: Office) -> None:
    await office.put({"enabled": True, "mappings": {"haiku": KIMI.id}})
    _, off = await office.put({"enabled": False})
    assert off["mappings"] == {**NO_PICKS, "haiku": KIMI.id}
    assert off["effective"]["haiku"]["model"] == HAIKU_4_5.id
    _, on = await office.put({"enabled": True})
    assert on["effective"]["haiku"]["model"] == KIMI.id


async def test_picks_left_out_stay_and_emptied_ones_go(office: Office) -> None:
    await office.put({"enabled": True, "mappings": {"opus": GPT.id, "haiku": KIMI.id}})
    _, saved = await office.put({"mappings": {"haiku": None}})
    assert saved["enabled"] is True
    assert saved["mappings"] == {**NO_PICKS, "opus": GPT.id}
    _, saved = await office.put({"mappings": {"opus": " "}})
    assert saved["mappings"] == NO_PICKS


async def test_a_pick_is_saved_in_the_catalogues_spelling(office: Office) -> None:
    _, saved = await office.put({"mappings": {"opus": " Moonshot.Kimi-K2-Thinking "}})
    assert saved["mappings"]["opus"] == KIMI.id


@pytest.mark.parametrize(
    "target", ["no.such", SWITCHED_OFF.id, "opus", "claude-haiku-4-5", "auto", "x" * 5000]
)
async def test_a_target_out_of_reach_is_refused_by_name(office: Office, target: str) -> None:
    status, refusal = await office.put({"enabled": True, "mappings": {"sonnet": target}})
    assert status == 400
    assert refusal["message"].startswith(f"mappings.sonnet: {target[:200]} was not found")
    assert office.store.kept == {}


async def test_what_another_user_may_use_is_out_of_reach_all_the_same(office: Office) -> None:
    assert (await office.put({"mappings": {"opus": GPT.id}}, "a"))[0] == 200
    status, refusal = await office.put({"mappings": {"opus": GPT.id}}, "b")
    assert status == 400
    assert "such as" not in refusal["message"] or GPT.id not in refusal["message"].split("such")[1]


async def test_one_users_mapping_is_not_anothers(office: Office) -> None:
    await office.put({"enabled": True, "mappings": {"haiku": KIMI.id}}, "a")
    assert (await office.get("b"))["mappings"] == NO_PICKS
    assert await office.maps.get("user_b") == AliasMapping()


async def test_a_pick_switched_off_later_is_kept_and_told(office: Office) -> None:
    await office.put({"enabled": True, "mappings": {"haiku": KIMI.id}})
    office.switches.kept[KIMI.id] = False
    await office.shelf.refresh(2)
    shown = await office.get()
    assert shown["mappings"]["haiku"] == KIMI.id
    assert shown["effective"]["haiku"] == {
        "model": KIMI.id,
        "source": "mapping",
        "status": "disabled",
        "resets_at": None,
    }
    office.switches.kept[KIMI.id] = True
    await office.shelf.refresh(3)
    assert (await office.get())["effective"]["haiku"]["status"] == "ok"


async def test_a_page_may_send_back_a_pick_that_was_switched_off(office: Office) -> None:
    office.store.kept["user_a"] = HAIKU_TO_KIMI
    office.switches.kept[KIMI.id] = False
    await office.shelf.refresh(2)
    everything = {"opus": GPT.id, "sonnet": None, "haiku": KIMI.id}
    status, saved = await office.put({"enabled": True, "mappings": everything})
    assert (status, saved["mappings"]) == (200, everything)
    status, refusal = await office.put({"mappings": {"opus": KIMI.id}})
    assert (status, refusal["message"].partition(":")[0]) == (400, "mappings.opus")


async def test_a_family_without_models_leads_nowhere(office: Office) -> None:
    office.callers["a"] = make_caller(
        "user_a", disabled={model.id for model in MODELS if model.family == "opus"}
    )
    assert (await office.get())["effective"]["opus"] == {
        "model": None,
        "source": "none",
        "status": "disabled",
        "resets_at": None,
    }


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"enabled": "yes"}, "enabled"),
        ({"enabled": None}, "enabled"),
        ({"mappings": {"opus": 5}}, "mappings.opus"),
        ({"mappings": []}, "mappings"),
        ({"mappings": {"fable": KIMI.id}}, "mappings"),
        ({"enable": True}, "body"),
        ([], "body"),
        (b"{", "body"),
        (b"", "body"),
        (b'{"mappings":{"opus":"\xff"}}', "body"),
    ],
)
async def test_a_wrong_body_is_refused_with_its_field_first(
    office: Office, body: object, field: str
) -> None:
    status, refusal = await office.put(body)
    assert status == 400
    assert refusal["message"].startswith(f"{field}: ")
    assert office.store.kept == {}


async def test_a_huge_body_is_not_read_whole(office: Office) -> None:
    status, _ = await office.put(b" " * (BODY_BYTES_MAX + 1))
    assert status == 413


async def test_the_house_hears_of_changes_and_only_of_changes(office: Office) -> None:
    await office.put({})
    await office.put({"enabled": False})
    assert office.changes == []
    await office.put({"mappings": {"haiku": KIMI.id}})
    after = AliasMapping(enabled=False, haiku=KIMI.id)
    assert office.changes == [("user_a", AliasMapping(), after)]


async def test_strangers_and_bearer_keys_are_not_let_in(office: Office) -> None:
    assert (await office.put({"enabled": True}, "stranger"))[0] == 401
    await office.get()
    assert office.bearer_allowed == {False}


async def test_nobody_has_to_listen_for_changes(
    office: Office, aiohttp_client: Callable[[web.Application], Awaitable[Browse]]
) -> None:
    app = web.Application()
    app.router.add_put(
        PATH, GatewayMapping(office.shelf, office.store, office.maps, office.admit).save
    )
    office.browse = await aiohttp_client(app)
    assert (await office.put({"enabled": True}))[0] == 200
    assert office.changes == []
