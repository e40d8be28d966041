"""The pipe of Anthropic's own wire, state by state."""

import json

import pytest
from hypothesis import given

from proxy.domain.fault import Fault, Kind, Source
from proxy.domain.usage import Usage
from proxy.stream.passthrough import Passthrough
from proxy.stream.pipe import At
from tests.kit import recorded
from tests.kit.cuts import cuttings, obvious_cuttings
from tests.kit.grammar import check_ends, check_stream, events_of
from tests.kit.patience import examples
from tests.kit.recorded import (
    LONG,
    MESSAGE_STOP,
    OVERLOADED,
    PING,
    TEXT,
    event,
    in_crlf,
    message_delta,
    message_start,
    text_delta,
)

CAP = 1 << 20


def make_pipe(event_bytes_max: int = CAP, name: bytes = b'"shown"') -> Passthrough:
    return Passthrough(name, "req_1", event_bytes_max)


def said(pipe: Passthrough, *chunks: bytes) -> bytes:
    """All that goes on, with the provider's end behind the last chunk."""
    return b"".join(map(pipe.feed, chunks)) + pipe.finish()


def broken_off(out: bytes) -> dict[str, str]:
    """The error object that ends the stream."""
    assert check_ends(out) == "error"
    last = events_of(out)[-1]
    assert last["request_id"] == "req_1"
    error: dict[str, str] = last["error"]
    return error


# -------------------------------------------------------------- the way of a good stream


def test_a_stream_walks_from_begin_over_open_to_whole() -> None:
    pipe = make_pipe()
    assert pipe.at is At.BEGIN
    pipe.feed(PING)
    assert pipe.at is At.BEGIN
    pipe.feed(message_start())
    assert pipe.at is At.OPEN
    pipe.feed(message_delta())
    assert pipe.at is At.OPEN
    pipe.feed(MESSAGE_STOP)
    assert pipe.at is At.WHOLE
    assert pipe.finish() == b""
    assert pipe.fault is None


def test_the_models_name_is_exchanged_and_nothing_else() -> None:
    out = said(make_pipe(), TEXT)
    old, new = b'"model":"anthropic.claude-haiku-4-5"', b'"model":"shown"'
    assert out == TEXT.replace(old, new)


def test_every_event_goes_on_in_the_read_it_came_with() -> None:
    pipe = make_pipe()
    pipe.feed(message_start())
    for at in range(20):
        delta = text_delta(str(at))
        assert pipe.feed(delta) == delta


def test_pings_and_comments_before_the_message_go_on_at_once() -> None:
    pipe = make_pipe()
    assert pipe.feed(PING) == PING
    assert pipe.feed(b": waiting\n\n" + PING + b": h") == b": waiting\n\n" + PING
    assert pipe.feed(b"alf\n\n") == b": half\n\n"
    assert pipe.at is At.BEGIN


def test_half_an_event_is_held_until_it_is_whole() -> None:
    pipe = make_pipe()
    pipe.feed(message_start())
    delta = text_delta("words")
    assert pipe.feed(PING + delta[:30]) == PING
    assert pipe.held_bytes == 30
    assert pipe.feed(delta[30:-1]) == b""
    assert pipe.held_bytes == len(delta) - 1
    assert pipe.feed(delta[-1:] + PING[:3]) == delta
    assert pipe.held_bytes == 3


def test_a_large_event_may_come_in_many_pieces() -> None:
    pipe = make_pipe()
    pipe.feed(message_start())
    delta = text_delta("x" * 50_000)
    for at in range(0, len(delta) - 1, 700):
        assert pipe.feed(delta[at : min(at + 700, len(delta) - 1)]) == b""
    assert pipe.feed(delta[-1:]) == delta


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_either_line_end_parts_events(ending: str) -> None:
    stream = recorded.THINKTOOLS.replace(b"\n", ending.encode())
    pipe = make_pipe()
    out = said(pipe, *[stream[at : at + 1] for at in range(len(stream))])
    assert out == stream.replace(b'"model":"opus"', b'"model":"shown"')
    assert pipe.at is At.WHOLE
    assert pipe.usage.output_tokens == 57


def test_a_stream_may_change_to_crlf_with_its_message() -> None:
    pipe = make_pipe()
    out = said(pipe, PING + in_crlf(TEXT))
    assert out.startswith(PING)
    assert pipe.at is At.WHOLE


def test_events_need_no_space_behind_the_colon() -> None:
    tight = TEXT.replace(b"event: ", b"event:").replace(b"data: ", b"data:")
    pipe = make_pipe()
    out = said(pipe, tight)
    assert out == tight.replace(b"anthropic.claude-haiku-4-5", b"shown")
    assert pipe.at is At.WHOLE
    assert pipe.usage.output_tokens == 3


def test_fields_may_stand_in_any_order_with_others_between() -> None:
    stop = b'id: 7\ndata: {"type":"message_stop"}\n: comment\nevent: message_stop\nretry: 9\n\n'
    pipe = make_pipe()
    start = b"id: 1\n" + message_start()
    delta = b": x\n" + message_delta(output_tokens=5)
    said(pipe, start, delta + stop)
    assert pipe.at is At.WHOLE
    assert pipe.usage == Usage(input_tokens=30, output_tokens=5)


def test_data_may_stand_on_several_lines() -> None:
    start = b'event: message_start\ndata: {"type":"message_start",\ndata: "message":{}}\n\n'
    delta = b'event: message_delta\ndata: {"delta":\ndata: {"stop_reason":"end_turn"}}\n\n'
    pipe = make_pipe()
    said(pipe, start + delta + MESSAGE_STOP)
    assert pipe.at is At.WHOLE
    assert pipe.stop_reason == "end_turn"


def test_more_blank_lines_than_needed_do_no_harm() -> None:
    wide = TEXT.replace(b"\n\n", b"\n\n\n")
    for pieces in obvious_cuttings(wide):
        pipe = make_pipe()
        said(pipe, *pieces)
        assert pipe.at is At.WHOLE


def test_unknown_events_go_through() -> None:
    new = event("message_telemetry", n=1) + event("error_budget", left=2)
    stream = message_start() + new + message_delta() + MESSAGE_STOP
    assert new in said(make_pipe(), stream)


def test_the_last_event_line_is_the_one_that_counts() -> None:
    pipe = make_pipe()
    said(pipe, message_start() + message_delta() + b"event: ping\n" + MESSAGE_STOP)
    assert pipe.at is At.WHOLE


# -------------------------------------------------------------- the model's name


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'"model":"m"', b'"model":"shown"'),
        (b'"model" : "m"', b'"model" : "shown"'),
        (rb'"model":"a\"b\\"', b'"model":"shown"'),
        (b'"model":""', b'"model":"shown"'),
        (b'"id":"model","model":"m"', b'"id":"model","model":"shown"'),
        (b'"id":"\\"model\\":\\"x\\"","model":"m"', b'"id":"\\"model\\":\\"x\\"","model":"shown"'),
        (b'"id":"m"', b'"id":"m"'),
    ],
)
def test_the_model_is_found_in_the_message(before: bytes, after: bytes) -> None:
    start = b'event: message_start\ndata: {"type":"message_start","message":{%b}}\n\n'
    assert make_pipe().feed(start % before) == start % after


def test_a_model_outside_the_message_is_left() -> None:
    start = b'event: message_start\ndata: {"x":{"model":"a"},"message":{"model":"b"}}\n\n'
    assert make_pipe().feed(start) == start.replace(b'"b"', b'"shown"')


def test_a_name_is_put_in_as_it_is() -> None:
    name = json.dumps('o"pus\\1 \u2028').encode()
    out = make_pipe(name=name).feed(message_start())
    assert events_of(out)[0]["message"]["model"] == 'o"pus\\1 \u2028'


# -------------------------------------------------------------- usage


def test_usage_is_read_from_both_ends_of_the_stream() -> None:
    pipe = make_pipe()
    said(pipe, recorded.WEBSEARCH)
    assert pipe.usage == Usage(input_tokens=3100, output_tokens=61, web_searches=1)
    assert pipe.stop_reason == "end_turn"
    pipe = make_pipe()
    said(pipe, recorded.THINKTOOLS)
    assert pipe.usage == Usage(input_tokens=480, output_tokens=57, thinking_tokens=9)
    assert pipe.stop_reason == "tool_use"


def test_several_deltas_are_cumulative_and_nulls_leave_what_was_said() -> None:
    pipe = make_pipe()
    pipe.feed(message_start(input_tokens=9, output_tokens=1, cache_read_input_tokens=4))
    pipe.feed(message_delta(output_tokens=5) + message_delta(output_tokens=8, input_tokens=None))
    pipe.feed(event("message_delta", delta={"stop_reason": None}, usage=None) + MESSAGE_STOP)
    assert pipe.usage == Usage(input_tokens=9, output_tokens=8, cache_read_tokens=4)
    assert pipe.stop_reason == "end_turn"


def test_deltas_without_their_parts_are_read() -> None:
    pipe = make_pipe()
    pipe.feed(b'event: message_start\ndata: {"message":{"model":"m"}}\n\n')
    pipe.feed(event("message_delta"))
    assert pipe.at is At.OPEN
    assert pipe.usage == Usage()


def test_a_stream_that_was_left_counts_what_went_by() -> None:
    pipe = make_pipe()
    pipe.feed(message_start(input_tokens=3, output_tokens=1))
    for _ in range(50):
        pipe.feed(text_delta("twenty bytes of text"))
    pipe.estimate_usage()
    assert 200 <= pipe.usage.output_tokens <= 300


def test_an_estimate_never_lowers_what_was_reported() -> None:
    pipe = make_pipe()
    pipe.feed(message_start() + text_delta("a") + message_delta(output_tokens=900))
    pipe.estimate_usage()
    assert pipe.usage.output_tokens == 900


@pytest.mark.parametrize(
    "stream", [TEXT, OVERLOADED, b"", PING], ids=["whole", "error", "", "ping"]
)
def test_nothing_is_estimated_for_a_whole_stream_or_none(stream: bytes) -> None:
    pipe = make_pipe()
    pipe.feed(stream)
    known = pipe.usage.output_tokens
    pipe.estimate_usage()
    assert pipe.usage.output_tokens == known


def test_a_failed_stream_counts_what_went_by() -> None:
    pipe = make_pipe()
    pipe.feed(message_start())
    pipe.feed(text_delta("x" * 4000))
    pipe.feed(OVERLOADED)
    pipe.estimate_usage()
    assert pipe.usage.output_tokens >= 900


# -------------------------------------------------------------- ends


@pytest.mark.parametrize("behind", [PING, MESSAGE_STOP, OVERLOADED, TEXT, b"half an ev", b"\n"])
def test_nothing_follows_the_end(behind: bytes) -> None:
    whole = make_pipe()
    assert said(whole, TEXT + behind) == said(make_pipe(), TEXT)
    assert whole.feed(behind) == b""
    assert whole.held_bytes == 0
    failed = make_pipe()
    assert said(failed, recorded.ERROR + behind, behind) == said(make_pipe(), recorded.ERROR)


def test_a_stream_that_stops_without_an_end_ends_in_an_error() -> None:
    pipe = make_pipe()
    error = broken_off(said(pipe, message_start(), text_delta("Hel")))
    assert error["type"] == "api_error"
    assert "before the message was complete" in error["message"]
    assert pipe.at is At.FAILED
    assert pipe.fault is not None and pipe.fault.source is Source.UPSTREAM
    assert pipe.finish() == b""


def test_an_empty_stream_ends_in_an_error() -> None:
    pipe = make_pipe()
    assert broken_off(said(pipe))["type"] == "api_error"
    assert pipe.at is At.REFUSED


def test_half_an_end_is_no_end() -> None:
    out = said(make_pipe(), message_start() + message_delta() + MESSAGE_STOP[:-1])
    assert broken_off(out)["type"] == "api_error"
    assert b"message_stop" not in out


def test_a_fault_from_outside_ends_an_open_stream() -> None:
    pipe = make_pipe()
    begun = pipe.feed(message_start() + text_delta("a")[:20])
    out = begun + pipe.fail(Fault(Kind.UPSTREAM_TIMEOUT, "too slow"))
    assert broken_off(out) == {"type": "timeout_error", "message": "too slow"}
    assert pipe.feed(text_delta("b")) == b""
    assert pipe.held_bytes == 0


@pytest.mark.parametrize("stream", [TEXT, OVERLOADED])
def test_an_ended_stream_cannot_fail_again(stream: bytes) -> None:
    pipe = make_pipe()
    pipe.feed(stream)
    with pytest.raises(AssertionError):
        pipe.fail(Fault(Kind.HOUSE, "late"))


# -------------------------------------------------------------- the provider's own errors


def test_an_error_midway_is_told_in_the_providers_words() -> None:
    pipe = make_pipe()
    out = said(pipe, recorded.ERROR)
    assert broken_off(out) == {
        "type": "overloaded_error",
        "message": "The upstream model stopped responding. Try again.",
    }
    assert b"req_01G" not in out
    assert pipe.fault is not None and pipe.fault.kind is Kind.OVERLOADED
    assert pipe.at is At.FAILED


def test_an_error_keeps_fields_nobody_knows() -> None:
    new = event("error", error={"type": "api_error", "message": "m", "details": {"n": [1]}})
    assert broken_off(said(make_pipe(), message_start() + new))["details"] == {"n": [1]}


@pytest.mark.parametrize(
    ("error_type", "kind"),
    [
        ("invalid_request_error", Kind.BAD_REQUEST),
        ("not_found_error", Kind.NOT_FOUND),
        ("request_too_large", Kind.TOO_LARGE),
        ("rate_limit_error", Kind.RATE_LIMITED),
        ("timeout_error", Kind.UPSTREAM_TIMEOUT),
        ("overloaded_error", Kind.OVERLOADED),
        ("api_error", Kind.UPSTREAM_BROKEN),
        ("something_new", Kind.UPSTREAM_BROKEN),
    ],
)
def test_an_error_instead_of_a_message_has_the_status_of_its_type(
    error_type: str, kind: Kind
) -> None:
    pipe = make_pipe()
    pipe.feed(PING + event("error", error={"type": error_type, "message": "why"}))
    assert pipe.at is At.REFUSED
    fault = pipe.fault
    assert fault is not None
    assert (fault.kind, fault.status) == (kind, kind.status)
    assert (fault.error_type, fault.message) == (error_type, "why")


@pytest.mark.parametrize(
    "error_type", ["authentication_error", "permission_error", "billing_error"]
)
@pytest.mark.parametrize("begun", [b"", message_start()])
def test_what_is_wrong_with_our_credential_is_not_the_clients_to_see(
    error_type: str, begun: bytes
) -> None:
    pipe = make_pipe()
    out = pipe.feed(begun + event("error", error={"type": error_type, "message": "key sk-1"}))
    assert broken_off(out)["type"] == "api_error"
    assert b"sk-1" not in out
    assert pipe.fault is not None
    assert (pipe.fault.status, pipe.fault.retry) == (502, False)
    assert "key sk-1" in pipe.fault.detail


@pytest.mark.parametrize(
    "data", [b"", b"busy", b"{}", b'{"error":"busy"}', b'{"error":{"message":"no type"}}']
)
def test_an_error_that_cannot_be_read_ends_the_stream_too(data: bytes) -> None:
    for begun in (b"", message_start()):
        pipe = make_pipe()
        out = said(pipe, begun + b"event: error\ndata: " + data + b"\n\n")
        assert broken_off(out)["type"] == "api_error"
        assert pipe.fault is not None and "cannot be read" in pipe.fault.detail


# -------------------------------------------------------------- broken streams

DEEP = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize(
    ("stream", "why"),
    [
        (text_delta("a"), "began with 'content_block_delta'"),
        (MESSAGE_STOP, "began with 'message_stop'"),
        (PING + message_delta(), "began with 'message_delta'"),
        (b"event: message_start\ndata: {\n\n", "message_start cannot be read"),
        (b"event: message_start\n\n", "message_start cannot be read"),
        (b'event: message_start\ndata: {"message":{"model":null}}\n\n', "cannot be read"),
        (b'event: message_start\ndata: {"message":{"model":"\xff"}}\n\n', "cannot be read"),
        (b'event: message_start\ndata: {"x":%b}\n\n' % DEEP, "message_start cannot be read"),
        (message_start() + message_start(), "began a second message"),
        (message_start() + b"event: message_delta\ndata: {\n\n", "message_delta cannot be read"),
        (
            message_start() + b'event: message_delta\ndata: {"x":%b}\n\n' % DEEP,
            "message_delta cannot be read",
        ),
        (
            message_start() + b'event: message_delta\ndata: {"delta":{"stop_reason":"\xff"}}\n\n',
            "message_delta cannot be read",
        ),
    ],
)
def test_a_stream_that_cannot_be_read_ends_in_an_error(stream: bytes, why: str) -> None:
    for behind in (b"", text_delta("late") + MESSAGE_STOP):
        pipe = make_pipe()
        out = said(pipe, stream + behind)
        error = broken_off(out)
        assert error["type"] == "api_error"
        assert "cannot be read" in error["message"]
        assert pipe.fault is not None and why in pipe.fault.detail
        assert b"late" not in out


def test_what_stood_before_the_trouble_is_not_lost() -> None:
    good = text_delta("good")
    out = said(make_pipe(), message_start() + good + message_start() + MESSAGE_STOP)
    assert good in out


# -------------------------------------------------------------- caps


@pytest.mark.parametrize("begun", [b"", message_start()], ids=["first event", "later event"])
def test_an_event_over_the_cap_ends_the_stream(begun: bytes) -> None:
    pipe = make_pipe(event_bytes_max=500)
    out = pipe.feed(begun)
    for _ in range(100):
        out += pipe.feed(b"data: 123")
        assert pipe.held_bytes <= 500
    error = broken_off(out)
    assert "more than 500 bytes" in error["message"]
    assert pipe.feed(b"\n\n") == b""


def test_a_rest_over_the_cap_ends_the_stream_behind_what_is_whole() -> None:
    pipe = make_pipe(event_bytes_max=500)
    pipe.feed(message_start())
    out = pipe.feed(PING + b"x" * 501)
    assert out.startswith(PING)
    assert pipe.at is At.FAILED
    assert pipe.held_bytes == 0


def test_a_rest_behind_the_end_is_of_no_account() -> None:
    pipe = make_pipe(event_bytes_max=500)
    pipe.feed(message_start())
    assert pipe.feed(message_delta() + MESSAGE_STOP + b"x" * 501).endswith(MESSAGE_STOP)
    assert pipe.at is At.WHOLE


@examples(30)
@given(cuttings(LONG))
def test_a_long_stream_comes_through_whole(pieces: list[bytes]) -> None:
    pipe = make_pipe()
    out = said(pipe, *pieces)
    assert check_stream(out) == "message_stop"
    assert pipe.usage.output_tokens == 412
