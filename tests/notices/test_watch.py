"""Administrators are told of their allowance: when, of what, and once."""

import asyncio

import pytest

from proxy.domain.terms import Step
from proxy.storage.packages import CreditPacks, Packages
from proxy.storage.tenants import Tenants
from proxy.storage.users import Users
from tests.kit.mail_server import Mailbox
from tests.notices.workspace import CREDIT, Workspace

APPROACHING, REACHED = "allowance_approaching", "allowance_reached"


async def test_each_line_is_told_once_a_month(acme: Workspace, box: Mailbox) -> None:
    outbox = acme.outbox(box)
    watch = acme.watch(outbox)
    await acme.use(799)
    assert await watch.look(acme.now_ms) == 0
    await acme.use(1)
    assert await watch.look(acme.now_ms) == 1
    assert await watch.look(acme.now_ms) == 0
    await acme.use(199)
    assert await watch.look(acme.now_ms) == 0
    await acme.use(1)
    assert await watch.look(acme.now_ms) == 1
    await acme.use(5_000)
    assert await watch.look(acme.now_ms) == 0
    assert await acme.letters() == [
        (APPROACHING, "ada@acme.example", ""),
        (REACHED, "ada@acme.example", ""),
    ]
    acme.now_ms += 31 * 86_400_000
    assert await watch.look(acme.now_ms) == 0
    await acme.use(900)
    assert await watch.look(acme.now_ms) == 1


async def test_who_leaps_over_both_lines_is_told_of_the_second_only(
    acme: Workspace, box: Mailbox
) -> None:
    watch = acme.watch(acme.outbox(box))
    await acme.use(1_300)
    assert await watch.look(acme.now_ms) == 1
    assert await watch.look(acme.now_ms) == 0
    assert await acme.letters() == [(REACHED, "ada@acme.example", "")]


async def test_a_month_is_one_of_the_installations_zone(acme: Workspace, box: Mailbox) -> None:
    # 23:30 in UTC on the 30th of September is October in Berlin.
    acme.now_ms = 1_790_811_000_000
    await acme.use(1_000)
    assert await acme.watch(acme.outbox(box)).look(acme.now_ms) == 1
    [(period,)] = await acme.database.fetch("SELECT period FROM notices")
    assert period == "2026-10"


async def test_the_letter_says_all_one_needs(acme: Workspace, box: Mailbox) -> None:
    outbox = acme.outbox(box)
    await acme.use(825)
    await acme.watch(outbox).look(acme.now_ms)
    assert await outbox.round() is False
    [mail] = box.mails
    assert mail.recipients == ["ada@acme.example"]
    assert mail.message["Subject"] == "Acme: 82 % of this month's credits are used"
    for wanted in (
        "Hello Ada,",
        'the workspace "Acme"',
        "Used       825.00 credits (82 %)",
        "Allowance  1,000.00 credits (package Starter)",
        "Resets     2026-10-01 00:00 (Europe/Berlin)",
        "Nothing is restricted yet.",
        "https://gateway.example.com",
        "Msp Support <help@msp.example>",
    ):
        assert wanted in mail.text


async def test_a_used_allowance_says_what_still_works(acme: Workspace, box: Mailbox) -> None:
    await CreditPacks(acme.database).add(
        acme.tenant_id,
        acme.by,
        name="Extra",
        credits=500 * CREDIT,
        valid_from=acme.now_ms,
        valid_until=None,
    )
    outbox = acme.outbox(box)
    await acme.use(1_650)
    await acme.watch(outbox).look(acme.now_ms)
    await outbox.round()
    [mail] = box.mails
    assert mail.message["Subject"] == "Acme: this month's credits are used"
    assert "1,500.00 credits (package Starter, credit packs included)" in mail.text
    assert (
        "What still works: models with a multiplier below 0.5, and those of the base level."
        in mail.text
    )


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (((Step(1.2, 1.0),), False), "What still works: all models; the dearest are"),
        (((Step(1.0),), False), "What still works: models of the base level."),
        (((Step(1.2, 1.0),), True), "What still works: nothing: every model is restricted."),
    ],
)
async def test_what_still_works_is_as_the_installation_has_it(
    acme: Workspace, box: Mailbox, rules: tuple[tuple[Step, ...], bool], said: str
) -> None:
    acme.rules = rules
    outbox = acme.outbox(box)
    await acme.use(1_000)
    await acme.watch(outbox).look(acme.now_ms)
    await outbox.round()
    assert said in box.mails[0].text


async def test_a_pack_that_brings_the_share_down_is_counted(acme: Workspace, box: Mailbox) -> None:
    watch = acme.watch(acme.outbox(box))
    await acme.use(1_000)
    await CreditPacks(acme.database).add(
        acme.tenant_id,
        acme.by,
        name="Extra",
        credits=1_000 * CREDIT,
        valid_from=acme.now_ms,
        valid_until=None,
    )
    assert await watch.look(acme.now_ms) == 0
    await acme.use(600)
    assert await watch.look(acme.now_ms) == 1
    assert await acme.letters() == [(APPROACHING, "ada@acme.example", "")]


async def test_a_tenant_nobody_administers_is_told_as_soon_as_somebody_does(
    acme: Workspace, box: Mailbox
) -> None:
    users = Users(acme.database)
    await users.change(acme.admin.id, acme.by, status="Suspended")
    watch = acme.watch(acme.outbox(box))
    await acme.use(1_000)
    assert await watch.look(acme.now_ms) == 0
    await users.change(acme.user.id, acme.by, role="client_admin")
    assert await watch.look(acme.now_ms) == 1
    assert await acme.letters() == [(REACHED, "bob@acme.example", "")]


async def test_an_allowance_of_nothing_is_not_used_up(acme: Workspace, box: Mailbox) -> None:
    await Packages(acme.database).change(acme.package_id, acme.by, monthly_credits=0)
    await acme.use(5)
    assert await acme.watch(acme.outbox(box)).look(acme.now_ms) == 0


async def test_a_tenant_without_a_package_has_no_allowance(acme: Workspace, box: Mailbox) -> None:
    await Tenants(acme.database).change(acme.tenant_id, acme.by, package_id=None)
    await acme.use(5_000)
    assert await acme.watch(acme.outbox(box)).look(acme.now_ms) == 0


async def test_watches_that_look_at_once_tell_once(acme: Workspace, box: Mailbox) -> None:
    await acme.use(1_000)
    watches = [acme.watch(acme.outbox(box)) for _ in range(5)]
    assert sum(await asyncio.gather(*[watch.look(acme.now_ms) for watch in watches])) == 1
    assert len(await acme.letters()) == 1


async def test_what_finds_no_room_is_told_later(acme: Workspace, box: Mailbox) -> None:
    await acme.use(1_000)
    assert await acme.watch(acme.outbox(box, waiting_max=0)).look(acme.now_ms) == 0
    assert await acme.letters() == []
    assert await acme.watch(acme.outbox(box)).look(acme.now_ms) == 1


async def test_a_ladder_that_begins_before_everything_is_used_is_told_truly(
    acme: Workspace, box: Mailbox
) -> None:
    acme.rules = ((Step(0.8, 1.0), Step(1.5)), False)
    outbox = acme.outbox(box)
    await acme.use(900)
    await acme.watch(outbox).look(acme.now_ms)
    await outbox.round()
    [mail] = box.mails
    assert "90 % of this month's credits" in mail.message["Subject"]
    assert "Nothing is restricted yet" not in mail.text
    assert "What works now: models with a multiplier below 1, and those" in mail.text
