"""A request that may search, between edges turned by hand: time, the provider's wires, the search
service, the client. Whole gateways are tried in `journeys/test_search*.py`."""

import asyncio
import itertools
import time
from typing import Any

import pytest

from proxy.catalog.calibration import Calibration
from proxy.domain.call import Arrival, Call, Errand
from proxy.domain.fault import Fault, Kind
from proxy.domain.headers import Headers
from proxy.gateway.counting import Counting
from proxy.gateway.means import Means, Route
from proxy.gateway.search_turns import SearchTurns
from proxy.gateway.searching import Searching
from proxy.gateway.sessions import Sessions
from proxy.gateway.tasks import Tasks
from proxy.gateway.wheel import Wheel
from proxy.ledger.charge import Forecast
from proxy.observe.metrics import Metrics
from proxy.providers.anthropic_compat import AnthropicCompat
from proxy.upstream.firecrawl_search import FirecrawlAccount
from proxy.upstream.search_carrier import SearchCarrier, SearchLimits
from proxy.upstream.side_calls import SideReply
from proxy.web_search.firecrawl import SearchOptions
from proxy.web_search.tool import read_wish
from proxy.wire.body import read_body
from proxy.wire.http import Origin
from proxy.wire.seal import ThinkingSeal
from tests.gateway.edges import CALLER, MODEL, PATIENCE, Books, Client, Desk, NoStore, Pool, Ticket
from tests.kit.rude_firecrawl import page, reply
from tests.kit.turns import COMPAT, call, kinds, message, search, text, turn
from tests.web_search.playing import SEAL

BODY = (
    b'{"model":"haiku","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"Look."}],'
    b'"tools":[{"type":"web_search_20250305","name":"web_search"},{"name":"look","input_schema":{}}]}'
)


class Seeker(Client):
    """A client whose message may also end by what is not a provider's row."""

    def _final(self) -> None:
        assert not self.gone, "said to somebody who left"
        self.finals += 1
        assert self.finals == 1, "two last words"


class Firecrawl:
    """The search service: every search waits until it is answered."""

    def __init__(self) -> None:
        self.waiting: list[asyncio.Future[SideReply]] = []

    async def post(self, *given: Any, **more: Any) -> SideReply:
        self.waiting.append(asyncio.get_running_loop().create_future())
        return await self.waiting[-1]

    def answers(self, number: int = 0) -> None:
        self.waiting[number].set_result(SideReply(200, {}, reply({"web": [page(1)]})))


class Scene:
    """A request under way, at second 0."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.wheel = Wheel(lambda: self.now_s)
        self.books = Books()
        self.desk = Desk()
        self.desk.answer.set()
        self.pool = Pool()
        self.client = Seeker(self.books, counts=False)
        self.service = Firecrawl()
        self.tasks = Tasks()
        self.metrics = Metrics()
        count = itertools.count(1)
        means = Means(
            books=self.books,
            desk=self.desk,
            metrics=self.metrics,
            wheel=self.wheel,
            patience=PATIENCE,
            monotonic=lambda: self.now_s,
            wall=lambda: 1_000_000 + self.now_s,
            new_event_id=lambda: f"evt_{next(count)}",
            new_message_id=lambda: f"msg_gw_{next(count):022d}",
            counting=Counting(Calibration(NoStore())),
            sessions=Sessions(time.monotonic),
        )
        carrier = SearchCarrier(self.service, SearchLimits(), memory=None, clock=lambda: self.now_s)
        account = FirecrawlAccount(
            "http://search.example", "", SearchOptions(), wall=lambda: self.now_s
        )
        there = AnthropicCompat(
            "there",
            Origin(False, "there.example", 80),
            "",
            credential=None,
            event_bytes_max=100_000,
            seal=ThinkingSeal([b"secret"]),
        )
        arrival = Arrival(
            Errand.MESSAGE, "req_1", b"/v1/messages", b"", Headers(), BODY, 1_000, 0.0
        )
        self.call = Call(arrival, CALLER, MODEL, "haiku", "alias", True)
        self.call.message_id = "msg_gw_0123456789abcdefghijkl"
        body = read_body(BODY, needs_max_tokens=False)
        wish = read_wish(body.fields)
        assert wish is not None
        self.ticket = Ticket("haiku", Forecast(0, 0))
        self.turns = SearchTurns(
            means,
            Searching(SEAL, "auto", account, carrier),
            self.tasks,
            self.call,
            body,
            wish,
            routes=[Route(there, self.pool, "kimi")],
            outlet=self.client,
            ticket=self.ticket,
            refuse=self.client.refuse,
        )
        self.turns.begin()

    def speaks(self, *items: Any, upto: bytes = b"") -> None:
        """The model's next turn, or its part up to a mark."""
        wire = self.pool.wires[-1]
        wire.head()
        for piece in turn(COMPAT, *items).pieces:
            wire.body(piece)
            if upto and upto in piece:
                return
        wire.end()
        self.books.flush()

    async def turns_of_the_loop(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    def waits(self, seconds: int) -> None:
        """Time goes by, the wheel turning once a second."""
        for _ in range(seconds):
            self.now_s += 1.0
            self.wheel.now_s = self.now_s
            for thing in self.wheel.watched():
                thing.tick(self.now_s)

    def check_nothing_left(self) -> None:
        assert not list(self.wheel.watched())
        assert all(ticket.settled is not None for ticket in [self.ticket, *self.desk.tickets])
        assert self.metrics.open_streams == 0
        assert self.call.arrival.body == b"", "the prompt is let go"


@pytest.fixture
async def scene():
    one = Scene()
    yield one
    await one.tasks.stop()


async def test_two_turns_and_a_search_are_one_message(scene):
    scene.speaks(text("I look."), search("tides"))
    await scene.turns_of_the_loop()
    assert len(scene.pool.wires) == 1
    scene.service.answers()
    await scene.turns_of_the_loop()
    scene.speaks(text("High."))
    told = message(scene.client.streamed)
    assert kinds(told) == ["text", "server_tool_use", "web_search_tool_result", "text"]
    assert [row.provider for row in scene.books.rows] == ["there", "web_search", "there"]
    scene.check_nothing_left()


async def test_the_client_hears_a_ping_whenever_it_is_told_nothing(scene):
    scene.speaks(search("tides"))
    await scene.turns_of_the_loop()
    scene.client.writes.clear()
    scene.waits(25)
    assert len(scene.client.writes) == 2
    scene.service.answers()
    await scene.turns_of_the_loop()
    scene.client.writes.clear()
    scene.waits(12)
    assert b"".join(scene.client.writes).count(b"event: ping") == 1, "also while the model is asked"
    scene.speaks(text("High."))
    scene.check_nothing_left()


async def test_a_client_that_is_full_hears_no_ping_and_stops_the_next_turn_too(scene):
    scene.speaks(search("tides"))
    await scene.turns_of_the_loop()
    scene.turns.client_full()
    scene.client.writes.clear()
    scene.waits(30)
    assert scene.client.writes == []
    scene.service.answers()
    await scene.turns_of_the_loop()
    wire = scene.pool.wires[-1]
    assert wire.paused
    scene.turns.client_ready()
    assert not wire.paused
    scene.speaks(text("High."))
    scene.check_nothing_left()


async def test_leaving_cancels_the_searches(scene):
    scene.speaks(search("tides", "call_1"), search("moon", "call_2"))
    await scene.turns_of_the_loop()
    assert len(scene.service.waiting) == 2
    scene.client.leaves()
    await scene.turns_of_the_loop()
    assert all(each.cancelled() for each in scene.service.waiting)
    assert len(scene.pool.wires) == 1
    scene.check_nothing_left()


async def test_a_turn_that_fails_cancels_its_searches(scene):
    scene.speaks(search("tides"), text("More."), upto=b"More.")
    await scene.turns_of_the_loop()
    scene.pool.wires[-1].body(b'event: error\ndata: {"type":"error","error":{"type":"x"}}\n\n')
    scene.books.flush()
    await scene.turns_of_the_loop()
    assert scene.service.waiting[0].cancelled()
    assert "error" in message(scene.client.streamed)
    scene.check_nothing_left()


async def test_leaving_while_a_further_turn_asks_for_leave_asks_no_model(scene):
    scene.desk.answer.clear()
    scene.speaks(search("tides"))
    await scene.turns_of_the_loop()
    scene.service.answers()
    await scene.turns_of_the_loop()
    assert len(scene.pool.wires) == 1
    scene.client.leaves()
    scene.desk.answer.set()
    await scene.turns_of_the_loop()
    assert len(scene.pool.wires) == 1
    scene.check_nothing_left()


async def test_a_further_turn_that_is_not_allowed_pauses_the_message(scene):
    scene.speaks(search("tides"))
    await scene.turns_of_the_loop()
    scene.desk.refusal = Fault(Kind.RATE_LIMITED, "The month is over.")
    scene.service.answers()
    await scene.turns_of_the_loop()
    assert message(scene.client.streamed)["stop_reason"] == "pause_turn"
    scene.check_nothing_left()


async def test_the_house_stopping_ends_a_search_with_an_error(scene):
    scene.speaks(search("tides"))
    await scene.turns_of_the_loop()
    scene.turns.house_stops()
    await scene.turns_of_the_loop()
    assert "restarting" in message(scene.client.streamed)["error"]["message"]
    assert scene.service.waiting[0].cancelled()
    scene.check_nothing_left()


async def test_a_pool_that_is_full_at_a_further_turn_ends_the_message(scene):
    scene.speaks(text("I look."), search("tides"))
    await scene.turns_of_the_loop()
    scene.pool.overfull = True
    scene.service.answers()
    await scene.turns_of_the_loop()
    scene.books.flush()
    told = message(scene.client.streamed)
    assert kinds(told) == ["text", "server_tool_use", "web_search_tool_result"]
    assert told["error"]["type"] == "api_error"
    scene.check_nothing_left()


async def test_calls_of_the_client_wait_for_the_result(scene):
    scene.speaks(search("tides"), call("look", '{"a":1}'))
    assert b'"look"' not in scene.client.streamed
    await scene.turns_of_the_loop()
    scene.service.answers()
    await scene.turns_of_the_loop()
    told = message(scene.client.streamed)
    assert kinds(told) == ["server_tool_use", "web_search_tool_result", "tool_use"]
    assert told["stop_reason"] == "tool_use"
    scene.check_nothing_left()
