"""A client leaves a provider that bills the whole answer anyway: it is read on, within bounds."""

import pytest

from proxy.gateway.drain import Drains
from proxy.upstream.connection import Broken
from tests.gateway.edges import JSON, Held, Scene
from tests.kit.journey import BLOCK, ENDING, START, WHOLE, delta, error_body


def drains(at_a_time_max: int = 1, bytes_max: int = 10_000) -> Drains:
    return Drains(at_a_time_max, deadline_s=20, bytes_max=bytes_max)


def streaming(some: Drains) -> Scene:
    scene = Scene(drains=some)
    scene.wire.head()
    scene.wire.body(START + BLOCK + delta("Hel"))
    return scene


def test_the_rest_of_a_stream_is_read_and_its_usage_is_written_down() -> None:
    some = drains()
    scene = streaming(some)
    scene.client.leaves()
    assert scene.wire.held is Held.BUSY and some.under_way == 1
    scene.wire.body(delta("lo."))
    scene.wire.body(ENDING)
    scene.settled()
    assert (scene.row.outcome, scene.row.status) == ("client_gone", 200)
    assert (scene.row.input_tokens, scene.row.output_tokens) == (12, 3)
    assert not scene.row.usage_estimated
    assert some.under_way == 0 and scene.wire.held is Held.LEFT


def test_a_client_that_held_the_provider_up_does_so_no_more() -> None:
    scene = streaming(drains())
    scene.client.reader.client_full()
    assert scene.wire.paused
    scene.client.leaves()
    assert not scene.wire.paused
    scene.wire.body(ENDING)
    scene.settled()


def test_a_whole_reply_is_read_to_its_end() -> None:
    scene = Scene(streamed=False, drains=drains())
    scene.wire.head(200, JSON)
    scene.wire.body(WHOLE[:50])
    scene.client.leaves()
    scene.wire.body(WHOLE[50:])
    scene.wire.end()
    scene.settled()
    assert (scene.row.outcome, scene.row.output_tokens) == ("client_gone", 3)


def test_before_the_first_byte_it_waits_for_it() -> None:
    scene = Scene(drains=drains())
    scene.client.leaves()
    scene.wire.head()
    scene.wire.body(START + BLOCK + delta("Hello.") + ENDING)
    scene.settled()
    assert scene.row.output_tokens == 3 and scene.client.finals == 0


@pytest.mark.parametrize("trouble", ["deadline", "bytes", "break", "silence"])
def test_it_is_let_go_when_it_takes_too_long_or_too_much(trouble: str) -> None:
    some = drains(bytes_max=500)
    scene = streaming(some)
    scene.client.leaves()
    if trouble == "deadline":
        for _ in range(25):
            if scene.wire.held is Held.BUSY:
                scene.wire.body(delta("."))
                scene.waits(1)
    elif trouble == "bytes":
        scene.wire.body(delta("x" * 600))
    elif trouble == "break":
        scene.wire.breaks(Broken.CLOSED)
    else:
        scene.waits(21)
    scene.settled()
    assert scene.row.outcome == "client_gone" and some.under_way == 0
    assert scene.wire.held is (Held.OVER if trouble == "break" else Held.ABORTED)


def test_beyond_so_many_at_a_time_the_provider_is_let_go_at_once() -> None:
    some = drains(at_a_time_max=1)
    first, second = streaming(some), streaming(some)
    first.client.leaves()
    second.client.leaves()
    assert second.wire.held is Held.ABORTED
    second.settled()
    first.wire.body(ENDING)
    first.settled()


def test_nobody_asks_another_deployment_for_a_client_that_left() -> None:
    scene = Scene(deployments=2, drains=drains())
    scene.client.leaves()
    scene.wire.head(529, JSON)
    scene.wire.body(error_body("overloaded_error", "Overloaded"))
    scene.wire.end()
    scene.settled()
    assert scene.pools[1].leases == 0 and scene.row.outcome == "client_gone"


def test_who_still_waits_for_a_connection_has_nothing_to_read_on() -> None:
    scene = Scene(at_hand=False, drains=drains())
    scene.client.leaves()
    scene.settled()


def test_the_end_of_the_house_ends_it() -> None:
    some = drains()
    scene = streaming(some)
    scene.client.leaves()
    scene.relay.house_stops()
    scene.settled()
    assert scene.row.outcome == "client_gone" and some.under_way == 0
