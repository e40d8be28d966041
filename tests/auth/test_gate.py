"""The gate remembers, refuses in useful words, and asks the store once for all."""

import asyncio
from collections.abc import Sequence

import pytest

from proxy.auth.credential import Presented, read
from proxy.auth.gate import Gate
from proxy.auth.keys import digest
from proxy.domain.alias_mapping import AliasMapping
from proxy.domain.caller import Caller
from proxy.domain.fault import Fault, Kind, Source

SECRET = b"s" * 32
ADA_KEY = b"hzat-ada-0123456789-0123456789-01"
BOB_KEY = b"hzat-bob-0123456789-0123456789-01"
LOST_KEY = b"hzat-nobody-0123456789-0123456789"
NOW = 1_800_000_000_000


def make_caller(name: str = "ada", **changes: object) -> Caller:
    fields: dict[str, object] = {
        "key_id": f"key_{name}",
        "user_id": f"user_{name}",
        "email": f"{name}@example.com",
        "tenant_id": "tenant_1",
        "tenant": "Default",
        "role": "general_user",
        "permissions": frozenset({"gateway.use"}),
    }
    return Caller(**(fields | changes))  # type: ignore[arg-type]


class Shelf:
    """A key store in memory that counts, and can be held back or broken."""

    def __init__(self, *pairs: tuple[bytes, Caller]) -> None:
        self.callers = {digest(key, SECRET): caller for key, caller in pairs}
        self.asked: list[bytes] = []
        self.batches: list[list[tuple[str, int]]] = []
        self.broken = False
        self.open = asyncio.Event()
        self.open.set()

    async def by_digest(self, digest: bytes, /) -> Caller | None:
        self.asked.append(digest)
        found = self.callers.get(digest)
        await self.open.wait()
        if self.broken:
            raise Fault(Kind.UNAVAILABLE, "storage is away", source=Source.HOUSE)
        return found

    async def touch(self, used: Sequence[tuple[str, int]], /) -> None:
        if self.broken:
            raise Fault(Kind.UNAVAILABLE, "storage is away", source=Source.HOUSE)
        self.batches.append(list(used))


def bearer(key: bytes, x_api_key: bytes | None = None) -> Presented:
    return read(b"Bearer " + key, x_api_key)


def gate_before(shelf: Shelf, keys_cached_max: int = 100) -> Gate:
    return Gate(shelf, SECRET, keys_cached_max=keys_cached_max)


async def test_a_key_is_asked_for_once_and_then_recalled() -> None:
    shelf = Shelf((ADA_KEY, make_caller()))
    gate = gate_before(shelf)
    assert gate.recall(bearer(ADA_KEY), NOW) is None
    assert await gate.lookup(bearer(ADA_KEY), NOW) == make_caller()
    assert gate.recall(bearer(ADA_KEY), NOW) == make_caller()
    assert await gate.lookup(read(None, ADA_KEY), NOW) == make_caller()
    assert len(shelf.asked) == 1


async def test_an_unknown_key_is_refused_and_not_asked_for_again_for_a_while() -> None:
    shelf = Shelf()
    gate = gate_before(shelf)
    presented = bearer(LOST_KEY)
    for _ in range(2):
        with pytest.raises(Fault):
            await gate.lookup(presented, NOW)
    with pytest.raises(Fault):
        gate.recall(presented, NOW + 1_999)
    assert len(shelf.asked) == 1
    assert gate.recall(presented, NOW + 2_000) is None
    shelf.callers[digest(LOST_KEY, SECRET)] = make_caller()
    assert await gate.lookup(presented, NOW + 2_000) == make_caller()
    assert gate.recall(presented, NOW + 2_000) == make_caller()


@pytest.mark.parametrize(
    ("presented", "says"),
    [
        (bearer(LOST_KEY), "The API key in Authorization is unknown"),
        (read(None, LOST_KEY), "The API key in X-Api-Key is unknown"),
        (bearer(LOST_KEY, LOST_KEY), "The API key in Authorization and X-Api-Key is"),
        (bearer(LOST_KEY, LOST_KEY[::-1]), "The API keys in Authorization and X-Api-Key are"),
        (read(None, None), "No API key was sent: send `Authorization: Bearer <key>` or `X-Api"),
        (read(b"Basic eDp5", None), "Authorization holds no Bearer key: send `Authorization: B"),
        (read(None, None, bearer_allowed=False), "No API key was sent: send `X-Api-Key: <key>`."),
        (
            read(b"Bearer " + LOST_KEY, None, bearer_allowed=False),
            "(Authorization is not read on this path): send `X-Api-Key: <key>`.",
        ),
    ],
)
async def test_a_401_names_the_header_and_the_cure_and_never_the_key(
    presented: Presented, says: str
) -> None:
    gate = gate_before(Shelf())
    with pytest.raises(Fault) as refused:
        await gate.lookup(presented, NOW)
    fault = refused.value
    assert (fault.status, fault.error_type, fault.retry) == (401, "authentication_error", False)
    assert says in fault.message
    assert "`hatz-gateway key create`" in fault.message
    for shown in (fault.message, fault.detail, repr(fault), str(fault)):
        assert LOST_KEY.decode() not in shown


def test_a_request_without_keys_is_refused_without_asking_the_store() -> None:
    with pytest.raises(Fault) as refused:
        gate_before(Shelf()).recall(read(None, None), NOW)
    assert refused.value.kind is Kind.UNAUTHENTICATED


@pytest.mark.parametrize(
    ("presented", "name"),
    [
        pytest.param(bearer(ADA_KEY, BOB_KEY), "ada", id="both valid: bearer wins"),
        pytest.param(bearer(LOST_KEY, BOB_KEY), "bob", id="leftover in authorization"),
        pytest.param(bearer(ADA_KEY, LOST_KEY), "ada", id="leftover in x-api-key"),
        pytest.param(bearer(ADA_KEY, ADA_KEY), "ada", id="the same in both"),
    ],
)
async def test_of_two_headers_the_first_valid_key_counts(presented: Presented, name: str) -> None:
    gate = gate_before(Shelf((ADA_KEY, make_caller("ada")), (BOB_KEY, make_caller("bob"))))
    assert (await gate.lookup(presented, NOW)).user_id == f"user_{name}"
    recalled = gate.recall(presented, NOW)
    assert recalled is not None
    assert recalled.user_id == f"user_{name}"


async def test_a_second_key_does_not_speak_while_the_first_is_undecided() -> None:
    shelf = Shelf((ADA_KEY, make_caller("ada")), (BOB_KEY, make_caller("bob")))
    gate = gate_before(shelf)
    await gate.lookup(bearer(BOB_KEY), NOW)
    assert gate.recall(bearer(ADA_KEY, BOB_KEY), NOW) is None


async def test_an_expired_key_is_refused_from_memory_and_yields_to_the_other_header() -> None:
    mortal = make_caller("ada", expires_at=NOW + 1_000)
    gate = gate_before(Shelf((ADA_KEY, mortal), (BOB_KEY, make_caller("bob"))))
    assert await gate.lookup(bearer(ADA_KEY), NOW) == mortal
    assert gate.recall(bearer(ADA_KEY), NOW + 999) == mortal
    with pytest.raises(Fault) as refused:
        gate.recall(bearer(ADA_KEY), NOW + 1_000)
    assert refused.value.kind is Kind.UNAUTHENTICATED
    with pytest.raises(Fault):
        await gate.lookup(bearer(ADA_KEY), NOW + 1_000)
    assert (await gate.lookup(bearer(ADA_KEY, BOB_KEY), NOW + 1_000)).user_id == "user_bob"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"active": False}, "Your account or workspace is not active. Ask your administrator."),
        ({"permissions": frozenset({"keys.create"})}, "may not use the gateway (gateway.use is"),
    ],
)
async def test_a_known_owner_without_rights_gets_403_also_from_memory(
    changes: dict[str, object], says: str
) -> None:
    shelf = Shelf((ADA_KEY, make_caller(**changes)))
    gate = gate_before(shelf)
    with pytest.raises(Fault) as first:
        await gate.lookup(bearer(ADA_KEY), NOW)
    with pytest.raises(Fault) as second:
        gate.recall(bearer(ADA_KEY), NOW)
    for refused in (first, second):
        fault = refused.value
        assert (fault.status, fault.error_type, fault.retry) == (403, "permission_error", False)
        assert says in fault.message
    assert len(shelf.asked) == 1
    await gate.flush_last_used()
    assert shelf.batches == []


async def test_who_lacks_the_gateway_may_go_where_it_is_not_needed_unless_suspended() -> None:
    shelf = Shelf(
        (ADA_KEY, make_caller("ada", permissions=frozenset({"usage.view"}))),
        (BOB_KEY, make_caller("bob", permissions=frozenset({"usage.view"}), active=False)),
    )
    gate = gate_before(shelf)
    caller = await gate.lookup(bearer(ADA_KEY), NOW, "")
    assert gate.recall(bearer(ADA_KEY), NOW, "usage.view") is caller
    for needs in ("gateway.use", "users.manage"):
        with pytest.raises(Fault) as caught:
            gate.recall(bearer(ADA_KEY), NOW, needs)
        assert caught.value.status == 403
    with pytest.raises(Fault) as suspended:
        await gate.lookup(bearer(BOB_KEY), NOW, "")
    assert suspended.value.status == 403


async def test_forget_makes_a_change_count_at_once() -> None:
    shelf = Shelf((ADA_KEY, make_caller()))
    gate = gate_before(shelf)
    await gate.lookup(bearer(ADA_KEY), NOW)
    with pytest.raises(Fault):
        await gate.lookup(bearer(BOB_KEY), NOW)
    del shelf.callers[digest(ADA_KEY, SECRET)]
    shelf.callers[digest(BOB_KEY, SECRET)] = make_caller("bob")
    gate.forget()
    assert gate.recall(bearer(ADA_KEY), NOW) is None
    with pytest.raises(Fault):
        await gate.lookup(bearer(ADA_KEY), NOW)
    assert (await gate.lookup(bearer(BOB_KEY), NOW)).user_id == "user_bob"


async def test_an_answer_older_than_a_change_is_not_remembered_nor_shared() -> None:
    shelf = Shelf((ADA_KEY, make_caller()))
    gate = gate_before(shelf)
    shelf.open.clear()
    before = asyncio.create_task(gate.lookup(bearer(ADA_KEY), NOW))
    await asyncio.sleep(0)
    shelf.callers.clear()
    gate.forget()
    after = asyncio.create_task(gate.lookup(bearer(ADA_KEY), NOW))
    await asyncio.sleep(0)
    shelf.open.set()
    assert await before == make_caller()
    with pytest.raises(Fault):
        await after
    with pytest.raises(Fault):
        gate.recall(bearer(ADA_KEY), NOW)


async def test_concurrent_lookups_of_one_key_share_one_question() -> None:
    shelf = Shelf((ADA_KEY, make_caller()), (BOB_KEY, make_caller("bob")))
    gate = gate_before(shelf)
    shelf.open.clear()
    asking = [asyncio.create_task(gate.lookup(bearer(ADA_KEY), NOW)) for _ in range(20)]
    asking.append(asyncio.create_task(gate.lookup(bearer(BOB_KEY), NOW)))
    await asyncio.sleep(0)
    shelf.open.set()
    assert {caller.user_id for caller in await asyncio.gather(*asking)} == {"user_ada", "user_bob"}
    assert sorted(shelf.asked) == sorted([digest(ADA_KEY, SECRET), digest(BOB_KEY, SECRET)])


async def test_the_first_in_line_leaving_does_not_fail_the_others() -> None:
    shelf = Shelf((ADA_KEY, make_caller()))
    gate = gate_before(shelf)
    shelf.open.clear()
    first, second, third = (
        asyncio.create_task(gate.lookup(bearer(ADA_KEY), NOW)) for _ in range(3)
    )
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    await asyncio.sleep(0)
    shelf.open.set()
    assert await second == await third == make_caller()
    assert first.cancelled()
    assert len(shelf.asked) == 2


async def test_one_of_those_waiting_may_leave_without_disturbing_the_rest() -> None:
    shelf = Shelf((ADA_KEY, make_caller()))
    gate = gate_before(shelf)
    shelf.open.clear()
    first, second = (asyncio.create_task(gate.lookup(bearer(ADA_KEY), NOW)) for _ in range(2))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.wait([second])
    shelf.open.set()
    assert await first == make_caller()
    assert len(shelf.asked) == 1


async def test_a_store_that_fails_fails_all_who_wait_and_nothing_is_remembered() -> None:
    shelf = Shelf((ADA_KEY, make_caller()))
    gate = gate_before(shelf)
    shelf.broken = True
    shelf.open.clear()
    asking = [asyncio.create_task(gate.lookup(bearer(ADA_KEY), NOW)) for _ in range(3)]
    await asyncio.sleep(0)
    shelf.open.set()
    for answer in await asyncio.gather(*asking, return_exceptions=True):
        assert isinstance(answer, Fault)
        assert answer.kind is Kind.UNAVAILABLE
    assert len(shelf.asked) == 1
    shelf.broken = False
    assert await gate.lookup(bearer(ADA_KEY), NOW) == make_caller()


async def test_memory_is_bounded_and_the_oldest_goes_first() -> None:
    names = [f"user{number}" for number in range(5)]
    keys = {name: f"hzat-{name}-0123456789-0123456789".encode() for name in names}
    shelf = Shelf(*[(keys[name], make_caller(name)) for name in names])
    gate = gate_before(shelf, keys_cached_max=3)
    for name in names:
        await gate.lookup(bearer(keys[name]), NOW)
    remembered = [name for name in names if gate.recall(bearer(keys[name]), NOW) is not None]
    assert remembered == names[2:]


async def test_unknown_keys_cannot_fill_memory_nor_push_out_callers() -> None:
    shelf = Shelf((ADA_KEY, make_caller()))
    gate = gate_before(shelf, keys_cached_max=3)
    await gate.lookup(bearer(ADA_KEY), NOW)
    for number in range(10):
        with pytest.raises(Fault):
            await gate.lookup(bearer(b"guess-%d" % number), NOW)
    assert gate.recall(bearer(ADA_KEY), NOW) == make_caller()
    assert gate.recall(bearer(b"guess-0"), NOW) is None
    with pytest.raises(Fault):
        gate.recall(bearer(b"guess-9"), NOW)


async def test_a_caller_is_furnished_once_before_it_is_remembered() -> None:
    furnished: list[str] = []
    mapping = AliasMapping(enabled=True, opus="moonshot.kimi-k2-thinking")

    async def furnish(caller: Caller) -> Caller:
        furnished.append(caller.key_id)
        return make_caller(mapping=mapping)

    gate = Gate(Shelf((ADA_KEY, make_caller())), SECRET, keys_cached_max=10, furnish=furnish)
    assert (await gate.lookup(bearer(ADA_KEY), NOW)).mapping == mapping
    recalled = gate.recall(bearer(ADA_KEY), NOW)
    assert recalled is not None
    assert recalled.mapping == mapping
    assert furnished == ["key_ada"]


async def test_last_uses_are_written_in_one_batch_with_the_latest_time() -> None:
    shelf = Shelf((ADA_KEY, make_caller("ada")), (BOB_KEY, make_caller("bob")))
    gate = gate_before(shelf)
    await gate.lookup(bearer(ADA_KEY), NOW)
    await gate.lookup(bearer(BOB_KEY), NOW + 1)
    for later in range(2, 50):
        gate.recall(bearer(ADA_KEY), NOW + later)
    await gate.flush_last_used()
    await gate.flush_last_used()
    assert shelf.batches == [[("key_ada", NOW + 49), ("key_bob", NOW + 1)]]


async def test_last_uses_that_could_not_be_written_are_kept_for_the_next_flush() -> None:
    shelf = Shelf((ADA_KEY, make_caller("ada")), (BOB_KEY, make_caller("bob")))
    gate = gate_before(shelf)
    await gate.lookup(bearer(ADA_KEY), NOW)
    await gate.lookup(bearer(BOB_KEY), NOW)
    shelf.broken = True
    with pytest.raises(Fault):
        await gate.flush_last_used()
    shelf.broken = False
    gate.recall(bearer(ADA_KEY), NOW + 5)
    await gate.flush_last_used()
    assert [sorted(batch) for batch in shelf.batches] == [[("key_ada", NOW + 5), ("key_bob", NOW)]]


async def test_nothing_the_gate_holds_contains_a_key() -> None:
    gate = gate_before(Shelf((ADA_KEY, make_caller())))
    await gate.lookup(bearer(ADA_KEY), NOW)
    with pytest.raises(Fault):
        await gate.lookup(bearer(LOST_KEY), NOW)
    # A compiled gate has no __dict__.
    held = {name: getattr(gate, name) for name in dir(gate) if not name.startswith("__")}
    assert "_hash_secret" not in repr(gate) and len(held) > 5
    for shown in (repr(held), repr(gate)):
        assert ADA_KEY.decode() not in shown
        assert LOST_KEY.decode() not in shown


async def test_a_flood_of_unknown_keys_is_looked_up_a_few_at_a_time() -> None:
    shelf = Shelf((ADA_KEY, make_caller()))
    gate = Gate(shelf, SECRET, keys_cached_max=10, lookups_max=3)
    assert (await gate.lookup(bearer(ADA_KEY), NOW)).key_id == "key_ada"
    shelf.open.clear()
    flood = [
        asyncio.create_task(gate.lookup(bearer(LOST_KEY + b"%d" % number), NOW))
        for number in range(50)
    ]
    await asyncio.sleep(0)
    told = [task.exception() for task in flood if task.done()]
    assert len(told) == 47 and len(shelf.asked) == 1 + 3
    assert {(fault.status, fault.reason) for fault in told if isinstance(fault, Fault)} == {
        (529, "overloaded")
    }
    assert gate.recall(bearer(ADA_KEY), NOW) is not None, "who is known is let in as ever"
    gate.forget()
    known = asyncio.create_task(gate.lookup(bearer(ADA_KEY), NOW))
    await asyncio.sleep(0)
    assert not known.done(), "and was not turned away when memory had to be given up"
    shelf.open.set()
    assert (await known).key_id == "key_ada"
    await asyncio.gather(*flood, return_exceptions=True)
