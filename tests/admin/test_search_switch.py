"""Web search of the installation: configured, switched, as configured again."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from proxy.admin.search_switch import NAME, SearchChange, SearchSwitch
from proxy.domain.permissions import MSP_SETTINGS, MSP_VIEW
from proxy.storage.changes import TERMS, Changes
from proxy.storage.installation import Installation
from tests.admin.office_floor import Visit
from tests.admin.usage_floor import Ledger, ledger

PATH = "/v1/admin/settings/web-search"


class Place:
    def __init__(self, books: Ledger) -> None:
        self.books = books
        self.configured = False
        self.lacking = ""

    async def version(self) -> int:
        return (await Changes(self.books.database).versions())[TERMS]


@pytest.fixture
async def place(tmp_path: Path, aiohttp_client: Visit) -> AsyncIterator[Place]:
    async with ledger(tmp_path) as books:
        books.empower("root", MSP_SETTINGS)
        place = Place(books)
        switch = SearchSwitch(
            Installation(books.database), lambda: place.configured, lambda: place.lacking
        )
        await books.open(switch.endpoints(), aiohttp_client)
        yield place


async def test_it_is_as_configured_until_it_is_switched(place: Place) -> None:
    state = {"enabled": False, "default": False, "changed": False, "lacking": ""}
    assert await place.books.get(PATH) == state
    version = await place.version()
    on = {**state, "enabled": True, "changed": True}
    assert await place.books.done("PUT", PATH, {"enabled": True}) == on
    assert await place.books.get(PATH) == on
    assert await place.version() > version, "every worker hears of it"
    stored = await Installation(place.books.database).get(NAME, SearchChange)
    assert stored == SearchChange(True)
    again = await place.version()
    await place.books.done("PUT", PATH, {"enabled": True})
    assert await place.version() == again
    assert await place.books.done("PUT", PATH, {"enabled": None}) == state
    lines = [(action, target) for action, target, _, _ in await place.books.audited()]
    assert lines == [("setting.change", NAME), ("setting.clear", NAME)]


async def test_what_cannot_search_is_not_switched_on(place: Place) -> None:
    place.lacking = "env:FIRECRAWL_API_KEY: the environment variable is not set"
    said = await place.books.send("PUT", PATH, {"enabled": True})
    assert said.status == 409
    assert "enabled: Searches cannot be made: env:FIRECRAWL_API_KEY" in said.message
    assert (await place.books.get(PATH))["enabled"] is False
    assert (await place.books.done("PUT", PATH, {"enabled": False}))["changed"] is True


async def test_a_look_is_no_change(place: Place) -> None:
    place.books.empower("root", MSP_VIEW)
    await place.books.get(PATH)
    assert (await place.books.send("PUT", PATH, {"enabled": True})).status == 403
    for odd in ({}, {"enabled": "yes"}, {"enabled": True, "key": "x"}):
        place.books.empower("root", MSP_SETTINGS)
        assert (await place.books.send("PUT", PATH, odd)).status == 400
