"""A score survives its name, and its events obey the grammar of an Anthropic stream."""

import orjson
import pytest

from bench import score as scores
from bench.score import Score

SCORES = [Score(), Score(200), Score(200, events_per_write=7), Score(500, period_ms=20)]


@pytest.mark.parametrize("score", SCORES, ids=lambda score: score.name)
def test_a_score_is_read_back_from_its_name(score: Score) -> None:
    assert scores.parse(score.name) == score


@pytest.mark.parametrize(
    "name",
    ["", "bench-", "bench-burst-0by1", "bench-burst-9999999by1", "bench-paced-5at0", "claude-opus"],
)
def test_other_names_are_no_scores(name: str) -> None:
    assert scores.parse(name) is None


def test_every_delta_has_the_same_length_and_about_forty_bytes_of_text() -> None:
    early, late = scores.DELTA % (0, 0), scores.DELTA % (999_999, 10**18)
    assert len(early) == len(late)
    text = orjson.loads(early.partition(b"data: ")[2])["delta"]["text"]
    assert len(text) == scores.TEXT_BYTES


def test_a_delta_says_its_number_and_its_time_at_known_places() -> None:
    event = scores.DELTA % (42, 123_456_789)
    assert int(event[scores.SEQUENCE]) == 42
    assert int(event[scores.STAMP]) == 123_456_789


@pytest.mark.parametrize("per_write", [1, 7, 200])
def test_a_burst_is_the_same_stream_however_it_is_written(per_write: int) -> None:
    written = scores.burst_writes(Score(200, events_per_write=per_write))
    assert len(written) == -(-200 // per_write)
    name = Score(200, events_per_write=per_write).name.encode()
    whole = b"".join(scores.burst_writes(Score(200))).replace(b"bench-burst-200by1", b"MODEL")
    same = b"".join(written).replace(name, b"MODEL")
    # The chunk with the name has another length when the name has.
    assert same.partition(b"content_block_start")[2] == whole.partition(b"content_block_start")[2]
