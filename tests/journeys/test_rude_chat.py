"""Servers of the OpenAI wire at their rudest, behind the whole gateway.

Whatever they send, the client gets a legal stream or a documented error, the log tells of no bug,
and neither log nor support record repeats the prompt, an answer or a credential.
"""

import asyncio
import logging

import msgspec
import pytest

from tests.journeys.test_chat import DONE, FAST, FINISH, HELLO, KIMI, ROLE, STREAM, chunk, plays
from tests.kit.grammar import check_stream
from tests.kit.journey import Line, ask, gateway, provider

PROMPT = "the-secret-of-the-prompt"
ANSWER = "the-secret-of-the-answer"
KEY = b"sk-0a1b2c3d4e5f"
SMALL = FAST + "event_bytes_max = 300000\n"
BEYOND_64_BITS = b"1" + b"0" * 30


def said(inside: bytes) -> bytes:
    """A chunk whose delta is these bytes."""
    return b'data: {"choices":[{"index":0,"delta":{%b}}]}\n\n' % inside


def told(usage: bytes) -> bytes:
    """A chunk with usage of these bytes."""
    return b'data: {"choices":[],"usage":%b}\n\n' % usage


def call(number: int, name: str, arguments: str) -> bytes:
    function = {"name": name, "arguments": arguments}
    return chunk({"tool_calls": [{"index": number, "id": f"call_{number}", "function": function}]})


def slowly(stream: bytes) -> list[bytes]:
    return [stream[at : at + 1] for at in range(len(stream))]


LEGAL = {
    "one byte at a time": slowly(STREAM),
    "CRLF": [STREAM.replace(b"\n", b"\r\n")],
    "CR": [STREAM.replace(b"\n", b"\r")],
    "comments": [b": OPENROUTER PROCESSING\n\n" * 50, ROLE, b": x\n" * 50, HELLO, FINISH, DONE],
    "lines of JSON": [
        b"\n".join(line[6:] for line in STREAM.split(b"\n\n") if line.startswith(b"data: {"))
    ],
    "a huge event": [ROLE, chunk({"content": "x" * 250_000}), FINISH, DONE],
    "half characters": [
        ROLE,
        said(rb'"content":"\ud83d"'),
        said(rb'"content":"\ude00\ud83d"'),
        FINISH,
        DONE,
    ],
    "no UTF-8": [ROLE, said(b'"content":"\xff\xfe"'), FINISH, DONE],
    "null bytes": [ROLE, said(rb'"content":"\u0000"'), FINISH, DONE],
    "a huge index": [
        said(
            b'"tool_calls":[{"index":%b,"id":"a","function":{"name":"t","arguments":"{}"}}]'
            % BEYOND_64_BITS
        ),
        FINISH,
        DONE,
    ],
    "a huge number in arguments": [
        call(0, "t", f'{{"n":{BEYOND_64_BITS.decode()}}}'),
        FINISH,
        DONE,
    ],
    "200 calls at once": [call(at, f"t{at}", "{}") for at in range(200)] + [FINISH, DONE],
    "a name of 200 characters": [call(0, "t" * 200, "{}"), FINISH, DONE],
    "negative usage": [HELLO, FINISH, told(b'{"prompt_tokens":-1,"completion_tokens":-1}'), DONE],
    "huge usage": [
        HELLO,
        FINISH,
        told(b'{"prompt_tokens":%b,"completion_tokens":1e300}' % BEYOND_64_BITS),
    ],
    "usage of anything": [
        HELLO,
        FINISH,
        told(b'{"prompt_tokens":true,"completion_tokens":1.5,"total_tokens":"nan"}'),
        told(b'"many"'),
        told(b"[]"),
    ],
    "choices of anything": [
        b'data: {"choices":null}\n\n',
        b'data: {"choices":[]}\n\n',
        b'data: {"object":"x"}\n\n',
        HELLO,
        FINISH,
        DONE,
    ],
}
REFUSED = {
    "deep JSON": [ROLE, b"data: " + b"[" * 5000 + b"]" * 5000 + b"\n\n", FINISH, DONE],
    "deep arguments": [call(0, "t", '{"a":' * 5000 + "1" + "}" * 5000), FINISH, DONE],
    "too large an event": [ROLE, b'data: {"choices":[{"delta":{"content":"' + b"x" * 400_000],
    "arguments of 2 MB that wait": [
        HELLO,
        *[said(b'"tool_calls":[{"index":0,"function":{"arguments":"%b"}}]' % (b"x" * 100_000))]
        * 20,
    ],
    "no JSON": [ROLE, b"data: " + ANSWER.encode() + b"\n\n"],
    "no choices but a list": [b"data: [1]\n\n"],
    "an error of nothing": [b'data: {"error":{"message":null,"code":[]}}\n\n'],
    "an error that quotes a key": [
        b'data: {"error":{"code":500,"message":"The key %b is wrong."}}\n\n' % KEY
    ],
}


async def reply_to(tmp_path, pieces, **fields):
    async with provider() as there, gateway(tmp_path, [there], SMALL, dialect="") as here:
        there.usual = plays(*pieces)
        body = ask(KIMI, messages=[{"role": "user", "content": PROMPT}], **fields)
        reply = await here.post(body)
        row = await here.row(reply.id)
        return reply, row


def check_log(caplog):
    text = "\n".join(record.getMessage() + str(record.exc_info) for record in caplog.records)
    for secret in (PROMPT, ANSWER, KEY.decode(), "sk-of-the-house-itself"):
        assert secret not in text
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR], text


@pytest.mark.parametrize("name", LEGAL)
async def test_what_can_be_understood_becomes_a_message(tmp_path, caplog, name):
    reply, row = await reply_to(tmp_path, LEGAL[name])
    assert reply.status == 200
    check_stream(reply.body)
    assert reply.events[-1][0] == "message_stop", name
    assert row.outcome == "completed"
    assert 0 <= row.output_tokens <= 1 << 40
    check_log(caplog)


@pytest.mark.parametrize("name", REFUSED)
async def test_what_cannot_is_an_error_as_documented(tmp_path, caplog, name):
    reply, row = await reply_to(tmp_path, REFUSED[name])
    if reply.status == 200:
        check_stream(reply.body)
        assert reply.events[-1][0] == "error", name
    else:
        assert reply.status in (500, 502), name
        assert reply.error["type"] == "api_error"
    assert ANSWER.encode() not in reply.body
    assert KEY not in reply.body
    assert row.outcome in ("upstream_error", "partial")
    check_log(caplog)


@pytest.mark.parametrize("name", [*LEGAL, *REFUSED])
async def test_a_whole_reply_of_the_same_is_a_message_or_an_error(tmp_path, caplog, name):
    """The first chunk that says something, as if it were a whole reply."""
    pieces = b"".join((LEGAL | REFUSED)[name]).replace(b'"delta"', b'"message"')
    events = [event[6:] for event in pieces.split(b"\n\n") if event.startswith(b"data: ")]
    body = max(events, key=len, default=pieces)

    async def play(line: Line) -> None:
        line.whole(200, body)

    async with provider() as there, gateway(tmp_path, [there], SMALL, dialect="") as here:
        there.usual = play
        reply = await here.post(ask(KIMI, stream=False))
    assert reply.status in (200, 500, 502), name
    document = msgspec.json.decode(reply.body)
    assert document["type"] == ("message" if reply.status == 200 else "error")
    assert ANSWER.encode() not in reply.body
    check_log(caplog)


async def test_comments_keep_the_provider_waited_for_and_reach_the_client_as_pings(tmp_path):
    async def play(line: Line) -> None:
        line.head()
        line.chunk(ROLE)
        for _ in range(15):
            line.chunk(b": keep-alive\n\n")
            await asyncio.sleep(0.2)
        line.chunk(HELLO + FINISH + DONE)
        line.end()

    settings = FAST + "idle_timeout_s = 1.0\n"
    async with provider() as there, gateway(tmp_path, [there], settings, dialect="") as here:
        there.usual = play
        reply = await here.post(ask(KIMI))
    check_stream(reply.body)
    names = [name for name, _ in reply.events]
    assert names[0] == "message_start"
    assert "ping" in names
    assert names[-1] == "message_stop"
    assert b"keep-alive" not in reply.body


async def test_arguments_of_2_mb_come_through_whole(tmp_path):
    words = "x" * 20_000
    function = {"index": 0, "function": {"arguments": words}}
    pieces = [
        call(0, "t", '{"a":"'),
        *[chunk({"tool_calls": [function]})] * 100,
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": '"}'}}]}),
        FINISH,
        DONE,
    ]
    async with provider() as there, gateway(tmp_path, [there], dialect="") as here:
        there.usual = plays(*pieces)
        reply = await asyncio.wait_for(here.post(ask(KIMI)), 20)
    check_stream(reply.body)
    written = "".join(
        data["delta"].get("partial_json", "")
        for name, data in reply.events
        if name == "content_block_delta"
    )
    assert msgspec.json.decode(written) == {"a": words * 100}
