"""What ties an answer to a browser: how long it is good, what it is good for, where it leads. The
whole way is walked in `tests/console/test_single_sign_on.py`."""

from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.auth.single_sign_on import (
    FLIGHT_MS,
    NEXT_CHARACTERS_MAX,
    SEALED_CHARACTERS_MAX,
    Answer,
    NotSignedInError,
    SingleSignOn,
    own_path,
)
from proxy.domain.identity import TROUBLES
from proxy.storage.identities import Identities
from proxy.storage.migrations import migrate
from proxy.storage.sqlite import SqliteDatabase
from tests.auth.test_identity_provider import Wire
from tests.kit.patience import examples

SECRET = b"a secret of the house, thirty-two"
NOW = 10_000_000


class Place:
    def __init__(self, database: SqliteDatabase) -> None:
        noise = (bytes([number]) * 32 for number in count(1))
        self.wire = Wire()
        self.store = Identities(database)
        self.noise = lambda size: next(noise)[:size]
        self.sign_on = self.made(SECRET)

    def made(self, secret: bytes) -> SingleSignOn:
        return SingleSignOn(self.wire.provider(), self.store, secret, self.noise)

    async def trouble(self, held: str, state: str, at_ms: int = NOW, code: str = "c") -> str:
        with pytest.raises(NotSignedInError) as caught:
            await self.sign_on.finish(held, Answer(state=state, code=code), at_ms)
        assert caught.value.trouble in TROUBLES
        return caught.value.trouble


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    database = await SqliteDatabase.open(tmp_path / "gateway.db")
    await migrate(database)
    yield Place(database)
    await database.close()


async def begun(place: Place, wanted: str = "/") -> tuple[str, str]:
    """What the browser holds, and the state in its address."""
    address, held = await place.sign_on.begin(wanted, NOW)
    return held, parse_qs(urlsplit(address).query)["state"][0]


async def test_an_answer_is_good_for_ten_minutes(place: Place) -> None:
    held, state = await begun(place)
    # The code is refused: so far it has come.
    assert await place.trouble(held, state, NOW + FLIGHT_MS - 1) == "over"
    assert len(place.wire.sent) == 1
    for at_ms in (NOW + FLIGHT_MS, NOW - 1):
        assert await place.trouble(held, state, at_ms) == "over"
    assert len(place.wire.sent) == 1, "nobody was asked"


async def test_what_a_browser_holds_cannot_be_made_or_changed(place: Place) -> None:
    held, state = await begun(place)
    packed, _, seal = held.partition(".")
    other, _ = await begun(place)
    _, elsewhere_state = await begun(place)
    for forged in (
        "",
        packed,
        f"{packed}.",
        f"{packed[:-2]}AA.{seal}",
        f"{other.partition('.')[0]}.{seal}",
        held + "0",
        "." + seal,
    ):
        assert await place.trouble(forged, state) == "over"
    for wrong in ("", state[:-1], elsewhere_state, "é" * 64):
        assert await place.trouble(held, wrong) == "over"
    place.sign_on = place.made(b"another house's secret, also long")
    assert await place.trouble(held, state) == "over"
    assert place.wire.sent == []


async def test_a_flight_is_no_choice(place: Place) -> None:
    held, _ = await begun(place)
    with pytest.raises(NotSignedInError):
        await place.sign_on.choices(held, NOW)
    with pytest.raises(NotSignedInError):
        await place.sign_on.choose(held, "tenant_1", NOW)


async def test_no_two_flights_are_alike_and_none_shows_what_it_is_made_of(place: Place) -> None:
    first, second = await begun(place), await begun(place)
    assert first[0] != second[0] and first[1] != second[1]
    assert first[1] not in first[0]


async def test_it_fits_into_a_cookie_whatever_is_wanted(place: Place) -> None:
    held, state = await begun(place, "/" + "a" * (NEXT_CHARACTERS_MAX - 1))
    assert len(held) < SEALED_CHARACTERS_MAX
    await place.trouble(held, state)
    assert len(place.wire.sent) == 1


async def test_a_code_of_any_length_goes_nowhere(place: Place) -> None:
    held, state = await begun(place)
    assert await place.trouble(held, state, code="a" * 5_000) == "distrusted"
    assert place.wire.sent == []


async def test_a_secret_that_is_wrong_is_the_operators_to_see_to(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.wire.answers["/token"] = (401, {"error": "invalid_client"})
    held, state = await begun(place)
    assert await place.trouble(held, state) == "misconfigured"
    assert "invalid_client" in caplog.text and "hunter2" not in caplog.text


@examples(300)
@given(st.text(max_size=30) | st.text("/\\.:@a?# \t\r\n%", max_size=12).map("/".__add__))
def test_whatever_is_wanted_leads_to_this_site(wanted: str) -> None:
    path = own_path(wanted)
    assert path in (wanted, "/")
    assert path.startswith("/") and not path.startswith(("//", "/\\"))
    assert path.isprintable() and "\\" not in path and " " not in path
