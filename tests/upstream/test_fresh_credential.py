"""A credential that expires: fetched once for all who wait, and ahead of its end."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from proxy.domain.fault import Fault
from proxy.upstream.fresh_credential import (
    AHEAD_S,
    FAILED_FOR_S,
    REFUSED_AGAIN_S,
    RETRY_S,
    CredentialTrouble,
    Fetched,
    FreshCredential,
)
from tests.kit.waits import Waits


class Issuer:
    """Gives what it is told to, once it may."""

    def __init__(self) -> None:
        self.now_s = 1_000_000.0
        self.asked = 0
        self.life_s: float | None = 3600.0
        self.trouble: Exception | None = None
        self.may = asyncio.Event()
        self.may.set()
        self.tasks: list[asyncio.Task[None]] = []
        self.held = FreshCredential(
            "aws", self.fetch, start_task=self.start, wall=lambda: self.now_s
        )

    def start(self, work: Coroutine[Any, Any, None], name: str) -> object:
        self.tasks.append(asyncio.create_task(work, name=name))
        return None

    async def fetch(self) -> Fetched[str]:
        self.asked += 1
        asked = self.asked
        await self.may.wait()
        if self.trouble is not None:
            raise self.trouble
        ends_s = None if self.life_s is None else self.now_s + self.life_s
        return Fetched(f"token {asked}", ends_s)

    async def settled(self) -> None:
        tasks, self.tasks = self.tasks, []
        await asyncio.gather(*tasks)


async def test_all_who_wait_share_one_fetch_and_are_told_once() -> None:
    issuer = Issuer()
    first, second, left = Waits(), Waits(), Waits()
    assert [issuer.held.ready(each) for each in (first, second, left)] == [False] * 3
    issuer.held.forget(left)
    issuer.held.forget(left)
    await issuer.settled()
    assert (first.told, second.told, left.told) == ([None], [None], [])
    assert issuer.asked == 1
    assert issuer.held.ready(first)
    assert issuer.held.value == "token 1"


async def test_it_is_exchanged_ahead_of_its_end_and_nobody_waits() -> None:
    issuer = Issuer()
    issuer.held.tick(0.0)
    await issuer.settled()
    issuer.now_s += 3600 - AHEAD_S - 1
    issuer.held.tick(0.0)
    assert issuer.asked == 1
    issuer.now_s += 2
    issuer.may.clear()
    issuer.held.tick(0.0)
    issuer.held.tick(0.0)
    await asyncio.sleep(0)
    assert issuer.asked == 2
    assert issuer.held.ready(Waits())
    assert issuer.held.value == "token 1"
    issuer.may.set()
    await issuer.settled()
    assert issuer.held.value == "token 2"


async def test_a_short_life_is_not_all_spent_on_exchanging() -> None:
    issuer = Issuer()
    issuer.life_s = 400.0
    issuer.held.tick(0.0)
    await issuer.settled()
    issuer.now_s += 299
    issuer.held.tick(0.0)
    assert issuer.asked == 1
    issuer.now_s += 2
    issuer.held.tick(0.0)
    await issuer.settled()
    assert issuer.asked == 2


async def test_one_without_an_end_is_fetched_once() -> None:
    issuer = Issuer()
    issuer.life_s = None
    issuer.held.tick(0.0)
    await issuer.settled()
    issuer.now_s += 1e9
    issuer.held.tick(0.0)
    assert issuer.held.ready(Waits())
    assert issuer.asked == 1


async def test_a_failure_while_the_old_one_holds_is_tried_again_and_hurts_nobody() -> None:
    issuer = Issuer()
    issuer.held.tick(0.0)
    await issuer.settled()
    issuer.trouble = CredentialTrouble("the issuer is down", "wait")
    issuer.now_s += 3600 - AHEAD_S + 1
    issuer.held.tick(0.0)
    await issuer.settled()
    issuer.held.tick(0.0)
    assert issuer.asked == 2
    assert issuer.held.ready(Waits())
    issuer.now_s += RETRY_S
    issuer.trouble = None
    issuer.held.tick(0.0)
    await issuer.settled()
    assert issuer.held.value == "token 3"


async def test_an_expired_one_is_waited_for_and_never_used() -> None:
    issuer = Issuer()
    issuer.held.tick(0.0)
    await issuer.settled()
    issuer.now_s += 3600
    waits = Waits()
    assert not issuer.held.ready(waits)
    await issuer.settled()
    assert waits.told == [None]
    assert issuer.held.value == "token 2"


async def test_without_any_they_are_told_why_and_the_next_at_once() -> None:
    issuer = Issuer()
    issuer.trouble = CredentialTrouble("no credentials in this place", "run aws login")
    waits = Waits()
    assert not issuer.held.ready(waits)
    await issuer.settled()
    (fault,) = waits.told
    assert fault is not None
    assert fault.status == 502
    assert "credential" in fault.message
    assert "aws login" not in fault.message  # the client is not the operator
    assert "no credentials in this place: run aws login" in fault.detail
    with pytest.raises(Fault):
        issuer.held.ready(waits)
    assert issuer.asked == 1
    issuer.now_s += FAILED_FOR_S
    issuer.trouble = None
    assert not issuer.held.ready(waits)
    await issuer.settled()
    assert waits.told[-1] is None


async def test_what_nobody_expected_is_told_as_well(caplog: pytest.LogCaptureFixture) -> None:
    issuer = Issuer()
    issuer.trouble = ZeroDivisionError("secret")
    waits = Waits()
    issuer.held.ready(waits)
    await issuer.settled()
    (fault,) = waits.told
    assert fault is not None
    assert "ZeroDivisionError" in fault.detail
    assert "secret" not in fault.detail
    assert "fetching a credential failed" in caplog.text


async def test_one_that_was_refused_is_fetched_anew_but_not_over_and_over() -> None:
    issuer = Issuer()
    issuer.life_s = None
    issuer.held.tick(0.0)
    await issuer.settled()
    issuer.now_s += 1
    issuer.held.refused()
    assert issuer.held.ready(Waits())
    issuer.now_s += REFUSED_AGAIN_S
    issuer.held.refused()
    waits = Waits()
    assert not issuer.held.ready(waits)
    await issuer.settled()
    assert waits.told == [None]
    assert issuer.held.value == "token 2"
