"""How requests are framed: the same battery for the short lane and for aiohttp's side."""

import gzip
import json
import re
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.kit.provider import Provider
from tests.kit.raw_client import RawClient, Reply, request
from tests.kit.running import KEY, MODEL, RunningHouse, house, message

AUTH = {"X-Api-Key": KEY}
BODY_BYTES_MAX = 300_000
HEADER_BYTES_MAX = 16_384


class Road(NamedTuple):
    """A request with a body, and how its reply is recognised."""

    method: str
    path: str
    body: bytes
    sign: bytes

    def is_answered(self, reply: Reply) -> bool:
        assert reply.status == 200, reply
        return self.sign in reply.body


LANE = Road(
    "POST", "/v1/anthropic/v1/messages", message(stream=False, text="Hi"), b'"type":"message"'
)
OFFICE = Road("PUT", "/v1/preferences/gateway-mapping", b'{"enabled":false}', b'"effective"')
on_both_roads = pytest.mark.parametrize("road", (LANE, OFFICE), ids=("lane", "office"))


@pytest.fixture(scope="module")
def small(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHouse]:
    """A gateway that takes only small requests."""
    with house(
        tmp_path_factory.mktemp("small"),
        provider.url,
        server__body_bytes_max=BODY_BYTES_MAX,
        server__header_bytes_max=HEADER_BYTES_MAX,
    ) as running:
        yield running


def chunked(body: bytes, size: int, trailer: bytes = b"", extension: bytes = b"") -> bytes:
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    framed = [b"%x%b\r\n%b\r\n" % (len(chunk), extension, chunk) for chunk in chunks]
    return b"".join(framed) + b"0\r\n" + trailer + b"\r\n"


def chunked_request(road: Road, framed: bytes, more: dict[str, str] | None = None) -> bytes:
    headers = {**AUTH, "Transfer-Encoding": "chunked", **(more or {})}
    return request(road.method, road.path, headers) + framed


def whole(road: Road) -> bytes:
    return request(road.method, road.path, AUTH, road.body)


def refusal(reply: Reply, status: int) -> str:
    """The message of a refusal after which the connection is closed."""
    assert reply.status == status, reply
    assert reply.headers["connection"] == "close"
    assert reply.headers["request-id"] == reply.json()["request_id"]
    return str(reply.json()["error"]["message"])


class TestBodiesWithALength:
    @on_both_roads
    def test_arrive_in_one_read(self, client: RawClient, road: Road) -> None:
        client.send(whole(road))
        assert road.is_answered(client.reply())

    @on_both_roads
    def test_may_be_cut_anywhere(self, client: RawClient, road: Road) -> None:
        sent = whole(road)
        for at in range(1, len(sent)):
            client.send_in_pieces((sent[:at], sent[at:]), pause_s=0.0005)
            assert road.is_answered(client.reply()), f"cut at {at}"

    @on_both_roads
    def test_may_come_byte_by_byte(self, client: RawClient, road: Road) -> None:
        sent = whole(road)
        client.send_in_pieces([sent[at : at + 1] for at in range(len(sent))], pause_s=0.0005)
        assert road.is_answered(client.reply())

    def test_reach_the_provider_as_they_were_however_large(
        self, client: RawClient, provider: Provider
    ) -> None:
        body = message(stream=False, text="large " * 200_000)
        sent = request("POST", LANE.path, AUTH, body)
        client.send_in_pieces([sent[at : at + 50_000] for at in range(0, len(sent), 50_000)])
        assert LANE.is_answered(client.reply())
        got = provider.asked[-1].body
        assert got == body.replace(MODEL.encode(), b"claude-haiku-4-5")

    @on_both_roads
    def test_may_be_absent(self, client: RawClient, road: Road) -> None:
        reply = client.ask(road.method, road.path, AUTH)
        assert reply.status == 400
        assert client.ask("GET", "/healthz").status == 200

    def test_of_an_unread_request_are_taken_off_the_connection(self, client: RawClient) -> None:
        for body in (b"x", b"x" * 300_000, b"x" * 6_000_000):
            assert client.ask("POST", "/nothing", {}, body).status == 404
            assert client.ask("GET", "/healthz", {}, body[:1000]).status == 200

    def test_over_what_the_product_api_reads_are_413(self, client: RawClient) -> None:
        reply = client.ask(OFFICE.method, OFFICE.path, AUTH, b'"' + b"x" * 6_000_000 + b'"')
        assert reply.status == 413
        assert client.ask("GET", "/healthz").status == 200

    @on_both_roads
    @pytest.mark.parametrize("size", (BODY_BYTES_MAX + 1, 10**12))
    def test_over_the_cap_are_refused_before_they_are_sent(
        self, small: RunningHouse, road: Road, size: int
    ) -> None:
        with small.connect() as client:
            client.send(request(road.method, road.path, {**AUTH, "Content-Length": str(size)}))
            reply = client.reply()
            assert str(BODY_BYTES_MAX) in refusal(reply, 413)
            assert reply.json()["error"]["type"] == "request_too_large"
            assert client.is_ended()

    @on_both_roads
    def test_over_the_cap_that_are_sent_nevertheless_do_not_cost_the_reply(
        self, small: RunningHouse, road: Road
    ) -> None:
        with small.connect() as client:
            client.send(request(road.method, road.path, AUTH, b"x" * 30_000_000))
            refusal(client.reply(), 413)
            assert client.is_ended()

    @on_both_roads
    def test_just_under_the_cap_are_taken(self, small: RunningHouse, road: Road) -> None:
        body = road.body + b" " * (BODY_BYTES_MAX - len(road.body))
        with small.connect() as client:
            reply = client.ask(road.method, road.path, AUTH, body)
        assert reply.status == (200 if road is LANE else 413), "the product API reads less"

    @on_both_roads
    @pytest.mark.parametrize(
        "lengths",
        (["-1"], ["+5"], ["0x10"], ["5 6"], ["5,6"], ["5", "6"], ["5", "5"], ["9" * 30], [""]),
        ids=repr,
    )
    def test_with_a_length_that_is_none_are_400(
        self, client: RawClient, road: Road, lengths: list[str]
    ) -> None:
        stated = [("Content-Length", length) for length in lengths]
        client.send(request(road.method, road.path, [*AUTH.items(), *stated]) + b"12345")
        assert refusal(client.reply(), 400)
        assert client.is_ended()


class TestChunkedBodies:
    @on_both_roads
    @pytest.mark.parametrize("size", (1, 7, 1_000_000))
    def test_are_put_together(self, client: RawClient, road: Road, size: int) -> None:
        client.send(chunked_request(road, chunked(road.body, size)))
        assert road.is_answered(client.reply())

    @on_both_roads
    def test_may_be_cut_anywhere(self, client: RawClient, road: Road) -> None:
        framed = chunked(road.body, 40, b"X-Trailer: 1\r\nX-More: 2\r\n", b";name=value")
        sent = chunked_request(road, framed)
        for at in range(len(sent) - len(framed) - 4, len(sent)):
            client.send_in_pieces((sent[:at], sent[at:]), pause_s=0.0005)
            assert road.is_answered(client.reply()), f"cut at {at}"

    @on_both_roads
    def test_may_come_byte_by_byte(self, client: RawClient, road: Road) -> None:
        sent = chunked_request(road, chunked(road.body, 16, b"X-Trailer: 1\r\n"))
        client.send_in_pieces([sent[at : at + 1] for at in range(len(sent))], pause_s=0.0005)
        assert road.is_answered(client.reply())

    def test_reach_the_provider_with_their_length(
        self, client: RawClient, provider: Provider
    ) -> None:
        body = message(stream=False, text="chunked")
        client.send(chunked_request(LANE, chunked(body, 30)))
        assert LANE.is_answered(client.reply())
        asked = provider.asked[-1]
        assert asked.body == body.replace(MODEL.encode(), b"claude-haiku-4-5")
        assert "transfer-encoding" not in asked.headers

    @on_both_roads
    def test_are_followed_by_the_next_request(self, client: RawClient, road: Road) -> None:
        one = chunked_request(road, chunked(road.body, 25, b"X-Trailer: 1\r\n"))
        client.send(one + one + request("GET", "/healthz") + one)
        for answered in (road, road, None, road):
            reply = client.reply()
            assert answered.is_answered(reply) if answered else reply.status == 200

    @on_both_roads
    def test_may_be_empty(self, client: RawClient, road: Road) -> None:
        client.send(chunked_request(road, b"0\r\n\r\n"))
        assert client.reply().status == 400
        assert client.ask("GET", "/healthz").status == 200

    @on_both_roads
    @pytest.mark.parametrize(
        "framed",
        (
            b"x\r\n",
            b"-1\r\n",
            b"0x5\r\n12345\r\n",
            b"\r\n",
            b"5\r\n123456\r\n0\r\n\r\n",
            b"5;" + b"x" * 3000,
            b"f" * 20 + b"\r\n",
            b"0\r\n" + b"X-Trailer: 1\r\n" * 2000 + b"\r\n",
        ),
        ids=lambda framed: repr(framed[:12]),
    )
    def test_that_are_broken_are_400(self, client: RawClient, road: Road, framed: bytes) -> None:
        client.send(chunked_request(road, framed))
        assert "chunked" in refusal(client.reply(), 400)
        assert client.is_ended()

    @on_both_roads
    def test_over_the_cap_are_413_as_soon_as_they_say_so(
        self, small: RunningHouse, road: Road
    ) -> None:
        with small.connect() as client:
            client.send(chunked_request(road, b"%x\r\n" % (BODY_BYTES_MAX + 1)))
            assert str(BODY_BYTES_MAX) in refusal(client.reply(), 413)

    @on_both_roads
    def test_that_grow_over_the_cap_are_413(self, small: RunningHouse, road: Road) -> None:
        with small.connect() as client:
            client.send(chunked_request(road, chunked(b"x" * 3_000_000, 10_000)))
            assert str(BODY_BYTES_MAX) in refusal(client.reply(), 413)

    @on_both_roads
    @pytest.mark.parametrize(
        "framing",
        (
            [("Content-Length", "5"), ("Transfer-Encoding", "chunked")],
            [("Transfer-Encoding", "chunked"), ("Content-Length", "5")],
            [("Transfer-Encoding", "chunked"), ("Content-Length", "0")],
            [("Transfer-Encoding", "gzip, chunked")],
            [("Transfer-Encoding", "chunked, chunked")],
            [("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "chunked")],
            [("Transfer-Encoding", "identity")],
            [("Transfer-Encoding", "xchunked")],
            [("Transfer-Encoding", "")],
        ),
        ids=repr,
    )
    def test_beside_another_framing_are_400(
        self, client: RawClient, road: Road, framing: list[tuple[str, str]]
    ) -> None:
        # Where two servers on the way disagree about a body's end, requests can be smuggled.
        client.send(request(road.method, road.path, [*AUTH.items(), *framing]) + b"0\r\n\r\n")
        assert refusal(client.reply(), 400)
        assert client.is_ended()


class TestCompressedBodies:
    @on_both_roads
    @pytest.mark.parametrize("coding", ("gzip", "GZIP"))
    def test_in_gzip_are_opened(self, client: RawClient, road: Road, coding: str) -> None:
        packed = gzip.compress(road.body)
        reply = client.ask(road.method, road.path, {**AUTH, "Content-Encoding": coding}, packed)
        assert road.is_answered(reply)
        assert road.is_answered(client.ask(road.method, road.path, AUTH, road.body))

    @on_both_roads
    def test_in_gzip_and_chunks_are_opened(self, client: RawClient, road: Road) -> None:
        framed = chunked(gzip.compress(road.body), 11)
        client.send(chunked_request(road, framed, {"Content-Encoding": "gzip"}))
        assert road.is_answered(client.reply())

    @on_both_roads
    @pytest.mark.parametrize("coding", ("identity", ""))
    def test_not_at_all_are_taken(self, client: RawClient, road: Road, coding: str) -> None:
        reply = client.ask(road.method, road.path, {**AUTH, "Content-Encoding": coding}, road.body)
        assert road.is_answered(reply)

    def test_reach_the_provider_opened(self, client: RawClient, provider: Provider) -> None:
        packed = gzip.compress(LANE.body)
        client.ask("POST", LANE.path, {**AUTH, "Content-Encoding": "gzip"}, packed)
        asked = provider.asked[-1]
        assert json.loads(asked.body)["model"] == "claude-haiku-4-5"
        assert "content-encoding" not in asked.headers

    def test_may_be_several_in_one(self, client: RawClient) -> None:
        packed = gzip.compress(LANE.body[:50]) + gzip.compress(LANE.body[50:])
        reply = client.ask("POST", LANE.path, {**AUTH, "Content-Encoding": "gzip"}, packed)
        assert LANE.is_answered(reply)

    @on_both_roads
    def test_that_grow_over_the_cap_are_413(self, client: RawClient, road: Road) -> None:
        bomb = gzip.compress(b'{"x":"' + b"0" * 40_000_000 + b'"}', compresslevel=1)
        assert len(bomb) < 2_000_000
        reply = client.ask(road.method, road.path, {**AUTH, "Content-Encoding": "gzip"}, bomb)
        assert reply.status == 413
        assert reply.json()["error"]["type"] == "request_too_large"

    @on_both_roads
    @pytest.mark.parametrize("coding", ("br", "zstd", "deflate", "compress", "gzip, gzip", "x"))
    def test_in_another_coding_are_415(self, client: RawClient, road: Road, coding: str) -> None:
        packed = zlib.compress(road.body)
        reply = client.ask(road.method, road.path, {**AUTH, "Content-Encoding": coding}, packed)
        assert reply.status == 415
        assert reply.json()["error"]["type"] == "invalid_request_error"
        assert "gzip" in reply.json()["error"]["message"]

    @on_both_roads
    @pytest.mark.parametrize("cut", (slice(0, -5), slice(0, 10), slice(3, None)), ids=repr)
    def test_that_are_broken_are_400(self, client: RawClient, road: Road, cut: slice) -> None:
        packed = gzip.compress(road.body)[cut]
        reply = client.ask(road.method, road.path, {**AUTH, "Content-Encoding": "gzip"}, packed)
        assert reply.status == 400
        if road is LANE:
            assert client.ask("GET", "/healthz").status == 200
        else:
            assert client.is_ended()


class TestExpect:
    @on_both_roads
    @pytest.mark.parametrize("spelling", ("100-continue", "100-Continue"))
    def test_a_client_that_waits_is_told_to_go_on(
        self, client: RawClient, road: Road, spelling: str
    ) -> None:
        headers = {**AUTH, "Expect": spelling, "Content-Length": str(len(road.body))}
        for _ in range(2):
            client.send(request(road.method, road.path, headers))
            assert client.reply_head().status == 100
            client.send(road.body)
            assert road.is_answered(client.reply())

    @on_both_roads
    def test_a_client_that_waits_with_chunks_is_told_to_go_on(
        self, client: RawClient, road: Road
    ) -> None:
        client.send(chunked_request(road, b"", {"Expect": "100-continue"}))
        assert client.reply_head().status == 100
        client.send(chunked(road.body, 20))
        assert road.is_answered(client.reply())

    @on_both_roads
    def test_a_client_that_does_not_wait_is_answered(self, client: RawClient, road: Road) -> None:
        reply = client.ask(road.method, road.path, {**AUTH, "Expect": "100-continue"}, road.body)
        assert road.is_answered(reply)
        assert reply.interim == []

    @on_both_roads
    def test_an_expectation_nobody_knows_is_no_reason_to_fail(
        self, client: RawClient, road: Road
    ) -> None:
        for _ in range(2):
            reply = client.ask(road.method, road.path, {**AUTH, "Expect": "200-ok"}, road.body)
            assert road.is_answered(reply)
            assert client.ask("POST", "/nothing", {"Expect": "x"}, b"x").status == 404

    @on_both_roads
    def test_a_body_over_the_cap_is_refused_instead(self, small: RunningHouse, road: Road) -> None:
        headers = {**AUTH, "Expect": "100-continue", "Content-Length": str(BODY_BYTES_MAX + 1)}
        with small.connect() as client:
            client.send(request(road.method, road.path, headers))
            reply = client.reply()
            assert (reply.status, reply.interim) == (413, [])


class TestBodiesThatAreNoMessage:
    @pytest.mark.parametrize(
        ("body", "said"),
        [
            (b"", "empty"),
            (b"{", "not valid JSON"),
            (b"\xff\xfe", "not valid JSON"),
            (b"[1]", "must be a JSON object"),
            (b'"text"', "must be a JSON object"),
            (b"{}", "model: Field required"),
            (b'{"model":5,"messages":[]}', "model: Input should be a valid string"),
            (b'{"model":"m","messages":5}', "messages: Input should be a valid list"),
            (b"[" * 100_000, "JSON"),
        ],
        ids=lambda value: repr(value[:20]),
    )
    def test_are_400_in_words_and_the_connection_goes_on(
        self, client: RawClient, body: bytes, said: str
    ) -> None:
        reply = client.ask("POST", LANE.path, AUTH, body)
        assert (reply.status, reply.json()["error"]["type"]) == (400, "invalid_request_error")
        assert said in reply.json()["error"]["message"]
        assert LANE.is_answered(client.ask("POST", LANE.path, AUTH, LANE.body))


class TestHeads:
    @on_both_roads
    def test_over_the_cap_are_431(self, small: RunningHouse, road: Road) -> None:
        headers = {**AUTH, "X-Big": "x" * HEADER_BYTES_MAX}
        with small.connect() as client:
            client.send(request(road.method, road.path, headers, road.body))
            assert str(HEADER_BYTES_MAX) in refusal(client.reply(), 431)
            assert client.is_ended()

    def test_over_the_cap_are_431_before_they_end(self, small: RunningHouse) -> None:
        with small.connect() as client:
            client.send(b"GET /healthz HTTP/1.1\r\nX-Big: " + b"x" * (HEADER_BYTES_MAX + 1))
            refusal(client.reply(), 431)

    def test_with_an_endless_first_line_are_431(self, small: RunningHouse) -> None:
        with small.connect() as client:
            client.send(b"GET /" + b"x" * 1_000_000)
            refusal(client.reply(), 431)
            assert client.is_ended()

    @on_both_roads
    @pytest.mark.parametrize(
        "headers",
        (
            {"anthropic-beta": ",".join(f"a-beta-of-the-day-{n}" for n in range(600))},
            {f"X-Header-{n}": "value" for n in range(400)},
            {"Cookie": "x" * 15_000},
        ),
        ids=("one long", "many", "cookie"),
    )
    def test_under_the_cap_are_taken_whatever_their_form(
        self, small: RunningHouse, road: Road, headers: dict[str, str]
    ) -> None:
        with small.connect() as client:
            assert road.is_answered(
                client.ask(road.method, road.path, {**AUTH, **headers}, road.body)
            )

    def test_with_a_long_query_are_taken(self, small: RunningHouse) -> None:
        with small.connect() as client:
            assert client.ask("GET", "/healthz?" + "x" * 12_000).status == 200
            path = f"{LANE.path}?{'x' * 12_000}"
            assert LANE.is_answered(client.ask("POST", path, AUTH, LANE.body))

    @pytest.mark.parametrize(
        "sent",
        (
            b"nonsense\r\n\r\n",
            b"GET\r\n\r\n",
            b"GET /healthz\r\n\r\n",
            b"GET /healthz HTTP/9.9\r\n\r\n",
            b"GET /healthz HTTX/1.1\r\n\r\n",
            b"get /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GE T /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET /he althz HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET /caf\xe9 HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET /healthz HTTP/1.1\r\nno colon\r\n\r\n",
            b"GET /healthz HTTP/1.1\r\n: no name\r\n\r\n",
            b"GET /healthz HTTP/1.1\r\nA b: blank in name\r\n\r\n",
            b"GET /healthz HTTP/1.1\r\nX: nul\x00\r\n\r\n",
            b"GET /healthz HTTP/1.1\r\nX: bare\rreturn\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
        ),
        ids=repr,
    )
    def test_that_are_no_http_are_400(self, client: RawClient, sent: bytes) -> None:
        client.send(sent)
        assert "HTTP" in refusal(client.reply(), 400)
        assert client.is_ended()

    @pytest.mark.parametrize(
        "method",
        ["TRACE", "PATCH", "PURGE", "PROPFIND", "M-SEARCH", "SOURCE", "LINK", "REPORT", "DELETE"],
    )
    def test_with_rare_methods_are_answered(self, client: RawClient, method: str) -> None:
        for path in ("/nothing", LANE.path):
            assert client.ask(method, path, AUTH, b"x").status in (404, 405)
        assert client.ask("GET", "/healthz").status == 200

    @pytest.mark.parametrize("method", ["ANNOUNCE", "DESCRIBE", "SETUP", "RECORD", "FLUSH"])
    def test_with_methods_of_other_protocols_are_answered(
        self, client: RawClient, method: str
    ) -> None:
        client.send(request(method, "/nothing", AUTH))
        assert client.reply().status in (400, 404, 405)

    @on_both_roads
    @pytest.mark.parametrize(
        "hosts", ([], ["a", "b"], ["a", "a"], ["a, b"]), ids=("none", "two", "twice", "list")
    )
    def test_without_exactly_one_host_are_400(
        self, client: RawClient, road: Road, hosts: list[str]
    ) -> None:
        head = f"{road.method} {road.path} HTTP/1.1\r\nX-Api-Key: {KEY}\r\n"
        head += "".join([f"Host: {host}\r\n" for host in hosts])
        client.send(f"{head}Content-Length: {len(road.body)}\r\n\r\n".encode() + road.body)
        assert "Host" in refusal(client.reply(), 400)
        assert client.is_ended()

    @pytest.mark.parametrize(
        "target", ("http://[bad/healthz", "http://h:99999/healthz", "http:///healthz")
    )
    def test_that_only_aiohttp_refuses_are_refused_in_the_same_words(
        self, client: RawClient, caplog: pytest.LogCaptureFixture, target: str
    ) -> None:
        client.send(request("GET", target, {"X-Request-ID": "odd-target"}))
        assert "not valid HTTP" in refusal(reply := client.reply(), 400)
        assert reply.headers["request-id"] == reply.headers["x-request-id"] == "odd-target"
        assert client.is_ended()
        assert "Traceback" not in caplog.text

    def test_after_empty_lines_are_read(self, client: RawClient) -> None:
        # Old clients send one too many behind a body; RFC 9112 section 2.2.
        for beginning in (b"\r\n", b"\r\n\r\n", b"\r\n" * 50, b"\n"):
            client.send(beginning + whole(LANE))
            assert LANE.is_answered(client.reply())
        client.send_in_pieces((b"\r", b"\n", whole(OFFICE)))
        assert OFFICE.is_answered(client.reply())

    @on_both_roads
    @pytest.mark.parametrize(
        "headers",
        (
            {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMA"},
            {
                "Connection": "Upgrade",
                "Upgrade": "websocket",
                "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
                "Sec-WebSocket-Version": "13",
            },
        ),
        ids=("h2c", "websocket"),
    )
    def test_that_ask_for_another_protocol_are_answered_in_this_one(
        self, client: RawClient, road: Road, headers: dict[str, str]
    ) -> None:
        for _ in range(3):
            reply = client.ask(road.method, road.path, {**AUTH, **headers}, road.body)
            assert road.is_answered(reply)
            assert client.ask("GET", "/healthz", headers).status == 200

    def test_repeated_with_another_body_are_read_anew(
        self, client: RawClient, provider: Provider
    ) -> None:
        for text in ("a", "bb", "c" * 100, "d" * 10_000, "e", "f"):
            client.ask("POST", LANE.path, AUTH, message(stream=False, text=text))
            content = json.loads(provider.asked[-1].body)["messages"][0]["content"]
            assert content == text

    def test_with_other_headers_are_not_taken_for_the_last_one(
        self, client: RawClient, provider: Provider
    ) -> None:
        for beta in ("one", "two", "two", "three"):
            headers = {**AUTH, "anthropic-beta": beta}
            client.ask("POST", LANE.path, headers, LANE.body)
            assert provider.asked[-1].headers["anthropic-beta"] == beta
        client.ask("POST", LANE.path, AUTH, LANE.body)
        assert "anthropic-beta" not in provider.asked[-1].headers
        assert client.ask("POST", LANE.path, {"X-Api-Key": KEY + "x"}, LANE.body).status == 401


class TestTheEndOfAConnection:
    @on_both_roads
    @pytest.mark.parametrize("spelling", ("close", "Close", "keep-alive, close"))
    def test_comes_when_the_client_asks_for_it(
        self, client: RawClient, road: Road, spelling: str
    ) -> None:
        reply = client.ask(road.method, road.path, {**AUTH, "Connection": spelling}, road.body)
        assert road.is_answered(reply)
        assert re.search("close", reply.headers["connection"])
        assert client.is_ended()

    @on_both_roads
    def test_is_not_told_of_when_it_does_not_come(self, client: RawClient, road: Road) -> None:
        reply = client.ask(road.method, road.path, {**AUTH, "Connection": "keep-alive"}, road.body)
        assert "close" not in reply.headers.get("connection", "")
        assert client.is_silent()

    @on_both_roads
    @pytest.mark.parametrize("share", (0.0, 0.1, 0.5, 0.99))
    def test_in_the_middle_of_a_request_troubles_nobody(
        self, gateway: RunningHouse, road: Road, share: float
    ) -> None:
        sent = whole(road)
        with gateway.connect() as leaving:
            leaving.send(sent[: int(len(sent) * share)])
        with gateway.connect() as staying:
            staying.send(sent)
            assert road.is_answered(staying.reply())
