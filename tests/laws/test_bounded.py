"""Bytes that are held never exceed the cap, whatever comes and however it is cut."""

from hypothesis import given
from hypothesis import strategies as st

from proxy.stream.passthrough import Passthrough
from proxy.stream.pipe import At
from tests.kit.cuts import cuttings
from tests.kit.grammar import check_ends
from tests.kit.patience import examples
from tests.kit.recorded import LONG, WHOLE, message_start, text_delta

STREAMS = WHOLE | {
    "long": LONG,
    "endless-first": b"x" * 5000,
    "endless": message_start() + b"x" * 5000,
}


@examples(200)
@given(st.sampled_from(sorted(STREAMS)), st.sampled_from([1, 50, 300, 1000]), st.data())
def test_no_more_than_the_cap_is_held(name: str, cap: int, data: st.DataObject) -> None:
    pipe = Passthrough(b'"shown"', "req_1", cap)
    out = b""
    for piece in data.draw(cuttings(STREAMS[name])):
        out += pipe.feed(piece)
        assert pipe.held_bytes <= cap
    check_ends(out + pipe.finish())
    assert pipe.held_bytes == 0


@examples()
@given(st.integers(0, 100), st.sampled_from([1, 7, 64]))
def test_an_event_of_exactly_the_cap_comes_through(surplus: int, size: int) -> None:
    delta = text_delta("x" * 200 + "y" * surplus)
    pipe = Passthrough(b'"shown"', "req_1", len(delta))
    pipe.feed(message_start())
    out = b"".join(pipe.feed(delta[at : at + size]) for at in range(0, len(delta), size))
    assert out == delta
    assert pipe.at is At.OPEN
