"""The relay under any order of events: whatever happens, in whatever order, one end and one row.

A hypothesis machine plays provider, network, client, clock, disk and operator at once. The edges
check every single call (`edges.py`); here stands what must be true of the whole.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from proxy.domain.call import Errand
from proxy.domain.entry import Outcome
from proxy.domain.fault import Fault, Kind, Source
from proxy.upstream.connection import Broken
from tests.gateway.edges import JSON, SSE, Held, Scene, Wire
from tests.kit.journey import PING, TEXT, WHOLE, delta, error_body, event, events, terminals

ERROR = event("error", error_body("overloaded_error", "Overloaded"))
LONG = TEXT.replace(delta("lo."), delta("lo.") * 20)
STREAMS = {
    "text": TEXT,
    "long": LONG,
    "pings first": PING * 3 + TEXT,
    "comment first": b": hello\n\n" + TEXT,
    "error first": ERROR,
    "ping, then error": PING + ERROR,
    "error inside": TEXT[: len(TEXT) // 2].rpartition(b"\n\n")[0] + b"\n\n" + ERROR,
    "two messages": TEXT[: TEXT.index(b"event: message_stop")] + TEXT,
    "nonsense": event("content_block_stop", b"{}") + TEXT,
    "unreadable start": event("message_start", b"{]") + TEXT,
    "unreadable delta": TEXT.replace(b'"usage":{"input_tokens":12,"cache_c', b'"usage":{]"cache_c'),
    "crlf": TEXT.replace(b"\n", b"\r\n"),
    "nothing": b"",
}
REFUSALS = {
    400: error_body("invalid_request_error", "prompt is too long"),
    401: error_body("authentication_error", "invalid x-api-key"),
    404: error_body("not_found_error", "model: x"),
    429: error_body("rate_limit_error", "Slow down"),
    500: b"",
    503: b"<html>busy</html>",
    529: error_body("overloaded_error", "Overloaded"),
}
FAULTS = [
    Fault(Kind.UPSTREAM_BROKEN, "Cannot be reached.", source=Source.UPSTREAM),
    Fault(Kind.UPSTREAM_TIMEOUT, "Took too long.", source=Source.UPSTREAM),
]


class AnyOrder(RuleBasedStateMachine):
    """One call; what the rules below allow happens in any order."""

    @initialize(
        deployments=st.integers(1, 3),
        kind=st.sampled_from(["stream", "stream", "stream", "whole", "count"]),
        at_hand=st.booleans(),
    )
    def sets_out(self, deployments: int, kind: str, at_hand: bool) -> None:
        self.scene = Scene(
            deployments=deployments,
            streamed=kind == "stream",
            errand=Errand.COUNT if kind == "count" else Errand.MESSAGE,
            at_hand=at_hand,
        )
        self.to_come: dict[int, bytes] = {}
        self.head_200: set[int] = set()

    @property
    def wire(self) -> Wire | None:
        busy = [wire for wire in self.scene.wires if wire.held is Held.BUSY]
        assert len(busy) <= 1, "two generations at once"
        return busy[0] if busy else None

    @property
    def has_wire(self) -> bool:
        return self.wire is not None

    @property
    def awaits_head(self) -> bool:
        return self.wire is not None and id(self.wire) not in self.to_come

    @property
    def awaits_body(self) -> bool:
        return self.wire is not None and id(self.wire) in self.to_come

    @property
    def waits_for_wire(self) -> bool:
        return any(pool.waiting for pool in self.scene.pools)

    # ------------------------------------------------------------ network and provider

    @precondition(lambda self: self.waits_for_wire)
    @rule()
    def connects(self) -> None:
        next(pool for pool in self.scene.pools if pool.waiting).connects()

    @precondition(lambda self: self.waits_for_wire)
    @rule(fault=st.sampled_from(FAULTS))
    def cannot_connect(self, fault: Fault) -> None:
        next(pool for pool in self.scene.pools if pool.waiting).refuses(fault)

    @precondition(lambda self: self.awaits_head)
    @rule(stream=st.sampled_from(sorted(STREAMS)))
    def stream_begins(self, stream: str) -> None:
        self.to_come[id(self.wire)] = STREAMS[stream]
        self.head_200.add(id(self.wire))
        self.wire.head(200, SSE)

    @precondition(lambda self: self.awaits_head)
    @rule(body=st.sampled_from([WHOLE, b"{}", b"", b"<html>", TEXT]))
    def document_begins(self, body: bytes) -> None:
        self.to_come[id(self.wire)] = body
        self.head_200.add(id(self.wire))
        self.wire.head(200, JSON)

    @precondition(lambda self: self.awaits_head)
    @rule(status=st.sampled_from(sorted(REFUSALS)))
    def refusal_begins(self, status: int) -> None:
        self.to_come[id(self.wire)] = REFUSALS[status]
        self.wire.head(status, JSON)

    @precondition(lambda self: self.awaits_body and not self.wire.paused)
    @rule(size=st.sampled_from([1, 7, 40, 200, 900, 5000]))
    def bytes_come(self, size: int) -> None:
        wire = self.wire
        left = self.to_come[id(wire)]
        self.to_come[id(wire)] = left[size:]
        if left:
            wire.body(left[:size])

    @precondition(lambda self: self.awaits_body)
    @rule()
    def answer_ends(self) -> None:
        self.wire.end()

    @precondition(lambda self: self.has_wire)
    @rule(why=st.sampled_from([Broken.CLOSED, Broken.GARBLED]))
    def answer_breaks(self, why: Broken) -> None:
        self.wire.breaks(why)

    @precondition(lambda self: self.awaits_head)
    @rule()
    def was_stale(self) -> None:
        self.wire.breaks(Broken.STALE)

    # ------------------------------------------------------------ client, clock, disk, operator

    @precondition(lambda self: not self.over)
    @rule()
    def client_leaves(self) -> None:
        self.scene.client.leaves()

    @precondition(lambda self: not self.over and self.scene.client.opened)
    @rule()
    def client_is_full(self) -> None:
        self.scene.relay.client_full()

    @precondition(lambda self: not self.over and self.scene.client.opened)
    @rule()
    def client_is_ready(self) -> None:
        self.scene.relay.client_ready()

    @rule(seconds=st.sampled_from([1, 9, 11, 290, 310, 700]))
    def time_goes_by(self, seconds: int) -> None:
        self.scene.waits(seconds)

    @rule()
    def rows_reach_the_disk(self) -> None:
        self.scene.books.flush()

    @precondition(lambda self: not self.over)
    @rule()
    def house_stops(self) -> None:
        self.scene.relay.house_stops()

    # ------------------------------------------------------------ what is true at any moment

    @property
    def over(self) -> bool:
        return bool(self.scene.client.finals) or self.scene.client.gone

    @invariant()
    def a_call_that_is_over_holds_nothing(self) -> None:
        scene = self.scene
        ended = not scene.wheel.watched()
        assert ended == (scene.metrics.open_streams == 0)
        if ended:
            assert not self.has_wire and not self.waits_for_wire
            assert len(scene.books.rows) == (0 if scene.counts else 1)
        else:
            assert self.has_wire or self.waits_for_wire, "nobody would ever end it"
            assert not scene.books.rows

    @invariant()
    def the_client_sees_whole_events_and_one_end(self) -> None:
        streamed = self.scene.client.streamed.replace(b"\r\n", b"\n").replace(b": hello\n\n", b"")
        names = [name for name, _ in events(streamed)] if b"{]" not in streamed else []
        ends = [name for name in names if name in ("message_stop", "error")]
        assert len(ends) <= 1
        assert not ends or names[-1] == ends[0], "something after the end"
        assert names.count("message_start") <= 1, "two generations spliced"

    @invariant()
    def no_second_generation_after_content(self) -> None:
        if b"message_start" in self.scene.client.streamed:
            started = [wire for wire in self.scene.wires if id(wire) in self.head_200]
            assert started and started[-1] is self.scene.wires[-1]

    def teardown(self) -> None:
        if not hasattr(self, "scene"):
            return
        scene = self.scene
        if scene.wheel.watched():
            scene.client.leaves()
        scene.settled()
        assert scene.wheel.watched() == []
        if scene.counts:
            return
        row, client = scene.row, scene.client
        assert row.attempts == sum(1 for pool in scene.pools if pool.leases)
        if client.finals:
            assert row.outcome is not Outcome.CLIENT_GONE
            self.row_says_what_the_client_saw()
        else:
            assert client.gone
        if row.outcome is not Outcome.COMPLETED and row.outcome is not Outcome.CLIENT_GONE:
            assert row.error_type

    def row_says_what_the_client_saw(self) -> None:
        row, client = self.scene.row, self.scene.client
        began = b"event: message_start" in client.streamed
        if client.refused is not None:
            assert row.status == client.refused.status != 200
            assert row.error_type == client.refused.error_type
            ours = client.refused.source is Source.HOUSE
            assert row.outcome is (Outcome.HOUSE_ERROR if ours else Outcome.UPSTREAM_ERROR)
            assert row.output_tokens == row.credits_in == row.credits_out == 0
            return
        assert row.status == 200
        assert row.outcome is client.ended_as
        if client.answered is not None:
            assert row.outcome is Outcome.COMPLETED and not row.streamed
        elif row.outcome is Outcome.COMPLETED:
            assert client.streamed.rstrip().endswith(b'{"type":"message_stop"}') and began
        else:
            assert terminals(client.last) == ["error"]
            if row.outcome is not Outcome.HOUSE_ERROR:
                assert row.outcome is (Outcome.PARTIAL if began else Outcome.UPSTREAM_ERROR)


AnyOrder.TestCase.settings = settings(max_examples=250, stateful_step_count=25, deadline=None)
TestAnyOrder = AnyOrder.TestCase
