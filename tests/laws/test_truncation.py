"""A stream cut off at any byte ends in exactly one error event, and in no `message_stop`."""

import pytest

from proxy.stream.passthrough import Passthrough
from tests.kit.grammar import check_ends, check_stream, frames_of
from tests.kit.recorded import BROKEN_OFF, LONG, WHOLE

STREAMS = WHOLE | BROKEN_OFF


def cut_off(stream: bytes, end: int) -> bytes:
    pipe = Passthrough(b'"shown"', "req_1", 1 << 20)
    return pipe.feed(stream[:end]) + pipe.finish()


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS.keys())
def test_every_truncation_ends_in_one_error(stream: bytes) -> None:
    for end in range(len(stream)):
        out = cut_off(stream, end)
        assert check_stream(out) == "error"
        names = [name for name, _ in frames_of(out)]
        assert names.count("error") == 1
        assert "message_stop" not in names


def test_a_long_stream_keeps_all_whole_events_before_the_cut() -> None:
    for end in range(0, len(LONG), 97):
        out = cut_off(LONG, end)
        assert check_ends(out) == "error"
        assert len(frames_of(out)) == LONG[:end].count(b"\n\n") + 1
