"""Letters on their way: what happens while the server is up, rude, down and back."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace

from bench.ports import free_port
from proxy.domain.fault import Fault, Kind
from proxy.domain.letter import Letter
from proxy.notices.outbox import LETTERS_PER_ROUND, Outbox, Patience
from proxy.storage.letters import Letters
from proxy.storage.users import Users
from tests.kit.mail_server import Mailbox, mailbox
from tests.notices.workspace import QUICK, Workspace

WAIT_S = 30.0


def letter(acme: Workspace, number: int = 0, **more: object) -> Letter:
    plain = Letter(
        id=f"allowance_reached.2026-09.{number}",
        kind="allowance_reached",
        tenant_id=acme.tenant_id,
        user_id=acme.admin.id,
        recipient="ada@acme.example",
        subject=f"Letter {number}",
        body="Words.\n",
        created_at=acme.now_ms,
    )
    return replace(plain, **more)


async def until(look: Callable[[], bool], what: str) -> None:
    async with asyncio.timeout(WAIT_S):
        while not look():  # noqa: ASYNC110 (others change what is seen)
            await asyncio.sleep(0.01)
    assert look(), what


@asynccontextmanager
async def running(outbox: Outbox) -> AsyncIterator[None]:
    """As the house runs it: closed, and then its task ended."""
    task = asyncio.create_task(outbox.run())
    try:
        yield
    finally:
        await outbox.close()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_what_is_handed_in_goes_out_at_once_and_once(acme: Workspace, box: Mailbox) -> None:
    outbox = acme.outbox(box, replace(QUICK, look_s=3_600.0))
    async with running(outbox):
        for number in range(2):
            assert await outbox.post([letter(acme, number)])
            await until(lambda n=number: len(box.mails) > n, "sent")  # type: ignore[misc]
        assert await outbox.post([letter(acme, n) for n in range(2, 30)])
        await until(lambda: len(box.mails) == 30, "all sent")
    assert sorted(mail.message["Subject"] for mail in box.mails) == sorted(
        f"Letter {n}" for n in range(30)
    )
    assert {outcome for _, _, outcome in await acme.letters()} == {"sent"}
    assert outbox.outcomes == {"sent": 30}
    assert outbox.trouble == ""


async def test_what_another_process_left_is_found(acme: Workspace, box: Mailbox) -> None:
    await Letters(acme.database).post([letter(acme)], acme.now_ms, notice=None, by=None)
    async with running(acme.outbox(box)):
        await until(lambda: len(box.mails) == 1, "sent")


async def test_a_server_that_is_down_gets_the_letters_when_it_is_back(
    acme: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    box = Mailbox(free_port())
    outbox = acme.outbox(box)
    caplog.set_level(logging.INFO, "proxy.notices")
    clock = asyncio.create_task(_ticking(acme))
    try:
        async with running(outbox):
            assert await outbox.post([letter(acme, n) for n in range(20)])
            await until(lambda: outbox.outcomes.get("put_back", 0) > 16, "tried again and again")
            assert "the server takes no letters" in outbox.trouble
            box.start()
            await until(lambda: len(box.mails) == 20, "all came")
            await until(lambda: outbox.trouble == "", "well again")
    finally:
        clock.cancel()
        box.stop()
    assert len({mail.message["Message-ID"] for mail in box.mails}) == 20
    said = [record.message for record in caplog.records]
    # Once when it went and once when it came, however often it was tried.
    assert sum("they wait" in each for each in said) == 1
    assert sum("takes letters again" in each for each in said) == 1


async def _ticking(acme: Workspace) -> None:
    while True:
        await asyncio.sleep(0.01)
        acme.now_ms += 1_000


async def test_while_the_server_is_away_it_is_not_asked_for_each_letter(acme: Workspace) -> None:
    with mailbox(at_the_end=["421 closing"]) as box:
        outbox = acme.outbox(box)
        assert await outbox.post([letter(acme, n) for n in range(3 * LETTERS_PER_ROUND)])
        assert await outbox.round() is False
        assert box.connections == 1
        assert box.mails == []
        assert outbox.outcomes == {"put_back": LETTERS_PER_ROUND}


async def test_a_letter_that_is_put_off_waits_longer_each_time_and_the_others_do_not(
    acme: Workspace,
) -> None:
    with mailbox(refusals={"ada@acme.example": "450 come back"}) as box:
        patience = Patience(first_s=30.0, most_s=100.0, give_up_after_s=1_000_000.0)
        outbox = acme.outbox(box, patience)
        other = letter(acme, 1, recipient="eve@acme.example")
        assert await outbox.post([letter(acme), other])
        waits = []
        for _ in range(4):
            assert await outbox.round() is False
            [(due_at,)] = await acme.database.fetch(
                "SELECT due_at FROM letters WHERE due_at IS NOT NULL"
            )
            waits.append((due_at - acme.now_ms) / 1000)
            acme.now_ms = due_at
        assert waits == [30.0, 60.0, 100.0, 100.0]
        assert [mail.recipients for mail in box.mails] == [["eve@acme.example"]]
        box.refusals.clear()
        await outbox.round()
        assert len(box.mails) == 2


async def test_a_refused_letter_is_given_up_with_a_line_that_names_no_address(
    acme: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    with mailbox(refusals={"ada@acme.example": "550 no such user"}) as box:
        outbox = acme.outbox(box)
        assert await outbox.post([letter(acme)])
        await outbox.round()
    assert await acme.letters() == [("allowance_reached", "ada@acme.example", "given_up")]
    [line] = [record.message for record in caplog.records if record.levelname == "ERROR"]
    assert acme.admin.id in line and acme.tenant_id in line and "550 no such user" in line
    assert "ada@" not in line
    assert outbox.outcomes == {"given_up": 1}


async def test_a_letter_is_given_up_when_it_is_too_late_and_tried_until_then(
    acme: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    box = Mailbox(free_port())
    outbox = acme.outbox(box, Patience(away_first_s=20.0, away_most_s=50.0, give_up_after_s=120.0))
    assert await outbox.post([letter(acme)])
    tries = 0
    written_ms = acme.now_ms
    while (await acme.letters())[0][2] == "":
        await outbox.round()
        tries += 1
        rows = await acme.database.fetch("SELECT due_at FROM letters WHERE due_at IS NOT NULL")
        if rows:
            acme.now_ms = rows[0][0]
    assert tries == 5
    assert acme.now_ms - written_ms == 120_000
    assert (await acme.letters())[0][2] == "given_up"
    assert any("given up after 5 tries" in record.message for record in caplog.records)


async def test_no_more_letters_wait_than_may(
    acme: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    outbox = acme.outbox(Mailbox(free_port()), waiting_max=3)
    assert await outbox.post([letter(acme, n) for n in range(3)])
    assert not await outbox.post([letter(acme, 9)])
    assert await Letters(acme.database).waiting() == 3
    assert outbox.outcomes == {"no_room": 1}
    assert any("no more are taken" in record.message for record in caplog.records)


async def test_two_outboxes_send_each_letter_once(acme: Workspace, box: Mailbox) -> None:
    outboxes = [acme.outbox(box) for _ in range(3)]
    assert await outboxes[0].post([letter(acme, n) for n in range(40)])
    async with running(outboxes[0]), running(outboxes[1]), running(outboxes[2]):
        await until(lambda: len(box.mails) >= 40, "all sent")
    ids = [mail.message["Message-ID"] for mail in box.mails]
    assert len(ids) == len(set(ids)) == 40


class Forgetful(Letters):
    """Storage that cannot be reached when something is to be noted."""

    away = False

    async def end(self, letter_id: str, outcome: str, now_ms: int, /) -> None:
        if self.away:
            raise Fault(Kind.UNAVAILABLE, "Storage is away.")
        await super().end(letter_id, outcome, now_ms)


async def test_what_was_sent_is_noted_later_and_not_sent_again(
    acme: Workspace, box: Mailbox
) -> None:
    outbox = acme.outbox(box)
    store = outbox._store = Forgetful(acme.database)
    assert await outbox.post([letter(acme, n) for n in range(3)])
    store.away = True
    for _ in range(3):
        with pytest.raises(Fault):
            await outbox.round()
    assert len(box.mails) == 1
    store.away = False
    acme.now_ms += 3_600_000
    while await outbox.round():
        pass
    assert sorted(mail.message["Subject"] for mail in box.mails) == [
        "Letter 0",
        "Letter 1",
        "Letter 2",
    ]
    assert {outcome for _, _, outcome in await acme.letters()} == {"sent"}


async def test_closing_ends_the_letter_in_hand_and_leaves_the_others(acme: Workspace) -> None:
    with mailbox(silent_s=0.2) as box:
        outbox = acme.outbox(box)
        async with running(outbox):
            assert await outbox.post([letter(acme, n) for n in range(5)])
            await until(lambda: box.connections == 1, "begun")
        sent = len(box.mails)
        outcomes = [outcome for _, _, outcome in await acme.letters()]
        assert sent <= 2
        assert sorted(outcomes) == sorted(["sent"] * sent + [""] * (5 - sent))
        # The others are due at once for whoever comes next.
        box.silent_s = 0.0
        await acme.outbox(box).round()
        assert len(box.mails) == 5


async def test_who_left_meanwhile_is_not_written_to(acme: Workspace, box: Mailbox) -> None:
    outbox = acme.outbox(box)
    assert await outbox.post([letter(acme)])
    await Users(acme.database).delete(acme.admin.id, acme.by)
    await outbox.round()
    assert box.mails == []
    assert await acme.letters() == [("allowance_reached", "ada@acme.example", "not_wanted")]
