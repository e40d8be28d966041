"""Whoever looks on sees what all workers carry, whichever of them is asked."""

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.kit.provider import provider
from tests.kit.raw_client import request
from tests.kit.running import GatewayProcess, gateway_process, message, until

PATH = "/v1/anthropic/v1/messages"
WORKERS = 3
STREAMS = 24
"""The system spreads connections over workers as it likes; of so many each gets some."""
NAMES = ["w0", "w1", "w2"]


@contextlib.contextmanager
def carrying(place: Path) -> Iterator[tuple[GatewayProcess, str]]:
    """A gateway that carries streams without an end; and a key that may look on."""
    with (
        provider() as upstream,
        gateway_process(place, upstream.url, workers=WORKERS, catalog__refresh_s=0.2) as gateway,
        contextlib.ExitStack() as open_streams,
    ):
        gateway.command("user", "create", "root@msp.example", "--admin")
        key = gateway.command("key", "create", "--user", "root@msp.example")
        play = upstream.play()
        for _ in range(STREAMS):
            client = open_streams.enter_context(gateway.connect())
            client.send(request("POST", PATH, {"X-Api-Key": key}, message(text=play.cue)))
        yield gateway, key


def look(gateway: GatewayProcess, key: str, path: str) -> Any:
    """A connection of its own: any worker may be asked."""
    reply = gateway.ask("GET", path, {"X-Api-Key": key})
    assert reply.status == 200, reply.body
    return json.loads(reply.body)


def test_requests_of_all_workers_are_seen_in_each(tmp_path: Path) -> None:
    with carrying(tmp_path) as (gateway, key):
        asked_first = set()

        def all_seen() -> bool:
            found = look(gateway, key, "/v1/admin/in-flight")
            assert sorted(found["workers"]) == NAMES and not found["silent_workers"]
            asked_first.add(found["workers"][0])
            ids = [row["request_id"] for row in found["data"]]
            assert len(ids) == len(set(ids)) == found["total_count"] <= STREAMS
            ages = [row["age_s"] for row in found["data"]]
            assert ages == sorted(ages, reverse=True)
            return len(ids) == STREAMS and {row["worker"] for row in found["data"]} == set(NAMES)

        until(all_seen, "all streams in all workers")
        until(lambda: all_seen() and len(asked_first) > 1, "the same, whoever is asked")
        health = look(gateway, key, "/v1/admin/providers/health")
        [deployment] = health["deployments"]
        assert (deployment["in_flight"], deployment["state"]) == (STREAMS, "well")
        assert sum(each["busy"] for each in health["connections"]) == STREAMS


def test_a_worker_that_was_killed_is_silent_and_then_its_successor_answers(tmp_path: Path) -> None:
    with carrying(tmp_path) as (gateway, key):
        pid = gateway.running.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGKILL)
        gateway.said(" serves http://", WORKERS + 1)

        def successor_answers() -> bool:
            try:
                found = look(gateway, key, "/v1/admin/in-flight")
            except ConnectionError:
                return False  # the system still had it for the one that died
            carriers = {row["worker"] for row in found["data"]}
            return sorted(found["workers"]) == NAMES and len(carriers) == WORKERS - 1

        until(successor_answers, "all three answer, and two carry streams")
