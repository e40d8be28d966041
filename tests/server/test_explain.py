"""`POST /v1/anthropic/explain`: the walk's own answer, nothing spent."""

from collections.abc import Iterator

import pytest

from tests.kit.provider import Provider
from tests.kit.provider import provider as opened_provider
from tests.kit.running import KEY, MODEL, RunningHouse, house, message

PATH = "/v1/anthropic/explain"


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with opened_provider() as opened:
        yield opened


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, provider: Provider) -> Iterator[RunningHouse]:
    with house(tmp_path_factory.mktemp("house"), provider.url) as running:
        yield running


@pytest.mark.parametrize("path", (PATH, "/v1/anthropic/v1/explain"))
def test_a_model_that_would_answer_is_told_with_its_way(
    gateway: RunningHouse, provider: Provider, path: str
) -> None:
    asked_before = len(provider.asked)
    reply = gateway.ask("POST", path, {"X-Request-Id": "dry-run"}, message(model="haiku"))
    assert reply.status == 200
    assert reply.headers["cache-control"] == "no-store"
    said = reply.json()
    month = said.pop("month")
    assert len(month) == len("2026-11")
    assert said == {
        "allowed": True,
        "asked": "haiku",
        "user": "tester@example.com",
        "tenant": "Default",
        "role": "client_admin",
        "model": MODEL,
        "resolved_via": "alias",
        "multiplier": said["multiplier"],
        "deployments": ["kit: claude-haiku-4-5"],
        "tenant_used": 0.0,
        "tenant_state": "normal",
        "role_used": 0.0,
        "role_state": "normal",
    }
    assert said["multiplier"] > 0
    assert len(provider.asked) == asked_before
    assert gateway.rows("dry-run") == []


def test_a_refusal_is_told_as_the_request_would_get_it(gateway: RunningHouse) -> None:
    refused = gateway.ask("POST", "/v1/anthropic/v1/messages", {}, message(model="no-such"))
    reply = gateway.ask("POST", PATH, {}, b'{"model":"no-such"}')
    assert reply.status == 200
    said = reply.json()
    assert (said["allowed"], said["status"]) == (False, refused.status)
    assert said["reason"] == refused.headers["x-hatz-reason"]
    assert refused.json()["error"]["message"].startswith(said["message"])


def test_the_key_may_come_either_way_and_must_be_one(gateway: RunningHouse) -> None:
    for headers in ({"Authorization": f"Bearer {KEY}"}, {"X-Api-Key": KEY}):
        with gateway.connect() as client:
            assert client.ask("POST", PATH, headers, b'{"model":"haiku"}').status == 200
    reply = gateway.ask("POST", PATH, {"X-Api-Key": "wrong"}, b'{"model":"haiku"}')
    assert reply.status == 401
    assert reply.json()["error"]["type"] == "authentication_error"


@pytest.mark.parametrize(
    ("body", "words"),
    (
        (b"{}", "model: Field required"),
        (b'{"model":7}', "model: Input should be a valid string"),
        (b"[]", "model: Input should be a valid string"),
        (b"{", "not valid JSON"),
        (b"\xff", "not valid JSON"),
        (b"", "not valid JSON"),
    ),
)
def test_a_body_without_a_model_is_refused(gateway: RunningHouse, body: bytes, words: str) -> None:
    with gateway.connect() as client:
        reply = client.ask("POST", PATH, {"X-Api-Key": KEY}, body)
    assert reply.status == 400
    assert reply.json()["error"]["type"] == "invalid_request_error"
    assert words in reply.json()["error"]["message"]
