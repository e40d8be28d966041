"""One call carried to a provider and back: pushed, not pulled.

The upstream connection calls us from its read callback and we write into the client's transport:
no task wakes, no future is made, nothing is awaited per chunk (performance.md 2.1). Owns: where the
call stands, which deployment is tried, when the client is committed to a 200, pings, deadlines, and
that every generation is written down exactly once before its last byte is sent.
Refuses to know: HTTP, JSON, sockets.

    LEASING -> ASKED -> HOLDING -> STREAMING -> ENDED        a streamed reply
                     -> COLLECTING            -> ENDED        a whole reply, or a refusal's body
    any of the first four -> LEASING                          the next deployment of the same model,
                                                              or the same without what it refused
"""

from collections.abc import Sequence
from enum import Enum
from typing import Final

from proxy.domain.call import MESSAGE, Call
from proxy.domain.entry import CLIENT_GONE, COMPLETED, HOUSE_ERROR, PARTIAL, UPSTREAM_ERROR, Outcome
from proxy.domain.fault import Fault, Kind, Source
from proxy.domain.usage import Usage
from proxy.gateway.counting import EXACT
from proxy.gateway.drain import Drain, Drains, Nobody
from proxy.gateway.means import Exchange, Means, Route, Ticket
from proxy.gateway.outlet import Outlet, Reader
from proxy.ledger.tab import Tab
from proxy.observe.metrics import STALL_S
from proxy.stream.passthrough import PLAIN
from proxy.stream.pipe import BEGIN, OPEN, REFUSED, WHOLE, Pipe
from proxy.upstream.connection import Broken, Listener
from proxy.upstream.pool import Taker
from proxy.upstream.retry import Next, after_break, after_fault
from proxy.wire.body import Body
from proxy.wire.events import PING
from proxy.wire.fault_body import error_event
from proxy.wire.http import Piece

REFUSAL_BYTES_MAX: Final = 1 << 20
EARLY_BYTES_MAX: Final = 65536
"""Pings and comments that are held back with the status line."""
LESSONS_MAX: Final = 4
"""How often one call may be asked again without a field its provider does not know."""
_EVENT_STREAMS: Final = (b"text/event-stream", b"application/vnd.amazon.eventstream")
USAGE_ESTIMATED: Final = b"x-gateway-usage: estimated\r\n"
CLIENT_GONE_STATUS: Final = 499
"""What the row of a call says whose client left before a status was sent; nginx's convention."""


class At(Enum):
    """Where the call stands."""

    LEASING = "leasing"
    ASKED = "asked"
    HOLDING = "holding"
    STREAMING = "streaming"
    COLLECTING = "collecting"
    ENDED = "ended"


# Plain names: found through its class, a member costs ten times as much (75 ns on 3.11).
LEASING: Final = At.LEASING
ASKED: Final = At.ASKED
HOLDING: Final = At.HOLDING
STREAMING: Final = At.STREAMING
COLLECTING: Final = At.COLLECTING
ENDED: Final = At.ENDED


class Relay(Listener, Taker, Reader):
    """Listener of the upstream connection, taker at the pool, reader of the outlet."""

    __slots__ = (
        "_at",
        "_before",
        "_began_s",
        "_body",
        "_call",
        "_collected",
        "_collected_bytes",
        "_committed",
        "_connection",
        "_drain",
        "_headers",
        "_heard",
        "_heard_s",
        "_is_good",
        "_last",
        "_lessons",
        "_means",
        "_outcome",
        "_outlet",
        "_paused",
        "_pipe",
        "_reads",
        "_renewed",
        "_repeated",
        "_request",
        "_routes",
        "_seen_events",
        "_silence_in_s",
        "_silence_out_s",
        "_spoke",
        "_spoke_s",
        "_status",
        "_swallowed",
        "_tab",
        "_ticket",
        "_tried",
    )

    def __init__(
        self,
        means: Means,
        call: Call,
        body: Body,
        routes: Sequence[Route],
        outlet: Outlet,
        ticket: Ticket,
        *,
        request: list[Piece] | None = None,
    ) -> None:
        """`request` is what the first of `routes` is asked, where that is made already."""
        now_s = means.wheel.now_s
        self._means = means
        self._call = call
        self._body: Body | None = body
        self._routes = routes
        self._request = request
        self._outlet = outlet
        self._ticket = ticket
        self._tab = Tab(means.new_event_id(), call) if call.arrival.errand is MESSAGE else None
        self._at = LEASING
        self._tried = 0
        self._repeated = False
        self._lessons = 0
        self._renewed = False
        self._before: Fault | None = None
        self._connection: Exchange | None = None
        self._drain: Drain | None = None
        self._pipe: Pipe | None = None
        self._status = 0
        self._is_good = False
        self._headers: dict[bytes, bytes] = {}
        self._collected: list[bytes] = []
        self._collected_bytes = 0
        self._committed = False
        self._paused = False
        self._began_s = now_s
        self._heard = False
        self._heard_s = now_s
        self._spoke = False
        self._spoke_s = now_s
        self._seen_events = 0
        self._reads = 0  # less what the pipe counts as passed by
        self._swallowed = 0  # of which nothing went on
        self._silence_in_s = 0.0
        self._silence_out_s = 0.0
        self._last = b""
        self._outcome = COMPLETED

    @property
    def call(self) -> Call:
        """What is carried; for whoever looks on, as the three below."""
        return self._call

    @property
    def stage(self) -> str:
        """Where it stands."""
        return self._at.value

    @property
    def provider(self) -> str:
        """Who is asked, or the last who was."""
        return self._routes[self._tried].provider.name

    @property
    def attempts(self) -> int:
        """How many deployments were asked."""
        return self._tried + 1

    def begin(self) -> None:
        """Set out. From here on the call ends by itself."""
        if self._call.dropped:
            self._means.metrics.left_out(self._call.dropped)
        self._means.wheel.watch(self)
        self._means.metrics.open_streams += 1
        self._outlet.serve(self._call, self)
        self._routes[0].standing.begun(self._began_s)
        self._attempt()

    # ------------------------------------------------------------ to the provider

    def _attempt(self) -> None:
        if self._drain is not None:
            self.drained_enough()  # nobody waits for another answer
            return
        route = self._routes[self._tried]
        self._at = LEASING
        self._connection = None
        self._pipe = None
        credential = route.provider.credential
        try:
            if credential is not None and not credential.ready(self):
                return
            connection = route.pool.lease(self)
        except Fault as fault:
            self._try_other(fault)
            return
        if connection is not None:
            self.leased(connection)

    def credential_ready(self) -> None:
        """What the provider wants to see is at hand."""
        if self._at is LEASING:
            self._attempt()

    def leased(self, connection: Exchange) -> None:
        """The pool has a connection for us."""
        route = self._routes[self._tried]
        if self._at is not LEASING:
            connection.give_back()
            return
        self._connection = connection
        self._at = ASKED
        self._heard_s = self._means.wheel.now_s
        if self._tab is not None:
            self._tab.provider = route.provider.name
            if not self._call.arrival.asked_s:
                self._call.arrival.asked_s = self._means.monotonic()
        request, self._request = self._request, None
        if request is None:
            body = self._body
            assert body is not None, "nothing is asked again once a stream has begun"
            try:
                request = self._written(route, body)
            except Fault as fault:
                self._connection = None
                connection.give_back()
                self._cannot_ask(fault)
                return
        if route.provider.credential is not None:
            request = route.provider.credential.signed(request)
        connection.ask(request, self)
        if self._paused and self._connection is connection:
            connection.pause()  # the client was full before there was anything to hold up

    def _written(self, route: Route, body: Body) -> list[Piece]:
        """The request for `route`. Raises Fault for what it cannot be asked."""
        call = self._call
        if route.provider.translates and not call.message_id:
            # The deployment before it made its messages itself.
            call.message_id = self._means.new_message_id()
            self._means.counting.prepare(call, body)
        request = route.provider.request(call, body, route.upstream_model)
        if call.dropped and not (self._lessons or self._repeated or self._renewed):
            self._means.metrics.left_out(call.dropped)
        return request

    def lease_failed(self, fault: Fault) -> None:
        """The pool cannot reach the provider."""
        if self._at is LEASING:
            self._try_other(fault)

    def _try_other(self, fault: Fault) -> None:
        """The next deployment if there is one; otherwise the client is told."""
        now_s = self._means.wheel.now_s
        if (
            self._tried + 1 < len(self._routes)
            and after_fault(fault) is Next.OTHER
            and self._routes[0].retries.spend(now_s)
        ):
            self._routes[self._tried].standing.failed(fault, now_s)
            self._before = fault
            self._means.metrics.failovers += 1
            if self._tab is not None:
                self._tab.attempts += 1
            self._go_on()
        else:
            self._give_up(fault)

    def _cannot_ask(self, fault: Fault) -> None:
        """What this deployment cannot be asked another may; if none can, the trouble of the one
        that could be asked is told, for it may pass."""
        if self._tried + 1 < len(self._routes):
            self._go_on()
        else:
            self._give_up(self._before or fault)

    def _go_on(self) -> None:
        self._routes[self._tried].standing.ended()
        self._tried += 1
        self._routes[self._tried].standing.begun(self._means.wheel.now_s)
        self._request = None  # it was for the one before, and bears that one's credential
        self._repeated = False
        self._lessons = 0
        self._renewed = False
        self._attempt()

    # ------------------------------------------------------------ from the provider

    def head_received(self, status: int, headers: dict[bytes, bytes]) -> None:
        """The provider answers."""
        self._heard = True
        self._status = status
        self._is_good = 200 <= status < 300
        if self._tab is not None:
            named = headers.get(b"request-id") or headers.get(b"x-request-id")
            named = named or headers.get(b"x-amzn-requestid") or b""
            self._tab.provider_request_id = named.decode("ascii", "replace")
        self._collected = []
        self._collected_bytes = 0
        if self._is_good and self._call.streamed:
            provider = self._routes[self._tried].provider
            # Where the message is made by us, its pipe understands a whole reply as well.
            if provider.translates or _is_event_stream(headers):
                self._at = HOLDING
                self._pipe = provider.pipe(self._call)
                return
        self._at = COLLECTING
        self._headers = headers

    def body_received(self, data: bytes) -> None:
        """The next bytes of the answer; the hot path of the whole program."""
        self._heard = True
        if self._at is STREAMING:
            pipe = self._pipe
            assert pipe is not None
            tally = pipe.tally
            counted = tally.passed_events
            out = pipe.feed(data)
            self._reads += 1 + counted - tally.passed_events
            if pipe.at is OPEN:
                if out:
                    self._spoke = True
                    self._outlet.write(out)
                else:
                    self._swallowed += 1
            else:
                self._stream_over(out)
        elif self._at is HOLDING:
            self._first_events(data)
        elif self._at is COLLECTING:
            self._collect(data)

    def answer_ended(self) -> None:
        """The provider's answer is whole."""
        # The connection is the pool's again, perhaps lent to another call by now: not ours to drop.
        self._connection = None
        if self._at is STREAMING:
            assert self._pipe is not None
            self._stream_over(self._pipe.finish())
        elif self._at is HOLDING:
            assert self._pipe is not None
            self._held_over(self._pipe.finish())
        elif self._at is COLLECTING:
            self._collected_all()

    def answer_broken(self, why: Broken) -> None:
        """The provider's answer will never be whole."""
        self._connection = None
        if self._at is STREAMING:
            assert self._pipe is not None
            self._stream_over(self._pipe.finish())
        elif self._at is ASKED and after_break(why, already_repeated=self._repeated) is Next.SAME:
            self._repeated = True
            self._means.metrics.stale_retries += 1
            self._routes[self._tried].pool.distrust()
            self._attempt()
        elif self._at is ASKED:
            self._try_other(_broken_off())
        elif self._at is COLLECTING and not self._is_good:
            self._collected_all()  # its status says enough
        elif self._at is HOLDING or self._at is COLLECTING:
            # The provider had begun to answer: a second generation is not ours to start.
            self._give_up(_broken_off())

    # ------------------------------------------------------------ a streamed reply

    def _first_events(self, data: bytes) -> None:
        """Hold the status line back until the stream has really begun (translation.md D6)."""
        pipe = self._pipe
        assert pipe is not None
        out = pipe.feed(data)
        if pipe.at is REFUSED:
            self._drop_connection()
            self._held_over(b"")
            return
        if pipe.at is BEGIN and not self._committed and self._collected_bytes < EARLY_BYTES_MAX:
            self._collected.append(out)
            self._collected_bytes += len(out)
            return
        if not self._committed:
            self._commit()
            if self._collected:
                out = b"".join(self._collected) + out
                self._collected = []
        if pipe.at is BEGIN:
            if out:
                self._spoke = True
                self._outlet.write(out)
            return
        self._begun()
        if pipe.at is not OPEN:
            self._stream_over(out)
            return
        self._outlet.write(out)
        write = self._outlet.frame_writer()
        if write is None or self._connection is None:
            return
        rewriter = pipe.rewriter
        if rewriter is not None:
            self._connection.forward_rewritten(write, rewriter, binary=pipe.is_binary)
        elif pipe.passes_frames:
            self._connection.forward(write, PLAIN, pipe.tally)

    def _held_over(self, last: bytes) -> None:
        """The answer is over before a stream began: with a refusal, or with a whole message."""
        pipe = self._pipe
        assert pipe is not None
        if pipe.at is REFUSED:
            assert pipe.fault is not None
            self._try_other(pipe.fault)
            return
        if not self._committed:
            self._commit()
            last = b"".join(self._collected) + last
        self._begun()
        self._stream_over(last)

    def _begun(self) -> None:
        """The message has begun. Nothing can be tried again from here on, and streams live long:
        let the prompt go."""
        self._at = STREAMING
        self._spoke = True
        self._heard_s = self._spoke_s = self._means.wheel.now_s
        if self._pipe is not None:
            self._reads = -self._pipe.tally.passed_events
        self._note_first_byte()
        self._answers()
        if self._call.session:
            self._remember()
        self._body = None
        self._call.arrival.body = b""

    def _note_first_byte(self) -> None:
        if self._tab is not None:
            now_s = self._call.arrival.first_byte_s = self._means.monotonic()
            self._tab.first_byte(now_s)

    def _remember(self) -> None:
        """Whoever answers has the prompt cached."""
        route = self._routes[self._tried]
        self._means.sessions.served(self._call, route)

    def _commit(self) -> None:
        """From here on the client has a 200, and trouble is told as an event."""
        self._committed = True
        self._outlet.open_stream()

    def _stream_over(self, last: bytes) -> None:
        """`last` holds the stream's end, whatever it is."""
        pipe = self._pipe
        assert pipe is not None
        if pipe.at is WHOLE:
            if pipe.cut_short:
                self._drop_connection()
            else:
                self._leave_connection()
            self._end(
                COMPLETED,
                pipe.usage,
                last,
                stop_reason=pipe.stop_reason,
                estimated=pipe.usage_estimated,
            )
            return
        self._drop_connection()
        pipe.estimate_usage()
        fault = pipe.fault
        assert fault is not None
        self._fails(fault)
        self._end(
            PARTIAL,
            pipe.usage,
            last,
            error_type=fault.error_type,
            estimated=pipe.usage_estimated,
        )

    # ------------------------------------------------------------ a whole reply

    def _collect(self, data: bytes) -> None:
        self._collected.append(data)
        self._collected_bytes += len(data)
        bound = self._means.patience.reply_bytes_max if self._is_good else REFUSAL_BYTES_MAX
        if self._collected_bytes > bound:
            self._drop_connection()
            self._give_up(
                Fault(
                    Kind.UPSTREAM_BROKEN,
                    f"The model provider's reply is larger than {bound} bytes.",
                    source=Source.UPSTREAM,
                )
            )

    def _collected_all(self) -> None:
        collected, self._collected = self._collected, []
        body = collected[0] if len(collected) == 1 else b"".join(collected)
        provider = self._routes[self._tried].provider
        self._connection = None
        if not self._is_good:
            self._refused(body)
            return
        try:
            if self._call.streamed:
                raise _not_a_stream()
            reply = provider.reply(self._call, body)
        except Fault as fault:
            if fault.repeat and not self._repeated:
                self._repeated = True
                self._again()
            else:
                self._give_up(fault)
            return
        if self._call.expected.must_call and reply.stop_reason == "end_turn" and not self._repeated:
            # Asked for in words only: a second try, then it is taken as it is (translation.md 1.7).
            self._repeated = True
            self._again()
            return
        self._note_first_byte()
        self._answers()
        if self._tab is not None:
            if self._call.session:
                self._remember()
        else:
            self._call.notes += EXACT
        if reply.usage_estimated:
            self._call.notes += USAGE_ESTIMATED
        self._end(
            COMPLETED,
            reply.usage,
            reply.body,
            stop_reason=reply.stop_reason,
            estimated=reply.usage_estimated,
        )

    def _refused(self, body: bytes) -> None:
        """The provider answered with another status than 2xx."""
        route = self._routes[self._tried]
        provider = route.provider
        if route.secret and route.secret in body:
            body = body.replace(route.secret, b"[redacted]")
        now_s = self._means.wall()
        if self._lessons < LESSONS_MAX and provider.learn(self._status, body, now_s):
            self._lessons += 1
            self._again()
            return
        credential = provider.credential
        if credential is not None and not self._renewed:
            self._renewed = True
            if credential.renew(self._status, self._headers, body):
                self._again()
                return
        self._try_other(provider.fault(self._call, self._status, self._headers, body, now_s))

    def _again(self) -> None:
        """Ask the same deployment once more."""
        if self._tab is not None:
            self._tab.attempts += 1
        self._attempt()

    # ------------------------------------------------------------ the client

    def client_gone(self) -> None:
        """Cancel the provider's work at once; what went by is written down. Where a provider bills
        the whole answer anyway, it is read on."""
        if self._at is ENDED or self._drain is not None:
            return
        drains = self._routes[self._tried].drains
        if (
            drains is not None
            and self._connection is not None
            and self._tab is not None
            and drains.begin()
        ):
            self._read_on(self._connection, drains)
        else:
            self._cancel()

    def _read_on(self, connection: Exchange, drains: Drains) -> None:
        self._drain = Drain(self, drains, self._means.wheel.now_s)
        self._outlet = Nobody()
        connection.hear(self._drain)
        if self._paused:
            self.client_ready()

    def drained_enough(self) -> None:
        """The rest of an answer nobody waits for is too long, or too long in coming."""
        if self._at is not ENDED:
            self._cancel()

    def _cancel(self) -> None:
        self._give_up_the_wait()
        usage = Usage()
        estimated = False
        if self._pipe is not None:
            self._pipe.estimate_usage()
            usage = self._pipe.usage
            estimated = self._pipe.usage_estimated
        self._end(CLIENT_GONE, usage, b"", status=CLIENT_GONE_STATUS, estimated=estimated)

    def client_full(self) -> None:
        """Let the provider wait until the client has read."""
        self._paused = True
        self._means.metrics.streams.stalls_of_clients += 1
        if self._connection is not None:
            self._connection.pause()

    def client_ready(self) -> None:
        """Read on."""
        self._paused = False
        self._heard_s = self._means.wheel.now_s
        if self._connection is not None:
            self._connection.resume()

    def house_stops(self) -> None:
        """The time to finish is over: end the call in an orderly way."""
        if self._at is ENDED:
            return
        self._give_up_the_wait()
        self._give_up(
            Fault(
                Kind.UNAVAILABLE,
                "The gateway is restarting. Try again.",
                source=Source.HOUSE,
                retry_after_s=1,
            )
        )

    # ------------------------------------------------------------ time

    def tick(self, now_s: float) -> None:
        """About once a second: deadlines and pings."""
        patience = self._means.patience
        pipe = self._pipe
        if pipe is not None and pipe.tally.passed_events != self._seen_events:
            # Forwarded events pass us by.
            self._seen_events = pipe.tally.passed_events
            self._heard = self._spoke = True
        if self._heard:
            self._heard = False
            self._end_silence_in(now_s)
        if self._spoke:
            self._spoke = False
            self._end_silence_out(now_s)
        if self._drain is not None and now_s >= self._drain.until_s:
            self.drained_enough()
            return
        if self._paused:
            return  # the client holds everything up, not the provider
        if now_s - self._heard_s > self._bound():
            self._too_slow()
            return
        if not self._call.streamed or self._at is COLLECTING or self._drain is not None:
            return
        if not self._committed:
            if now_s - self._began_s >= patience.commit_after_s:
                self._commit()
                self._spoke_s = now_s
                early = b"".join(self._collected)
                self._collected = []
                begun = b"" if pipe is None else pipe.open()
                if begun:
                    self._begun()
                    self._spoke = False
                self._outlet.write(early + (begun or PING))
        elif now_s - self._spoke_s >= patience.ping_after_s:
            self._end_silence_out(now_s)
            self._outlet.write(PING)

    def _end_silence_in(self, now_s: float) -> None:
        """The provider was heard since the last tick."""
        silence_s = now_s - self._heard_s
        self._heard_s = now_s
        if self._at is STREAMING:
            if silence_s > self._silence_in_s:
                self._silence_in_s = silence_s
            if silence_s >= STALL_S:
                self._means.metrics.streams.stalls_of_providers += 1

    def _end_silence_out(self, now_s: float) -> None:
        """The client was told something since the last tick."""
        silence_s = now_s - self._spoke_s
        self._spoke_s = now_s
        if silence_s > self._silence_out_s and self._at is STREAMING:
            self._silence_out_s = silence_s

    def _bound(self) -> float:
        patience = self._means.patience
        if self._pipe is not None and self._pipe.said_all:
            return patience.finish_grace_s
        if self._tab is None:
            return patience.count_timeout_s
        is_waiting = self._at is ASKED or self._at is HOLDING or not self._call.streamed
        return patience.first_byte_timeout_s if is_waiting else patience.idle_timeout_s

    def _too_slow(self) -> None:
        if self._pipe is not None and self._pipe.said_all:
            # The message is whole but for the end of its stream (translation.md 3.6).
            last = self._pipe.finish()
            self._drop_connection()
            self._stream_over(last)
            return
        fault = Fault(
            Kind.UPSTREAM_TIMEOUT,
            f"The model provider sent nothing for {self._bound():g} seconds. Try again.",
            source=Source.UPSTREAM,
        )
        self._give_up_the_wait()
        if self._at is STREAMING:
            assert self._pipe is not None
            self._stream_over(self._pipe.fail(fault))
        else:
            self._give_up(fault)

    # ------------------------------------------------------------ the end

    def _give_up(self, fault: Fault) -> None:
        """No deployment can answer: tell the client, as a status or, if committed, as an event."""
        self._fails(fault)
        usage = Usage()
        estimated = False
        outcome = HOUSE_ERROR if fault.source is Source.HOUSE else UPSTREAM_ERROR
        if self._tab is None and _is_their_trouble(fault):
            counted = self._means.counting.count(self._call, self._body)
            self._end(COMPLETED, usage, counted)
            return
        if self._at is STREAMING:
            assert self._pipe is not None
            self._pipe.estimate_usage()
            usage = self._pipe.usage
            estimated = self._pipe.usage_estimated
            if outcome is UPSTREAM_ERROR:
                outcome = PARTIAL
        if not self._committed:
            self._end(
                outcome, usage, b"", status=fault.status, error_type=fault.error_type, refusal=fault
            )
            return
        last = error_event(fault, self._call.arrival.request_id)
        self._end(outcome, usage, last, error_type=fault.error_type, estimated=estimated)

    def _end(
        self,
        outcome: Outcome,
        usage: Usage,
        last: bytes,
        *,
        status: int = 200,
        error_type: str = "",
        stop_reason: str = "",
        refusal: Fault | None = None,
        estimated: bool = False,
    ) -> None:
        """The one place where a call ends: written down first, then its last bytes are sent."""
        assert self._at is not ENDED, "a call ends once"
        means = self._means
        now_s = means.monotonic()
        if self._at is STREAMING:
            self._note_flow(now_s)
        self._at = ENDED
        means.wheel.unwatch(self)
        means.metrics.open_streams -= 1
        route = self._routes[self._tried]
        route.standing.ended()
        if self._drain is not None and route.drains is not None:
            route.drains.ended()
            outcome, status, refusal = CLIENT_GONE, CLIENT_GONE_STATUS, None
        self._last = last
        self._outcome = outcome
        if self._tab is None:
            self._ticket.settle(0, 0)
            self._say_last(refusal)
            return
        if outcome is CLIENT_GONE and self._committed:
            status = 200
        tab = self._tab
        entry = tab.close(
            outcome,
            usage,
            now_s,
            status=status,
            error_type=error_type,
            stop_reason=stop_reason,
            search_fee_credits=means.search_fee_credits,
            usage_estimated=estimated,
        )
        if self._call.raw_tokens and outcome is COMPLETED and not estimated:
            means.counting.observe(self._call, usage)
        self._ticket.settle(tab.credits, tab.tokens)
        metrics, arrival = means.metrics, self._call.arrival
        metrics.ended.append(entry)
        metrics.splits.append(arrival.split(now_s))
        if arrival.trace is not None:
            arrival.trace.generated(self._call, entry)
        if refusal is None:
            means.books.record(entry, self._say_last)
        else:
            means.books.record(entry, lambda: self._say_last(refusal))

    def _note_flow(self, now_s: float) -> None:
        """How evenly the stream flowed, now that it is over."""
        pipe, began_s = self._pipe, self._call.arrival.first_byte_s
        if pipe is None or not began_s:
            return
        streams = self._means.metrics.streams
        # Up to the last tick at least nothing more had come or gone.
        tick_s = self._means.wheel.now_s
        if not self._paused:
            self._end_silence_in(tick_s)
        self._end_silence_out(tick_s)
        streams.silence_in.fresh.append(self._silence_in_s)
        streams.silence_out.fresh.append(self._silence_out_s)
        reads = self._reads + pipe.tally.passed_events
        if reads > 0:
            streams.gap_in.fresh.append((now_s - began_s) / reads)
        if reads > self._swallowed:
            streams.gap_out.fresh.append((now_s - began_s) / (reads - self._swallowed))

    def _say_last(self, refusal: Fault | None = None) -> None:
        if self._outcome is CLIENT_GONE or self._outlet.gone:
            return
        if refusal is not None:
            self._outlet.refuse(refusal)
        elif self._committed:
            self._outlet.end_stream(self._last, self._outcome)
        else:
            self._outlet.answer(self._last, self._outcome)

    def _answers(self) -> None:
        """What this deployment says is what it should say."""
        standing = self._routes[self._tried].standing
        if standing.failures:
            standing.answered()

    def _fails(self, fault: Fault) -> None:
        if self._tab is None:
            return  # not everybody counts, and that says nothing of their messages
        self._routes[self._tried].standing.failed(fault, self._means.wheel.now_s)

    def _give_up_the_wait(self) -> None:
        if self._at is LEASING:
            route = self._routes[self._tried]
            route.pool.forget(self)
            if route.provider.credential is not None:
                route.provider.credential.forget(self)
        self._drop_connection()

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abort()

    def _leave_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.leave()


def _is_their_trouble(fault: Fault) -> bool:
    """May an estimate stand for what the provider should have counted? Not where it says that the
    request itself is wrong (translation.md 8)."""
    return fault.source is not Source.CALLER and (fault.status >= 500 or fault.status in (404, 429))


def _is_event_stream(headers: dict[bytes, bytes]) -> bool:
    return headers.get(b"content-type", b"").lower().startswith(_EVENT_STREAMS)


def _broken_off() -> Fault:
    return Fault(
        Kind.UPSTREAM_BROKEN,
        "The model provider closed the connection before it answered. Try again.",
        source=Source.UPSTREAM,
    )


def _not_a_stream() -> Fault:
    return Fault(
        Kind.UPSTREAM_BROKEN,
        "The model provider did not answer with a stream. Try again.",
        source=Source.UPSTREAM,
    )
