"""What a road changed in a right reply is said in words; what it left alone is not."""

import pytest

from bench import altered
from bench.score import Score

MODEL = "anthropic.bench"
STREAM = altered.played(Score(3), MODEL)
MESSAGE = altered.played(Score(), MODEL)


def test_what_is_played_is_the_body_without_framing_and_with_the_model_asked_for() -> None:
    assert STREAM.startswith(b"event: message_start\n")
    assert STREAM.endswith(b'data: {"type":"message_stop"}\n\n')
    assert STREAM.count(b"event: content_block_delta\n") == 3
    assert STREAM.count(b'"model":"anthropic.bench"') == 1
    assert MESSAGE.startswith(b'{"id":')
    assert b'"model":"anthropic.bench"' in MESSAGE


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (b"", b"", ""),
        (b'"type":"ping"', b'"type": "ping"', altered.SPELLING),
        (b"msg_01BenchBench", b"msg_02OtherOther", "other message.id"),
        (b'event: ping\ndata: {"type":"ping"}\n\n', b"", altered.PINGS),
        (b"event: content_block_stop", b": hello\n\nevent: content_block_stop", altered.COMMENTS),
        (b'"service_tier":"standard"', b'"cost":1', "other message.usage.service_tier"),
    ],
)
def test_a_change_in_a_stream_is_named(old: bytes, new: bytes, says: str) -> None:
    found = altered.changes(STREAM, STREAM.replace(old, new, 1), streamed=True)
    assert found.startswith(says)
    assert bool(found) is bool(says)


def test_a_change_in_a_message_is_named() -> None:
    assert altered.changes(MESSAGE, MESSAGE, streamed=False) == ""
    spaced = MESSAGE.replace(b'":', b'": ')
    assert altered.changes(MESSAGE, spaced, streamed=False) == altered.SPELLING
    more = MESSAGE.replace(b'{"id"', b'{"cost":1,"id"', 1)
    assert altered.changes(MESSAGE, more, streamed=False) == "other cost"
