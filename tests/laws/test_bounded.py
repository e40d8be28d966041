"""Bytes that are held never exceed the cap, whatever comes and however it is cut."""

from hypothesis import given
from hypothesis import strategies as st

from proxy.domain.dialect import Dialect
from proxy.stream.passthrough import Passthrough
from proxy.stream.pipe import At
from tests.kit import chat_stream as chat
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


ENDLESS = {
    "a call without a name": chat.calls(chat.call(0, arguments="x" * 90)),
    "ids": chat.calls(chat.call(None, "x" * 90)),
    "calls": chat.calls(*[chat.call(None, str(at)) for at in range(9)]),
    "text behind an open call": chat.text("x" * 90),
    "thinking": chat.thought("x" * 90),
    "details": chat.chunk({"reasoning_details": [{"type": "x", "text": "x" * 90}]}),
    "leaked calls": chat.text("<|tool_call_begin|>" + "x" * 90),
    "space": chat.text(" " * 90),
}
BEGINNINGS = {
    "text": chat.text("x"),
    "thinking": chat.thought("x"),
    "a call": chat.calls(chat.call(0, "id", "t", "{")),
    "nothing": b"",
}
CHATS = [
    Dialect(reasoning="openrouter"),
    Dialect(think_tags=("think",), kimi_tool_repair=True),
    Dialect(name_fragments=True, arguments="cumulative"),
    Dialect(tool_args="buffered"),
]


@examples(300)
@given(
    st.sampled_from(sorted(BEGINNINGS)),
    st.lists(st.sampled_from(sorted(ENDLESS)), min_size=1, max_size=4),
    st.sampled_from(CHATS),
    st.sampled_from(["shown", "omitted", "swallowed"]),
)
def test_a_translated_stream_holds_no_more_than_the_cap_and_one_event(
    beginning: str, endless: list[str], dialect: Dialect, thinking: str
) -> None:
    cap = 5000
    pipe = chat.make_pipe(dialect, cap, thinking=thinking, stop_sequences=(" x",))
    pipe.feed(BEGINNINGS[beginning])
    for at in range(120):
        event = ENDLESS[endless[at % len(endless)]]
        pipe.feed(event)
        assert pipe.held_bytes <= cap + 10 * len(event)
