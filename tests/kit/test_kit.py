"""The judges are judged: a validator that accepts anything would make every law hold."""

import pytest

from tests.kit import recorded
from tests.kit.cuts import cut_at, obvious_cuttings
from tests.kit.grammar import NotGrammatical, check_ends, check_stream
from tests.kit.recorded import MESSAGE_STOP, OVERLOADED, PING, event, message_delta, message_start

OPEN = event("content_block_start", index=0, content_block={"type": "text", "text": ""})
DELTA = recorded.text_delta("a")
CLOSE = event("content_block_stop", index=0)
START = message_start()
END = message_delta() + MESSAGE_STOP
THINK = event("content_block_start", index=0, content_block={"type": "thinking"})
SIGN = event("content_block_delta", index=0, delta={"type": "signature_delta", "signature": "cw=="})

WRONG = {
    "nothing": b"",
    "no end": START,
    "no last line end": START + END[:-2],
    "no blank line at the end": START + END[:-1],
    "start twice": START + START + END,
    "block before start": OPEN,
    "no event line": START + b'data: {"type":"ping"}\n\n' + END,
    "name and type differ": START + PING.replace(b"event: ping", b"event: pong") + END,
    "data is no JSON": START + b"event: ping\ndata: {\n\n" + END,
    "data is no object": START + b"event: ping\ndata: 1\n\n" + END,
    "unknown event": START + event("telemetry") + END,
    "delta outside a block": START + DELTA + END,
    "stop outside a block": START + CLOSE + END,
    "block left open": START + OPEN + END,
    "two blocks open": START + OPEN + OPEN + END,
    "index gap": START + OPEN.replace(b'"index":0', b'"index":1') + END,
    "delta of another index": START + OPEN + recorded.text_delta("a", 1) + CLOSE + END,
    "stop of another index": START + OPEN + event("content_block_stop", index=1) + END,
    "foreign delta": START + THINK + DELTA + CLOSE + END,
    "delta behind the signature": START + THINK + SIGN + SIGN + CLOSE + END,
    "unknown block": START + OPEN.replace(b'"text",', b'"poem",') + CLOSE + END,
    "block behind message_delta": START + message_delta() + OPEN + CLOSE + MESSAGE_STOP,
    "no message_delta": START + MESSAGE_STOP,
    "delta without stop_sequence": START
    + message_delta().replace(b',"stop_sequence":null', b"")
    + MESSAGE_STOP,
    "two ends": START + END + MESSAGE_STOP,
    "error behind the end": START + END + OVERLOADED,
    "ping behind the end": START + END + PING,
    "ping behind an error": START + OVERLOADED + PING,
    "error without type": START + event("error", error={"message": "x"}),
}


@pytest.mark.parametrize("stream", WRONG.values(), ids=WRONG.keys())
def test_the_grammar_refuses(stream: bytes) -> None:
    with pytest.raises(NotGrammatical):
        check_stream(stream)


@pytest.mark.parametrize("stream", recorded.WHOLE.values(), ids=recorded.WHOLE.keys())
def test_recorded_streams_are_sentences_of_the_grammar(stream: bytes) -> None:
    assert check_stream(stream) == "message_stop"
    assert check_ends(stream) == "message_stop"


@pytest.mark.parametrize("stream", recorded.BROKEN_OFF.values(), ids=recorded.BROKEN_OFF.keys())
def test_streams_that_break_off_end_with_their_error(stream: bytes) -> None:
    assert check_stream(stream) == "error"
    assert check_ends(stream) == "error"


@pytest.mark.parametrize(
    "stream",
    [b"", START, START + START + END, START + END + OVERLOADED, START + END + PING],
    ids=["nothing", "no end", "two starts", "two ends", "ping behind"],
)
def test_ends_are_counted_whatever_the_middle_is(stream: bytes) -> None:
    with pytest.raises(NotGrammatical):
        check_ends(stream)


def test_cutting_loses_no_byte() -> None:
    whole = bytes(range(100))
    for pieces in obvious_cuttings(whole):
        assert b"".join(pieces) == whole
    assert cut_at(b"abc", [2, 0, 2]) == [b"", b"ab", b"", b"c"]
