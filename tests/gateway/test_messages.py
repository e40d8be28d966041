"""The first steps of a request, with a real gate and a real shelf over stores in memory."""

import asyncio
import itertools
import time

import pytest

from proxy.auth.gate import Gate
from proxy.auth.keys import digest
from proxy.catalog.calibration import Calibration
from proxy.catalog.refresh import Shelf
from proxy.domain.call import Arrival, Errand
from proxy.domain.caller import Caller
from proxy.domain.fault import Fault, Kind, Source
from proxy.domain.headers import Headers
from proxy.gateway.apart import Apart
from proxy.gateway.counting import Counting
from proxy.gateway.means import Means, Route
from proxy.gateway.messages import ASKED_CHARS_MAX, Messages
from proxy.gateway.searching import Searching
from proxy.gateway.sessions import Sessions
from proxy.gateway.tasks import Tasks
from proxy.gateway.wheel import Wheel
from proxy.ledger.charge import Forecast
from proxy.observe.metrics import Metrics
from proxy.providers.anthropic import Anthropic
from proxy.web_search.tokens import SearchSeal
from proxy.wire.http import Origin
from tests.gateway.edges import MODEL, PATIENCE, Books, Client, Desk, Held, NoStore, Pool
from tests.kit.journey import TEXT, ask, renamed, until

SECRET = b"a secret of at least sixteen bytes"
KEY = b"hzat-a-key"
CALLER = Caller(
    "key_1",
    "user_1",
    "a@example.com",
    "tenant_1",
    "Default",
    "general_user",
    permissions=frozenset({"gateway.use"}),
)


class Keys:
    """A store of one key that can be slow or away."""

    def __init__(self) -> None:
        self.looked_up = 0
        self.away: Fault | None = None
        self.open = asyncio.Event()
        self.open.set()

    async def by_digest(self, key_digest: bytes, /) -> Caller | None:
        self.looked_up += 1
        await self.open.wait()
        if self.away is not None:
            raise self.away
        return CALLER if key_digest == digest(KEY, SECRET) else None

    async def touch(self, used, /) -> None:
        raise AssertionError("nobody flushes here")


class Switches:
    async def switches(self) -> dict[str, bool]:
        return {}


class House:
    """The walk, from its first step."""

    def __init__(self) -> None:
        self.keys = Keys()
        self.books = Books()
        self.desk = Desk()
        self.pool = Pool()
        self.tasks = Tasks()
        count = itertools.count()
        means = Means(
            books=self.books,
            desk=self.desk,
            metrics=Metrics(),
            wheel=Wheel(lambda: 0.0),
            patience=PATIENCE,
            monotonic=lambda: 0.0,
            wall=lambda: 0.0,
            new_event_id=lambda: f"evt_{next(count)}",
            new_message_id=lambda: f"msg_gw_{next(count):022d}",
            counting=Counting(Calibration(NoStore())),
            sessions=Sessions(time.monotonic),
        )
        provider = Anthropic(
            "p",
            Origin(False, "p.example", 80),
            "",
            credential=None,
            event_bytes_max=100_000,
            without_searches=lambda _, body: body,
        )
        route = Route(provider, self.pool, "claude-haiku-4-5")
        self.shelf = Shelf((MODEL,), Switches())
        gate = Gate(self.keys, SECRET, keys_cached_max=10)
        self.walk = Messages(
            gate,
            self.shelf,
            {MODEL.id: [route]},
            means,
            self.tasks,
            Searching(SearchSeal([SECRET]), "auto"),
            apart=Apart(),
            body_bytes_max=1 << 25,
        )

    def ask(
        self, body: bytes, *, key: bytes = KEY, counts: bool = False, **headers: bytes
    ) -> Client:
        names = {name.replace("_", "-").encode(): value for name, value in headers.items()}
        arrival = Arrival(
            Errand.COUNT if counts else Errand.MESSAGE,
            "req_1",
            b"/v1/anthropic/v1/messages",
            b"",
            Headers({b"x-api-key": key, **names}),
            body,
            1_000,
            0.0,
        )
        client = Client(self.books, counts=counts)
        self.walk.begin(arrival, client)
        return client

    @property
    def asked(self) -> list[bytes]:
        return [wire.request for wire in self.pool.wires]


async def opened() -> House:
    """A walk with its catalogue read."""
    house = House()
    await house.shelf.refresh(0)
    return house


async def known() -> House:
    """One where the key has been used before."""
    house = await opened()
    client = house.ask(ask())
    await until(lambda: house.asked)
    client.leaves()
    house.books.flush()
    house.books.rows.clear()
    house.pool.wires.clear()
    return house


async def test_an_unknown_key_takes_a_task_and_a_known_one_nothing():
    house = await opened()
    house.ask(ask())
    assert house.asked == []
    await until(lambda: house.asked)
    assert house.keys.looked_up == 1
    house.ask(ask())
    assert len(house.asked) == 2, "asked of the provider before `begin` came back"
    assert house.keys.looked_up == 1


async def test_a_client_that_left_while_its_key_was_looked_up_is_not_served():
    house = await opened()
    house.keys.open.clear()
    client = house.ask(ask())
    await until(lambda: house.keys.looked_up)
    client.gone = True
    house.keys.open.set()
    for _ in range(5):
        await asyncio.sleep(0)
    assert house.asked == [] and house.books.rows == [] and house.books.refusals == []


@pytest.mark.parametrize("key", [b"", b"hzat-another"])
async def test_a_stranger_is_refused_and_leaves_no_record(key):
    house = await opened()
    house.books.telling = True  # refusals wait for no row
    client = house.ask(ask(), key=key)
    await until(lambda: client.refused)
    assert (client.refused.status, client.refused.retry) == (401, False)
    assert house.books.refusals == [] and house.asked == []


async def test_storage_that_is_away_is_not_the_clients_fault():
    house = await opened()
    house.books.telling = True
    house.keys.away = Fault(Kind.UNAVAILABLE, "Storage is away.", source=Source.HOUSE)
    client = house.ask(ask())
    await until(lambda: client.refused)
    assert client.refused.status == 503


async def test_a_refusal_is_recorded_without_content():
    house = await known()
    house.books.telling = True
    client = house.ask(ask("m" * 1_000), user_agent=b"curl/8.5.0")
    assert client.refused.status == 404
    (record,) = house.books.refusals
    assert (record.request_id, record.at, record.status) == ("req_1", 1_000, 404)
    assert (record.user_id, record.tenant_id, record.key_id) == ("user_1", "tenant_1", "key_1")
    assert len(record.requested_model) == ASKED_CHARS_MAX
    assert "Say hello" not in repr(record)
    assert house.books.rows == []


async def test_a_model_without_a_provider_is_unavailable_and_not_unknown():
    house = await known()
    house.books.telling = True
    house.walk.routes = {MODEL.id: ()}
    client = house.ask(ask())
    assert (client.refused.status, client.refused.reason) == (503, "upstream_unavailable")
    assert house.books.refusals[0].status == 503


async def test_routes_are_swapped_under_running_calls():
    house = await known()
    client = house.ask(ask())
    house.walk.routes = {}
    (wire,) = house.pool.wires
    wire.head()
    wire.body(TEXT)
    house.books.flush()
    assert client.streamed == renamed(TEXT) and wire.held is Held.LEFT


async def test_a_bug_in_the_walk_is_a_500_and_not_silence():
    for warm in (False, True):
        house = await (known() if warm else opened())
        house.walk.routes = None  # what a bug looks like from here
        client = house.ask(ask(), counts=True)
        await until(lambda client=client: client.refused is not None)
        assert client.refused.kind is Kind.HOUSE and client.refused.source is Source.HOUSE


async def test_a_bug_in_the_store_is_a_500_and_not_silence():
    house = await opened()
    house.keys.open = None  # awaiting it fails with what no store raises
    client = house.ask(ask(), counts=True)
    await until(lambda: client.refused is not None)
    assert client.refused.kind is Kind.HOUSE


LIMITED = Fault(Kind.RATE_LIMITED, "The allowance is used.", retry=False, reason="tenant_limit")


async def test_who_is_over_a_limit_is_refused_before_anything_is_asked():
    house = await known()
    house.books.telling = True
    house.desk.refusal = LIMITED
    client = house.ask(ask())
    assert client.refused is LIMITED
    (record,) = house.books.refusals
    assert (record.status, record.reason, record.requested_model) == (429, "tenant_limit", "haiku")
    assert house.asked == [] and house.books.rows == []


async def test_a_call_holds_what_it_will_probably_take():
    house = await known()
    body = ask(max_tokens=10, system="x" * 4_000)
    house.ask(body)
    ticket = house.desk.tickets[-1]
    tokens = len(body) // 4
    assert ticket.forecast == Forecast(tokens * 1_000 + 10 * 5_000, tokens)
    assert ticket.asked == "haiku" and ticket.settled is None


async def test_near_a_limit_the_others_are_asked_first():
    house = await known()
    house.desk.unsure = True
    house.ask(ask())
    await asyncio.sleep(0)
    assert house.asked == []
    house.desk.answer.set()
    await until(lambda: house.asked)
    assert len(house.desk.tickets) == 2


async def test_what_the_others_say_may_be_no():
    house = await known()
    house.books.telling = True
    house.desk.unsure = True
    client = house.ask(ask())
    house.desk.refusal = LIMITED
    house.desk.answer.set()
    await until(lambda: client.refused)
    assert client.refused is LIMITED and house.books.refusals[0].reason == "tenant_limit"
    assert house.asked == []


async def test_a_client_that_left_while_the_others_were_asked_holds_nothing():
    house = await known()
    house.desk.unsure = True
    client = house.ask(ask())
    client.gone = True
    house.desk.answer.set()
    await until(lambda: house.desk.tickets[-1].settled == (0, 0))
    assert house.asked == [] and house.books.rows == []


async def test_counting_tokens_needs_no_credits():
    house = await known()
    house.desk.unsure = True
    house.ask(ask(), counts=True)
    assert len(house.asked) == 1
