"""How long a session lasts, what of it is stored, and which requests are forged."""

from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest

from proxy.auth.sessions import SEEN_EVERY_MS, Sessions
from proxy.domain.fault import Fault, Kind
from proxy.domain.people import Actor
from proxy.storage.migrations import migrate
from proxy.storage.sessions import Sessions as StoredSessions
from proxy.storage.sqlite import SqliteDatabase
from proxy.storage.tenants import Tenants
from proxy.storage.users import Users

SECRET = b"a secret of the house, thirty-two"
BY = Actor("user_root", "root@example.com", 1_000)
IDLE_MS, LIFETIME_MS = 600_000, 3_600_000
NOW = 10_000_000


class Place:
    ada = ""

    def __init__(self, database: SqliteDatabase) -> None:
        noise = (bytes([number]) * 32 for number in count(1))
        self.database = database
        self.users = Users(database)
        self.sessions = Sessions(
            StoredSessions(database),
            SECRET,
            lambda size: next(noise)[:size],
            idle_ms=IDLE_MS,
            lifetime_ms=LIFETIME_MS,
        )


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    database = await SqliteDatabase.open(tmp_path / "gateway.db")
    await migrate(database)
    acme = await Tenants(database).create("Acme", BY)
    here = Place(database)
    ada = await here.users.create("ada@example.com", acme.id, BY, status="Active")
    here.ada = ada.id
    yield here
    await database.close()


def everything_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.glob("gateway.db*"))


async def refused(place: Place, token: str, at_ms: int, needs: str = "") -> Kind:
    with pytest.raises(Fault) as caught:
        await place.sessions.caller(token, at_ms, needs)
    return caught.value.kind


async def test_what_a_browser_holds_is_stored_nowhere(place: Place, tmp_path: Path) -> None:
    token = await place.sessions.begin(place.ada, NOW)
    assert len(token) == 64
    assert (await place.sessions.caller(token, NOW)).user_id == place.ada
    stored = everything_in(tmp_path)
    assert token.encode() not in stored and bytes.fromhex(token) not in stored


async def test_a_session_lasts_while_it_is_used_and_not_for_ever(place: Place) -> None:
    token = await place.sessions.begin(place.ada, NOW)
    at = NOW
    while at + IDLE_MS - 1 < NOW + LIFETIME_MS:
        at += IDLE_MS - 1
        assert (await place.sessions.caller(token, at)).user_id == place.ada
    assert await refused(place, token, NOW + LIFETIME_MS) is Kind.UNAUTHENTICATED


async def test_a_session_that_is_not_used_is_over_for_good(place: Place) -> None:
    token = await place.sessions.begin(place.ada, NOW)
    assert await refused(place, token, NOW + IDLE_MS) is Kind.UNAUTHENTICATED
    assert await refused(place, token, NOW + 1) is Kind.UNAUTHENTICATED


async def test_being_seen_is_written_down_now_and_then_only(place: Place) -> None:
    token = await place.sessions.begin(place.ada, NOW)
    seen = []
    for after in (1, SEEN_EVERY_MS - 1, SEEN_EVERY_MS, SEEN_EVERY_MS + 5):
        await place.sessions.caller(token, NOW + after)
        rows = await place.database.fetch("SELECT seen_at FROM sessions")
        seen.append(rows[0][0] - NOW)
    assert seen == [0, 0, SEEN_EVERY_MS, SEEN_EVERY_MS]


async def test_who_is_suspended_or_lacks_a_right_is_told_so(place: Place) -> None:
    token = await place.sessions.begin(place.ada, NOW)
    assert (await place.sessions.caller(token, NOW, "gateway.use")).user_id == place.ada
    assert await refused(place, token, NOW, "msp.view") is Kind.FORBIDDEN
    await place.users.change(place.ada, BY, status="Suspended")
    assert await refused(place, token, NOW) is Kind.FORBIDDEN


@pytest.mark.parametrize("token", ("", "x", "a" * 64, "ä" * 64, "0" * 100_000))
async def test_nothing_else_is_a_session(place: Place, token: str) -> None:
    await place.sessions.begin(place.ada, NOW)
    assert await refused(place, token, NOW) is Kind.UNAUTHENTICATED


async def test_the_token_against_forgery_is_of_one_session_and_of_this_site(place: Place) -> None:
    one, other = [await place.sessions.begin(place.ada, NOW) for _ in range(2)]
    good = place.sessions.forgery_token(one)
    assert one not in good and good != place.sessions.forgery_token(other)
    place.sessions.check_forgery(one, good, "same-origin")
    place.sessions.check_forgery(one, good, "")
    for given, site in ((good[:-1], ""), ("", ""), ("ä", ""), (good, "cross-site"), (good, "none")):
        with pytest.raises(Fault, match="did not come from the console"):
            place.sessions.check_forgery(one, given, site)
    with pytest.raises(Fault):
        place.sessions.check_forgery(other, good, "same-origin")
