"""The pipe of translated streams: states, ends, the short way."""

from collections.abc import Callable

import pytest

from proxy.domain.fault import Fault, Kind
from proxy.stream.chat_to_messages import ChatToMessages
from proxy.stream.pipe import At
from tests.kit.chat_stream import (
    DONE,
    call,
    calls,
    chunk,
    make_pipe,
    message_of,
    said,
    text,
    thought,
    usage,
    whole,
)
from tests.kit.grammar import check_ends


def test_the_worked_example_of_the_specification_comes_out_as_it_says() -> None:
    out = said(
        make_pipe(),
        chunk({"role": "assistant", "content": ""}),
        thought("Need two"),
        calls(call(0, "functions.a:0", "a")),
        chunk(
            {
                "tool_calls": [
                    {
                        "index": 1,
                        "id": "functions.b:1",
                        "function": {"name": None, "arguments": '{"y"'},
                    }
                ]
            }
        ),
        calls(call(0, arguments='{"x":1'), call(1, name="b", arguments=":2}")),
        calls(call(0, arguments="}")),
        chunk({}, "stop"),
        usage(
            900,
            40,
            prompt_tokens_details={"cached_tokens": 600},
            completion_tokens_details={"reasoning_tokens": 12},
        ),
        DONE,
    )
    message = message_of(out)
    assert [block["type"] for block in message["content"]] == ["thinking", "tool_use", "tool_use"]
    assert [block.get("input") for block in message["content"]] == [None, {"x": 1}, {"y": 2}]
    assert message["stop_reason"] == "tool_use"
    assert message["usage"]["input_tokens"] == 300
    assert message["usage"]["cache_read_input_tokens"] == 600
    assert message["usage"]["output_tokens_details"] == {"thinking_tokens": 12}


# -------------------------------------------------------------- the way of a stream


def test_a_stream_walks_from_begin_over_open_to_whole() -> None:
    pipe = make_pipe()
    assert pipe.at is At.BEGIN
    assert pipe.feed(b": keep-alive\n\n") == b""
    assert pipe.feed(b'data: {"choices":[],"prompt_filter_results":[]}\n\n') == b""
    assert pipe.at is At.BEGIN
    pipe.feed(chunk({"role": "assistant", "content": ""}))
    assert pipe.at is At.OPEN
    assert not pipe.said_all
    pipe.feed(chunk({"content": "x"}, "stop"))
    assert pipe.at is At.OPEN
    assert pipe.said_all
    pipe.feed(usage())
    assert pipe.said_all
    pipe.feed(DONE)
    assert pipe.at is At.WHOLE
    assert not pipe.said_all
    assert not pipe.cut_short
    assert pipe.stop_reason == "end_turn"
    assert pipe.fault is None
    assert pipe.feed(text("more")) == pipe.finish() == pipe.open() == b""


def test_every_delta_goes_on_in_the_read_it_came_with() -> None:
    pipe = make_pipe()
    for word in ("one", "two", "three"):
        assert f'"{word}"'.encode() in pipe.feed(text(word))


def test_silence_behind_the_finish_ends_the_message_well() -> None:
    pipe = make_pipe()
    pipe.feed(chunk({"content": "x"}, "stop"))
    out = pipe.finish()
    assert pipe.at is At.WHOLE
    assert pipe.usage_estimated
    assert out.endswith(b'data: {"type":"message_stop"}\n\n')


def test_the_client_can_be_shown_a_beginning_before_there_is_one() -> None:
    pipe = make_pipe()
    begun = pipe.open()
    assert begun.startswith(b"event: message_start")
    assert pipe.at is At.OPEN
    assert pipe.open() == b""
    out = begun + said(pipe, text("x"), chunk({}, "stop"), usage(), DONE)
    assert message_of(out)["usage"]["input_tokens"] == 900


@pytest.mark.parametrize("is_open", [False, True])
def test_an_error_instead_of_an_answer_refuses_or_fails(is_open: bool) -> None:
    pipe = make_pipe()
    begun = pipe.open() if is_open else b""
    out = begun + pipe.feed(b'data: {"error":{"message":"busy","code":503}}\n\n')
    assert pipe.at is (At.FAILED if is_open else At.REFUSED)
    assert pipe.fault is not None
    assert check_ends(out) == "error"
    assert pipe.feed(text("x")) == pipe.finish() == b""


def test_a_stop_sequence_ends_the_message_while_the_model_still_talks() -> None:
    pipe = make_pipe(stop_sequences=("END",))
    out = pipe.feed(text("a END b"))
    assert pipe.at is At.WHOLE
    assert pipe.cut_short
    assert pipe.usage_estimated
    assert message_of(out)["stop_sequence"] == "END"


def test_a_stop_sequence_in_the_last_words_waits_for_the_usage() -> None:
    pipe = make_pipe(stop_sequences=("END",))
    pipe.feed(chunk({"content": "a END"}, "stop"))
    assert pipe.at is At.OPEN
    assert pipe.said_all
    pipe.feed(usage())
    pipe.feed(DONE)
    assert pipe.at is At.WHOLE
    assert not pipe.cut_short
    assert not pipe.usage_estimated


def test_a_document_is_waited_for_and_then_said_at_once() -> None:
    pipe = make_pipe()
    body = whole({"content": "hi"})
    assert pipe.feed(body[:10]) == pipe.feed(body[10:]) == b""
    assert pipe.at is At.BEGIN
    assert message_of(pipe.finish())["content"] == [{"type": "text", "text": "hi"}]
    assert pipe.at is At.WHOLE


def test_a_document_that_cannot_be_used_is_refused_with_nothing_said() -> None:
    pipe = make_pipe()
    calls_of = [{"id": "a", "function": {"name": "t", "arguments": "{"}}]
    out = said(pipe, whole({"content": "hi", "tool_calls": calls_of}))
    assert out.startswith(b"event: error")
    assert pipe.at is At.REFUSED
    assert pipe.fault is not None
    assert pipe.fault.repeat


def test_a_stream_left_early_counts_what_went_by() -> None:
    pipe = make_pipe()
    pipe.feed(chunk({"content": "x"}, usage={"prompt_tokens": 50, "completion_tokens": 1}))
    for _ in range(100):
        pipe.feed(text("many words "))
    pipe.estimate_usage()
    assert pipe.usage.input_tokens == 50
    assert pipe.usage.output_tokens > 100
    assert pipe.usage_estimated


def test_a_stream_that_never_began_counts_nothing() -> None:
    pipe = make_pipe()
    pipe.estimate_usage()
    assert pipe.usage.output_tokens == 0


def test_what_is_failed_from_outside_says_so() -> None:
    pipe = make_pipe()
    pipe.feed(text("x"))
    out = pipe.fail(Fault(Kind.UPSTREAM_TIMEOUT, "Too slow."))
    assert check_ends(out) == "error"
    assert pipe.at is At.FAILED
    assert pipe.held_bytes == 0


def test_an_event_beyond_the_cap_is_an_error_however_it_comes() -> None:
    big = text("x" * 900)
    for size in (len(big), 100, 7):
        pipe = make_pipe(event_bytes_max=500)
        out = said(pipe, text("a"), *[big[at : at + size] for at in range(0, len(big), size)])
        assert check_ends(out) == "error"
        assert b'"a"' in out


def slowly() -> ChatToMessages:
    pipe = make_pipe()
    pipe._lessons = 0
    return pipe


@pytest.mark.parametrize("kind", [text, thought])
@pytest.mark.parametrize("size", [1, 50, 4000, 100_000])
def test_large_reads_with_a_few_odd_events_come_out_as_slowly_read(
    kind: Callable[[str], bytes], size: int
) -> None:
    words = [f"w{at} " for at in range(200)]
    events = [kind(word) for word in words]
    for at in (30, 31, 90):
        events[at] = kind("Q").replace(b"Q", b"\\u00e9")
    stream = b"".join([*events, chunk({}, "stop"), usage(), DONE])
    reads = [stream[at : at + size] for at in range(0, len(stream), size)]
    out = said(make_pipe(), *reads)
    assert out == said(slowly(), stream)
    assert message_of(out)["stop_reason"] == "end_turn"


@pytest.mark.parametrize("together", [1, 3, 100])
def test_thinking_beyond_the_cap_ends_the_same_however_it_comes(together: int) -> None:
    events = [thought("x" * 100) for _ in range(100)]
    reads = [b"".join(events[at : at + together]) for at in range(0, 100, together)]
    out = said(make_pipe(event_bytes_max=5000), *reads)
    slow = slowly()
    slow._bytes_max = 5000
    assert out == said(slow, *events)
    assert check_ends(out) == "error"


def test_an_event_that_is_held_for_long_is_not_joined_with_every_read() -> None:
    pipe = make_pipe()
    pipe.feed(text("a"))
    big = text("x" * 200_000)
    out = b"".join(pipe.feed(big[at : at + 10_000]) for at in range(0, len(big), 10_000))
    assert out.endswith(b'"text":"' + b"x" * 200_000 + b'"}}\n\n')
