"""How a relay tells where its time went: to whom it waited, how evenly the stream flowed."""

from proxy.domain.fault import Fault, Kind, Source
from proxy.observe.histogram import Histogram
from proxy.observe.metrics import Stages
from proxy.wire.events import PING
from tests.gateway.edges import JSON, Scene
from tests.kit.journey import BLOCK, START, TEXT, WHOLE, delta

# Some events of a whole stream: head and one word; the rest.
BEGINNING = START + BLOCK + delta("Hello")
REST = TEXT[TEXT.index(b"event: content_block_stop") :]
UNREACHABLE = Fault(Kind.UPSTREAM_BROKEN, "Cannot be reached.", source=Source.UPSTREAM)


def only(histogram: Histogram) -> float:
    """The one measurement of a histogram."""
    assert histogram.count == 1, histogram
    histogram.fold()
    return histogram.total


def stages_of(scene: Scene) -> Stages:
    """All that was measured by now."""
    scene.metrics.fold()
    return scene.metrics.stages


def admitted(**how) -> Scene:
    """A call that was let in at second 100, after three seconds."""
    scene = Scene(now_s=100.0, **how)
    arrival = scene.call.arrival
    arrival.clock_s, arrival.known_s, arrival.resolved_s = 97.0, 98.0, 99.0
    arrival.admitted_s = 100.0
    return scene


def test_the_time_of_a_stream_is_split() -> None:
    scene = admitted(at_hand=False)
    scene.waits(2)
    scene.pool.connects()
    scene.waits(4)
    scene.wire.head()
    scene.wire.body(BEGINNING)
    scene.waits(8)
    scene.wire.body(REST)
    scene.settled()
    stages = stages_of(scene)
    assert only(stages.connect) == 2
    assert only(stages.first_byte) == 4
    assert only(stages.relay) == 8
    assert only(stages.auth) + only(stages.resolve) + only(stages.limits) == 3
    assert stages.translate.count == 0


def test_the_wait_for_another_provider_is_a_wait_for_the_first_byte() -> None:
    scene = admitted(deployments=2)
    scene.waits(1)
    scene.wire.head(529, JSON)
    scene.wire.body(b"{}")
    scene.wire.end()
    scene.waits(2)
    scene.wire.head()
    scene.wire.body(BEGINNING)
    scene.wire.body(REST)
    scene.settled()
    assert only(stages_of(scene).connect) == 0
    assert only(stages_of(scene).first_byte) == 3


def test_a_whole_reply_has_a_first_byte_too_and_no_gaps() -> None:
    scene = admitted(streamed=False)
    scene.waits(5)
    scene.wire.head(200, JSON)
    scene.wire.body(WHOLE)
    scene.wire.end()
    scene.settled()
    assert only(stages_of(scene).first_byte) == 5
    assert only(stages_of(scene).relay) == 0
    assert scene.metrics.streams.gap_in.count == 0


def test_who_never_reached_a_provider_has_no_time_there() -> None:
    scene = admitted(at_hand=False)
    scene.waits(2)
    scene.pool.refuses(UNREACHABLE)
    scene.settled()
    stages = stages_of(scene)
    assert only(stages.limits) == 1
    assert stages.connect.count == stages.first_byte.count == stages.relay.count == 0


def test_gaps_are_told_for_events_that_pass_by_as_for_those_that_are_read() -> None:
    scene = Scene(now_s=100.0)
    scene.wire.head()
    scene.wire.body(BEGINNING)
    for _ in range(3):  # forwarded, frame and all
        scene.waits(1)
        scene.wire.body(delta("word"))
    scene.waits(1)
    scene.wire.body(delta("one") + delta("two"))  # read: it is no single event
    word = delta("cut")
    scene.wire.body(word[:9])  # read, and nothing goes on
    scene.wire.body(word[9:])
    scene.wire.body(REST)
    scene.settled()
    # Four seconds: in by seven reads, out by six writes.
    assert only(scene.metrics.streams.gap_in) == 4 / 7
    assert only(scene.metrics.streams.gap_out) == 4 / 6


def test_a_provider_that_falls_silent_is_a_stall_and_pings_are_no_silence_for_the_client() -> None:
    scene = Scene(now_s=100.0)
    scene.wire.head()
    scene.wire.body(BEGINNING)
    scene.waits(1)
    scene.waits(26)
    scene.wire.body(delta("at last"))
    scene.waits(1)
    scene.wire.body(REST)
    scene.settled()
    streams = scene.metrics.streams
    assert streams.stalls_of_providers == 1
    assert only(streams.silence_in) == 27
    assert only(streams.silence_out) == 10
    assert scene.client.streamed.count(PING) == 2


def test_a_silence_that_the_end_breaks_counts_too() -> None:
    scene = Scene(now_s=100.0)
    scene.wire.head()
    scene.wire.body(BEGINNING)
    scene.waits(7)
    scene.wire.body(REST)
    scene.settled()
    assert scene.metrics.streams.stalls_of_providers == 1
    assert 6 <= only(scene.metrics.streams.silence_in) <= 7


def test_a_steady_stream_has_no_stall() -> None:
    scene = Scene(now_s=100.0)
    scene.waits(9)  # for the first byte: that is another figure
    scene.wire.head()
    scene.wire.body(BEGINNING)
    for _ in range(9):
        scene.waits(1)
        scene.wire.body(delta("word"))
    scene.wire.body(REST)
    scene.settled()
    streams = scene.metrics.streams
    assert (streams.stalls_of_providers, streams.stalls_of_clients) == (0, 0)
    assert only(streams.silence_in) <= 2
    assert only(streams.silence_out) <= 2


def test_a_client_that_does_not_read_is_no_stall_of_the_provider() -> None:
    scene = Scene(now_s=100.0)
    scene.wire.head()
    scene.wire.body(BEGINNING)
    scene.waits(1)
    scene.relay.client_full()
    scene.waits(30)
    scene.relay.client_ready()
    scene.waits(1)
    scene.wire.body(REST)
    scene.settled()
    streams = scene.metrics.streams
    assert (streams.stalls_of_providers, streams.stalls_of_clients) == (0, 1)
    assert only(streams.silence_in) <= 1
