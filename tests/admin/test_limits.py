"""The installation's ladder and hard stop: configured, changed, as configured again."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from proxy.admin.limits import NAME, LimitChange, LimitDesk
from proxy.admin.usage_limits import Rules
from proxy.domain.permissions import MSP_SETTINGS, MSP_VIEW
from proxy.domain.terms import DEFAULT_LADDER, Step
from proxy.storage.changes import TERMS, Changes
from proxy.storage.installation import Installation
from tests.admin.office_floor import Visit
from tests.admin.usage_floor import Ledger, ledger

PATH = "/v1/admin/limits"
CONFIGURED = Rules(DEFAULT_LADDER, False)
DEFAULTS = {
    "ladder": [
        {"ratio": 1.0, "multiplier": 1.0},
        {"ratio": 1.1, "multiplier": 0.5},
        {"ratio": 1.25, "multiplier": 0.2},
        {"ratio": 1.5, "multiplier": None},
    ],
    "hard_stop": False,
}
STEEP = [{"ratio": 0.9, "multiplier": 0.5}, {"ratio": 1.0, "multiplier": None}]


@pytest.fixture
async def books(tmp_path: Path, aiohttp_client: Visit) -> AsyncIterator[Ledger]:
    async with ledger(tmp_path) as books:
        books.empower("root", MSP_SETTINGS)
        desk = LimitDesk(Installation(books.database), lambda: CONFIGURED)
        await books.open(desk.endpoints(), aiohttp_client)
        yield books


async def test_at_first_all_is_as_configured(books: Ledger) -> None:
    assert await books.get(PATH) == {**DEFAULTS, "defaults": DEFAULTS, "changed": []}


async def test_what_is_changed_wins_and_the_rest_stays_as_configured(books: Ledger) -> None:
    before = (await Changes(books.database).versions())[TERMS]
    told = await books.done("PUT", PATH, {"ladder": STEEP})
    assert told == {
        "ladder": STEEP,
        "hard_stop": False,
        "defaults": DEFAULTS,
        "changed": ["ladder"],
    }
    assert await books.get(PATH) == told
    told = await books.done("PUT", PATH, {"hard_stop": True})
    assert (told["ladder"], told["hard_stop"]) == (STEEP, True)
    stored = await Installation(books.database).get(NAME, LimitChange)
    assert stored == LimitChange((Step(0.9, 0.5), Step(1.0)), True)
    assert stored.over(CONFIGURED) == Rules((Step(0.9, 0.5), Step(1.0)), True)
    assert (await Changes(books.database).versions())[TERMS] == before + 2


async def test_null_is_as_configured_again(books: Ledger) -> None:
    await books.done("PUT", PATH, {"ladder": STEEP, "hard_stop": True})
    told = await books.done("PUT", PATH, {"ladder": None})
    assert (told["ladder"], told["changed"]) == (DEFAULTS["ladder"], ["hard_stop"])
    await books.done("PUT", PATH, {"hard_stop": None})
    assert await Installation(books.database).all() == {}
    assert [line[0] for line in await books.audited()] == [
        *("setting.change", "setting.change"),
        "setting.clear",
    ]


async def test_an_empty_ladder_restricts_nothing_and_is_not_null(books: Ledger) -> None:
    told = await books.done("PUT", PATH, {"ladder": []})
    assert (told["ladder"], told["changed"]) == ([], ["ladder"])


async def test_what_changes_nothing_leaves_no_line(books: Ledger) -> None:
    await books.done("PUT", PATH, {})
    await books.done("PUT", PATH, {"ladder": None, "hard_stop": None})
    await books.done("PUT", PATH, {"hard_stop": True})
    await books.done("PUT", PATH, {"hard_stop": True})
    assert len(await books.audited()) == 1


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"hard_stop": "yes"}, "hard_stop"),
        ({"ladder": [{"ratio": -1}]}, "ladder.0.ratio"),
        ({"ladder": [{"multiplier": 1}]}, "ladder.0.ratio"),
        (b'{"ladder":[{"ratio":1e999}]}', "ladder.0.ratio"),
        ({"hardstop": True}, "hardstop"),
    ],
)
async def test_a_wrong_field_is_named_first(books: Ledger, wish: object, field: str) -> None:
    said = await books.send("PUT", PATH, wish)
    assert said.status == 400
    assert said.message.startswith(f"{field}: ")
    assert await Installation(books.database).all() == {}


@pytest.mark.parametrize(
    ("permissions", "reads", "writes"),
    [((MSP_SETTINGS,), 200, 200), ((MSP_VIEW,), 200, 403), (("tenant.manage",), 403, 403)],
)
async def test_who_may(
    books: Ledger, permissions: tuple[str, ...], reads: int, writes: int
) -> None:
    books.empower("ada", *permissions)
    assert (await books.ask(PATH, "ada")).status == reads
    assert (await books.send("PUT", PATH, {"hard_stop": True}, "ada")).status == writes
