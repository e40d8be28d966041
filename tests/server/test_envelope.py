"""The request's id on every reply, whichever road it took; a log that survives odd clients."""

import json
from collections.abc import Iterator

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from proxy.domain.ids import is_request_id
from proxy.server.envelope import Envelope
from tests.kit.raw_client import RawClient, Reply, request
from tests.kit.running import KEY, MODEL, RunningHouse, house, message, until

AUTH = {"X-Api-Key": KEY}
ROADS = {
    "stream": ("POST", "/v1/anthropic/v1/messages", AUTH, message()),
    "whole": ("POST", "/v1/anthropic/messages", AUTH, message(stream=False)),
    "lane 400": ("POST", "/v1/anthropic/v1/messages", AUTH, b"no JSON"),
    "lane 401": ("POST", "/v1/anthropic/v1/messages", {}, message()),
    "lane 404": ("POST", "/v1/anthropic/v1/messages", AUTH, message(model="no-such")),
    "office 200": ("GET", "/v1/chat/models", AUTH, None),
    "office 401": ("GET", "/v1/anthropic/v1/models", {}, None),
    "office 404": ("GET", "/nothing", {}, None),
    "office 405": ("DELETE", "/v1/anthropic/v1/messages", {}, None),
    "probe": ("HEAD", "/v1/anthropic", {}, None),
    "options": ("OPTIONS", "/v1/anthropic/v1/messages", {}, None),
    "health": ("GET", "/healthz", {}, None),
    "page": ("GET", "/", {}, None),
}
by_road = pytest.mark.parametrize("road", ROADS.values(), ids=ROADS.keys())


def ask(client: RawClient, road: tuple[str, str, dict[str, str], bytes | None], id: str) -> Reply:
    method, path, headers, body = road
    client.send(request(method, path, {**headers, **({"X-Request-ID": id} if id else {})}, body))
    return client.reply(to=method)


def id_of(reply: Reply) -> str:
    """The one id a reply carries, wherever it names it."""
    headers = reply.headers
    assert headers["request-id"] == headers["x-request-id"]
    if reply.status >= 400 and reply.body:
        assert reply.json()["request_id"] == headers["request-id"]
    return headers["request-id"]


@by_road
def test_every_reply_carries_an_id_of_ours(
    client: RawClient, road: tuple[str, str, dict[str, str], bytes | None]
) -> None:
    first, second = id_of(ask(client, road, "")), id_of(ask(client, road, ""))
    assert first != second
    assert is_request_id(first) and is_request_id(second)
    assert first.startswith("req_")


@by_road
@pytest.mark.parametrize("given", ("a", "A-z_0.9:", "x" * 128))
def test_a_valid_id_of_the_client_is_adopted(
    client: RawClient, road: tuple[str, str, dict[str, str], bytes | None], given: str
) -> None:
    assert id_of(ask(client, road, given)) == given


@by_road
@pytest.mark.parametrize(
    "given", ("x" * 129, "two words", 'quo"te', "slash/", "caf\xe9", "a,b", "<b>", "{x}")
)
def test_a_bad_id_of_the_client_is_replaced_and_the_call_goes_on(
    client: RawClient, road: tuple[str, str, dict[str, str], bytes | None], given: str
) -> None:
    reply = ask(client, road, given)
    assert id_of(reply).startswith("req_")
    assert given.encode("latin-1") not in reply.body


@by_road
def test_two_ids_are_no_id(
    client: RawClient, road: tuple[str, str, dict[str, str], bytes | None]
) -> None:
    method, path, headers, body = road
    twice = [*headers.items(), ("X-Request-ID", "one"), ("X-Request-ID", "two")]
    client.send(request(method, path, twice, body))
    assert id_of(client.reply(to=method)).startswith("req_")


def test_a_streamed_error_names_the_id_of_the_head(client: RawClient) -> None:
    reply = ask(client, ROADS["lane 404"], "req-of-client")
    assert reply.json()["request_id"] == "req-of-client"
    assert reply.headers["content-type"] == "application/json"


@pytest.mark.parametrize("path", ("/v1/anthropic/v1/models", "/v1/chat/models"))
async def test_a_bug_is_a_500_that_tells_the_caller_nothing_but_an_id(
    gateway: RunningHouse, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    async def broken(request: web.Request) -> web.StreamResponse:
        raise ZeroDivisionError("an inner secret")

    envelope = Envelope()
    envelope.front = gateway.house._front
    reply = await envelope.around(make_mocked_request("GET", path), broken)
    assert isinstance(reply, web.Response)
    assert reply.status == 500 and isinstance(reply.body, bytes)
    document = json.loads(reply.body)
    assert document["error"]["type"] == "api_error"
    assert document["request_id"] == reply.headers["request-id"]
    assert ("type" in document) is path.startswith("/v1/anthropic")
    assert b"secret" not in reply.body and b"ZeroDivision" not in reply.body
    assert "an inner secret" in caplog.text and document["request_id"] in caplog.text


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHouse]:
    """A gateway of its own, whose provider is not there."""
    place = tmp_path_factory.mktemp("log")
    with house(place, "http://127.0.0.1:9", observability__access_log="true") as running:
        yield running


class TestTheLog:
    @pytest.mark.parametrize("road", ("office 404", "lane 401", "office 200"))
    def test_goes_on_after_a_client_name_that_is_no_text(
        self, logged: RunningHouse, capfd: pytest.CaptureFixture[str], road: str
    ) -> None:
        method, path, headers, body = ROADS[road]
        with logged.connect() as client:
            client.ask(method, path, {**headers, "User-Agent": "caf\xe9 \xff"}, body)
            client.ask("GET", "/after-it", {"X-Request-ID": f"after-{road[-3:]}"})
        said: list[str] = []

        def is_written() -> bool:
            said.append(capfd.readouterr().err)
            return f"after-{road[-3:]}" in "".join(said)

        until(is_written, "a line of the request after it")

    def test_holds_one_line_for_each_request_and_no_key(
        self, logged: RunningHouse, capfd: pytest.CaptureFixture[str]
    ) -> None:
        with logged.connect() as client:
            for number, (method, path, headers, body) in enumerate(ROADS.values()):
                client.ask(method, path, {**headers, "X-Request-ID": f"line-{number}-"}, body)
        said: list[str] = []

        def all_there() -> bool:
            said.append(capfd.readouterr().err)
            return f"line-{len(ROADS) - 1}-" in "".join(said)

        until(all_there, "the last line")
        text = "".join(said)
        for number, (road, (_, path, _, _)) in enumerate(ROADS.items()):
            assert text.count(f"line-{number}-") >= (path != "/healthz"), road
        assert KEY not in text
        assert "Hello" not in text, "content was logged"
        assert MODEL in text
