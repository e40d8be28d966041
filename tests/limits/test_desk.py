"""The desk: who gets in, who is refused and why, who has to ask first, and what is left."""

import asyncio

import msgspec
import pytest

from proxy.config.settings import Limits
from proxy.domain.caller import Caller
from proxy.domain.fault import Fault
from proxy.domain.model import Model
from proxy.domain.terms import Burst, Pack, Step, TenantTerms
from proxy.limits.counters import MemoryCounters
from proxy.limits.desk import SWEEP_EVERY_S, Desk
from proxy.limits.ticket import EXPIRES_S, Ticket
from tests.limits.stores import (
    BASE,
    CHEAP,
    CREDIT,
    DEAR,
    DECEMBER_MS,
    HALF,
    NOW_MS,
    Clock,
    Ledger,
    Wall,
    make_caller,
    make_counters,
    make_desk,
    make_entry,
)

MODELS = (DEAR, HALF, CHEAP, BASE)
HUNDRED = 100 * CREDIT


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def desk(ledger: Ledger, clock: Clock) -> Desk:
    """One process."""
    return make_desk(ledger, clock, MemoryCounters(), models=MODELS)


def admit(
    desk: Desk, caller: Caller, model: Model = DEAR, estimate: int = CREDIT, now_ms: int = NOW_MS
) -> Ticket | None:
    return desk.admit(caller, model, estimate_credits=estimate, estimate_tokens=10, now_ms=now_ms)


async def enter(
    desk: Desk, caller: Caller, model: Model = DEAR, estimate: int = CREDIT, now_ms: int = NOW_MS
) -> Ticket:
    """As the walk does it: at once, or after asking."""
    return admit(desk, caller, model, estimate, now_ms) or await desk.ask(
        caller, model, estimate_credits=estimate, estimate_tokens=10, now_ms=now_ms
    )


async def refused(desk: Desk, caller: Caller, model: Model = DEAR, now_ms: int = NOW_MS) -> Fault:
    with pytest.raises(Fault) as caught:
        await enter(desk, caller, model, now_ms=now_ms)
    return caught.value


def used(ledger: Ledger, credits: int, user: str = "", period: str = "2026-11") -> None:
    ledger.sums[period, "tenant_1", user] = credits


async def test_who_has_no_limit_never_asks_and_reads_nothing(desk: Desk, ledger: Ledger) -> None:
    for _ in range(3):
        ticket = admit(desk, make_caller(), estimate=10**15)
        assert ticket is not None
        ticket.settle(10**15)
    assert ledger.readings == 0


async def test_a_tenant_is_read_once_and_then_decided_at_once(desk: Desk, ledger: Ledger) -> None:
    caller = make_caller(credits=HUNDRED, role_credits=HUNDRED)
    assert admit(desk, caller) is None
    ticket = await enter(desk, caller)
    assert ledger.readings == 1
    assert admit(desk, caller) is not None
    ticket.release()
    assert ledger.readings == 1


@pytest.mark.parametrize(
    ("percent", "free"),
    [
        (99, (DEAR, HALF, CHEAP, BASE)),
        (100, (HALF, CHEAP, BASE)),
        (110, (CHEAP, BASE)),
        (125, (BASE,)),
        (150, (BASE,)),
        (1000, (BASE,)),
    ],
)
async def test_the_more_a_tenant_used_the_less_dear_models_work(
    desk: Desk, ledger: Ledger, percent: int, free: tuple[Model, ...]
) -> None:
    used(ledger, percent * CREDIT)
    caller = make_caller(credits=HUNDRED)
    await desk.load(caller, NOW_MS)
    for model in MODELS:
        if model in free:
            (await enter(desk, caller, model)).release()
            assert desk.preview(caller, model, NOW_MS) is None
            continue
        fault = await refused(desk, caller, model)
        assert (fault.status, fault.reason, fault.retry) == (429, "tenant_limit", False)
        assert ", ".join([each.id for each in free if each is not BASE]) in fault.message
        assert "base" in fault.message
        restriction = desk.preview(caller, model, NOW_MS)
        assert restriction is not None
        assert (restriction.scope, restriction.resets_at_ms) == ("tenant", DECEMBER_MS)


async def test_a_hard_stop_and_a_limit_of_nothing_stop_everything(
    ledger: Ledger, clock: Clock
) -> None:
    used(ledger, HUNDRED)
    desk = make_desk(
        ledger, clock, MemoryCounters(), settings=Limits(hard_stop=True), models=MODELS
    )
    fault = await refused(desk, make_caller(credits=HUNDRED), BASE)
    assert "No model is available until then." in fault.message
    soft = make_desk(Ledger(), clock, MemoryCounters(), models=MODELS)
    fault = await refused(soft, make_caller(credits=0), BASE)
    assert "0.00 of 0.00 credits" in fault.message


async def test_a_tenants_own_ladder_beats_the_installations(desk: Desk, ledger: Ledger) -> None:
    used(ledger, 60 * CREDIT)
    terms = TenantTerms(credits=HUNDRED, ladder=(Step(0.5, 0.4),))
    caller = make_caller(terms=terms)
    assert (await refused(desk, caller, HALF)).reason == "tenant_limit"
    (await enter(desk, caller, CHEAP)).release()


async def test_a_role_stops_one_user_and_not_the_next(desk: Desk, ledger: Ledger) -> None:
    used(ledger, 10 * CREDIT, "user_1")
    capped = make_caller(credits=HUNDRED, role_credits=10 * CREDIT)
    colleague = make_caller("user_2", credits=HUNDRED, role_credits=10 * CREDIT)
    for model in MODELS:
        fault = await refused(desk, capped, model)
        assert (fault.reason, fault.retry) == ("role_limit", False)
        assert ("x-hatz-limit-scope", "role") in fault.headers
    (await enter(desk, colleague)).release()
    # The role comes first, also where the tenant is over.
    used(ledger, 2 * HUNDRED)
    assert (await refused(desk, capped)).reason == "role_limit"


async def test_an_upgrade_a_pack_or_another_role_works_on_the_next_call(
    desk: Desk, ledger: Ledger
) -> None:
    used(ledger, HUNDRED)
    used(ledger, HUNDRED, "user_1")
    assert (await refused(desk, make_caller(credits=HUNDRED))).reason == "tenant_limit"
    (await enter(desk, make_caller(credits=2 * HUNDRED))).release()
    pack = TenantTerms(credits=HUNDRED, packs=(Pack(50 * CREDIT, NOW_MS),))
    (await enter(desk, make_caller(terms=pack))).release()
    assert (await refused(desk, make_caller(role_credits=HUNDRED))).reason == "role_limit"
    (await enter(desk, make_caller(role_credits=HUNDRED + 1))).release()
    (await enter(desk, make_caller())).release()


async def test_other_limits_of_the_installation_work_on_the_next_call(
    desk: Desk, ledger: Ledger
) -> None:
    used(ledger, HUNDRED)
    caller = make_caller(credits=HUNDRED)
    await refused(desk, caller)
    desk.change(Limits(ladder=(Step(2.0, None),)))
    (await enter(desk, caller)).release()


async def test_what_is_reserved_counts_until_it_is_settled(desk: Desk) -> None:
    caller = make_caller(credits=HUNDRED)
    first = await enter(desk, caller, estimate=HUNDRED)
    fault = await refused(desk, caller)
    # Nothing is used up yet: it may be worth another try.
    assert (fault.retry, fault.retry_after_s) == (None, 5)
    first.settle(60 * CREDIT)
    second = await enter(desk, caller, estimate=HUNDRED)
    second.release()
    (await enter(desk, caller)).settle(40 * CREDIT)
    assert (await refused(desk, caller)).retry is False


async def test_settling_twice_is_settling_once(desk: Desk) -> None:
    caller = make_caller(credits=HUNDRED)
    ticket = await enter(desk, caller)
    for _ in range(3):
        ticket.settle(30 * CREDIT)
        ticket.release()
    other = await enter(desk, caller)
    other.release()
    other.settle(50 * CREDIT)
    assert (await desk.standing(caller, NOW_MS)).used == 30 * CREDIT
    assert desk.open_tickets == 0


async def test_a_row_that_was_stored_counts_once_all_the_way(
    desk: Desk, ledger: Ledger, clock: Clock
) -> None:
    caller = make_caller(credits=HUNDRED, role_credits=HUNDRED)

    async def figures() -> tuple[int, int]:
        standing = await desk.standing(caller, NOW_MS)
        return standing.used, standing.role_used

    (await enter(desk, caller)).settle(30 * CREDIT)
    assert await figures() == (30 * CREDIT, 30 * CREDIT)
    row = make_entry(30 * CREDIT)
    ledger.add([row], "2026-11")
    assert await figures() == (30 * CREDIT, 30 * CREDIT)
    desk.stored([row])
    assert await figures() == (30 * CREDIT, 30 * CREDIT)
    for _ in range(3):
        clock.turn(1.0)
        await desk.rounds.agree()
        assert await figures() == (30 * CREDIT, 30 * CREDIT)


async def test_rows_stored_while_the_sums_are_read_are_counted_twice_rather_than_not_at_all(
    desk: Desk, ledger: Ledger, clock: Clock
) -> None:
    caller = make_caller(credits=HUNDRED)
    (await enter(desk, caller)).settle(30 * CREDIT)
    clock.turn(60.0)
    ledger.held_up = asyncio.Event()
    reading = asyncio.create_task(desk.rounds.agree())
    await asyncio.sleep(0)
    row = make_entry(30 * CREDIT)
    ledger.add([row], "2026-11")
    desk.stored([row])
    ledger.held_up.set()
    await reading
    # This reading may or may not have seen the row: it is kept until a later one surely has.
    assert (await desk.standing(caller, NOW_MS)).used >= 30 * CREDIT
    clock.turn(1.0)
    await desk.rounds.agree()
    assert (await desk.standing(caller, NOW_MS)).used == 30 * CREDIT


async def test_a_dead_workers_rows_do_not_hide_our_own(desk: Desk, ledger: Ledger) -> None:
    caller = make_caller(credits=HUNDRED)
    (await enter(desk, caller)).settle(30 * CREDIT)
    theirs = make_entry(20 * CREDIT)
    ledger.add([theirs], "2026-11")
    desk.stored([theirs], own=False)
    assert (await desk.standing(caller, NOW_MS)).used == 50 * CREDIT


async def test_a_row_that_storage_can_never_take_counts_no_longer(desk: Desk, clock: Clock) -> None:
    caller = make_caller(credits=HUNDRED)
    (await enter(desk, caller)).settle(30 * CREDIT)
    desk.stored([make_entry(30 * CREDIT)])
    clock.turn(1.0)
    await desk.rounds.agree()
    assert (await desk.standing(caller, NOW_MS)).used == 0


async def test_a_ticket_nobody_settles_expires_and_is_counted(desk: Desk, clock: Clock) -> None:
    caller = make_caller(credits=HUNDRED)
    late = await enter(desk, caller, estimate=HUNDRED)
    assert await refused(desk, caller)
    clock.turn(EXPIRES_S - 1)
    desk.tick(clock.s)
    assert desk.expired == 0
    clock.turn(2)
    desk.tick(clock.s)
    assert (desk.expired, desk.open_tickets) == (1, 0)
    (await enter(desk, caller)).release()
    # A stream may run that long: what it cost counts all the same.
    late.settle(HUNDRED)
    assert (await desk.standing(caller, clock.ms)).used == HUNDRED
    assert await refused(desk, caller)


async def test_a_request_belongs_to_the_month_it_started_in(desk: Desk, ledger: Ledger) -> None:
    caller = make_caller(credits=HUNDRED)
    night = await enter(desk, caller, now_ms=DECEMBER_MS - 1)
    (await enter(desk, caller, now_ms=DECEMBER_MS)).release()
    night.settle(HUNDRED)
    assert (await desk.standing(caller, DECEMBER_MS)).used == 0
    assert (await desk.standing(caller, DECEMBER_MS - 1)).used == HUNDRED
    row = make_entry(HUNDRED, started_at=DECEMBER_MS - 1)
    ledger.add([row], "2026-11")
    desk.stored([row])
    assert (await desk.standing(caller, DECEMBER_MS)).used == 0
    # One that was long on its way in is decided now but belongs to where it began.
    late = await enter(desk, caller, BASE, now_ms=DECEMBER_MS - 5)
    late.settle(7)
    assert (await desk.standing(caller, DECEMBER_MS - 1)).used == HUNDRED + 7


async def test_the_month_rolls_and_the_limit_is_fresh(desk: Desk, ledger: Ledger) -> None:
    used(ledger, HUNDRED)
    caller = make_caller(credits=HUNDRED)
    fault = await refused(desk, caller, now_ms=DECEMBER_MS - 1_500)
    assert fault.retry_after_s == 2
    (await enter(desk, caller, now_ms=DECEMBER_MS)).release()
    # A clock that is set back finds the old month as it was.
    await refused(desk, caller, now_ms=DECEMBER_MS - 1_500)


@pytest.mark.parametrize("jump_s", [-86_400, 86_400])
async def test_a_clock_that_jumps_loses_nothing(desk: Desk, clock: Clock, jump_s: int) -> None:
    caller = make_caller(credits=HUNDRED)
    ticket = await enter(desk, caller, now_ms=clock.ms)
    clock.ms += jump_s * 1000
    desk.tick(clock.s)
    assert desk.expired == 0
    (await enter(desk, caller, now_ms=clock.ms)).settle(10 * CREDIT)
    ticket.settle(20 * CREDIT)
    assert (await desk.standing(caller, clock.ms)).used == 30 * CREDIT


async def test_bursts_are_refused_with_their_scope_and_count_tokens_too(
    ledger: Ledger, clock: Clock
) -> None:
    settings = Limits(key=Burst(streams=2), user=Burst(requests_per_minute=4), tenant=Burst(None))
    desk = make_desk(ledger, clock, MemoryCounters(), settings=settings)
    caller = make_caller()
    other_key = caller.but(key_id="other")
    first, _ = await enter(desk, caller), await enter(desk, caller)
    fault = await refused(desk, caller)
    assert (fault.reason, dict(fault.headers)) == ("burst_limit", {"x-hatz-limit-scope": "key"})
    counting = desk.admit_free(other_key, estimate_tokens=5, now_ms=NOW_MS)
    counting.release()
    first.settle(5)
    (await enter(desk, caller)).release()
    fault = await refused(desk, caller)
    assert ("x-hatz-limit-scope", "user") in fault.headers
    with pytest.raises(Fault, match="4 requests per minute"):
        desk.admit_free(other_key, estimate_tokens=5, now_ms=NOW_MS)
    assert desk.explain(caller, DEAR, NOW_MS) is not None


async def test_tokens_are_corrected_by_what_was_really_used(ledger: Ledger, clock: Clock) -> None:
    terms = TenantTerms(burst=Burst(tokens_per_minute=100))
    desk = make_desk(ledger, clock, MemoryCounters())
    caller = make_caller(terms=terms)
    for real in (5, 5):
        ticket = desk.admit(caller, DEAR, estimate_credits=1, estimate_tokens=90, now_ms=NOW_MS)
        assert ticket is not None
        ticket.settle(1, real)
    with pytest.raises(Fault, match="100 tokens per minute"):
        desk.admit(caller, DEAR, estimate_credits=1, estimate_tokens=91, now_ms=NOW_MS)


async def test_count_tokens_passes_while_everything_else_is_refused(
    desk: Desk, ledger: Ledger
) -> None:
    used(ledger, 2 * HUNDRED)
    caller = make_caller(credits=HUNDRED, role_credits=0)
    await refused(desk, caller)
    desk.admit_free(caller, estimate_tokens=10, now_ms=NOW_MS).release()
    assert (await desk.standing(caller, NOW_MS)).used == 2 * HUNDRED


async def test_the_refusal_names_what_was_asked_for_and_what_it_led_to(
    desk: Desk, ledger: Ledger
) -> None:
    used(ledger, HUNDRED)
    caller = make_caller(credits=HUNDRED)
    await desk.load(caller, NOW_MS)
    fault = desk.explain(caller, DEAR, NOW_MS, asked="opus")
    assert fault is not None
    assert "dear (asked for as opus)" in fault.message
    assert desk.explain(caller, CHEAP, NOW_MS) is None


async def test_standing_says_used_limit_remaining_and_states(desk: Desk, ledger: Ledger) -> None:
    used(ledger, 110 * CREDIT)
    used(ledger, 9 * CREDIT, "user_1")
    standing = await desk.standing(make_caller(credits=HUNDRED, role_credits=10 * CREDIT), NOW_MS)
    assert standing.period.key == "2026-11"
    assert standing[1:] == (
        110 * CREDIT,
        HUNDRED,
        0,
        "limited-2",
        9 * CREDIT,
        10 * CREDIT,
        "approaching",
    )
    unlimited = await desk.standing(make_caller("user_2", tenant="other"), NOW_MS)
    assert unlimited[1:] == (0, None, None, "normal", 0, None, "normal")


async def test_standing_of_who_has_no_limit_has_what_is_not_stored_yet(
    desk: Desk, ledger: Ledger
) -> None:
    used(ledger, 10 * CREDIT)
    caller = make_caller()
    (await enter(desk, caller)).settle(3 * CREDIT)
    assert (await desk.standing(caller, NOW_MS)).used == 13 * CREDIT
    row = make_entry(3 * CREDIT)
    ledger.add([row], "2026-11")
    desk.stored([row])
    assert (await desk.standing(caller, NOW_MS)).used == 13 * CREDIT


async def test_who_is_gone_is_forgotten_and_what_is_under_way_is_not(
    desk: Desk, ledger: Ledger, clock: Clock
) -> None:
    running = await enter(desk, make_caller(credits=HUNDRED), estimate=0)
    for number in range(50):
        caller = make_caller(f"user_{number + 2}", tenant=f"other_{number}", credits=HUNDRED)
        (await enter(desk, caller)).settle(CREDIT)
        desk.stored([make_entry(CREDIT, user=caller.user_id, tenant=caller.tenant_id)])
    assert len(desk._books) == 102
    for _ in range(3):
        clock.turn(SWEEP_EVERY_S)
        await desk.rounds.agree()
        desk.tick(clock.s)
    assert len(desk._books) == 2
    running.settle(5 * CREDIT)
    assert (await desk.standing(make_caller(credits=HUNDRED), NOW_MS)).used == 5 * CREDIT


# ---------------------------------------------------------------------- several workers


async def test_near_a_limit_a_worker_asks_what_the_others_hold(
    ledger: Ledger, clock: Clock
) -> None:
    wall = Wall()
    one, two = (make_desk(ledger, clock, make_counters(wall, clock, n)) for n in ("one", "two"))
    caller = make_caller(credits=HUNDRED)
    for desk in (one, two):
        (await enter(desk, caller)).release()
    await enter(one, caller, estimate=99 * CREDIT)
    # Two has not heard of it and is far from the limit: it decides at once.
    assert admit(two, caller, estimate=1) is not None
    for desk in (one, two, one):
        await desk.rounds.agree()
    assert admit(two, caller, estimate=1) is None  # now it is near
    assert one.asked == two.asked == 1
    await enter(one, caller, estimate=2 * CREDIT)
    fault = await refused(two, caller)
    assert (fault.reason, fault.retry) == ("tenant_limit", None)


async def test_of_two_that_ask_at_the_same_time_not_both_get_the_last_credit(
    ledger: Ledger, clock: Clock
) -> None:
    used(ledger, 99 * CREDIT)
    wall = Wall()
    desks = [make_desk(ledger, clock, make_counters(wall, clock, str(n))) for n in range(4)]
    caller = make_caller(credits=HUNDRED)
    done = await asyncio.gather(
        *[enter(desk, caller) for desk in desks for _ in range(5)], return_exceptions=True
    )
    assert len([each for each in done if isinstance(each, Ticket)]) <= 1
    assert all(isinstance(each, Ticket | Fault) for each in done)


async def test_all_who_wait_share_a_round(ledger: Ledger, clock: Clock) -> None:
    wall = Wall()
    desk = make_desk(ledger, clock, make_counters(wall, clock, "one"))
    caller = make_caller(credits=HUNDRED)
    tickets = await asyncio.gather(*[enter(desk, caller) for _ in range(50)])
    assert ledger.readings <= 2
    for ticket in tickets:
        ticket.settle(CREDIT)
    assert (await desk.standing(caller, NOW_MS)).used == 50 * CREDIT


async def test_who_leaves_while_waiting_holds_nothing_and_holds_up_nobody(
    ledger: Ledger, clock: Clock
) -> None:
    ledger.held_up = asyncio.Event()
    desk = make_desk(ledger, clock, MemoryCounters())
    caller = make_caller(credits=HUNDRED)
    leaving, staying = (asyncio.create_task(enter(desk, caller)) for _ in range(2))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    leaving.cancel()
    ledger.held_up.set()
    ticket = await staying
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert desk.open_tickets == 1
    ticket.release()
    (book, _) = desk._books
    assert (book.reserved, book.pending) == (0, 0)


@pytest.mark.parametrize("policy", ["open", "closed"])
async def test_while_the_counters_are_lost_the_policy_decides_near_a_limit(
    ledger: Ledger, clock: Clock, policy: str
) -> None:
    wall = Wall()
    settings = msgspec.convert({"when_counters_lost": policy}, Limits)
    desk = make_desk(ledger, clock, make_counters(wall, clock, "one"), settings=settings)
    caller = make_caller(credits=HUNDRED)
    (await enter(desk, caller)).release()
    wall.away = True
    await desk.rounds.agree()
    assert desk.trouble
    # Far from the limit nobody notices.
    far = admit(desk, caller, estimate=99 * CREDIT)
    assert far is not None
    asked = desk.asked
    if policy == "open":
        assert admit(desk, caller, estimate=CREDIT) is not None
        with pytest.raises(Fault) as caught:
            admit(desk, caller)  # what is known is enough for that
        assert caught.value.reason == "tenant_limit"
    else:
        with pytest.raises(Fault) as caught:
            admit(desk, caller)
        assert (caught.value.status, caught.value.reason) == (503, "limits_unavailable")
    assert desk.asked == asked  # nobody waits for what is lost
    assert desk.blind == 1
    # Storage still answers: who was never seen is read.
    stranger = make_caller("user_2", tenant="tenant_2", credits=HUNDRED)
    (await enter(desk, stranger)).release()
    wall.away = False
    clock.turn(2.0)
    await desk.rounds.agree()
    assert not desk.trouble
    assert wall.held["one"][1]["h|2026-11|t|tenant_1"] >= 99 * CREDIT


@pytest.mark.parametrize("policy", ["open", "closed"])
async def test_while_storage_is_away_who_is_known_goes_on_and_who_is_not_gets_the_policy(
    ledger: Ledger, clock: Clock, policy: str
) -> None:
    settings = msgspec.convert({"when_counters_lost": policy}, Limits)
    desk = make_desk(ledger, clock, MemoryCounters(), settings=settings)
    caller = make_caller(credits=HUNDRED)
    (await enter(desk, caller)).settle(50 * CREDIT)
    ledger.away = True
    stranger = make_caller("user_2", tenant="tenant_2", credits=HUNDRED)
    if policy == "open":
        (await enter(desk, stranger, estimate=HUNDRED)).settle(HUNDRED)
        # What it used here is known at least.
        assert (await refused(desk, stranger)).reason == "tenant_limit"
    else:
        assert (await refused(desk, stranger)).reason == "limits_unavailable"
    (await enter(desk, caller)).settle(50 * CREDIT)
    assert (await refused(desk, caller)).reason == "tenant_limit"
    ledger.away = False
    clock.turn(2.0)
    await desk.rounds.agree()
    assert not desk.trouble
    with pytest.raises(Fault):
        ledger.away = True
        await desk.standing(make_caller("user_3", tenant="tenant_3"), NOW_MS)


async def test_it_runs_until_it_is_stopped_and_signs_off(ledger: Ledger, clock: Clock) -> None:
    wall = Wall()
    desk = make_desk(ledger, clock, make_counters(wall, clock, "one"))
    ticket = await enter(desk, make_caller(credits=HUNDRED))
    pauses: list[float] = []
    enough = asyncio.Event()

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        clock.turn(seconds)
        if len(pauses) == 50:
            enough.set()
        await asyncio.sleep(0)

    running = asyncio.create_task(desk.run(sleep))
    await enough.wait()
    assert set(pauses) == {0.1}
    assert wall.held["one"][1] == {"h|2026-11|t|tenant_1": CREDIT}
    ticket.settle(2 * CREDIT)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert desk.trouble == ""
    await desk.close()
    assert wall.held == {}


async def test_a_body_that_takes_minutes_to_arrive_does_not_turn_the_meters_back(
    ledger: Ledger, clock: Clock
) -> None:
    settings = Limits(key=Burst(requests_per_minute=2))
    desk = make_desk(ledger, clock, MemoryCounters(), settings=settings)
    caller = make_caller()
    began_ms = clock.ms
    clock.turn(600)
    for now_ms in (clock.ms, began_ms):
        (await enter(desk, caller, now_ms=now_ms)).release()
    for now_ms in (began_ms, clock.ms):
        assert (await refused(desk, caller, now_ms=now_ms)).reason == "burst_limit"


async def test_a_request_that_one_meter_refuses_is_on_no_other(
    ledger: Ledger, clock: Clock
) -> None:
    """Else a user's other keys would use up the key's own limit by being refused."""
    settings = Limits(key=Burst(requests_per_minute=3), user=Burst(requests_per_minute=1))
    desk = make_desk(ledger, clock, MemoryCounters(), settings=settings)
    caller = make_caller()
    (await enter(desk, caller, now_ms=clock.ms)).release()
    for _ in range(5):
        refusal = await refused(desk, caller, now_ms=clock.ms)
        assert ("x-hatz-limit-scope", "user") in refusal.headers
