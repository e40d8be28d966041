"""Live, ready, measured."""

from pathlib import Path

import pytest

from proxy.server.health import HealthPages
from proxy.server.listener import bind
from tests.kit.provider import Provider
from tests.kit.raw_client import RawClient
from tests.kit.running import KEY, MODEL, RunningHouse, house, message

AUTH = {"X-Api-Key": KEY}


def test_live_is_live(client: RawClient) -> None:
    reply = client.ask("GET", "/healthz")
    assert (reply.status, reply.json()) == (200, {"status": "ok"})


def test_ready_is_ready(client: RawClient) -> None:
    reply = client.ask("GET", "/readyz")
    assert (reply.status, reply.json()) == (200, {"status": "ready"})


@pytest.mark.parametrize("reasons", (["one"], ["one", "two"]))
async def test_not_ready_says_why(reasons: list[str]) -> None:
    pages = HealthPages(lambda: reasons, lambda: b"")
    reply = await pages.ready(None)  # type: ignore[arg-type]
    assert reply.status == 503
    assert reply.text is not None and all(reason in reply.text for reason in reasons)


async def test_trouble_that_nobody_is_refused_for_is_told_but_takes_nobody_out() -> None:
    pages = HealthPages(list, lambda: b"", lambda: ["storage is away"])
    reply = await pages.ready(None)  # type: ignore[arg-type]
    assert reply.status == 200
    assert reply.text is not None and "storage is away" in reply.text


def measured(client: RawClient) -> dict[str, float]:
    reply = client.ask("GET", "/metrics")
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = [line for line in reply.body.decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_measures_count_what_was_answered(gateway: RunningHouse, client: RawClient) -> None:
    before = measured(client)
    client.ask("POST", "/v1/anthropic/v1/messages", AUTH, message())
    client.ask("POST", "/v1/anthropic/v1/messages", AUTH, b"{")
    client.ask("POST", "/v1/anthropic/messages", {}, message())
    client.ask("GET", "/v1/chat/models", AUTH)
    client.ask("GET", "/nothing")
    with gateway.connect() as bad:
        bad.send(b"nonsense\r\n\r\n")
        bad.reply()
    after = measured(client)

    def more(name: str) -> float:
        return after.get(name, 0) - before.get(name, 0)

    of_model = f'{{model="{MODEL}",outcome="completed",provider="kit"}}'
    assert more(f"hatz_generations_total{of_model}") == 1
    assert more('hatz_refusals_total{reason="bad_request"}') == 2
    assert more('hatz_refusals_total{reason="unauthenticated"}') == 1
    assert more('hatz_refusals_total{reason="not_found"}') == 1
    assert more('hatz_replies_total{route="messages",status="200"}') == 1
    assert more('hatz_replies_total{route="messages",status="400"}') == 1
    assert more('hatz_replies_total{route="messages",status="401"}') == 1
    assert more('hatz_replies_total{route="/v1/chat/models",status="200"}') == 1
    assert more('hatz_replies_total{route="unknown",status="404"}') == 1
    assert more('hatz_replies_total{route="door",status="400"}') == 1
    assert after["hatz_open_streams"] == 0
    assert after["hatz_open_connections"] >= 1


def test_names_of_routes_do_not_grow_with_what_clients_ask_for(
    client: RawClient, provider: Provider
) -> None:
    client.ask("GET", "/warm-up-0")
    client.ask("GET", "/v1/anthropic/v1/models/none-0", AUTH)
    before = set(measured(client))
    for number in range(20):
        client.ask("GET", f"/nothing-{number}")
        client.ask("GET", f"/v1/anthropic/v1/models/none-{number}", AUTH)
        client.ask("POST", f"/v1/anthropic/nothing-{number}", AUTH, b"{}")
        client.ask("POST", "/v1/anthropic/v1/messages", AUTH, message(model=f"none-{number}"))
    new = {name.partition("{")[0] for name in set(measured(client)) - before}
    assert len(set(measured(client)) - before) < 8, new


def test_a_port_of_their_own_serves_watchers_too(tmp_path: Path, provider: Provider) -> None:
    with bind("127.0.0.1", 0, shared=False) as free:
        port = free.getsockname()[1]
    with house(tmp_path, provider.url, observability__metrics_port=port) as gateway:
        with RawClient(("127.0.0.1", port)) as watcher:
            for path in ("/healthz", "/readyz", "/metrics"):
                assert watcher.ask("GET", path).status == 200
            assert watcher.ask("GET", "/v1/chat/models", AUTH).status == 404
        assert gateway.ask("GET", "/healthz").status == 200
