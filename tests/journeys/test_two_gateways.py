"""Two gateways on one PostgreSQL and one Redis are one: whatever is changed, used or asked at the
one holds at the other, in each of its workers."""

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.kit.installation import CLAUDE, KIMI, WORKERS, GatewayParent, Installation, installation
from tests.kit.running import KEY, message, until
from tests.kit.servers import Postgres, Redis

PATH = "/v1/anthropic/v1/messages"
SOON_S = 2.0
SLACK_S = 1.0
"""For a machine that has other work; what is promised is `SOON_S`."""
PER_MINUTE = 40
PACE_S = 0.05
"""With four callers some sixteen requests come in while workers tell each other twice."""
LIMITS = f"""
[limits]
hard_stop = true
user = {{ requests_per_minute = {PER_MINUTE} }}
"""
IN_A_ROW = 6 * WORKERS
"""So many connections meet one worker only of two once in two thousand times."""


@pytest.fixture
def pair(
    tmp_path_factory: pytest.TempPathFactory, postgres: Postgres, redis_server: Redis
) -> Iterator[tuple[GatewayParent, GatewayParent]]:
    with installation(tmp_path_factory.mktemp("pair"), postgres, redis_server) as here:
        yield _both(here)


@pytest.fixture
def limited(
    tmp_path_factory: pytest.TempPathFactory, postgres: Postgres, redis_server: Redis
) -> Iterator[tuple[GatewayParent, GatewayParent]]:
    place = tmp_path_factory.mktemp("limited")
    with installation(place, postgres, redis_server, LIMITS) as here:
        yield _both(here)


def _both(here: Installation) -> tuple[GatewayParent, GatewayParent]:
    one, other = here.gateways
    return one, other


def call(
    gateway: GatewayParent, method: str, path: str, body: bytes | None = None, key: str = KEY
) -> tuple[int, Any]:
    """One request on a connection of its own: any worker may get it."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    try:
        connection.request(method, path, body, {"X-Api-Key": key, "X-Request-Id": _id(path)})
        reply = connection.getresponse()
        return reply.status, json.loads(reply.read())
    finally:
        connection.close()


def _id(path: str) -> str:
    return f"pair-{time.monotonic_ns()}" if path == PATH else ""


def ask(gateway: GatewayParent, model: str = CLAUDE, key: str = KEY, text: str = "Hello") -> int:
    """The status of one message."""
    body = message(stream=False, model=model, text=text, max_tokens=4000)
    return call(gateway, "POST", PATH, body, key)[0]


def soon_all(look: Callable[[], bool], what: str) -> None:
    """Within two seconds every worker says so, and from then on."""
    end_s = time.monotonic() + SOON_S + SLACK_S
    in_a_row = 0
    while in_a_row < IN_A_ROW:
        if look():
            in_a_row += 1
            continue
        assert time.monotonic() < end_s, what
        in_a_row = 0
        time.sleep(0.02)


def test_keys_mappings_and_switches_of_one_hold_at_the_other(
    pair: tuple[GatewayParent, GatewayParent],
) -> None:
    one, other = pair
    key = one.command("key", "create", "--user", "second@example.com")
    assert {ask(other, key=key) for _ in range(IN_A_ROW)} == {200}

    mapping = {"enabled": True, "mappings": {"opus": None, "sonnet": KIMI, "haiku": None}}
    status, _ = call(
        one, "PUT", "/v1/preferences/gateway-mapping", json.dumps(mapping).encode(), key
    )
    assert status == 200

    def resolved() -> str:
        _, said = call(other, "POST", "/v1/anthropic/explain", message(model="sonnet"), key)
        return json.dumps(said)

    soon_all(lambda: KIMI in resolved(), "sonnet means Kimi")

    one.command("model", "disable", KIMI)
    soon_all(lambda: ask(other, KIMI, key) == 404, "Kimi is off")
    one.command("model", "enable", KIMI)
    soon_all(lambda: ask(other, KIMI, key) == 200, "Kimi is on")

    records = json.loads(other.command("key", "list", "--json"))
    [id] = [each["id"] for each in records if key.startswith(each["prefix"])]
    other.command("key", "revoke", id)
    soon_all(lambda: ask(one, key=key) == 401, "the key is revoked")
    soon_all(lambda: ask(other, key=key) == 401, "the key is revoked")


def test_what_is_used_at_one_is_in_the_books_of_the_other(
    pair: tuple[GatewayParent, GatewayParent],
) -> None:
    one, other = pair
    for number, gateway in enumerate((one, other, one, other, one)):
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
        headers = {"X-Api-Key": KEY, "X-Request-Id": f"booked-{number}"}
        connection.request("POST", PATH, message(stream=False), headers)
        assert connection.getresponse().status == 200
        connection.close()

    def requests(gateway: GatewayParent) -> int:
        _, used = call(gateway, "GET", "/v1/usage")
        return int(used["requests"])

    for gateway in pair:
        until(lambda gateway=gateway: requests(gateway) == 5, "all five are counted")  # type: ignore[misc]
        for number in range(5):
            status, record = call(gateway, "GET", f"/v1/requests/booked-{number}")
            assert (status, record["request_id"]) == (200, f"booked-{number}")


def test_requests_under_way_at_one_are_seen_at_the_other(
    pair: tuple[GatewayParent, GatewayParent],
) -> None:
    one, other = pair
    one.command("user", "create", "root@msp.example", "--admin")
    key = one.command("key", "create", "--user", "root@msp.example")
    slow = threading.Thread(target=ask, args=(one, CLAUDE, key, "SLOW 8"))
    slow.start()

    def look(path: str) -> Any:
        status, found = call(other, "GET", path, key=key)
        assert status == 200, found
        return found

    def seen() -> bool:
        found = look("/v1/admin/in-flight")
        # Both machines of this test have one name; their four workers are four all the same.
        everybody = len(found["workers"]) == 2 * WORKERS and not found["silent_workers"]
        return everybody and [row["email"] for row in found["data"]] == ["root@msp.example"]

    until(seen, "the other gateway sees it")
    deployments = look("/v1/admin/providers/health")["deployments"]
    assert sum(each["in_flight"] for each in deployments) == 1
    slow.join()
    until(lambda: not look("/v1/admin/in-flight")["total_count"], "it is over for both")


def test_an_allowance_is_one_allowance(limited: tuple[GatewayParent, GatewayParent]) -> None:
    one, other = limited
    one.command("package", "create", "Small", "--monthly-credits", "50")
    one.command("tenant", "change", "Default", "--package", "Small")
    dear = "LONG 3000"
    spent = 0
    while spent < 20 and ask(one, text=dear) == 200:
        spent += 1
    assert 1 <= spent < 20, "the allowance was never used up at the gateway that was asked"
    soon_all(lambda: ask(other) == 429, "the other says so too")
    status, error = call(other, "POST", PATH, message(stream=False))
    assert status == 429 and "allowance" in error["error"]["message"].lower(), error


def test_requests_a_minute_are_counted_once(
    limited: tuple[GatewayParent, GatewayParent],
) -> None:
    """Each of four workers would let in `PER_MINUTE` if it were alone."""
    statuses: Counter[int] = Counter()
    lock = threading.Lock()

    def hammer(gateway: GatewayParent) -> None:
        for _ in range(PER_MINUTE):
            time.sleep(PACE_S)
            status = ask(gateway)
            with lock:
                statuses[status] += 1

    threads = [threading.Thread(target=hammer, args=(each,)) for each in limited for _ in range(2)]
    began_s = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    minutes = 1 + (time.monotonic() - began_s) / 60
    assert set(statuses) == {200, 429}, statuses
    # What comes in during two exchanges may be on top, and what the minute lets in meanwhile.
    assert PER_MINUTE <= statuses[200] <= PER_MINUTE * minutes * 1.5, statuses
