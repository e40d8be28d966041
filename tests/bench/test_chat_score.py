"""A score on the chat wire: chunks as a provider sends them, each an HTTP chunk of its own."""

import pytest

from bench import chat_score
from bench import score as scores
from bench.score import Score
from tests.bench.chat_chunks import chunks, said_in
from tests.bench.test_check import unchunked


@pytest.mark.parametrize("per_write", [1, 7, 200])
def test_a_burst_is_the_same_stream_however_it_is_written(per_write: int) -> None:
    score = Score(200, events_per_write=per_write)
    written = scores.burst_writes(score, chat_score.NOTATION)
    assert len(written) == -(-200 // per_write)
    said = said_in(unchunked(b"".join(written)))
    assert [text[:6] for text in said] == [f"{number:06}" for number in range(200)]


def test_every_chunk_has_the_envelope_of_life() -> None:
    score = Score(3)
    stream = unchunked(b"".join(scores.burst_writes(score, chat_score.NOTATION)))
    for chunk in chunks(stream):
        assert list(chunk)[:6] == [
            "id",
            "object",
            "created",
            "model",
            "service_tier",
            "system_fingerprint",
        ]
        assert chunk["model"] == score.name
        assert set(chunk) >= {"choices", "usage"}


def test_a_filled_delta_keeps_the_length_its_http_chunk_states() -> None:
    for number, stamp in ((0, 0), (999_999, 10**18)):
        filled = chat_score.delta_chunk(Score(5)) % (number, stamp)
        size, _, rest = filled.partition(b"\r\n")
        assert len(rest) == int(size, 16) + 2


def test_what_is_said_is_what_the_anthropic_notation_says() -> None:
    number, stamp = 42, 123_456_789
    chat = chat_score.delta_chunk(Score(5)) % (number, stamp)
    anthropic = scores.DELTA % (number, stamp)
    text = anthropic.partition(b'"text":"')[2].partition(b'"')[0]
    assert b'"content":"' + text + b'"' in chat
