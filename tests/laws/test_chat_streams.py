"""Laws of translated streams: cut anywhere, vary what may vary, break off anywhere."""

from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.domain.dialect import Dialect
from proxy.domain.fault import Fault
from proxy.stream.chat_reply import whole_reply
from proxy.stream.chat_to_messages import ChatToMessages
from proxy.stream.pipe import At
from tests.kit.case_file import read_case
from tests.kit.chat_stream import (
    CAP,
    DONE,
    KIMI,
    SEAL,
    Document,
    call,
    calls,
    chunk,
    make_call,
    make_pipe,
    message_of,
    said,
    text,
    thought,
    usage,
    whole,
)
from tests.kit.cuts import cuttings
from tests.kit.grammar import check_ends, check_stream
from tests.kit.patience import examples

SHELF = Path(__file__).parent.parent / "cases" / "chat_to_messages"
GIVEN = {
    path.stem: read_case(path).given
    for path in sorted(SHELF.glob("*.case"))
    if not path.stem.startswith("reply_")
}
WORDS = st.text(
    st.one_of(st.sampled_from('ab \n"\\/<>é中😀\u2028\x7f\x00'), st.characters(codec="utf-8")),
    min_size=1,
    max_size=12,
)
NAMES = st.sampled_from(["read", "write", "functions"])
IDS = st.sampled_from(["call_1", "call_2", "functions.read:0", "", "toolu_gwx_eA", "ü"])
INPUTS = st.dictionaries(WORDS, st.one_of(st.integers(-9, 9), WORDS, st.lists(WORDS, max_size=2)))
CALLS = st.lists(st.tuples(IDS, NAMES, INPUTS), max_size=4)
DIALECTS = st.sampled_from(
    [
        KIMI,
        Dialect(),
        Dialect(think_tags=("think",), kimi_tool_repair=True),
        Dialect(reasoning="openrouter", arguments="cumulative", stop="native"),
    ]
)


@examples(120)
@given(st.sampled_from(sorted(GIVEN)), DIALECTS, st.data())
def test_however_a_stream_is_cut_the_same_bytes_come_out(
    name: str, dialect: Dialect, data: st.DataObject
) -> None:
    once = said(make_pipe(dialect, stop_sequences=("END",)), GIVEN[name])
    pieces = data.draw(cuttings(GIVEN[name]))
    assert said(make_pipe(dialect, stop_sequences=("END",)), *pieces) == once
    check_stream(once)


# ------------------------------------------------------------ one message, said in many ways


def pieces_of(words: str, data: st.DataObject) -> list[str]:
    places = sorted(data.draw(st.lists(st.integers(0, len(words)), max_size=3)))
    return [words[a:b] for a, b in zip([0, *places], [*places, len(words)], strict=True)]


def fragments(said_calls: list[tuple[str, str, Document]], data: st.DataObject) -> list[bytes]:
    """The calls as fragments, with late names and ids, mixed in any way that keeps each call's own
    order and lets them begin in theirs."""
    queues = []
    for index, (call_id, name, given_input) in enumerate(said_calls):
        written = pieces_of(orjson.dumps(given_input).decode(), data)
        # Without a number an id alone tells calls apart: it has to be there from the start.
        first = call(index, call_id or None, None)
        late = data.draw(st.integers(0, len(written)))
        queue = [first] if data.draw(st.booleans()) else []
        for at, piece in enumerate([*written, ""]):
            repeated = call_id or None if not queue or data.draw(st.booleans()) else None
            queue.append(call(index, repeated, name if at >= late else None, piece))
        queues.append(queue)
    out = []
    begun = 0
    while any(queues):
        is_next = data.draw(st.booleans()) and begun < len(queues)
        begun += is_next
        choice = queues[begun - 1 : begun] if is_next else [q for q in queues[:begun] if q]
        if not choice:
            continue
        queue = data.draw(st.sampled_from(choice))
        elements = [queue.pop(0)]
        if queue and data.draw(st.booleans()):
            elements.append(queue.pop(0))
        out.append(calls(*elements))
    return out


@examples(120)
@given(WORDS | st.just(""), WORDS | st.just(""), CALLS, st.booleans(), st.data())
def test_however_a_message_is_streamed_it_folds_to_the_same_as_whole(
    thinking: str,
    words: str,
    said_calls: list[tuple[str, str, Document]],
    has_usage_everywhere: bool,
    data: st.DataObject,
) -> None:
    tool_calls = [
        {"id": call_id, "function": {"name": name, "arguments": orjson.dumps(inner).decode()}}
        for call_id, name, inner in said_calls
    ]
    message = {"content": words, "reasoning_content": thinking, "tool_calls": tool_calls}
    finish = data.draw(st.sampled_from(["stop", "tool_calls", "length"]))
    expected = orjson.loads(
        whole_reply(make_call(streamed=False), KIMI, SEAL, whole(message, finish)).body
    )

    chunks = [chunk({"role": "assistant", "content": ""})]
    chunks += [thought(piece) for piece in pieces_of(thinking, data)]
    chunks += [text(piece) for piece in pieces_of(words, data)]
    chunks += fragments(said_calls, data)
    chunks.append(chunk({}, finish))
    if has_usage_everywhere:
        chunks = [with_usage(each) for each in chunks]
    chunks += [usage(), DONE] if data.draw(st.booleans()) else [usage()]
    out = said(make_pipe(), *data.draw(cuttings(b"".join(chunks))))

    assert message_of(out) == expected


def with_usage(event: bytes) -> bytes:
    document = orjson.loads(event[6:])
    said_usage = {"prompt_tokens": 900, "completion_tokens": 1, "total_tokens": 901}
    return b"data: " + orjson.dumps(document | {"usage": said_usage}) + b"\n\n"


# ------------------------------------------------------------ the short way


def slow(pipe: ChatToMessages) -> ChatToMessages:
    """A pipe that never learns a shape."""
    pipe._lessons = 0
    return pipe


EVENTS = st.one_of(
    WORDS.map(text),
    WORDS.map(thought),
    st.sampled_from(
        [
            chunk({"content": "x"}, created=2),
            chunk({"content": "x"}, usage={"prompt_tokens": 1, "completion_tokens": 1}),
            text("a\\u").replace(b"\\\\u", b"\\u00e9"),
            text("q").replace(b"q", b"\\/"),
            text("q").replace(b"q", b"\xff"),
            text("q").replace(b"q", b"\\ud83d"),
            text("q").replace(b"q", b"\\"),
            text("q").replace(b"q", b"\x01"),
            text("q").replace(b"q", b'x","reasoning_content":"y'),
            text("q").replace(b"q", b""),
            b": comment\n\n",
            b"event: message\n" + text("named"),
            calls(call(0, "call_1", "read", "{")),
            calls(call(0, None, None, "}")),
            chunk({}, "stop"),
            DONE,
        ]
    ),
)


@examples(150)
@given(st.lists(st.tuples(EVENTS, st.integers(1, 6)), max_size=10), st.data())
def test_the_short_way_says_what_the_long_way_says(
    script: list[tuple[bytes, int]], data: st.DataObject
) -> None:
    stream = b"".join(event * times for event, times in script)
    out = said(slow(make_pipe()), stream)
    assert said(make_pipe(), *data.draw(cuttings(stream))) == out
    assert said(make_pipe(), *[event for event, times in script for _ in range(times)]) == out


def test_the_short_way_is_taken() -> None:
    pipe = make_pipe()
    pipe.feed(text("a"))
    assert pipe._plain is not None
    known = pipe._plain
    pipe.feed(text("b") + text("c"))
    pipe.feed(text("d"))
    assert pipe._plain is known


# ------------------------------------------------------------ ends


@pytest.mark.parametrize("name", ["worked_example", "thinking_then_text", "leaked_calls", "tags"])
def test_a_stream_cut_at_any_border_before_its_finish_ends_in_an_error(name: str) -> None:
    events = GIVEN[name].split(b"\n\n")[:-1]
    finish = next(at for at, event in enumerate(events) if b'"finish_reason":"' in event)
    for count in range(finish + 1):
        pipe = make_pipe()
        out = said(pipe, b"".join(event + b"\n\n" for event in events[:count]))
        assert check_ends(out) == "error"
        assert pipe.at in (At.FAILED, At.REFUSED)


@examples(100)
@given(st.sampled_from(sorted(GIVEN)), st.sampled_from([300, 400, 1000]), st.data())
def test_no_more_than_the_cap_is_held(name: str, cap: int, data: st.DataObject) -> None:
    pipe = make_pipe(KIMI, cap)
    out = b""
    for piece in data.draw(cuttings(GIVEN[name])):
        out += pipe.feed(piece)
        assert pipe.held_bytes <= 2 * cap  # of an event, and of what waits for its turn
    check_ends(out + pipe.finish())
    assert pipe.held_bytes == 0


@pytest.mark.parametrize(
    "event",
    [thought("x" * 1000), calls(call(0, "a", "t", '{"a":"' + "x" * 1000))],
    ids=["thinking", "arguments"],
)
def test_what_never_ends_is_ended(event: bytes) -> None:
    pipe = make_pipe(KIMI, 5000)
    for _ in range(10):
        pipe.feed(event)
    assert pipe.at is At.FAILED
    assert pipe.fault is not None
    assert pipe.fault.kind.status == 502


# ------------------------------------------------------------ nothing else can happen

FIELDS = [
    *["choices", "delta", "message", "content", "reasoning_content", "reasoning_details"],
    *["refusal", "tool_calls", "function", "function_call", "name", "arguments", "id", "index"],
    *["finish_reason", "usage", "prompt_tokens", "error", "text", "type", "x_groq"],
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(FIELDS),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)
CHUNKS = st.one_of(
    JSON,
    JSON.map(lambda delta: {"choices": [{"delta": delta}]}),
    JSON.map(lambda calls: {"choices": [{"index": 0, "delta": {"tool_calls": [calls]}}]}),
    st.fixed_dictionaries(
        {"content": JSON, "reasoning": JSON, "reasoning_details": JSON, "refusal": JSON}
    ).map(lambda delta: {"choices": [{"delta": delta}]}),
    st.fixed_dictionaries({"id": JSON, "index": JSON, "function": JSON}).map(
        lambda call: {"choices": [{"delta": {"tool_calls": [call]}}]}
    ),
)


def dumps(value: object) -> bytes:
    import json  # noqa: PLC0415 - writes NaN, as the rudest servers do

    return json.dumps(value).encode()


RUDE = st.one_of(
    st.binary(max_size=30),
    CHUNKS.map(lambda value: b"data: " + dumps(value) + b"\n\n"),
    EVENTS,
    st.sampled_from([b"\r", b"\n", b"data:", b"event: error\n", b"\xef\xbb\xbf", b"{", b"<"]),
)


@examples(250)
@given(st.lists(RUDE, max_size=8), DIALECTS)
def test_a_stream_of_anything_is_accepted_or_refused(pieces: list[bytes], dialect: Dialect) -> None:
    pipe = make_pipe(dialect)
    out = said(pipe, *pieces)
    check_stream(out)
    assert pipe.at in (At.WHOLE, At.FAILED, At.REFUSED)
    assert (pipe.fault is None) == (pipe.at is At.WHOLE)


@examples(250)
@given(CHUNKS.map(dumps) | st.binary(max_size=50), DIALECTS)
def test_a_reply_of_anything_is_accepted_or_refused(body: bytes, dialect: Dialect) -> None:
    try:
        reply = whole_reply(make_call(streamed=False), dialect, SEAL, body)
    except Fault as fault:
        assert fault.message
    else:
        assert orjson.loads(reply.body)["stop_reason"] == reply.stop_reason


def test_the_cap_of_the_kit_is_no_cap_for_the_shelf() -> None:
    assert max(map(len, GIVEN.values())) < CAP
