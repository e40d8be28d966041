"""Letters handed over to a real SMTP server: what arrives, and what each answer means."""

import re
import ssl
import time

import pytest
from msgspec.structs import replace

from bench.ports import free_port
from proxy.domain.letter import Away, Fate, Letter, PutOff, Refused, Sent
from proxy.upstream.mail_server import MailAccount, MailServer
from tests.kit.mail_server import CERTIFICATE, PASSWORD, USER, Mailbox, mailbox

LETTER = Letter(
    id="invitation.user_1.a1",
    kind="invitation",
    tenant_id="tenant_1",
    user_id="user_1",
    recipient="ann@acme.example",
    subject="Grüße aus „Zürich“: 80 % are used",
    body="Hello Ännchen,\n\nit is 80 %.\n.\nA line of one dot stood above.\n",
    created_at=1_790_000_000_000,
    reply_to="root@msp.example",
)


def account(box: Mailbox, **more: object) -> MailAccount:
    plain = MailAccount(
        host="localhost",
        port=box.port,
        tls="none",
        sender="The Gateway <gateway@example.com>",
        timeout_s=10.0,
    )
    return replace(plain, **more)


def trusting() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(CERTIFICATE))


async def carried(server: MailServer, *letters: Letter) -> list[Fate]:
    return [fate async for fate in server.carry(letters)]


async def test_a_letter_arrives_whole() -> None:
    with mailbox() as box:
        assert await carried(MailServer(account(box), trusting()), LETTER) == [Sent()]
        [mail] = box.mails
    assert (mail.sender, mail.recipients) == ("gateway@example.com", ["ann@acme.example"])
    assert mail.text == LETTER.body
    assert mail.message["Subject"] == LETTER.subject
    assert mail.message["From"] == "The Gateway <gateway@example.com>"
    assert mail.message["To"] == "ann@acme.example"
    assert mail.message["Reply-To"] == "root@msp.example"
    assert mail.message["Message-ID"] == "<invitation.user_1.a1@example.com>"
    assert mail.message["Auto-Submitted"] == "auto-generated"
    assert mail.message["Date"].datetime.timestamp() == LETTER.created_at / 1000


async def test_several_letters_go_over_one_connection() -> None:
    letters = [replace(LETTER, id=f"invitation.user_1.{n}") for n in range(5)]
    with mailbox() as box:
        server = MailServer(account(box), trusting())
        assert await carried(server, *letters) == [Sent()] * 5
        assert box.connections == 1
        assert [mail.message["Message-ID"] for mail in box.mails] == [
            f"<{letter.id}@example.com>" for letter in letters
        ]


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_it_logs_in_behind_tls(tls: str) -> None:
    with mailbox(tls=tls, wants_user=True) as box:
        server = MailServer(account(box, tls=tls, user=USER, password=PASSWORD), trusting())
        assert await server.look() == ""
        assert box.mails == []
        assert await carried(server, LETTER) == [Sent()]
        assert set(box.logins) == {(USER, PASSWORD)}


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_a_server_nobody_vouches_for_hears_no_password(tls: str) -> None:
    with mailbox(tls=tls, wants_user=True) as box:
        server = MailServer(
            account(box, tls=tls, user=USER, password=PASSWORD), ssl.create_default_context()
        )
        [fate] = await carried(server, LETTER)
        assert isinstance(fate, Away) and "certificate" in fate.why.lower()
        assert (box.logins, box.mails) == ([], [])


async def test_a_server_without_tls_is_not_talked_to_where_tls_is_wanted() -> None:
    with mailbox(wants_user=True) as box:
        for tls in ("starttls", "implicit"):
            server = MailServer(account(box, tls=tls, user=USER, password=PASSWORD), trusting())
            [fate] = await carried(server, LETTER)
            assert isinstance(fate, Away) and fate.why
        assert (box.logins, box.mails) == ([], [])


async def test_a_wrong_password_is_said_without_it() -> None:
    with mailbox(wants_user=True) as box:
        server = MailServer(account(box, user=USER, password="hunter2-hunter2"), trusting())
        why = await server.look()
        assert why == "it refuses user and password (535)"
        [fate] = await carried(server, LETTER)
        assert fate == Away(why)
        assert "hunter2" not in repr(server) + repr(account(box, password="hunter2-hunter2"))


@pytest.mark.parametrize(
    ("said", "fate"),
    [
        ("550 no such user", Refused("550 no such user")),
        ("450 come back", PutOff("450 come back")),
        ("552 mailbox full", PutOff("552 mailbox full")),
    ],
)
async def test_one_refused_recipient_does_not_stop_the_others(said: str, fate: Fate) -> None:
    other = replace(LETTER, id="invitation.user_2.a1", recipient="bob@acme.example")
    with mailbox(refusals={"ann@acme.example": said}) as box:
        server = MailServer(account(box), trusting())
        assert await carried(server, LETTER, other) == [fate, Sent()]
        assert [mail.recipients for mail in box.mails] == [["bob@acme.example"]]


@pytest.mark.parametrize(
    ("said", "kind"),
    [("554 spam", Refused), ("451 try later", PutOff), ("421 closing", Away)],
)
async def test_an_answer_to_the_letter_itself_decides_for_it(said: str, kind: type[Fate]) -> None:
    with mailbox(at_the_end=[said]) as box:
        fates = await carried(MailServer(account(box), trusting()), LETTER, LETTER)
        assert isinstance(fates[0], kind)
        assert len(fates) == (1 if kind is Away else 2)


async def test_a_refused_sender_is_the_settings_fault_and_no_letters() -> None:
    with mailbox(sender_refused="553 not yours") as box:
        [fate] = await carried(MailServer(account(box), trusting()), LETTER, LETTER)
        assert fate == Away("it refuses the sender: 553 not yours")


async def test_nobody_there_is_away() -> None:
    box = Mailbox(free_port())
    server = MailServer(account(box), trusting())
    [fate] = await carried(server, LETTER, LETTER)
    assert isinstance(fate, Away) and str(box.port) in fate.why
    assert await server.look() == fate.why


async def test_a_server_that_falls_silent_is_given_up_after_a_while() -> None:
    with mailbox(silent_s=60.0) as box:
        began_s = time.monotonic()
        [fate] = await carried(MailServer(account(box, timeout_s=0.3), trusting()), LETTER)
        assert isinstance(fate, Away)
        assert time.monotonic() - began_s < 20


@pytest.mark.parametrize(
    "recipient", ["a,b@acme.example", "a<b@acme.example", '"@acme.example', "@", "a@b@c", "()@x.y"]
)
async def test_an_address_that_cannot_be_written_reaches_nobody_else(recipient: str) -> None:
    with mailbox() as box:
        server = MailServer(account(box), trusting())
        first, second = await carried(server, replace(LETTER, recipient=recipient), LETTER)
        assert isinstance(first, Refused)
        assert second == Sent()
        assert [mail.recipients for mail in box.mails] == [["ann@acme.example"]]


async def test_an_address_with_other_letters_goes_where_the_server_knows_them() -> None:
    with mailbox() as box:
        wide = replace(LETTER, recipient="änne@acme.example")
        assert await carried(MailServer(account(box), trusting()), wide) == [Sent()]
        assert box.mails[0].recipients == ["änne@acme.example"]
        assert box.mails[0].message["To"] == "änne@acme.example"
    with mailbox(knows_all_letters=False) as box:
        [fate] = await carried(MailServer(account(box), trusting()), wide)
        assert isinstance(fate, Refused) and "SMTPUTF8" in fate.why


async def test_a_line_break_in_a_subject_becomes_no_header() -> None:
    with mailbox() as box:
        bad = replace(LETTER, subject="Hello\r\nBcc: everybody@example.com")
        [fate] = await carried(MailServer(account(box), trusting()), bad)
        assert isinstance(fate, Refused)
        assert box.mails == []


async def test_the_servers_words_are_kept_short_and_on_one_line() -> None:
    with mailbox(refusals={"ann@acme.example": "550 " + "x" * 400}) as box:
        [fate] = await carried(MailServer(account(box), trusting()), LETTER)
        assert isinstance(fate, Refused)
        assert re.fullmatch(r"550 x{1,200}", fate.why)
