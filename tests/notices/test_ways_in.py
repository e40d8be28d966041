"""The link in an invitation: made when the letter goes out, the same at every try, and stored
nowhere."""

import re

from proxy.domain.letter import Letter
from proxy.notices.invitations import Invitations
from proxy.notices.ways_in import MADE_MAX, WaysIn
from proxy.notices.wording import LINK_MARK, House
from proxy.storage.letters import Letters
from proxy.storage.users import Users
from tests.kit.mail_server import Mailbox
from tests.notices.workspace import Workspace

BY_PASSWORD = House("https://gateway.example.com", way_in="password")
LINK = re.compile(r"https://gateway\.example\.com/choose-password#(\w+)")


class Maker:
    def __init__(self) -> None:
        self.made: list[str] = []

    async def make(self, user_id: str, now_ms: int) -> tuple[str, int]:
        self.made.append(user_id)
        return f"secret{len(self.made)}", now_ms + 3_600_000


def letter(number: int, body: str = f"Here: {LINK_MARK}") -> Letter:
    return Letter(
        id=f"letter.{number}",
        kind="invitation",
        tenant_id="t",
        user_id=f"user_{number}",
        recipient="kim@acme.example",
        subject="Invitation",
        body=body,
        created_at=0,
    )


async def test_the_link_goes_out_and_lies_nowhere(acme: Workspace, box: Mailbox) -> None:
    maker = Maker()
    ways = WaysIn(maker.make, BY_PASSWORD.link, lambda: acme.now_ms)
    outbox = acme.outbox(box, finish=ways.finished)
    invitations = Invitations(Letters(acme.database), outbox, BY_PASSWORD)
    kim = await Users(acme.database).create("kim@acme.example", acme.tenant_id, acme.by)
    assert await invitations.invite([kim], acme.by) == "queued"
    assert maker.made == []
    box.at_the_end.append("451 later")
    await outbox.round()
    [(body,)] = await acme.database.fetch("SELECT body FROM letters")
    assert LINK_MARK in body and "secret" not in body
    acme.now_ms += 60_000
    await outbox.round()
    assert maker.made == [kim.id], "at both tries the same"
    [mail] = box.mails
    assert LINK.findall(mail.text) == ["secret1"]
    assert "(good once, until 2026-" in mail.text


async def test_a_letter_without_a_link_is_left_alone() -> None:
    maker = Maker()
    ways = WaysIn(maker.make, BY_PASSWORD.link, lambda: 0)
    plain = letter(1, "Your allowance is used.")
    assert await ways.finished(plain) is plain
    assert maker.made == []


async def test_not_more_links_are_remembered_than_have_room() -> None:
    maker = Maker()
    ways = WaysIn(maker.make, BY_PASSWORD.link, lambda: 0)
    for number in range(MADE_MAX + 1):
        await ways.finished(letter(number))
    await ways.finished(letter(MADE_MAX))
    assert len(maker.made) == MADE_MAX + 1
    await ways.finished(letter(0))
    assert len(maker.made) == MADE_MAX + 2
