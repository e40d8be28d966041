"""Invitations by mail, and the same once more."""

import pytest

from proxy.domain.fault import Fault, Kind
from proxy.notices.invitations import AGAIN_AFTER_MS, Invitations
from proxy.storage.letters import Letters
from proxy.storage.users import Users
from tests.kit.mail_server import Mailbox
from tests.notices.workspace import HOUSE, Workspace


async def test_an_invitation_says_who_where_and_what_to_do(acme: Workspace, box: Mailbox) -> None:
    outbox = acme.outbox(box)
    invitations = Invitations(Letters(acme.database), outbox, HOUSE)
    users = Users(acme.database)
    people = [
        await users.create("kim@acme.example", acme.tenant_id, acme.by, first_name="Kim"),
        await users.create("lee@acme.example", acme.tenant_id, acme.by, role="client_admin"),
    ]
    assert await invitations.invite(people, acme.by) == "queued"
    await outbox.round()
    kim, lee = sorted(box.mails, key=lambda mail: mail.recipients[0])
    assert (kim.recipients, lee.recipients) == (["kim@acme.example"], ["lee@acme.example"])
    assert kim.message["Subject"] == "Invitation to the workspace Acme"
    assert kim.message["Reply-To"] == "root@msp.example"
    for wanted in (
        "Hello Kim,",
        'root@msp.example invited you to the workspace "Acme"',
        "https://gateway.example.com",
        "You        kim@acme.example",
        "Your role  general_user",
        "Msp Support <help@msp.example>",
    ):
        assert wanted in kim.text
    assert lee.text.startswith("Hello,\n")
    assert "Your role  client_admin" in lee.text


async def test_again_is_not_at_once(acme: Workspace, box: Mailbox) -> None:
    outbox = acme.outbox(box)
    invitations = Invitations(Letters(acme.database), outbox, HOUSE)
    kim = await Users(acme.database).create("kim@acme.example", acme.tenant_id, acme.by)
    await invitations.invite_again(kim, acme.by)
    acme.now_ms += AGAIN_AFTER_MS - 1_500
    with pytest.raises(Fault) as refused:
        await invitations.invite_again(kim, acme.by)
    assert (refused.value.kind, refused.value.retry_after_s) == (Kind.RATE_LIMITED, 2)
    acme.now_ms += 1_500
    await invitations.invite_again(kim, acme.by)
    await outbox.round()
    ids = [mail.message["Message-ID"] for mail in box.mails]
    assert len(ids) == len(set(ids)) == 2


async def test_no_room_is_said(acme: Workspace, box: Mailbox) -> None:
    outbox = acme.outbox(box, waiting_max=1)
    invitations = Invitations(Letters(acme.database), outbox, HOUSE)
    users = Users(acme.database)
    people = [
        await users.create(f"{name}@acme.example", acme.tenant_id, acme.by)
        for name in ("kim", "lee")
    ]
    assert await invitations.invite(people, acme.by) == "no_room"
    await invitations.invite_again(people[0], acme.by)
    with pytest.raises(Fault) as refused:
        await invitations.invite_again(people[1], acme.by)
    assert refused.value.kind is Kind.UNAVAILABLE


async def test_storage_that_is_away_is_said(acme: Workspace, box: Mailbox) -> None:
    class Away(Letters):
        async def waiting(self) -> int:
            raise Fault(Kind.UNAVAILABLE, "Storage is away.")

    outbox = acme.outbox(box)
    outbox._store = Away(acme.database)
    invitations = Invitations(Letters(acme.database), outbox, HOUSE)
    assert await invitations.invite([acme.user], acme.by) == "failed"
