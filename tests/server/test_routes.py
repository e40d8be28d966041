"""Every path in every spelling, and what is said where there is none."""

import re

import pytest

from tests.kit.provider import MESSAGE, Provider
from tests.kit.raw_client import RawClient, Reply, request
from tests.kit.running import KEY, MODEL, RunningHouse, message

AUTH = {"X-Api-Key": KEY}
BASES = ("/v1/anthropic", "/v1/anthropic/v1", "/v1/anthropic/v1/v1")
ENDINGS = ("", "/", "?beta=true", "/?beta=true")


def is_anthropic_error(reply: Reply) -> bool:
    """The envelope of client-contract.md 9.1, with the id of the headers."""
    document = reply.json()
    assert set(document) == {"type", "error", "request_id"}, document
    assert document["request_id"] == reply.headers["request-id"]
    assert isinstance(document["error"]["message"], str) and document["error"]["message"]
    return bool(document["type"] == "error")


def is_rest_error(reply: Reply) -> bool:
    """The shape of domain.md 12, with the id of the headers."""
    document = reply.json()
    assert set(document) == {"error", "request_id"}, document
    assert document["request_id"] == reply.headers["request-id"]
    return set(document["error"]) == {"type", "message", "code"}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("base", BASES)
def test_messages_answer_in_every_spelling(client: RawClient, base: str, ending: str) -> None:
    reply = client.ask("POST", f"{base}/messages{ending}", AUTH, message(stream=False))
    assert reply.status == 200
    assert reply.json() == {**MESSAGE, "model": MODEL}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("base", BASES)
def test_count_tokens_answers_in_every_spelling(client: RawClient, base: str, ending: str) -> None:
    body = b'{"model":"%b","messages":[{"role":"user","content":"Hi"}]}' % MODEL.encode()
    reply = client.ask("POST", f"{base}/messages/count_tokens{ending}", AUTH, body)
    assert (reply.status, reply.json()) == (200, {"input_tokens": 7})


def test_both_spellings_give_the_same_bytes(client: RawClient) -> None:
    replies = [
        client.ask("POST", f"{base}/messages", {**AUTH, "X-Request-ID": "same"}, message())
        for base in BASES
    ]
    assert len({reply.body for reply in replies}) == 1
    heads = [[pair for pair in reply.all_headers if pair[0] != "date"] for reply in replies]
    assert heads[0] == heads[1] == heads[2]


@pytest.mark.parametrize(
    "target",
    [
        "http://gateway.test/v1/anthropic/v1/messages",
        "http://gateway.test:8080/v1/anthropic/messages?beta=true",
        "/v1/anthropic/v1/%6Dessages",
        "/v1%2Fanthropic/messages/",
        "/v1/anthropic/messages#part",
    ],
)
def test_a_path_in_another_legal_form_is_the_same_path(client: RawClient, target: str) -> None:
    reply = client.ask("POST", target, AUTH, message(stream=False))
    assert reply.status == 200
    assert reply.json()["type"] == "message"


def test_the_query_reaches_the_provider_only_as_far_as_it_must(
    client: RawClient, provider: Provider
) -> None:
    client.ask("POST", "/v1/anthropic/v1/messages?beta=true", AUTH, message(stream=False))
    assert provider.asked[-1].path == "/v1/messages?beta=true"


@pytest.mark.parametrize("ending", ("", "/", "?limit=1000"))
@pytest.mark.parametrize("base", BASES)
def test_the_model_list_answers_in_every_spelling(
    client: RawClient, base: str, ending: str
) -> None:
    reply = client.ask("GET", f"{base}/models{ending}", AUTH)
    assert reply.status == 200
    document = reply.json()
    assert [model["id"] for model in document["data"]] == [MODEL]
    assert (document["has_more"], document["first_id"], document["last_id"]) == (
        False,
        MODEL,
        MODEL,
    )


@pytest.mark.parametrize("ending", ("", "/"))
@pytest.mark.parametrize("base", BASES)
def test_one_model_answers_in_every_spelling(client: RawClient, base: str, ending: str) -> None:
    reply = client.ask("GET", f"{base}/models/{MODEL}{ending}", AUTH)
    assert (reply.status, reply.json()["id"]) == (200, MODEL)


def test_a_model_with_a_slash_in_its_name_is_looked_for_by_its_name(client: RawClient) -> None:
    reply = client.ask("GET", "/v1/anthropic/v1/models/vertex_ai%2Fclaude", AUTH)
    assert reply.status == 404
    assert is_anthropic_error(reply)
    assert "vertex_ai/claude" in reply.json()["error"]["message"]


def test_a_page_of_models_starts_behind_the_one_named(client: RawClient) -> None:
    reply = client.ask("GET", f"/v1/anthropic/v1/models?limit=1&after_id={MODEL}", AUTH)
    assert (reply.status, reply.json()["data"]) == (200, [])


@pytest.mark.parametrize("path", ("/v1/chat/models", "/v1/chat/models/"))
def test_the_product_model_list_answers(client: RawClient, path: str) -> None:
    reply = client.ask("GET", path, AUTH)
    assert reply.status == 200
    assert MODEL in reply.body.decode()


@pytest.mark.parametrize("method", ("GET", "HEAD"))
@pytest.mark.parametrize("ending", ("", "/"))
@pytest.mark.parametrize("path", ("/v1/anthropic", "/v1/anthropic/v1", "/v1/anthropic/api/hello"))
def test_probes_are_answered_without_a_key(
    client: RawClient, method: str, path: str, ending: str
) -> None:
    reply = client.ask(method, path + ending)
    assert reply.status == 200
    assert reply.headers["request-id"]


@pytest.mark.parametrize("ending", ("", "/"))
@pytest.mark.parametrize("method", ("GET", "HEAD"))
@pytest.mark.parametrize("path", ("/healthz", "/readyz", "/metrics"))
def test_watchers_are_answered_without_a_key(
    client: RawClient, method: str, path: str, ending: str
) -> None:
    assert client.ask(method, path + ending).status == 200


def test_the_root_tells_how_to_connect(client: RawClient) -> None:
    reply = client.ask("GET", "/")
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("text/html")
    assert b"/v1/anthropic" in reply.body


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("OPTIONS", 204)])
@pytest.mark.parametrize("ending", ("/messages", "/messages/", "/messages/count_tokens"))
@pytest.mark.parametrize("base", BASES)
def test_message_paths_calmly_answer_other_questions(
    client: RawClient, base: str, ending: str, method: str, status: int
) -> None:
    assert client.ask(method, base + ending).status == status


@pytest.mark.parametrize("method", ("GET", "PUT", "DELETE", "PATCH"))
@pytest.mark.parametrize("ending", ("", "/", "?beta=true"))
@pytest.mark.parametrize("base", BASES)
def test_a_wrong_method_on_messages_is_405_in_the_envelope(
    client: RawClient, base: str, ending: str, method: str
) -> None:
    reply = client.ask(method, f"{base}/messages{ending}", AUTH)
    assert reply.status == 405
    assert is_anthropic_error(reply)
    assert reply.json()["error"]["type"] == "invalid_request_error"
    assert "POST" in reply.headers["allow"].split(", ")
    assert "POST" in reply.json()["error"]["message"]


def test_a_wrong_method_elsewhere_is_405_in_the_rest_shape(client: RawClient) -> None:
    reply = client.ask("POST", "/v1/chat/models", AUTH, b"{}")
    assert reply.status == 405
    assert is_rest_error(reply)
    assert "GET" in re.split(", ?", reply.headers["allow"])


@pytest.mark.parametrize(
    "path",
    [
        "/v1/anthropic/v1/messages/batches",
        "/v1/anthropic/v1/files",
        "/v1/anthropic/v1/skills",
        "/v1/anthropic/v1/complete",
        "/v1/anthropic/nothing",
    ],
)
@pytest.mark.parametrize("method", ("GET", "POST"))
def test_an_unknown_path_of_the_gateway_is_404_in_the_envelope(
    client: RawClient, method: str, path: str
) -> None:
    reply = client.ask(method, path, AUTH, b"{}" if method == "POST" else None)
    assert reply.status == 404
    assert is_anthropic_error(reply)
    assert reply.json()["error"]["type"] == "not_found_error"
    assert "/v1/anthropic" in reply.json()["error"]["message"]


@pytest.mark.parametrize(
    "path", ("/nothing", "/v1/messages", "/v1/chat/completions", "//", "/caf%FF")
)
@pytest.mark.parametrize("method", ("GET", "POST"))
def test_an_unknown_path_elsewhere_is_404_in_the_rest_shape(
    client: RawClient, method: str, path: str
) -> None:
    reply = client.ask(method, path, AUTH, b"{}" if method == "POST" else None)
    assert reply.status == 404
    assert is_rest_error(reply)


@pytest.mark.parametrize("target", ("*", "host:443"))
def test_a_target_that_is_no_path_is_404(gateway: RunningHouse, target: str) -> None:
    with gateway.connect() as client:
        client.send(request("OPTIONS" if target == "*" else "CONNECT", target))
        assert client.reply().status == 404
