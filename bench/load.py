"""The load generator: many connections by raw protocol, every reply checked, one JSON line out.

Two ways of loading. *Closed*: so many connections, each sending its next request when its reply is
whole. *Held*: so many streams opened one after the other, all held open together. A warm-up comes
first; then the counters and the target's CPU time are read at both ends of one window, here, in the
process that knows what was completed.

    python -m bench.load PLAN        PLAN is a JSON object, see `Plan`; the key comes by environment
"""

import array
import asyncio
import collections
import gc
import os
import secrets
import ssl
import sys
import time
from collections.abc import Mapping, Sequence
from typing import cast

import httptools
import msgspec
import uvloop

from bench import altered, bodies, check, proctree
from bench import score as scores

WRONG_MAX = 50
"""After so many wrong replies the run stops: it has failed anyway."""
STALL_NS = 250_000_000
"""An event later than this is a stall someone who reads along would notice."""
REPLY_DEADLINE_S = 20
SETTLE_S = 0.5
REFUSALS = frozenset((400, 401, 403, 429, 529))
"""How a bad key may be answered: the wire says 401; a full house, and one peer's 400, are refusals
too."""
_KEY_SLOT = "sk-bench-" + "~" * 48


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to do. `connections` is the number of streams when they are held.

    `reply_model` is the model's name the reply must bear where it is not the one asked for. With
    `foul_keys` every request brings another key that nobody was given, and must be refused.
    `patience_s` is how long replies may take that are still under way when the window closes.
    """

    host: str = "127.0.0.1"
    port: int
    path: str
    model: str
    score: str
    body: str
    connections: int
    duration_s: float
    warmup_s: float = 0.5
    held: bool = False
    ramp_s: float = 0.0
    certificate: str | None = None
    watch_pid: int | None = None
    headers: Mapping[str, str] = {}
    reply_model: str = ""
    foul_keys: bool = False
    patience_s: float = REPLY_DEADLINE_S

    @property
    def model_due(self) -> str:
        """The model's name a reply must bear."""
        return self.reply_model or self.model


class Spread(msgspec.Struct, frozen=True):
    """A distribution in microseconds."""

    count: int
    p50_us: float
    p99_us: float
    max_us: float


class Outcome(msgspec.Struct, kw_only=True):
    """What was seen inside the window; `wrong`, `whole`, `changed` are about the whole run.

    `changed` counts right replies that are not the upstream's bytes, under what differs. The TLS
    sessions begun at an HTTPS upstream are noted by the stage.
    """

    seconds: float
    requests: int
    events: int
    cpu_s: float | None
    waited_s: float | None
    reply: Spread | None
    first_event: Spread | None
    lag: Spread | None
    whole: int
    stalled: int
    wrong: dict[str, int]
    rss_kb: int | None = None
    pss_kb: int | None = None
    changed: dict[str, int] = {}
    tls_full: int | None = None
    tls_resumed: int | None = None


def spread(values_ns: Sequence[int]) -> Spread | None:
    """Nanoseconds in, their distribution out; None when there are none."""
    if not values_ns:
        return None
    ranked = sorted(values_ns)

    def at(share: float) -> float:
        return ranked[min(len(ranked) - 1, int(share * len(ranked)))] / 1000

    return Spread(len(ranked), at(0.5), at(0.99), ranked[-1] / 1000)


def request_bytes(plan: Plan, key: str) -> bytes:
    """The whole request, made once, as an SDK would send it."""
    score = scores.parse(plan.score)
    assert score is not None, f"{plan.score} is no score"
    body = bodies.body(plan.body, model=plan.model, streamed=score.streamed)
    more = "".join(f"{name}: {value}\r\n" for name, value in plan.headers.items())
    head = (
        f"POST {plan.path} HTTP/1.1\r\n"
        f"Host: {plan.host}:{plan.port}\r\n"
        "Accept: application/json\r\n"
        "Content-Type: application/json\r\n"
        "User-Agent: Anthropic/Python 2.12.0\r\n"
        "X-Stainless-Lang: python\r\n"
        "X-Stainless-Package-Version: 2.12.0\r\n"
        "X-Stainless-OS: Linux\r\n"
        "X-Stainless-Retry-Count: 0\r\n"
        "anthropic-version: 2023-06-01\r\n"
        f"Authorization: Bearer {key}\r\n"
        f"{more}"
        "Connection: keep-alive\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Tally:
    """All counters of one run; the window is two looks at them."""

    def __init__(self) -> None:
        self.requests = 0
        self.events = 0
        self.whole = 0
        self.stalled = 0
        self.wrong: collections.Counter[str] = collections.Counter()
        self.changed: collections.Counter[str] = collections.Counter()
        self.open = False
        self.replies_ns = array.array("q")
        self.firsts_ns = array.array("q")
        self.lags_ns = array.array("q")

    def note_wrong(self, reason: str) -> None:
        """Count a wrong reply under what was wrong with it; the list of reasons stays short."""
        if len(self.wrong) >= WRONG_MAX and reason not in self.wrong:
            reason = "other"
        self.wrong[reason] += 1


class Caller(asyncio.Protocol):
    """One connection. After each reply it asks the run what to do next."""

    def __init__(self, run: "Run") -> None:
        self._run = run
        self._tally = run.tally
        self._transport: asyncio.Transport | None = None
        self._awaiting = False

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's has no common base class
        self._parser = httptools.HttpResponseParser(self)
        self._send()

    def data_received(self, data: bytes) -> None:
        """Parse what came; the time is read once for all of it."""
        self._now_ns = time.monotonic_ns()
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(f"framing: {error}")

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection ended: wrong when a reply was due."""
        if self._awaiting:
            self._fail(f"connection lost in a reply: {exc!r}")

    def _send(self) -> None:
        assert self._transport is not None
        self._awaiting = True
        self._first_ns = 0
        self._refusal = b""
        self._event_stream = False
        self._pieces: list[bytes] = []
        if self._run.score.period_ms:
            self._check = check.StreamCheck(self._run.plan.model_due, self._run.score.events)
        self._sent_ns = time.monotonic_ns()
        self._transport.write(self._run.next_request())

    # the parser's side

    def on_header(self, name: bytes, value: bytes) -> None:
        """Only one header matters here."""
        if len(name) == 12 and name.lower() == b"content-type":
            self._event_stream = value.startswith(b"text/event-stream")

    def on_headers_complete(self) -> None:
        """Status and kind of the reply."""
        status = self._parser.get_status_code()
        if self._run.plan.foul_keys:
            self._refusal = b"" if status in REFUSALS else b"let in with a bad key: %d " % status
        elif status != 200:
            self._refusal = b"status %d " % status
        elif self._event_stream is not self._run.score.streamed:
            self._refusal = b"wrong content-type "

    def on_body(self, piece: bytes) -> None:
        """A paced stream is judged as it comes, everything else when it is whole."""
        if not self._first_ns:
            self._first_ns = self._now_ns
        if self._refusal or not self._run.score.period_ms:
            self._pieces.append(piece)
            return
        judge, tally = self._check, self._tally
        before = judge.deltas
        judge.feed(piece, self._now_ns, tally.lags_ns if tally.open else None)
        tally.events += judge.deltas - before
        if judge.wrong is not None:
            self._fail(judge.wrong)

    def on_message_complete(self) -> None:
        """The reply is whole: judge it, count it, go on."""
        if not self._awaiting:
            return
        wrong = self._judge()
        if wrong is not None:
            self._fail(wrong)
            return
        self._awaiting = False
        tally, score = self._tally, self._run.score
        tally.requests += 1
        tally.whole += 1
        if score.streamed and not score.period_ms:
            tally.events += score.events
        if tally.open:
            tally.replies_ns.append(self._now_ns - self._sent_ns)
            tally.firsts_ns.append(self._first_ns - self._sent_ns)
        if score.period_ms and self._check.late_ns_max > STALL_NS:
            tally.stalled += 1
        if self._run.wants_more() and self._parser.should_keep_alive():
            self._send()
        else:
            self._close()

    def _judge(self) -> str | None:
        if self._refusal:
            return (self._refusal + b"".join(self._pieces)[:200]).decode(errors="replace")
        run = self._run
        if run.plan.foul_keys:
            return None
        if run.score.period_ms:
            return self._check.finish()
        body = b"".join(self._pieces)
        wrong = run.wrong_stream(body) if run.score.streamed else run.wrong_message(body)
        if wrong is None and run.change:
            self._tally.changed[run.change] += 1
        return wrong

    def _fail(self, reason: str) -> None:
        self._awaiting = False
        self._tally.note_wrong(reason)
        self._close()

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.abort()
            self._transport = None
            self._run.closed()


class Run:
    """One plan carried out."""

    def __init__(self, plan: Plan, key: str) -> None:
        score = scores.parse(plan.score)
        assert score is not None, f"{plan.score} is no score"
        self.plan = plan
        self.score = score
        self.request = request_bytes(plan, _KEY_SLOT if plan.foul_keys else key)
        self.tally = Tally()
        self.right_body: bytes | None = None
        self.change = ""
        self._played = altered.played(score, plan.model_due) if not score.period_ms else b""
        self._stopping = False
        self._alive = 0
        self._all_closed = asyncio.Event()
        self._reconnecting: set[asyncio.Task[None]] = set()

    def next_request(self) -> bytes:
        """The request to send now."""
        if self.plan.foul_keys:
            foul = "sk-bench-" + secrets.token_urlsafe(36)
            return self.request.replace(_KEY_SLOT.encode(), foul.encode(), 1)
        return self.request

    def wrong_message(self, body: bytes) -> str | None:
        """What is wrong with a reply that is not streamed."""
        if body == self.right_body:  # the same bytes as a reply that was judged in full
            return None
        wrong = check.wrong_message(body, self.plan.model_due)
        if wrong is None:
            self.right_body = body
            self.change = altered.changes(self._played, body, streamed=False)
        return wrong

    def wrong_stream(self, body: bytes) -> str | None:
        """What is wrong with a stream. A gateway that translates makes an id for each message and
        tells it in the first event; the rest may be the same bytes as in one judged in full."""
        rest = body.find(b"\n\n")
        if self.right_body is not None and body[rest:] == self.right_body:
            return check.wrong_start(body[:rest], self.plan.model_due)
        judge = check.StreamCheck(self.plan.model_due, self.score.events)
        judge.feed(body)
        wrong = judge.finish()
        if wrong is None:
            self.right_body = body[rest:]
            self.change = altered.changes(self._played, body, streamed=True)
        return wrong

    def wants_more(self) -> bool:
        """Whether a connection shall send its next request."""
        return not (self._stopping or self.plan.held)

    def closed(self) -> None:
        """A connection ended. In the closed loop another takes its place, within reason."""
        self._alive -= 1
        if self.wants_more() and sum(self.tally.wrong.values()) < WRONG_MAX:
            task = asyncio.get_running_loop().create_task(self._connect())
            self._reconnecting.add(task)  # the loop itself holds tasks only weakly
            task.add_done_callback(self._reconnecting.discard)
        elif not self._alive:
            self._all_closed.set()

    async def _connect(self) -> None:
        plan = self.plan
        context = ssl.create_default_context(cafile=plan.certificate) if plan.certificate else None
        self._alive += 1
        try:
            await asyncio.get_running_loop().create_connection(
                lambda: Caller(self), plan.host, plan.port, ssl=context
            )
        except OSError as error:
            self._alive -= 1
            self.tally.note_wrong(f"cannot connect: {error}")

    async def carry_out(self) -> Outcome:
        """Open, warm up, measure one window, let every reply come to its end."""
        plan, tally = self.plan, self.tally
        gap_s = plan.ramp_s / plan.connections
        began = time.monotonic()
        for number in range(plan.connections):
            await self._connect()
            if gap_s:
                await asyncio.sleep(max(0.0, began + gap_s * (number + 1) - time.monotonic()))
        await asyncio.sleep(SETTLE_S if plan.held else plan.warmup_s)

        tally.open = True
        requests, events = tally.requests, tally.events
        before, start_ns = self._target_times(), time.monotonic_ns()
        await asyncio.sleep(plan.duration_s)
        requests, events = tally.requests - requests, tally.events - events
        after, seconds = self._target_times(), (time.monotonic_ns() - start_ns) / 1e9
        tally.open = False

        used = proctree.memory(plan.watch_pid) if plan.watch_pid else None
        self._stopping = True
        if self._alive:
            await self._wait_for_the_rest()
        if plan.held and tally.whole < plan.connections and not tally.wrong:
            tally.note_wrong("streams missing")
        return Outcome(
            seconds=seconds,
            requests=requests,
            events=events,
            cpu_s=(after.cpu_ns - before.cpu_ns) / 1e9 if plan.watch_pid else None,
            waited_s=(after.waited_ns - before.waited_ns) / 1e9 if plan.watch_pid else None,
            reply=spread(tally.replies_ns),
            first_event=spread(tally.firsts_ns) if self.score.streamed else None,
            lag=spread(tally.lags_ns),
            whole=tally.whole,
            stalled=tally.stalled,
            wrong=dict(tally.wrong),
            rss_kb=used.rss_kb if used else None,
            pss_kb=used.pss_kb if used else None,
            changed=dict(tally.changed),
        )

    def _target_times(self) -> proctree.Times:
        watched = self.plan.watch_pid
        return proctree.times(watched) if watched else proctree.Times(0, 0)

    async def _wait_for_the_rest(self) -> None:
        """The window is over; streams that are still open must end whole too."""
        try:
            await asyncio.wait_for(self._all_closed.wait(), self.plan.patience_s)
        except TimeoutError:
            self.tally.note_wrong("replies not whole in time")


async def run(plan: Plan, key: str) -> Outcome:
    """Carry out a plan in the running loop."""
    return await Run(plan, key).carry_out()


def main() -> None:
    """Run as a process of its own."""
    plan = msgspec.json.decode(sys.argv[1], type=Plan)
    gc.disable()  # its pauses would be read as the proxy's; a run is short
    outcome = uvloop.run(run(plan, os.environ.get(scores.KEY_VARIABLE, "none")))
    sys.stdout.buffer.write(msgspec.json.encode(outcome) + b"\n")


if __name__ == "__main__":
    main()
