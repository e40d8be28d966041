"""Names and ids that would be headers, lines of a log, paths or other documents, if let."""

import json
from urllib.parse import quote

import pytest

from tests.kit.provider import Provider
from tests.kit.raw_client import RawClient, request
from tests.kit.running import KEY, RunningHouse, message

AUTH = {"X-Api-Key": KEY}
PATH = "/v1/anthropic/v1/messages"
NASTY = [
    "x\r\nX-Evil: 1",
    "x\nX-Evil: 1",
    "x\r\n\r\nHTTP/1.1 200 OK\r\nX-Evil: 1\r\n\r\n",
    "x\x00y",
    "x\x85X-Evil: 1",
    "x\u2028X-Evil: 1",
    '","admin":true,"x":"',
    "../../admin",
    "haiku[\r\nX-Evil: 1]",
    "x" * 100_000,
]
shown = pytest.mark.parametrize("name", NASTY, ids=lambda name: repr(name[:12]))


@shown
def test_a_models_name_stays_a_name(
    client: RawClient, gateway: RunningHouse, provider: Provider, name: str
) -> None:
    provider.asked.clear()
    reply = client.ask("POST", PATH, AUTH, message(stream=False, model=name))
    assert reply.status == 404
    assert "x-evil" not in reply.headers
    assert set(reply.json()) == {"type", "error", "request_id"}
    assert "admin" not in reply.json()
    assert provider.asked == []
    assert client.ask("GET", "/healthz").status == 200, "the connection is where it was"


@shown
def test_a_models_name_in_a_path_stays_a_name(client: RawClient, name: str) -> None:
    reply = client.ask("GET", f"/v1/anthropic/v1/models/{quote(name[:2000], safe='')}", AUTH)
    assert reply.status in (400, 404)
    assert "x-evil" not in reply.headers


@pytest.mark.parametrize(
    "given",
    ["x y", "a\tb", "\xff\xfe", "{}", "../..", "x" * 5000, "req_" + "\xe9" * 20, "a;b", "a,b"],
    ids=lambda value: repr(value[:12]),
)
def test_a_request_id_of_another_shape_is_not_taken_over(client: RawClient, given: str) -> None:
    for method, path, body in (
        ("POST", PATH, message(stream=False)),
        ("GET", "/v1/chat/models", None),
    ):
        reply = client.ask(method, path, {**AUTH, "X-Request-Id": given}, body)
        assert reply.status == 200
        assert reply.headers["x-request-id"] != given
        assert reply.headers["x-request-id"].isascii()


def test_headers_of_the_client_reach_the_provider_only_if_they_may(
    client: RawClient, provider: Provider
) -> None:
    more = {
        "Anthropic-Beta": "a\tb, c",
        "X-Forwarded-For": "127.0.0.1",
        "Authorization": "Bearer " + KEY,
        "Cookie": "a=b",
        "Host": "provider.internal",
        "Proxy-Authorization": "Basic eDp5",
        "X-Api-Key": KEY,
    }
    assert client.ask("POST", PATH, more, message(stream=False)).status == 200
    asked = provider.asked[-1]
    assert not {"x-forwarded-for", "cookie", "proxy-authorization"} & set(asked.headers)
    assert KEY not in str(asked.headers)
    assert asked.headers["host"] != "provider.internal"


# ---------------------------------------------------------------- paths

GUARDED = ["/v1/admin/tenants", "/v1/api-keys", "/v1/me", "/v1/chat/models", "/v1/usage/summary"]


@pytest.mark.parametrize("path", GUARDED)
@pytest.mark.parametrize(
    "trick",
    [
        "{0}",
        "/v1/anthropic/..{0}",
        "/healthz/..{0}",
        "/healthz/%2e%2e{0}",
        "/%2e{0}",
        "/.{0}",
        "/{0}",
        "{0}/",
        "{0}/.",
        "{0}%00",
        "{0};a=b",
        "{0}%2f",
        "{0}?x=/healthz",
        "{0}#/healthz",
        "http://gateway{0}",
        "http://127.0.0.1:1{0}",
        "/v1/anthropic/v1/messages/..%2f..%2f..{0}",
        "\\healthz{0}",
    ],
)
def test_no_spelling_of_a_path_gets_past_the_gate(
    gateway: RunningHouse, path: str, trick: str
) -> None:
    with gateway.connect() as client:
        client.send(request("GET", trick.format(path)))
        reply = client.reply()
        assert reply.status in (400, 401, 403, 404, 405), reply


@pytest.mark.parametrize(
    "path",
    [
        "/../../../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/..%2f..%2fetc%2fpasswd",
        "/page/../../storage/schema/0001_people.sql",
        "/static/../../../../proc/self/environ",
        "/console/..%5c..%5csettings.py",
        "/v1/requests/..%2f..%2fadmin%2ftenants",
    ],
)
def test_no_path_leads_to_a_file(gateway: RunningHouse, path: str) -> None:
    with gateway.connect() as client:
        client.send(request("GET", path, AUTH))
        reply = client.reply()
        assert reply.status in (400, 404), reply
        assert b"root:" not in reply.body and b"CREATE TABLE" not in reply.body


# ---------------------------------------------------------------- depth and size

DEEP = 200_000
OFFICE = ("PUT", "/v1/preferences/gateway-mapping")


@pytest.mark.parametrize(
    "field",
    ["messages", "tools", "metadata", "unknown"],
)
@pytest.mark.parametrize(("opens", "closes"), [("[", "]"), ('{"a":', "}")])
def test_deep_json_is_refused_or_left_to_the_provider(
    client: RawClient, field: str, opens: str, closes: str
) -> None:
    body = json.loads(message(stream=False))
    body[field] = "DEEP"
    deep = opens * DEEP + "1" + closes * DEEP
    sent = json.dumps(body).replace('"DEEP"', deep).encode()
    reply = client.ask("POST", PATH, AUTH, sent)
    assert reply.status in (200, 400), reply
    if reply.status == 400:
        assert reply.json()["error"]["type"] == "invalid_request_error"
    assert client.ask("GET", "/healthz").status == 200
    office = client.ask(*OFFICE, AUTH, b'{"enabled":%b}' % deep.encode())
    assert office.status in (400, 413), office


@pytest.mark.parametrize(
    "number",
    ["1" + "0" * 400, "-1", "1e400", "-1e400", "1e-400", "0." + "1" * 400, "1" * 4000, "NaN"],
    ids=lambda number: number[:8],
)
@pytest.mark.parametrize("field", ["max_tokens", "temperature", "top_k", "unknown"])
def test_huge_numbers_are_refused_or_left_to_the_provider(
    client: RawClient, provider: Provider, field: str, number: str
) -> None:
    body = json.loads(message(stream=False))
    body[field] = "NUMBER"
    sent = json.dumps(body).replace('"NUMBER"', number).encode()
    reply = client.ask("POST", PATH, AUTH, sent)
    assert reply.status in (200, 400), reply
    if reply.status == 200:
        assert number.encode() in provider.asked[-1].body, "as it was written"
    for path in (f"/v1/usage/summary?limit={number[:500]}", f"/v1/api-keys?limit={number[:500]}"):
        assert client.ask("GET", path, AUTH).status < 500
