"""The repair of almost Anthropic's streams; what is repaired how stands in `tests/cases/compat`."""

import pytest

from proxy.domain.fault import Fault, Kind
from proxy.stream.pipe import At, Pipe
from proxy.stream.repair import RepairedMessages
from proxy.stream.repaired_writer import FAMILY
from proxy.wire.seal import ThinkingSeal
from tests.kit.asked import make_asked
from tests.kit.grammar import check_stream, events_of
from tests.kit.recorded import (
    MESSAGE_STOP,
    PING,
    TEXT,
    event,
    message_delta,
    message_start,
    text_delta,
)

SEAL = ThinkingSeal([b"secret"])
HI = text_delta("Hi there, you")


def make_pipe(event_bytes_max: int = 1 << 20) -> RepairedMessages:
    return RepairedMessages(make_asked(input_tokens=1234), SEAL, event_bytes_max)


def test_it_is_a_pipe() -> None:
    pipe: Pipe = make_pipe()
    assert pipe.at is At.BEGIN
    assert not (pipe.passes_frames or pipe.cut_short or pipe.said_all)


def test_a_stream_goes_from_beginning_to_end() -> None:
    pipe = make_pipe()
    assert pipe.feed(PING) == b""
    assert pipe.at is At.BEGIN
    pipe.feed(message_start())
    assert pipe.at is At.OPEN
    pipe.feed(HI + message_delta("end_turn"))
    assert pipe.said_all
    pipe.feed(MESSAGE_STOP)
    assert (pipe.at, pipe.stop_reason, pipe.said_all) == (At.WHOLE, "end_turn", False)
    assert pipe.feed(HI) + pipe.finish() == b""
    assert (pipe.usage.input_tokens, pipe.usage.output_tokens) == (30, 7)
    assert not pipe.usage_estimated


def test_usage_grows_while_bytes_pass() -> None:
    pipe = make_pipe()
    pipe.feed(message_start(input_tokens=5, cache_read_input_tokens=7, output_tokens=1))
    assert (pipe.usage.input_tokens, pipe.usage.cache_read_tokens) == (5, 7)


def test_a_prompt_read_from_a_cache_is_not_estimated() -> None:
    pipe = make_pipe()
    start = message_start(input_tokens=0, cache_read_input_tokens=900, output_tokens=1)
    out = pipe.feed(start + HI + message_delta() + MESSAGE_STOP)
    assert events_of(out)[0]["message"]["usage"]["input_tokens"] == 0
    assert (pipe.usage.input_tokens, pipe.usage_estimated) == (0, False)


def test_what_nobody_counted_is_estimated() -> None:
    pipe = make_pipe()
    end = event("message_delta", delta={"stop_reason": "end_turn"})
    pipe.feed(message_start(input_tokens=0) + HI + end + MESSAGE_STOP)
    assert (pipe.usage.input_tokens, pipe.usage.output_tokens) == (1234, 3)
    assert pipe.usage_estimated


def test_a_stream_left_early_counts_what_went_by() -> None:
    pipe = make_pipe()
    pipe.feed(message_start(input_tokens=0) + text_delta("x" * 400))
    pipe.estimate_usage()
    assert (pipe.usage.input_tokens, pipe.usage.output_tokens) == (1234, 100)
    assert pipe.usage_estimated


def test_before_the_beginning_there_is_nothing_to_estimate() -> None:
    pipe = make_pipe()
    pipe.estimate_usage()
    assert (pipe.usage.input_tokens, pipe.usage_estimated) == (0, False)


def test_the_client_can_be_given_a_beginning_before_the_provider_speaks() -> None:
    pipe = make_pipe()
    out = pipe.open()
    assert pipe.at is At.OPEN
    assert pipe.open() == b""
    out += pipe.feed(TEXT)
    assert check_stream(out) == "message_stop"
    first, *_, last, _ = events_of(out)
    assert first["message"]["id"] == "msg_gw_0123456789abcdefghijkl"
    assert first["message"]["usage"]["input_tokens"] == 1234
    assert last["usage"]["input_tokens"] == 12  # what the provider counted wins


@pytest.mark.parametrize("sent", [b"", message_start(), message_start() + HI])
def test_a_stream_can_be_failed_from_outside(sent: bytes) -> None:
    pipe = make_pipe()
    out = pipe.feed(sent)
    out += pipe.fail(Fault(Kind.UPSTREAM_TIMEOUT, "Too slow."))
    assert check_stream(out) == "error"
    assert pipe.at is (At.FAILED if sent else At.REFUSED)
    assert pipe.feed(TEXT) + pipe.finish() == b""


def test_a_refusal_in_the_stream_has_a_status() -> None:
    pipe = make_pipe()
    pipe.feed(event("error", error={"type": "rate_limit_error", "message": "slow down"}))
    assert pipe.at is At.REFUSED
    assert pipe.fault is not None
    assert pipe.fault.status == 429


def test_an_event_without_end_is_not_waited_for() -> None:
    pipe = make_pipe(event_bytes_max=1000)
    out = pipe.feed(message_start()) + pipe.feed(b"data: " + b"x" * 1100)
    assert check_stream(out) == "error"
    assert pipe.held_bytes == 0


def test_what_is_held_is_told() -> None:
    pipe = make_pipe()
    pipe.feed(message_start() + b"data: {")
    assert pipe.held_bytes == len(b"data: {")
    thinking = {"type": "thinking_delta", "thinking": "hm"}
    pipe.feed(b"}\n\n" + event("content_block_delta", index=0, delta=thinking))
    assert pipe.held_bytes == 2


def test_thinking_that_nobody_signed_is_known_again() -> None:
    pipe = make_pipe()
    thinking = {"type": "thinking_delta", "thinking": 'h"m\n\u6f22'}
    delta = event("content_block_delta", index=0, delta=thinking)
    out = pipe.feed(message_start() + delta + HI + message_delta() + MESSAGE_STOP)
    (signature,) = [
        each["delta"]["signature"]
        for each in events_of(out)
        if each.get("delta", {}).get("type") == "signature_delta"
    ]
    opened = SEAL.open("tenant_1", signature, 'h"m\n\u6f22')
    assert opened is not None
    assert opened.family == FAMILY


def test_what_is_unreadable_ends_the_stream() -> None:
    for broken in (b"data: {]\n\n", b"data: 5\n\n", b'data: {"type":5}\n\n'):
        pipe = make_pipe()
        assert check_stream(pipe.feed(message_start() + broken)) == "error"


def test_blocks_that_only_new_clients_know_pass() -> None:
    pipe = make_pipe()
    hit = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
    cite = {"type": "citations_delta", "citation": {"type": "char_location"}}
    given = (
        message_start()
        + event("content_block_start", index=0, content_block=hit)
        + event("content_block_stop", index=0)
        + event("content_block_start", index=1, content_block={"type": "text", "text": ""})
        + event("content_block_delta", index=1, delta=cite)
        + event("content_block_stop", index=1)
        + message_delta()
        + MESSAGE_STOP
    )
    out = pipe.feed(given)
    check_stream(out)
    heard = events_of(out)
    assert heard[1]["content_block"] == hit
    assert heard[4]["delta"] == cite


def test_a_call_that_repeats_an_id_gets_its_own() -> None:
    pipe = make_pipe()
    call = {"type": "tool_use", "id": "call_0", "name": "ls", "input": {}}
    blocks = [
        event("content_block_start", index=n, content_block=call)
        + event("content_block_stop", index=n)
        for n in (0, 1)
    ]
    out = pipe.feed(message_start() + b"".join(blocks) + message_delta("tool_use") + MESSAGE_STOP)
    ids = [each["content_block"]["id"] for each in events_of(out) if "content_block" in each]
    assert ids[0] == "call_0"
    assert ids[1].startswith("toolu_gw_")
