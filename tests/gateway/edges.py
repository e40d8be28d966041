"""The edges of a relay, turned by hand: a wire to a provider, its pool, the client, the books.

They stand where sockets and files are in the house, and check on every call what the real ones may
rely on: a wire that has ended or was dropped is never touched again, nothing is said after the
last word, and the last word is said only once the row is written.
"""

import asyncio
import datetime as dt
import itertools
import time
from collections.abc import Callable
from enum import Enum

from proxy.catalog.calibration import Calibration
from proxy.domain.call import Arrival, Call, Errand
from proxy.domain.caller import Caller
from proxy.domain.entry import Entry, Outcome
from proxy.domain.fault import Fault, Kind, Source
from proxy.domain.headers import Headers
from proxy.domain.model import Model, Rates
from proxy.domain.refusal import Refusal
from proxy.gateway.counting import Counting
from proxy.gateway.drain import Drains
from proxy.gateway.means import Means, Patience, Route
from proxy.gateway.relay import Relay
from proxy.gateway.sessions import Sessions
from proxy.gateway.wheel import Wheel
from proxy.ledger.charge import Forecast
from proxy.observe.metrics import Metrics
from proxy.providers.anthropic import Anthropic
from proxy.upstream.connection import Broken
from proxy.wire.body import read_body
from proxy.wire.http import Origin

SSE = {b"content-type": b"text/event-stream; charset=utf-8", b"request-id": b"req_provider"}
JSON = {b"content-type": b"application/json", b"request-id": b"req_provider"}
PATIENCE = Patience(
    first_byte_timeout_s=600,
    idle_timeout_s=300,
    ping_after_s=10,
    commit_after_s=10,
    finish_grace_s=5,
    count_timeout_s=3,
    reply_bytes_max=10_000,
)
MODEL = Model(
    id="anthropic.claude-haiku-4-5",
    display_name="Claude Haiku 4.5",
    developer="Anthropic",
    released=dt.date(2025, 10, 15),
    context_window=200_000,
    max_output_tokens=64_000,
    family="haiku",
    rates=Rates(input=1000, output=5000),
)
CALLER = Caller("key_1", "user_1", "a@example.com", "tenant_1", "Default", "general_user")


class Ticket:
    """What a call holds. Settled exactly once, and after that never again."""

    def __init__(self, asked: str, forecast: Forecast) -> None:
        self.asked = asked
        self.forecast = forecast
        self.settled: tuple[int, int] | None = None

    def settle(self, credits: int, tokens: int) -> None:
        assert self.settled is None, "settled twice"
        self.settled = (credits, tokens)


class NoStore:
    """Nothing was learned before, and nothing is kept."""


class Desk:
    """Gives tickets; refuses, or must ask the others first, when told to."""

    def __init__(self) -> None:
        self.tickets: list[Ticket] = []
        self.refusal: Fault | None = None
        self.unsure = False
        self.answer = asyncio.Event()

    def admit(
        self,
        caller: Caller,
        model: Model,
        *,
        estimate_credits: int,
        estimate_tokens: int,
        now_ms: int,
        asked: str,
    ) -> Ticket | None:
        return None if self.unsure else self._ticket(asked, estimate_credits, estimate_tokens)

    async def ask(
        self,
        caller: Caller,
        model: Model,
        *,
        estimate_credits: int,
        estimate_tokens: int,
        now_ms: int,
        asked: str,
    ) -> Ticket:
        await self.answer.wait()
        return self._ticket(asked, estimate_credits, estimate_tokens)

    def admit_free(self, caller: Caller, *, estimate_tokens: int, now_ms: int) -> Ticket:
        return self._ticket("", 0, estimate_tokens)

    def _ticket(self, asked: str, credits: int, tokens: int) -> Ticket:
        if self.refusal is not None:
            raise self.refusal
        self.tickets.append(Ticket(asked, Forecast(credits, tokens)))
        return self.tickets[-1]


class Held(Enum):
    """Whose a wire is."""

    FREE = "free"
    LEASED = "leased"
    BUSY = "busy"
    LEFT = "left"
    ABORTED = "aborted"
    OVER = "over"
    """The exchange ended by itself: the wire is the pool's again, or gone."""


class Wire:
    """One connection to a provider; the test plays the provider."""

    def __init__(self) -> None:
        self.held = Held.FREE
        self.paused = False
        self.said: list[bytes] = []
        self.forwards: Callable[[bytes], None] | None = None
        self.plain = b""
        self.whole = True

    # -- what the relay does
    def ask(self, request, listener) -> None:
        assert self.held is Held.LEASED, f"asked on a wire that is {self.held}"
        self.held = Held.BUSY
        self.forwards = None
        self.request = b"".join(map(bytes, request))
        self.listener = listener

    def forward(self, write, plain, tally) -> None:
        assert self.held is Held.BUSY, f"forwarding on a wire that is {self.held}"
        self.forwards, self.plain, self.tally = write, plain, tally

    def give_back(self) -> None:
        assert self.held is Held.LEASED
        self.held = Held.FREE

    def leave(self) -> None:
        assert self.held is Held.BUSY, f"left a wire that is {self.held}"
        self.held = Held.LEFT

    def abort(self) -> None:
        assert self.held is Held.BUSY, f"aborted a wire that is {self.held}: it may be another's"
        self.held = Held.ABORTED

    def pause(self) -> None:
        assert self.held is Held.BUSY, f"paused a wire that is {self.held}"
        self.paused = True

    def resume(self) -> None:
        assert self.held is Held.BUSY, f"resumed a wire that is {self.held}"
        self.paused = False

    def hear(self, listener) -> None:
        assert self.held is Held.BUSY
        self.listener, self.forwards = listener, None

    # -- what the provider does
    def head(self, status: int = 200, headers: dict[bytes, bytes] | None = None) -> None:
        self.listener.head_received(status, dict(SSE if headers is None else headers))

    def body(self, data: bytes) -> None:
        is_plain = data.startswith(self.plain) and data.find(b"\n\n") == len(data) - 2
        if self.forwards is not None and self.held is Held.BUSY and is_plain and self.whole:
            frame = b"%x\r\n%b\r\n" % (len(data), data)
            self.tally.passed_bytes += len(frame)
            self.tally.passed_events += 1
            self.forwards(frame)
            return
        self.whole = data.endswith(b"\n\n")
        self.listener.body_received(data)

    def end(self) -> None:
        self.held = Held.OVER
        self.listener.answer_ended()

    def breaks(self, why: Broken) -> None:
        self.held = Held.OVER
        self.listener.answer_broken(why)


class Pool:
    """Connections of one provider: at hand, to be waited for, or not to be had."""

    def __init__(self, *, at_hand: bool = True) -> None:
        self.at_hand = at_hand
        self.overfull = False
        self.wires: list[Wire] = []
        self.waiting: list[Relay] = []
        self.distrusted = 0
        self.leases = 0

    def lease(self, taker: Relay) -> Wire | None:
        self.leases += 1
        if self.overfull:
            raise Fault(Kind.UNAVAILABLE, "Too many wait.", source=Source.HOUSE, retry_after_s=1)
        if self.at_hand:
            return self._leased()
        self.waiting.append(taker)
        return None

    def _leased(self) -> Wire:
        wire = Wire()
        wire.held = Held.LEASED
        self.wires.append(wire)
        return wire

    def distrust(self) -> None:
        self.distrusted += 1

    def forget(self, taker: Relay) -> None:
        if taker in self.waiting:
            self.waiting.remove(taker)

    # -- what the network does
    def connects(self) -> None:
        taker = self.waiting.pop(0)
        taker.leased(self._leased())

    def refuses(self, fault: Fault) -> None:
        self.waiting.pop(0).lease_failed(fault)


class Books:
    """Rows in memory; `flush` is the moment they are on disk."""

    def __init__(self) -> None:
        self.rows: list[Entry] = []
        self.refusals: list[Refusal] = []
        self._due: list[Callable[[], None]] = []
        self.telling = False

    def record(self, entry: Entry, written: Callable[[], None]) -> None:
        assert not self.telling, "a row is recorded from within the last word of another"
        self.rows.append(entry)
        self._due.append(written)

    def record_refusal(self, refusal: Refusal) -> None:
        self.refusals.append(refusal)

    def flush(self) -> None:
        due, self._due = self._due, []
        self.telling = True
        for written in due:
            written()
        self.telling = False


class Client:
    """The outlet: what the client saw, in order."""

    def __init__(self, books: Books, *, counts: bool) -> None:
        self.gone = False
        self.reader: Relay | None = None
        self.opened = False
        self.streamed = b""
        self.last = b""
        self.refused: Fault | None = None
        self.answered: bytes | None = None
        self.ended_as: Outcome | None = None
        self.finals = 0
        self.writes: list[bytes] = []
        self._books = books
        self._counts = counts

    def serve(self, call: Call, reader: Relay) -> None:
        self.reader = reader

    def open_stream(self) -> None:
        assert not self.opened and not self.finals
        self.opened = True

    def write(self, data: bytes) -> None:
        assert self.opened and not self.finals and not self.gone
        assert data, "an empty chunk would end the body"
        self.writes.append(data)
        self.streamed += data

    def frame_writer(self) -> Callable[[bytes], None] | None:
        assert self.writes, "frames before the head"
        return self._write_frame

    def _write_frame(self, frame: bytes) -> None:
        size, data = frame.removesuffix(b"\r\n").split(b"\r\n", 1)
        assert int(size, 16) == len(data)
        self.write(data)

    def refuse(self, fault: Fault) -> None:
        assert not self.opened, "a status after a 200"
        self._final()
        self.refused = fault

    def answer(self, body: bytes, outcome: Outcome) -> None:
        assert not self.opened, "a document in a stream"
        self._final()
        self.answered, self.ended_as = body, outcome

    def end_stream(self, data: bytes, outcome: Outcome) -> None:
        assert self.opened and data
        self._final()
        self.streamed += data
        self.last, self.ended_as = data, outcome

    def _final(self) -> None:
        assert not self.gone, "said to somebody who left"
        assert self._counts or self._books.telling, "the last word before the row was written"
        self.finals += 1
        assert self.finals == 1, "two last words"

    # -- what the client does
    def leaves(self) -> None:
        self.gone = True
        assert self.reader is not None
        self.reader.client_gone()


class Scene:
    """A relay between edges, at second 0 if not told otherwise."""

    def __init__(
        self,
        *,
        deployments: int = 1,
        streamed: bool = True,
        errand: Errand = Errand.MESSAGE,
        at_hand: bool = True,
        overfull: tuple[int, ...] = (),
        patience: Patience = PATIENCE,
        now_s: float = 0.0,
        drains: Drains | None = None,
    ) -> None:
        self.now_s = now_s
        self.wheel = Wheel(lambda: self.now_s)
        self.metrics = Metrics()
        self.books = Books()
        self.calibration = Calibration(NoStore())
        self.counts = errand is Errand.COUNT
        self.client = Client(self.books, counts=self.counts)
        self.pools = [Pool(at_hand=at_hand) for _ in range(deployments)]
        for number in overfull:
            self.pools[number].overfull = True
        raw = b'{"model":"haiku","max_tokens":9,"stream":%b,"messages":[{"role":"user"}]}' % (
            b"true" if streamed else b"false"
        )
        arrival = Arrival(
            errand, "req_1", b"/v1/anthropic/v1/messages", b"", Headers(), raw, 1_000, now_s
        )
        self.call = Call(
            arrival, CALLER, MODEL, "haiku", "alias", streamed and errand is Errand.MESSAGE
        )
        count = itertools.count(1)
        means = Means(
            books=self.books,
            desk=Desk(),
            metrics=self.metrics,
            wheel=self.wheel,
            patience=patience,
            monotonic=lambda: self.now_s,
            wall=lambda: 1_000_000 + self.now_s,
            new_event_id=lambda: f"evt_{next(count)}",
            new_message_id=lambda: f"msg_gw_{next(count):022d}",
            counting=Counting(self.calibration),
            sessions=Sessions(time.monotonic),
        )
        self.routes = [
            Route(
                Anthropic(
                    f"provider{number}",
                    Origin(False, "provider.example", 80),
                    "",
                    credential=("x-api-key", "secret"),
                    event_bytes_max=100_000,
                    without_searches=lambda _, body: body,
                ),
                pool,
                f"claude-haiku-{number}",
                drains=drains,
            )
            for number, pool in enumerate(self.pools)
        ]
        body = read_body(raw, needs_max_tokens=False)
        self.ticket = Ticket("haiku", Forecast(0, 0))
        self.relay = Relay(means, self.call, body, self.routes, self.client, self.ticket)
        self.relay.begin()

    @property
    def pool(self) -> Pool:
        return self.pools[0]

    @property
    def wires(self) -> list[Wire]:
        return [wire for pool in self.pools for wire in pool.wires]

    @property
    def wire(self) -> Wire:
        """The newest."""
        return next(pool.wires[-1] for pool in reversed(self.pools) if pool.wires)

    def waits(self, seconds: float) -> None:
        """Time goes by, the wheel turning once a second."""
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            self.now_s = min(self.now_s + 1.0, end_s)
            self.wheel.now_s = self.now_s
            for thing in self.wheel.watched():
                thing.tick(self.now_s)

    def settled(self) -> None:
        """The call is over and nothing of it is left anywhere."""
        self.books.flush()
        assert self.client.finals == (0 if self.client.gone else 1) or self.client.gone
        assert len(self.books.rows) == (0 if self.counts else 1)
        assert self.wheel.watched() == []
        assert self.metrics.open_streams == 0
        assert not any(pool.waiting for pool in self.pools)
        assert not any(route.standing.outstanding for route in self.routes)
        assert all(
            wire.held in (Held.FREE, Held.LEFT, Held.ABORTED, Held.OVER) for wire in self.wires
        )

    @property
    def row(self) -> Entry:
        assert len(self.books.rows) == 1
        return self.books.rows[0]
