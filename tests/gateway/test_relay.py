"""The relay as a machine: every state, every event, exactly one end and exactly one row."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import pytest

from proxy.domain.call import Errand
from proxy.domain.entry import Outcome
from proxy.domain.fault import Fault, Kind, Source
from proxy.upstream.connection import Broken
from proxy.wire.events import PING
from tests.gateway.edges import JSON, PATIENCE, SSE, Held, Scene
from tests.kit.journey import (
    BLOCK,
    START,
    TEXT,
    WHOLE,
    delta,
    error_body,
    event,
    events,
    renamed,
    terminals,
)

UNREACHABLE = Fault(Kind.UPSTREAM_BROKEN, "Cannot be reached.", source=Source.UPSTREAM)
TOO_LATE = Fault(Kind.UPSTREAM_TIMEOUT, "Took too long.", source=Source.UPSTREAM)
OVERLOADED = error_body("overloaded_error", "Overloaded")

# ---------------------------------------------------------------- states, reached one by one


def leasing(**how) -> Scene:
    return Scene(at_hand=False, **how)


def asked(**how) -> Scene:
    return Scene(**how)


def holding(**how) -> Scene:
    scene = Scene(**how)
    scene.wire.head()
    scene.wire.body(PING)
    return scene


def streaming(**how) -> Scene:
    scene = Scene(**how)
    scene.wire.head()
    scene.wire.body(START + BLOCK + delta("Hello"))
    return scene


def collecting_a_refusal(**how) -> Scene:
    scene = Scene(**how)
    scene.wire.head(529, JSON)
    scene.wire.body(OVERLOADED[:20])
    return scene


def collecting_a_reply(**how) -> Scene:
    scene = Scene(streamed=False, **how)
    scene.wire.head(200, JSON)
    scene.wire.body(WHOLE[:50])
    return scene


def committed(state: Callable[..., Scene]) -> Callable[..., Scene]:
    """The same after ten seconds of silence: the client has a 200."""

    def reach(**how) -> Scene:
        scene = state(**how)
        scene.waits(10)
        assert scene.client.opened
        return scene

    return reach


def patient(state: Callable[..., Scene]) -> Callable[..., Scene]:
    """The same where a status is held back for longer than any deadline."""
    return lambda: state(patience=dataclasses.replace(PATIENCE, commit_after_s=10_000))


STATES: dict[str, Callable[..., Scene]] = {
    "leasing, patient": patient(leasing),
    "asked, patient": patient(asked),
    "holding, patient": patient(holding),
    "leasing": leasing,
    "leasing, committed": committed(leasing),
    "asked": asked,
    "asked, committed": committed(asked),
    "holding": holding,
    "holding, committed": committed(holding),
    "streaming": streaming,
    "collecting a refusal": collecting_a_refusal,
    "collecting a reply": collecting_a_reply,
}

# ---------------------------------------------------------------- events


def unreachable(scene: Scene) -> None:
    scene.pool.refuses(UNREACHABLE)


def connect_timeout(scene: Scene) -> None:
    scene.pool.refuses(TOO_LATE)


def goes_stale_twice(scene: Scene) -> None:
    scene.wire.breaks(Broken.STALE)
    scene.wire.breaks(Broken.STALE)


def breaks(why: Broken) -> Callable[[Scene], None]:
    return lambda scene: scene.wire.breaks(why)


def ends(scene: Scene) -> None:
    scene.wire.end()


def whole_refusal(scene: Scene) -> None:
    scene.wire.body(OVERLOADED[20:])
    scene.wire.end()


def whole_reply(scene: Scene) -> None:
    scene.wire.body(WHOLE[50:])
    scene.wire.end()


def error_event_comes(scene: Scene) -> None:
    scene.wire.body(event("error", OVERLOADED))


def garbage_comes(scene: Scene) -> None:
    scene.wire.body(event("content_block_stop", b"{}"))


def too_much_comes(scene: Scene) -> None:
    scene.wire.body(b"x" * (PATIENCE.reply_bytes_max + 1))


def message_ends(scene: Scene) -> None:
    scene.wire.body(TEXT[TEXT.index(b"event: content_block_stop") :])


def second_message_begins(scene: Scene) -> None:
    scene.wire.body(START)


def client_leaves(scene: Scene) -> None:
    scene.client.leaves()


def silence(scene: Scene) -> None:
    scene.waits(605)


def house_stops(scene: Scene) -> None:
    scene.relay.house_stops()


@dataclass
class End:
    """What must come of it: the status of the reply, the type of its error, the row."""

    status: int
    error: str
    outcome: Outcome
    wire: Held | None = Held.OVER


UP, GONE, PART, OURS, DONE = (
    Outcome.UPSTREAM_ERROR,
    Outcome.CLIENT_GONE,
    Outcome.PARTIAL,
    Outcome.HOUSE_ERROR,
    Outcome.COMPLETED,
)
API, BUSY, SLOW = "api_error", "overloaded_error", "timeout_error"

TABLE: list[tuple[str, Callable[[Scene], None], End]] = [
    ("leasing", unreachable, End(502, API, UP, None)),
    ("leasing", connect_timeout, End(504, SLOW, UP, None)),
    ("leasing, patient", silence, End(504, SLOW, UP, None)),
    ("leasing", house_stops, End(503, API, OURS, None)),
    ("leasing", client_leaves, End(499, "", GONE, None)),
    ("leasing, committed", unreachable, End(200, API, UP, None)),
    ("leasing, committed", connect_timeout, End(200, SLOW, UP, None)),
    ("leasing, committed", silence, End(200, SLOW, UP, None)),
    ("leasing, committed", house_stops, End(200, API, OURS, None)),
    ("leasing, committed", client_leaves, End(200, "", GONE, None)),
    ("asked", goes_stale_twice, End(502, API, UP)),
    ("asked", breaks(Broken.CLOSED), End(502, API, UP)),
    ("asked", breaks(Broken.GARBLED), End(502, API, UP)),
    ("asked, patient", silence, End(504, SLOW, UP, Held.ABORTED)),
    ("asked", house_stops, End(503, API, OURS, Held.ABORTED)),
    ("asked", client_leaves, End(499, "", GONE, Held.ABORTED)),
    ("asked, committed", breaks(Broken.CLOSED), End(200, API, UP)),
    ("asked, committed", breaks(Broken.GARBLED), End(200, API, UP)),
    ("asked, committed", silence, End(200, SLOW, UP, Held.ABORTED)),
    ("asked, committed", house_stops, End(200, API, OURS, Held.ABORTED)),
    ("asked, committed", client_leaves, End(200, "", GONE, Held.ABORTED)),
    ("holding", breaks(Broken.CLOSED), End(502, API, UP)),
    ("holding", breaks(Broken.GARBLED), End(502, API, UP)),
    ("holding", ends, End(502, API, UP)),
    ("holding", error_event_comes, End(529, BUSY, UP, Held.ABORTED)),
    ("holding", garbage_comes, End(502, API, UP, Held.ABORTED)),
    ("holding, patient", silence, End(504, SLOW, UP, Held.ABORTED)),
    ("holding", house_stops, End(503, API, OURS, Held.ABORTED)),
    ("holding", client_leaves, End(499, "", GONE, Held.ABORTED)),
    ("holding, committed", breaks(Broken.CLOSED), End(200, API, UP)),
    ("holding, committed", breaks(Broken.GARBLED), End(200, API, UP)),
    ("holding, committed", ends, End(200, API, UP)),
    ("holding, committed", error_event_comes, End(200, BUSY, UP, Held.ABORTED)),
    ("holding, committed", garbage_comes, End(200, API, UP, Held.ABORTED)),
    ("holding, committed", silence, End(200, SLOW, UP, Held.ABORTED)),
    ("holding, committed", house_stops, End(200, API, OURS, Held.ABORTED)),
    ("holding, committed", client_leaves, End(200, "", GONE, Held.ABORTED)),
    ("streaming", breaks(Broken.CLOSED), End(200, API, PART)),
    ("streaming", breaks(Broken.GARBLED), End(200, API, PART)),
    ("streaming", ends, End(200, API, PART)),
    ("streaming", error_event_comes, End(200, BUSY, PART, Held.ABORTED)),
    ("streaming", second_message_begins, End(200, API, PART, Held.ABORTED)),
    ("streaming", silence, End(200, SLOW, PART, Held.ABORTED)),
    ("streaming", house_stops, End(200, API, OURS, Held.ABORTED)),
    ("streaming", client_leaves, End(200, "", GONE, Held.ABORTED)),
    ("streaming", message_ends, End(200, "", DONE, Held.LEFT)),
    ("collecting a refusal", whole_refusal, End(529, BUSY, UP)),
    ("collecting a refusal", breaks(Broken.CLOSED), End(529, BUSY, UP)),
    ("collecting a refusal", silence, End(504, SLOW, UP, Held.ABORTED)),
    ("collecting a refusal", house_stops, End(503, API, OURS, Held.ABORTED)),
    ("collecting a refusal", client_leaves, End(499, "", GONE, Held.ABORTED)),
    ("collecting a reply", whole_reply, End(200, "", DONE)),
    ("collecting a reply", breaks(Broken.CLOSED), End(502, API, UP)),
    ("collecting a reply", ends, End(502, API, UP)),
    ("collecting a reply", too_much_comes, End(502, API, UP, Held.ABORTED)),
    ("collecting a reply", silence, End(504, SLOW, UP, Held.ABORTED)),
    ("collecting a reply", house_stops, End(503, API, OURS, Held.ABORTED)),
    ("collecting a reply", client_leaves, End(499, "", GONE, Held.ABORTED)),
]
_IDS = [f"{state}: {what.__name__.strip('<>')} {end.status}" for state, what, end in TABLE]


@pytest.mark.parametrize(("state", "what", "end"), TABLE, ids=_IDS)
def test_every_state_and_event_ends_once_and_is_written_down_once(state, what, end):
    scene = STATES[state]()
    what(scene)
    scene.settled()
    row = scene.row
    assert (row.outcome, row.status, row.error_type) == (end.outcome, end.status, end.error)
    if end.wire is not None:
        assert scene.wire.held is end.wire
    client = scene.client
    if end.outcome is GONE:
        assert client.refused is None and client.answered is None and not client.last
    elif client.opened:
        assert terminals(client.streamed) == ["error" if end.error else "message_stop"]
        if end.error:
            name, said = events(client.last)[-1]
            assert (name, said["error"]["type"]) == ("error", end.error)
            assert said["request_id"] == "req_1"
    elif client.refused is not None:
        assert (client.refused.status, client.refused.error_type) == (end.status, end.error)
    else:
        assert client.answered == renamed(WHOLE)


@pytest.mark.parametrize("state", STATES, ids=str)
def test_nothing_more_is_said_after_the_client_left(state):
    """The provider's callbacks may still come in the same turn of the loop."""
    scene = STATES[state]()
    wires = list(scene.wires)
    scene.client.leaves()
    for wire in wires:
        wire.listener.body_received(TEXT)
        wire.listener.answer_ended()
    scene.relay.client_full()
    scene.relay.client_ready()
    scene.relay.client_gone()
    scene.relay.house_stops()
    scene.settled()
    assert scene.row.outcome is GONE


@pytest.mark.parametrize("what", [house_stops, client_leaves, silence])
@pytest.mark.parametrize("state", [leasing, asked, collecting_a_refusal])
def test_counting_tokens_writes_no_row_whatever_happens(state, what):
    scene = state(errand=Errand.COUNT)
    what(scene)
    scene.settled()
    assert scene.books.rows == []


def test_a_count_is_answered_as_the_provider_gave_it():
    scene = Scene(errand=Errand.COUNT)
    assert scene.wire.request.startswith(b"POST /v1/messages/count_tokens HTTP/1.1\r\n")
    scene.wire.head(200, JSON)
    scene.wire.body(b'{"input_tokens":42}')
    scene.wire.end()
    scene.settled()
    assert scene.client.answered == b'{"input_tokens":42}'


# ---------------------------------------------------------------- the next deployment


def refusal(status: int, body: bytes = OVERLOADED) -> Callable[[Scene], None]:
    def comes(scene: Scene) -> None:
        scene.wire.head(status, JSON)
        scene.wire.body(body)
        scene.wire.end()

    return comes


def first_event_is_an_error(scene: Scene) -> None:
    scene.wire.head()
    scene.wire.body(event("error", OVERLOADED))


MOVES_ON = {
    **{f"status {status}": refusal(status) for status in (401, 402, 403, 429, 500, 502, 503, 529)},
    "closed": breaks(Broken.CLOSED),
    "garbled": breaks(Broken.GARBLED),
    "stale twice": goes_stale_twice,
    "error as the first event": first_event_is_an_error,
}


@pytest.mark.parametrize("what", MOVES_ON.values(), ids=MOVES_ON)
def test_the_next_deployment_is_asked_under_its_own_name(what):
    scene = Scene(deployments=2)
    assert b'"model":"claude-haiku-0"' in scene.wire.request
    what(scene)
    second = scene.pools[1].wires[0]
    assert second.held is Held.BUSY
    assert b'"model":"claude-haiku-1"' in second.request
    assert not scene.client.opened and scene.client.refused is None
    second.head()
    second.body(TEXT)
    scene.settled()
    assert scene.client.streamed == renamed(TEXT)
    assert scene.client.ended_as is DONE
    assert (scene.row.attempts, scene.row.provider) == (2, "provider1")
    assert scene.metrics.failovers == 1


@pytest.mark.parametrize("fault", [UNREACHABLE, TOO_LATE], ids=["refused", "too late"])
def test_a_deployment_that_cannot_be_reached_is_passed_over(fault):
    scene = Scene(deployments=2, at_hand=False)
    scene.pool.refuses(fault)
    scene.pools[1].connects()
    scene.wire.head()
    scene.wire.body(TEXT)
    scene.settled()
    assert scene.row.outcome is DONE and scene.row.provider == "provider1"


@pytest.mark.parametrize("status", [400, 404, 409, 413, 422])
def test_what_is_the_callers_own_mistake_is_not_asked_elsewhere(status):
    scene = Scene(deployments=2)
    refusal(status, error_body("invalid_request_error", "prompt is too long"))(scene)
    scene.settled()
    assert scene.pools[1].leases == 0
    assert scene.client.refused.status == status
    assert scene.client.refused.message == "prompt is too long"


@pytest.mark.parametrize("why", [Broken.CLOSED, Broken.GARBLED])
@pytest.mark.parametrize("state", [holding, streaming, collecting_a_reply])
def test_an_answer_that_had_begun_is_never_asked_for_again(state, why):
    scene = state(deployments=2)
    scene.wire.breaks(why)
    scene.settled()
    assert scene.pools[1].leases == 0


def test_the_last_fault_is_told_when_all_fail():
    scene = Scene(deployments=3)
    refusal(529)(scene)
    refusal(500, error_body("api_error", "Boom"))(scene)
    refusal(429, error_body("rate_limit_error", "Slow down"))(scene)
    scene.settled()
    assert (scene.client.refused.status, scene.client.refused.message) == (429, "Slow down")
    assert (scene.row.attempts, scene.row.status) == (3, 429)


@pytest.mark.parametrize("reads", [1, 2])
def test_an_error_behind_a_begun_message_is_told_in_the_stream_however_it_was_cut(reads):
    scene = Scene(deployments=2)
    parts = [START + BLOCK, event("error", OVERLOADED)]
    scene.wire.head()
    for part in parts if reads == 2 else [b"".join(parts)]:
        scene.wire.body(part)
    scene.settled()
    assert scene.pools[1].leases == 0
    assert terminals(scene.client.streamed) == ["error"]
    assert (scene.row.outcome, scene.row.error_type) == (PART, BUSY)


def test_an_error_as_first_event_after_the_commit_still_moves_on():
    """The client has a 200 and pings; a message has not begun, so nothing is spliced."""
    scene = committed(holding)(deployments=2)
    scene.wire.body(event("error", OVERLOADED))
    second = scene.pools[1].wires[0]
    second.head()
    second.body(TEXT)
    scene.settled()
    assert terminals(scene.client.streamed) == ["message_stop"]
    assert scene.row.outcome is DONE


# ---------------------------------------------------------------- stale connections


def test_a_stale_connection_is_replaced_once_in_silence():
    scene = Scene(deployments=2)
    scene.wire.breaks(Broken.STALE)
    assert scene.pool.distrusted == 1
    assert len(scene.pool.wires) == 2 and scene.pools[1].leases == 0
    scene.wire.head()
    scene.wire.body(TEXT)
    scene.settled()
    assert scene.client.streamed == renamed(TEXT)
    assert scene.row.attempts == 1, "a dead connection is no attempt"
    assert scene.metrics.stale_retries == 1


def test_each_deployment_has_its_own_repeat():
    scene = Scene(deployments=2)
    for _ in range(4):
        scene.wire.breaks(Broken.STALE)
    scene.settled()
    assert [pool.leases for pool in scene.pools] == [2, 2]
    assert scene.client.refused.status == 502


# ---------------------------------------------------------------- whose a connection is


def test_a_connection_that_has_gone_to_somebody_else_is_not_aborted():
    """A stream that ends in order but without message_stop: its connection is free at once, and the
    pool may have lent it to another call before we are told."""
    scene = streaming()
    scene.wire.end()  # the wire asserts that it is left alone
    scene.settled()
    assert scene.row.outcome is PART


def test_a_connection_that_comes_too_late_is_given_back():
    scene = Scene(at_hand=False)
    scene.client.leaves()
    assert scene.pool.waiting == [], "the place in the queue is given up"
    late = scene.pool._leased()
    scene.relay.leased(late)
    assert late.held is Held.FREE
    scene.relay.lease_failed(UNREACHABLE)
    scene.settled()


def test_a_pool_with_too_many_waiting_is_passed_over():
    scene = Scene(deployments=2, overfull=(0,))
    scene.wire.head()
    scene.wire.body(TEXT)
    scene.settled()
    assert (scene.row.provider, scene.row.attempts) == ("provider1", 2)


def test_pools_with_too_many_waiting_refuse():
    scene = Scene(deployments=2, overfull=(0, 1))
    scene.settled()
    assert (scene.client.refused.status, scene.client.refused.retry_after_s) == (503, 1)
    assert scene.row.outcome is OURS


# ---------------------------------------------------------------- the books


@pytest.mark.parametrize("state", ["streaming", "collecting a reply", "holding"])
def test_the_last_bytes_wait_for_the_row(state):
    scene = STATES[state]()
    seen = len(scene.client.streamed)
    {"streaming": message_ends, "collecting a reply": whole_reply, "holding": ends}[state](scene)
    assert len(scene.books.rows) == 1
    assert scene.client.finals == 0 and len(scene.client.streamed) == seen
    scene.books.flush()
    assert scene.client.finals == 1


def test_a_client_that_leaves_while_the_row_is_written_gets_no_second_row():
    scene = streaming()
    message_ends(scene)
    scene.client.leaves()
    scene.settled()
    assert scene.row.outcome is DONE and scene.client.finals == 0


def test_a_row_says_what_was_used():
    scene = streaming()
    message_ends(scene)
    scene.settled()
    row = scene.row
    assert (row.input_tokens, row.output_tokens, row.stop_reason) == (12, 3, "end_turn")
    assert row.credits_in == 12_000 and row.credits_out == 15_000
    assert row.provider_request_id == "req_provider"


def test_what_went_by_before_the_client_left_is_estimated():
    scene = streaming()
    scene.wire.body(delta("word " * 100) * 3)
    scene.client.leaves()
    scene.settled()
    assert scene.row.input_tokens == 12
    assert 20 < scene.row.output_tokens < 1_000
    assert scene.row.credits_out > 0


# ---------------------------------------------------------------- time


def test_silence_opens_the_stream_with_a_ping_and_pings_go_on():
    scene = Scene()
    scene.waits(9)
    assert not scene.client.opened
    scene.waits(1)
    assert scene.client.opened and scene.client.writes == [PING]
    scene.waits(9)
    assert scene.client.writes == [PING]
    scene.waits(1)
    assert scene.client.writes == [PING, PING]
    scene.wire.head()
    scene.wire.body(TEXT)
    scene.settled()
    assert scene.client.streamed == PING + PING + renamed(TEXT)


def test_pings_of_the_provider_before_the_message_are_held_and_then_passed_on():
    scene = holding()
    assert not scene.client.opened
    scene.wire.body(TEXT)
    scene.settled()
    assert scene.client.streamed == PING + renamed(TEXT)


def test_pings_held_at_the_commit_go_out_with_it():
    scene = committed(holding)()
    assert scene.client.streamed == PING + PING
    scene.wire.body(PING)
    assert scene.client.streamed == PING * 3, "a committed client gets them at once"


def test_a_ping_stands_between_events_though_the_provider_stopped_inside_one():
    scene = streaming()
    half, rest = delta("more")[:30], delta("more")[30:]
    scene.wire.body(half)
    before = scene.client.streamed
    scene.waits(11)
    assert scene.client.streamed == before + PING
    scene.wire.body(rest)
    assert scene.client.streamed == before + PING + delta("more")


def test_a_stream_that_speaks_gets_no_pings():
    scene = streaming()
    for _ in range(30):
        scene.waits(1)
        scene.wire.body(delta("x"))
    assert PING not in scene.client.streamed


def test_whole_replies_are_never_pinged():
    scene = Scene(streamed=False)
    scene.waits(500)
    assert not scene.client.opened and scene.client.writes == []


def test_a_count_is_not_waited_for_for_long():
    scene = Scene(errand=Errand.COUNT)
    scene.waits(2.5)
    assert scene.client.finals == 0
    scene.waits(2.5)
    scene.settled()
    assert scene.client.answered.startswith(b'{"input_tokens":')


def test_bytes_of_the_provider_put_the_deadline_off():
    scene = streaming()
    for _ in range(5):
        scene.waits(299)
        scene.wire.body(b": still here\n\n")
    assert scene.client.finals == 0 and not scene.books.rows
    scene.waits(302)
    scene.settled()
    assert scene.row.error_type == SLOW


def test_the_provider_is_not_blamed_for_a_client_that_does_not_read():
    scene = streaming()
    scene.relay.client_full()
    assert scene.wire.paused
    scene.waits(1_000)
    assert not scene.books.rows and PING not in scene.client.streamed
    scene.relay.client_ready()
    assert not scene.wire.paused
    scene.waits(299)
    assert not scene.books.rows
    scene.waits(5)
    scene.settled()
    assert scene.row.outcome is PART


def test_the_prompt_is_let_go_once_the_stream_has_begun():
    scene = Scene()
    assert scene.call.arrival.body
    scene.wire.head()
    scene.wire.body(START)
    assert scene.call.arrival.body == b""


# ---------------------------------------------------------------- the wrong kind of reply


def test_a_document_for_a_stream_is_no_answer():
    scene = Scene()
    scene.wire.head(200, JSON)
    scene.wire.body(WHOLE)
    scene.wire.end()
    scene.settled()
    assert (scene.client.refused.status, scene.row.outcome) == (502, UP)


def test_a_stream_for_a_document_is_no_answer():
    scene = Scene(streamed=False)
    scene.wire.head(200, SSE)
    scene.wire.body(TEXT)
    scene.wire.end()
    scene.settled()
    assert (scene.client.refused.status, scene.row.outcome) == (502, UP)


def test_a_page_of_html_is_never_passed_on():
    scene = Scene()
    scene.wire.head(502, {b"content-type": b"text/html"})
    scene.wire.body(b"<html>Bad Gateway</html>")
    scene.wire.end()
    scene.settled()
    assert scene.client.refused.status == 502
    assert "<" not in scene.client.refused.message


def test_the_error_event_is_the_providers_own_words():
    scene = streaming()
    said = {"type": "overloaded_error", "message": 'Try "later"\n', "details": {"x": 1}}
    scene.wire.body(event("error", msgspec.json.encode({"type": "error", "error": said})))
    scene.settled()
    assert events(scene.client.last)[0][1] == {
        "type": "error",
        "error": said,
        "request_id": "req_1",
    }
