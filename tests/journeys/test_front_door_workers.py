"""Several workers behind one port act as one: keys, switches, counts, and one that dies."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kit.provider import provider
from tests.kit.running import KEY, MODEL, GatewayProcess, gateway_process, message, until

PATH = "/v1/anthropic/v1/messages"
WORKERS = 2
SOON_S = 2.0
SLACK_S = 0.5
"""For a machine that has other work; what is promised is `SOON_S`."""
CONNECTIONS = 12
"""So many in a row meet one worker only once in two thousand times."""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """As it is delivered, but for the second worker."""
    place = tmp_path_factory.mktemp("workers")
    with (
        provider() as upstream,
        gateway_process(
            place, upstream.url, workers=WORKERS, catalog__refresh_s=1.0, ledger__flush_ms=250
        ) as running,
    ):
        yield running


def children(gateway: GatewayProcess) -> set[int]:
    """The workers' process ids."""
    pid = gateway.running.pid
    return {int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def statuses(gateway: GatewayProcess, key: str, model: str = MODEL) -> set[int]:
    """What many connections get, and so every worker gives."""
    body = message(stream=False, model=model)
    return {gateway.ask("POST", PATH, {"X-Api-Key": key}, body).status for _ in range(CONNECTIONS)}


def took_s(look: Callable[[], bool], what: str) -> float:
    began_s = time.monotonic()
    until(look, what)
    return time.monotonic() - began_s


def key_id(gateway: GatewayProcess, key: str) -> str:
    records = json.loads(gateway.command("key", "list", "--json"))
    found: list[str] = [each["id"] for each in records if key.startswith(each["prefix"])]
    assert len(found) == 1
    return found[0]


def test_a_key_made_beside_them_works_at_once_and_revoked_works_no_more(
    gateway: GatewayProcess,
) -> None:
    key = gateway.command("key", "create", "--user", "second@example.com")
    assert statuses(gateway, key) == {200}
    id = key_id(gateway, key)
    gateway.command("key", "revoke", id)
    assert took_s(lambda: statuses(gateway, key) == {401}, "401 everywhere") < SOON_S + SLACK_S
    assert statuses(gateway, KEY) == {200}


def test_a_key_that_was_tried_too_early_works_soon(gateway: GatewayProcess) -> None:
    key = "a-provisioned-key-0123456789abcdefghijklm"
    (gateway.place / "provisioned.key").write_text(key)
    assert statuses(gateway, key) == {401}
    secret = f"file:{gateway.place / 'provisioned.key'}"
    assert gateway.command("key", "create", "--user", "third@example.com", "--secret", secret) == ""
    assert took_s(lambda: statuses(gateway, key) == {200}, "200 everywhere") < SOON_S + SLACK_S


def test_a_model_switched_off_is_gone_soon_and_back_soon(gateway: GatewayProcess) -> None:
    assert statuses(gateway, KEY) == {200}
    gateway.command("model", "disable", MODEL)
    assert took_s(lambda: statuses(gateway, KEY) == {404}, "404 everywhere") < SOON_S + SLACK_S
    gateway.command("model", "enable", MODEL)
    assert took_s(lambda: statuses(gateway, KEY) == {200}, "200 everywhere") < SOON_S + SLACK_S


def test_whichever_is_asked_counts_for_all(gateway: GatewayProcess) -> None:
    def completed() -> int:
        text = gateway.ask("GET", "/metrics").body.decode()
        sought = f'hatz_generations_total{{model="{MODEL}",outcome="completed",provider="kit"}} '
        lines = [line for line in text.splitlines() if line.startswith(sought)]
        return int(float(lines[0].removeprefix(sought))) if lines else 0

    # Agreeing is not enough: all may have asked one worker, which has yet to hear of what the other
    # did last. Counts are laid down four times a second, so what stands for one is complete.
    stood: list[tuple[float, set[int]]] = []

    def stands() -> bool:
        counts = {completed() for _ in range(CONNECTIONS)}
        if len(counts) > 1 or (stood and stood[-1][1] != counts):
            stood.clear()
        stood.append((time.monotonic(), counts))
        return len(counts) == 1 and stood[-1][0] - stood[0][0] > 1.0

    until(stands, "all agree for a second")
    before = completed()
    assert statuses(gateway, KEY) == {200}
    until(
        lambda: {completed() for _ in range(CONNECTIONS)} == {before + CONNECTIONS},
        "all count what all have answered",
    )


def test_one_that_dies_is_started_again_and_the_other_serves_on(gateway: GatewayProcess) -> None:
    before = children(gateway)
    assert len(before) == WORKERS
    victim = min(before)
    starts = gateway.log.read_text().count(" serves http://")
    os.kill(victim, signal.SIGKILL)
    gateway.said(" serves http://", starts + 1)
    after = until(
        lambda: now if len(now := children(gateway)) == WORKERS else None, "two workers again"
    )
    assert len(before & after) == 1 and victim not in after
    gateway.said("starting it again")
    assert statuses(gateway, KEY) == {200}


def test_all_stop_together(gateway: GatewayProcess) -> None:
    workers = children(gateway)
    gateway.signal(signal.SIGTERM)
    assert gateway.exit_status() == 0
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]
    assert "Traceback" not in gateway.log.read_text()
