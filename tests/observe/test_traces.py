"""Which requests are traced, and what others are told of it."""

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.domain.call import Arrival, Call, Errand
from proxy.domain.entry import Entry, Outcome
from proxy.domain.headers import Headers
from proxy.observe.traces import ENDED_MAX, Ended, Trace, Traces
from tests.gateway.edges import CALLER, MODEL
from tests.kit.patience import examples

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED = f"00-{TRACE}-{SPAN}-01"


def counted() -> Callable[[int], bytes]:
    """No two alike."""
    numbers = itertools.count(1)
    return lambda size: next(numbers).to_bytes(size, "big")


def traces(ratio: float = 0.0, *, tells: bool = True) -> Traces:
    return Traces(ratio, counted(), tells=tells)


def begun(parent: str, state: str = "", **how) -> Trace | None:
    lines = {b"traceparent": parent.encode()}
    if state:
        lines[b"tracestate"] = state.encode("latin-1")
    return traces(**how).begin(Headers(lines))


def told(trace: Trace, errand: Errand = Errand.MESSAGE) -> Call:
    """A call after the provider's lines were made."""
    arrival = Arrival(errand, "r", b"/", b"", Headers(), b"", 0, 1.0)
    arrival.trace = trace
    call = Call(arrival, CALLER, MODEL, "haiku", "alias", True)
    trace.tell(call)
    return call


def test_a_caller_that_samples_is_obeyed_and_its_trace_goes_on() -> None:
    trace = begun(SAMPLED, "vendor=a,other=b")
    assert trace is not None and trace.sampled
    assert (f"{trace.trace_id:032x}", f"{trace.parent_id:016x}") == (TRACE, SPAN)
    call = told(trace)
    assert call.span_id not in (0, trace.span_id, trace.parent_id)
    assert call.onward.decode() == (
        f"traceparent: 00-{TRACE}-{call.span_id:016x}-01\r\ntracestate: vendor=a,other=b\r\n"
    )


def test_a_caller_that_does_not_sample_is_obeyed_and_its_trace_goes_by() -> None:
    trace = begun(SAMPLED[:-1] + "0", ratio=1.0)
    assert trace is not None and not trace.sampled
    call = told(trace)
    assert call.onward.decode() == f"traceparent: 00-{TRACE}-{SPAN}-00\r\n"
    trace.generated(call, entry())
    assert trace.turns == []


def test_each_generation_has_a_span_of_its_own_and_a_count_has_none() -> None:
    trace = begun(SAMPLED)
    assert trace is not None
    one, other = told(trace), told(trace)
    assert one.span_id != other.span_id
    counting = told(trace, Errand.COUNT)
    assert counting.span_id == 0
    assert f"-{trace.span_id:016x}-01".encode() in counting.onward


def test_providers_are_told_nothing_where_that_is_not_wanted() -> None:
    trace = begun(SAMPLED, "a=b", tells=False)
    assert trace is not None
    assert told(trace).onward == b""


INVALID = [
    "",
    "nonsense",
    f"ff-{TRACE}-{SPAN}-01",
    f"00-{TRACE}-{SPAN}-01-more",
    f"00-{'0' * 32}-{SPAN}-01",
    f"00-{TRACE}-{'0' * 16}-01",
    f"00-{TRACE.upper()}-{SPAN}-01",
    f"00-{TRACE}-{SPAN}",
    f"00-{TRACE}-{SPAN}-01,00-{TRACE}-{SPAN}-01",
    f" {SAMPLED}",
]


@pytest.mark.parametrize("parent", INVALID)
def test_what_is_no_context_counts_for_nothing(parent: str) -> None:
    assert begun(parent) is None
    own = begun(parent, "a=b", ratio=1.0)
    assert own is not None and own.parent_id == 0 and own.state == b""


def test_a_later_version_may_say_more() -> None:
    trace = begun(f"01-{TRACE}-{SPAN}-01-what-comes")
    assert trace is not None and trace.sampled


@pytest.mark.parametrize("state", ["x" * 513, "a=\x01", "a=\xff"])
def test_a_state_that_no_header_should_hold_is_left(state: str) -> None:
    trace = begun(SAMPLED, state)
    assert trace is not None
    assert b"tracestate" not in told(trace).onward


@given(st.binary(max_size=80), st.binary(max_size=600))
@examples(300)
def test_whatever_comes_what_goes_on_is_a_header(parent: bytes, state: bytes) -> None:
    trace = traces(1.0).begin(Headers({b"traceparent": parent, b"tracestate": state}))
    assert trace is not None
    lines = told(trace).onward.split(b"\r\n")
    assert lines.pop() == b""
    assert 1 <= len(lines) <= 2 and not any(b"\r" in line or b"\n" in line for line in lines)


@pytest.mark.parametrize("ratio", [0.0, 0.25, 1.0])
def test_of_the_others_a_share_is_taken(ratio: float) -> None:
    some = Traces(ratio, _dice(), tells=True)
    taken = sum(some.begin(Headers()) is not None for _ in range(2_000))
    assert abs(taken / 2_000 - ratio) < 0.06
    assert (taken == 0) == (ratio == 0.0)


def _dice() -> Callable[[int], bytes]:
    state = 1

    def throw(size: int) -> bytes:
        nonlocal state
        out = b""
        while len(out) < size:
            state = state * 6364136223846793005 + 1442695040888963407 & (1 << 64) - 1
            out += (state >> 32).to_bytes(4, "big")
        return out[:size]

    return throw


def entry() -> Entry:
    return Entry("e", "r", 1, 2, "t", "u", "x", "k", "m", "m", "exact", Outcome.COMPLETED, 200)


def test_while_nobody_takes_them_only_so_many_wait() -> None:
    some = traces(1.0)
    trace = some.begin(Headers())
    assert trace is not None
    over = Ended(trace, told(trace).arrival, None, status=200, outcome="completed", ended_s=2.0)
    for _ in range(ENDED_MAX + 5):
        some.over(over)
    assert len(some.flush()) == ENDED_MAX
    assert (some.left_out, some.flush()) == (5, [])
