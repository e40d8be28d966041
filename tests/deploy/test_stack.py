"""The local stack at work: each service's command run as it is written, and all of it together."""

import json
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.compose import SERVICES, environment_of, mounts_of
from tests.deploy.stack import Stack, read
from tests.deploy.test_dashboard import alert_rules, dashboard_queries
from tests.kit.raw_client import RawClient, events_of

# One group: the stack is started once, and by one process.
pytestmark = pytest.mark.xdist_group("stack")
KEY = environment_of("key")["HATZ_GATEWAY_KEY"]
MESSAGES = "/v1/anthropic/v1/messages"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """All of it but Grafana and locust, in the order that `depends_on` gives."""
    one = Stack(tmp_path_factory.mktemp("stack"))
    try:
        for name in ("postgres", "valkey", "upstream"):
            one.start(name)
            one.healthy(name)
        one.completes("migrate")
        one.completes("key")
        for name in ("gateway-1", "gateway-2"):
            one.start(name)
        for name in ("gateway-1", "gateway-2"):
            one.healthy(name)
        one.start("balancer")
        one.until(lambda: read(one.address("balancer") + "/readyz"), "the balancer", "balancer")
        one.start("prometheus")
        yield one
    finally:
        one.close()


def client(stack: Stack, name: str = "balancer") -> RawClient:
    host, _, port = stack.address(name).removeprefix("http://").partition(":")
    return RawClient((host, int(port)), 60.0)


def message(model: str, text: str = "Hello", **more: object) -> bytes:
    body = {"model": model, "max_tokens": 200, "stream": True}
    body |= {"messages": [{"role": "user", "content": text}], **more}
    return json.dumps(body).encode()


def is_whole(stack: Stack, model: str) -> bool:
    """One streamed message through the balancer, to its end."""
    with client(stack) as one:
        reply = one.ask("POST", MESSAGES, {"X-Api-Key": KEY}, message(model))
    return reply.status == 200 and events_of(reply.body)[-1][0] == "message_stop"


def test_every_service_is_run_or_said_why_not() -> None:
    run = {"postgres", "valkey", "upstream", "migrate", "key", "gateway-1", "gateway-2", "balancer"}
    run |= {"prometheus", "locust-master", "locust-worker"}
    assert set(SERVICES) - run == {"grafana"}  # not a package of Debian's


@pytest.mark.parametrize("model", ["opus", "sonnet", "haiku", "moonshot.kimi-k2-thinking"])
def test_with_no_key_of_a_provider_every_model_streams(stack: Stack, model: str) -> None:
    assert is_whole(stack, model)


def test_both_replicas_take_part_and_know_one_another_key_and_ledger(stack: Stack) -> None:
    for name in ("gateway-1", "gateway-2"):
        with client(stack, name) as one:
            reply = one.ask("POST", MESSAGES, {"X-Api-Key": KEY}, message("haiku"))
        assert reply.status == 200
    with client(stack) as one:
        began = one.ask("GET", "/v1/usage", {"X-Api-Key": KEY})
    assert began.status == 200

    def settled() -> bool:
        with client(stack) as one:
            usage = json.loads(one.ask("GET", "/v1/usage", {"X-Api-Key": KEY}).body)
        return bool(usage["credits_used"] > 0)

    stack.until(settled, "usage of both in one ledger")


def test_the_stand_in_for_firecrawl_is_asked(stack: Stack) -> None:
    tool = {"type": "web_search_20250305", "name": "web_search"}
    with client(stack) as one:
        body = message("moonshot.kimi-k2-thinking", "web search: tides", tools=[tool])
        body = body[:-1] + b',"tool_choice":{"type":"tool","name":"web_search"}}'
        reply = one.ask("POST", MESSAGES, {"X-Api-Key": KEY}, body)
    assert reply.status == 200, reply.body
    assert b'"web_search_tool_result"' in reply.body
    assert b'"web_search_result"' in reply.body, reply.body


def ask_prometheus(stack: Stack, path: str, **query: str) -> dict:
    url = f"{stack.address('prometheus', 9090)}/api/v1/{path}?{urllib.parse.urlencode(query)}"
    answer = stack.until(lambda: read(url), f"an answer to {query or path}", "prometheus")
    said: dict = json.loads(answer)
    assert said["status"] == "success", said
    return said["data"]


def test_prometheus_sees_both_replicas_and_answers_every_panel(stack: Stack) -> None:
    assert is_whole(stack, "sonnet")

    def up() -> bool:
        targets = ask_prometheus(stack, "targets")["activeTargets"]
        ours = [each for each in targets if each["labels"]["job"] == "gateway"]
        return len(ours) == 2 and {each["health"] for each in ours} == {"up"}

    stack.until(up, "both gateways to be scraped")

    def counted() -> bool:
        found = ask_prometheus(stack, "query", query="sum(hatz_generations_total)")["result"]
        return bool(found) and float(found[0]["value"][1]) > 0

    stack.until(counted, "generations in Prometheus")
    for _, query in dashboard_queries():
        ask_prometheus(stack, "query", query=query)
    stages = ask_prometheus(stack, "query", query="sum by (stage) (hatz_stage_seconds_count)")
    assert len(stages["result"]) == 7
    groups = ask_prometheus(stack, "rules")["groups"]
    loaded = {rule["name"]: rule for group in groups for rule in group["rules"]}
    assert loaded.keys() == {rule["alert"] for rule in alert_rules()}
    assert {rule["health"] for rule in loaded.values()} <= {"ok", "unknown"}


def test_grafana_finds_data_source_and_dashboard_where_it_looks() -> None:
    mounted = {target: source for source, target, _ in mounts_of("grafana")}
    assert mounted["/etc/grafana/provisioning"] == "./deploy/grafana/provisioning"
    home = environment_of("grafana")["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    folder, _, file = home.rpartition("/")
    assert (Path(mounted[folder]) / file).exists()


def test_replicas_are_exchanged_one_after_the_other_and_nobody_notices(stack: Stack) -> None:
    failures: list[str] = []
    whole = 0
    over = threading.Event()

    def keep_asking(model: str) -> None:
        nonlocal whole
        while not over.is_set():
            try:
                if is_whole(stack, model):
                    whole += 1
                else:
                    failures.append("not whole")
            except (OSError, ValueError, IndexError, AssertionError) as problem:
                failures.append(repr(problem))

    users = [
        threading.Thread(target=keep_asking, args=(model,), daemon=True)
        for model in ("haiku", "moonshot.kimi-k2-thinking", "sonnet")
    ]
    for user in users:
        user.start()
    for name in ("gateway-1", "gateway-2"):
        before = whole
        assert stack.stop(name) == 0, stack.said(name)
        stack.start(name)
        stack.healthy(name)
        stack.until(lambda before=before: whole > before + 2, "messages meanwhile")
        time.sleep(2)  # the balancer looks once a second
    over.set()
    for user in users:
        user.join(60)
    assert failures == []
    assert whole > 6


def test_locust_puts_users_on_it_through_its_page(stack: Stack) -> None:
    page = stack.address("locust-master", 8089)
    stack.start("locust-master")
    stack.until(lambda: read(page), "locust's page", "locust-master")
    stack.start("locust-worker")

    def workers() -> int:
        return len(json.loads(read(f"{page}/stats/requests") or b"{}").get("workers", ()))

    stack.until(workers, "a worker", "locust-worker")
    form = urllib.parse.urlencode({"user_count": 4, "spawn_rate": 4}).encode()
    with urllib.request.urlopen(f"{page}/swarm", form, timeout=20) as reply:
        assert json.loads(reply.read())["success"] is True

    def stats() -> dict:
        read_now: dict = json.loads(read(f"{page}/stats/requests") or b"{}")
        return read_now

    def kinds() -> bool:
        names = {each["name"].split(" ")[0] for each in stats().get("stats", ())}
        return {"stream", "message", "first"} <= names

    stack.until(kinds, "streams and messages", "locust-worker")
    assert stats()["errors"] == []
    with urllib.request.urlopen(f"{page}/stop", b"", timeout=20) as reply:
        assert json.loads(reply.read())["success"] is True
    for name in ("locust-worker", "locust-master"):
        stack.stop(name)
