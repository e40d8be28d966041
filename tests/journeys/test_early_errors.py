"""What a provider refuses, or fails at, before the first event: a real status, never a 200."""

import asyncio
import socket

import pytest

from tests.kit.journey import (
    COUNT,
    WHOLE,
    Line,
    ask,
    error_body,
    event,
    gateway,
    plays_refusal,
    provider,
)

TOO_LONG = "prompt is too long: 250000 tokens > 200000 maximum"
KEPT = [
    (400, "invalid_request_error", TOO_LONG),
    (400, "invalid_request_error", "context_management: Extra inputs are not permitted"),
    (404, "not_found_error", "model: claude-haiku-4-5"),
    (409, "conflict_error", "Another one runs"),
    (413, "request_too_large", "Request exceeds the maximum size"),
    (429, "rate_limit_error", "This request would exceed your rate limit"),
    (500, "api_error", "Internal server error"),
    (529, "overloaded_error", "Overloaded"),
]
STREAM, WHOLE_REPLY, COUNTED = (
    {"body": ask()},
    {"body": ask(stream=False)},
    {"body": ask(), "path": COUNT},
)
KINDS = pytest.mark.parametrize("how", [STREAM, WHOLE_REPLY], ids=["stream", "whole"])


async def refused(tmp_path, play, how, **more):
    async with provider() as there, gateway(tmp_path, [there], **more) as here:
        there.usual = play
        return await here.post(**how)


@KINDS
async def test_status_type_and_wording_of_the_provider_are_kept(tmp_path, how):
    async with provider() as there, gateway(tmp_path, [there]) as here:
        for status, kind, message in KEPT:
            there.plays = [
                plays_refusal(status, error_body(kind, message), more="retry-after: 7\r\n")
            ]
            reply = await here.post(**how)
            assert (reply.status, reply.error) == (status, {"type": kind, "message": message})
            assert reply.headers["content-type"] == "application/json"
            assert reply.headers["retry-after"] == "7"
            assert "x-should-retry" not in reply.headers
            assert reply.id == reply.headers["x-request-id"]


@KINDS
@pytest.mark.parametrize("status", [401, 402, 403])
async def test_trouble_with_our_own_credential_is_not_the_clients(tmp_path, status, how):
    body = error_body("authentication_error", "invalid x-api-key sk-ant-leaked")
    reply = await refused(tmp_path, plays_refusal(status, body), how)
    assert (reply.status, reply.error["type"]) == (502, "api_error")
    assert reply.headers["x-should-retry"] == "false"
    assert b"leaked" not in reply.body and b"x-api-key" not in reply.body


async def test_a_wish_not_to_retry_is_passed_on(tmp_path):
    play = plays_refusal(
        429, error_body("rate_limit_error", "Daily cap"), more="x-should-retry: false\r\n"
    )
    reply = await refused(tmp_path, play, STREAM)
    assert (reply.status, reply.headers["x-should-retry"]) == (429, "false")


@pytest.mark.parametrize(
    ("status", "expected"), [(502, 502), (520, 502), (503, 529), (504, 504), (413, 413), (200, 502)]
)
async def test_html_is_never_leaked(tmp_path, status, expected):
    play = plays_refusal(status, b"<html><h1>nginx</h1></html>", "text/html")
    async with provider() as there, gateway(tmp_path, [there]) as here:
        there.usual = play
        replies = [await here.post(**how) for how in (STREAM, WHOLE_REPLY)]
    for reply in replies:
        assert reply.status == expected
        assert "nginx" not in reply.error["message"] and "<" not in reply.error["message"]


async def test_a_document_where_a_stream_was_asked_for_is_a_bad_reply(tmp_path):
    reply = await refused(tmp_path, plays_refusal(200, WHOLE), STREAM)
    assert (reply.status, reply.error["type"]) == (502, "api_error")


@pytest.mark.parametrize("kind,status", [("overloaded_error", 529), ("api_error", 502)])
async def test_an_error_as_the_first_event_becomes_a_status(tmp_path, kind, status):
    async def play(line: Line) -> None:
        line.head()
        line.chunk(b": hello\n\n" + event("ping", b'{"type":"ping"}'))
        line.chunk(event("error", error_body(kind, "Not today")))
        line.end()

    reply = await refused(tmp_path, play, STREAM)
    assert reply.status == status
    assert reply.error == {"type": kind, "message": "Not today"}


@KINDS
async def test_nobody_there_is_a_bad_gateway(tmp_path, how):
    async with provider() as there, gateway(tmp_path, [there]) as here:
        await there.stop_listening()
        reply = await here.post(**how)
        assert (reply.status, reply.error["type"]) == (502, "api_error")
        assert str(there.port) not in reply.error["message"]


async def test_a_connection_that_is_never_made_is_a_timeout(tmp_path):
    """A listening socket with a full queue: the system leaves further connections without word."""
    deaf = socket.socket()
    deaf.bind(("127.0.0.1", 0))
    deaf.listen(0)
    port = deaf.getsockname()[1]
    fillers = []
    for _ in range(4):
        filler = socket.socket()
        filler.setblocking(False)
        try:
            filler.connect(("127.0.0.1", port))
        except BlockingIOError:
            pass
        fillers.append(filler)
    await asyncio.sleep(0.05)

    class Deaf:
        pass

    there = Deaf()
    there.port = port
    async with gateway(tmp_path, [there], upstream="connect_timeout_s = 0.2") as here:
        reply = await here.post(ask())
        assert (reply.status, reply.error["type"]) == (504, "timeout_error")
    for each in (deaf, *fillers):
        each.close()


@pytest.mark.usefixtures("quick_wheel")
@KINDS
async def test_no_first_byte_in_time_is_a_timeout(tmp_path, how):
    async def play(line: Line) -> None:
        await line.gone.wait()

    reply = await refused(tmp_path, play, how, upstream="first_byte_timeout_s = 0.1")
    assert (reply.status, reply.error["type"]) == (504, "timeout_error")


async def test_a_reply_cut_off_is_a_bad_gateway(tmp_path):
    async def play(line: Line) -> None:
        line.send(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n{"
        )
        await asyncio.sleep(0.01)
        line.close()

    reply = await refused(tmp_path, play, WHOLE_REPLY)
    assert (reply.status, reply.error["type"]) == (502, "api_error")


@pytest.mark.parametrize(
    "garbage", [b"SSH-2.0-OpenSSH_9.6\r\n", b"\x16\x03\x01\x00\xa5", b"<html>"]
)
async def test_what_is_not_http_is_a_bad_gateway(tmp_path, garbage):
    async def play(line: Line) -> None:
        line.send(garbage)
        await line.gone.wait()

    reply = await refused(tmp_path, play, STREAM)
    assert reply.status == 502


@pytest.mark.parametrize(("status", "kind", "message"), KEPT)
async def test_a_count_is_refused_only_for_what_the_request_is(tmp_path, status, kind, message):
    reply = await refused(tmp_path, plays_refusal(status, error_body(kind, message)), COUNTED)
    if status in (400, 409, 413):
        assert (reply.status, reply.error) == (status, {"type": kind, "message": message})
    else:
        assert_is_an_estimate(reply)


@pytest.mark.parametrize("status", [401, 402, 403])
async def test_a_count_does_not_fail_for_our_credential(tmp_path, status):
    assert_is_an_estimate(await refused(tmp_path, plays_refusal(status, b"{}"), COUNTED))


async def test_a_count_does_not_fail_where_nobody_is(tmp_path):
    async with provider() as there, gateway(tmp_path, [there]) as here:
        await there.stop_listening()
        assert_is_an_estimate(await here.post(**COUNTED))


@pytest.mark.usefixtures("quick_wheel")
async def test_a_count_that_takes_too_long_is_estimated(tmp_path):
    async def play(line: Line) -> None:
        await line.gone.wait()

    reply = await refused(tmp_path, play, COUNTED, upstream="count_timeout_s = 0.1")
    assert_is_an_estimate(reply)


def assert_is_an_estimate(reply):
    """Counting never fails because of the provider (translation.md D14)."""
    assert reply.status == 200
    assert reply.headers["x-hatz-count"] == "estimate"
    assert int(reply.body.removeprefix(b'{"input_tokens":').removesuffix(b"}")) > 0
