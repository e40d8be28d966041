"""The judge finds what is wrong: a bench that counts bad replies measures nothing."""

import array

import orjson
import pytest

from bench import check
from bench import score as scores
from bench.score import Score

SCORE = Score(5)
MODEL = SCORE.name


def unchunked(raw: bytes) -> bytes:
    """The body of a chunked reply."""
    body, rest = b"", raw.partition(b"\r\n\r\n")[2]
    while True:
        size, _, rest = rest.partition(b"\r\n")
        if not int(size, 16):
            return body
        body += rest[: int(size, 16)]
        rest = rest[int(size, 16) + 2 :]


STREAM = unchunked(b"".join(scores.burst_writes(SCORE)))
EVENTS = [event + b"\n\n" for event in STREAM.split(b"\n\n")[:-1]]
FIRST_DELTA = 3  # after message_start, content_block_start, ping


def wrong(events: list[bytes]) -> str | None:
    judge = check.StreamCheck(MODEL, SCORE.events)
    judge.feed(b"".join(events))
    return judge.finish()


def test_the_upstreams_own_stream_is_right() -> None:
    assert wrong(EVENTS) is None


@pytest.mark.parametrize("size", [1, 2, 3, 17, 100, 1000])
def test_the_judgement_does_not_depend_on_where_the_bytes_were_cut(size: int) -> None:
    judge = check.StreamCheck(MODEL, SCORE.events)
    for begin in range(0, len(STREAM), size):
        judge.feed(STREAM[begin : begin + size])
    assert judge.finish() is None
    assert judge.deltas == SCORE.events


def test_a_stream_cut_off_anywhere_is_wrong() -> None:
    for end in range(len(STREAM)):
        judge = check.StreamCheck(MODEL, SCORE.events)
        judge.feed(STREAM[:end])
        assert judge.finish() is not None, f"cut at {end}"


def test_any_two_events_swapped_are_wrong_unless_one_is_a_ping() -> None:
    for first in range(len(EVENTS)):
        for second in range(first + 1, len(EVENTS)):
            swapped = list(EVENTS)
            swapped[first], swapped[second] = swapped[second], swapped[first]
            neighbours = second == first + 1
            if neighbours and any(b"event: ping" in EVENTS[i] for i in (first, second)):
                assert wrong(swapped) is None
            elif not any(b"event: ping" in EVENTS[i] for i in (first, second)):
                assert wrong(swapped) is not None, f"{first} and {second}"


def test_any_event_lost_or_doubled_is_wrong() -> None:
    for place, event in enumerate(EVENTS):
        if b"event: ping" in event:
            continue
        assert wrong(EVENTS[:place] + EVENTS[place + 1 :]) is not None
        assert wrong([*EVENTS[: place + 1], *EVENTS[place:]]) is not None


def test_pings_and_comments_may_come_anywhere() -> None:
    ping = b'event: ping\ndata: {"type":"ping"}\n\n'
    for place in range(len(EVENTS) + 1):
        assert wrong([*EVENTS[:place], ping, b": still here\n\n", *EVENTS[place:]]) is None


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (b'"model":"bench-burst-5by1"', b'"model":"another"', "model 'another'"),
        (b" of the answer", b" of the anxwer", "damaged"),
        (b'"text":"000002 ', b'"text":"00000x ', "damaged"),
        (b'"usage":{"input', b'"used":{"input', "unreadable"),
        (b"event: message_stop", b"event: message_end", "says it is"),
        (b"event: ping\n", b"", "not an event"),
    ],
)
def test_a_damaged_event_is_wrong(old: bytes, new: bytes, says: str) -> None:
    assert old in STREAM
    judge = check.StreamCheck(MODEL, SCORE.events)
    judge.feed(STREAM.replace(old, new))
    found = judge.finish()
    assert found is not None
    assert says in found


def test_an_error_event_is_wrong_and_its_words_are_kept() -> None:
    error = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n'
    found = wrong([*EVENTS[:6], error])
    assert found is not None
    assert "overloaded_error" in found


def test_the_same_event_in_another_spelling_is_right() -> None:
    spelled = []
    for event in EVENTS:
        name, _, data = event.partition(b"\ndata: ")
        fields = dict(reversed(orjson.loads(data).items()))
        spelled.append(name + b"\ndata: " + orjson.dumps(fields) + b"\n\n")
    assert spelled != EVENTS
    assert wrong(spelled) is None


def test_a_stream_without_event_boundaries_is_given_up() -> None:
    judge = check.StreamCheck(MODEL, SCORE.events)
    for _ in range(3):
        judge.feed(b"x" * (check.HELD_BYTES_MAX // 2))
    assert judge.wrong == "no event boundary"


def test_the_lag_of_a_stamped_delta_is_receipt_less_writing() -> None:
    judge = check.StreamCheck(MODEL, 2)
    lags = array.array("q")
    judge.feed(b"".join(EVENTS[:FIRST_DELTA]))
    judge.feed(scores.DELTA % (0, 1_000), now_ns=1_250, lags_ns=lags)
    judge.feed(scores.DELTA % (1, 2_000), now_ns=2_900, lags_ns=lags)
    assert lags.tolist() == [250, 900]
    assert judge.late_ns_max == 900


MESSAGE = scores.message_reply(Score()).partition(b"\r\n\r\n")[2]


def test_the_upstreams_own_message_is_right() -> None:
    assert check.wrong_message(MESSAGE, "bench-message") is None


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "empty"),
        (MESSAGE[:-1], "unreadable"),
        (b'{"type":"error","error":{"type":"api_error","message":"x"}}', "unreadable"),
        (MESSAGE.replace(b"bench-message", b"bench-massage"), "model 'bench-massage'"),
        (MESSAGE.replace(b"forwards", b"forward"), "length"),
    ],
)
def test_a_wrong_message_is_found(body: bytes, says: str) -> None:
    found = check.wrong_message(body, "bench-message")
    assert found is not None
    assert says in found


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (EVENTS[0][:-2], None),
        (EVENTS[1][:-2], "content_block_start where message_start was due"),
        (EVENTS[2][:-2], "the first event is no message_start"),
        (EVENTS[0][:-2].replace(b"bench-burst", b"other"), "model"),
        (b"", "not an event"),
    ],
)
def test_the_start_of_a_stream_is_judged_by_itself(frame: bytes, says: str | None) -> None:
    found = check.wrong_start(frame, MODEL)
    assert (found is None) is (says is None)
    assert found is None or (says or "") in found
