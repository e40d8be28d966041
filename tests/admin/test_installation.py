"""What the gateway runs with, and the file read anew."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from proxy.admin.installation import PROBLEMS_TOLD_MAX, InstallationPages
from proxy.config.settings import Auth, Counters, Limits, Settings, Storage, WebSearch
from proxy.domain.permissions import MSP_SETTINGS, MSP_VIEW
from proxy.storage.notes import Notes
from tests.admin.office_floor import Visit
from tests.admin.usage_floor import Ledger, ledger

SETTINGS = Settings(
    storage=Storage(url="postgresql://gate:pa55@db.example/gateway?password=s3cret"),
    counters=Counters(url="redis://:pa55@cache.example:6379/0"),
    limits=Limits(time_zone="Europe/Berlin"),
    web_search=WebSearch(api_key="env:SEARCH_KEY"),
    auth=Auth(key_hash_secret="file:/run/hash_secret"),
)


class Place:
    def __init__(self, books: Ledger) -> None:
        self.books = books
        self.problems: list[str] = []
        self.reloads = 0

    async def reload(self) -> list[str]:
        self.reloads += 1
        return self.problems


@pytest.fixture
async def place(tmp_path: Path, aiohttp_client: Visit) -> AsyncIterator[Place]:
    async with ledger(tmp_path) as books:
        books.empower("root", MSP_SETTINGS)
        place = Place(books)
        pages = InstallationPages(lambda: SETTINGS, place.reload, Notes(books.database))
        await books.open(pages.endpoints(), aiohttp_client)
        yield place


async def test_settings_are_shown_by_section(place: Place) -> None:
    settings = (await place.books.get("/v1/admin/settings"))["settings"]
    assert set(settings) == set(Settings.__struct_fields__) - {"providers", "models"}
    assert settings["server"]["port"] == 8080
    assert settings["limits"]["time_zone"] == "Europe/Berlin"
    assert settings["limits"]["ladder"][0] == {"ratio": 1.0, "multiplier": 1.0}


async def test_no_secret_is_shown_nor_where_one_lies(place: Place) -> None:
    said = await place.books.ask("/v1/admin/settings")
    settings = said.json()["settings"]
    assert "key_hash_secret" not in settings["auth"]
    assert "api_key" not in settings["web_search"]
    assert settings["storage"]["url"] == "postgresql://gate:***@db.example/gateway?***"
    assert settings["counters"]["url"] == "redis://:***@cache.example:6379/0"
    for secret in (b"pa55", b"s3cret", b"SEARCH_KEY", b"hash_secret"):
        assert secret not in said.body.replace(b"key_hash_secret", b"")


async def test_a_good_file_comes_into_force_and_is_noted(place: Place) -> None:
    assert await place.books.done("POST", "/v1/admin/reload") == {"reloaded": True}
    assert place.reloads == 1
    assert await place.books.audited() == [("configuration.reload", "configuration", None, None)]


async def test_a_bad_file_is_told_and_nothing_is_noted(place: Place) -> None:
    place.problems = ["line 3: server.prt: there is no such setting", "line 9: models[0]: no"]
    said = await place.books.send("POST", "/v1/admin/reload")
    assert said.status == 400
    assert all(problem in said.message for problem in place.problems)
    assert said.json()["error"]["code"] == "bad_configuration"
    assert await place.books.audited() == []


async def test_not_more_is_told_than_people_read(place: Place) -> None:
    place.problems = [f"line {n}: wrong" for n in range(1, PROBLEMS_TOLD_MAX + 6)]
    said = await place.books.send("POST", "/v1/admin/reload")
    assert "; line 20: wrong; and 5 more." in said.message
    assert "line 21" not in said.message


async def test_only_the_installations_administrators_may(place: Place) -> None:
    place.books.empower("ada", MSP_VIEW, "tenant.manage")
    assert (await place.books.ask("/v1/admin/settings", "ada")).status == 403
    assert (await place.books.send("POST", "/v1/admin/reload", None, "ada")).status == 403
    assert place.reloads == 0
