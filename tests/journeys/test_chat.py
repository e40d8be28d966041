"""A model of the OpenAI wire behind the gateway: translated there and back, broken in every way.

The provider's bytes are the test's own; what faithful vendors do is the demo upstream's part and is
tried with real clients.
"""

import asyncio
import time

import msgspec
import pytest

from tests.kit.grammar import check_ends, check_stream
from tests.kit.journey import COUNT, Line, ask, gateway, plays_refusal, provider, terminals

KIMI = "moonshot.kimi-k2-thinking"
FAST = "commit_after_s = 0.4\nping_after_s = 0.4\nfinish_grace_s = 0.4\ncount_timeout_s = 0.5\n"


def chunk(delta=None, finish=None, **more) -> bytes:
    """One chunk of a streamed completion."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    document = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": choices, **more}
    return b"data: " + msgspec.json.encode(document) + b"\n\n"


USAGE = {
    "prompt_tokens": 900,
    "completion_tokens": 40,
    "total_tokens": 940,
    "prompt_tokens_details": {"cached_tokens": 600},
}
ROLE = chunk({"role": "assistant", "content": ""})
HELLO = chunk({"content": "Hel"}) + chunk({"content": "lo."})
FINISH = chunk({}, "stop")
DONE = chunk(usage=USAGE) + b"data: [DONE]\n\n"
OVERLOADED = (
    b'data: {"error":{"message":"The engine is overloaded","type":"engine_overloaded_error"}}\n\n'
)
STREAM = ROLE + HELLO + FINISH + DONE
WHOLE = msgspec.json.encode(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello."},
                "finish_reason": "stop",
            }
        ],
        "usage": USAGE,
    }
)


def plays(*pieces: bytes, kind: str = "text/event-stream", end: bool = True):
    """A stream of these chunks."""

    async def play(line: Line) -> None:
        line.head(kind=kind)
        for piece in pieces:
            line.chunk(piece)
            await asyncio.sleep(0)
        if end:
            line.end()

    return play


async def plays_well(line: Line) -> None:
    """What a good server does."""
    if b'"stream":true' in line.asked.body:
        await plays(STREAM)(line)
    else:
        line.whole(200, WHOLE)


async def asked_of(tmp_path, play, *, stream=True, upstream=FAST, dialect="", **fields):
    """The reply, the provider and the ledger's row of one request."""
    async with (
        provider() as there,
        gateway(tmp_path, [there], upstream=upstream, dialect=dialect) as here,
    ):
        there.usual = play
        reply = await here.post(ask(KIMI, stream=stream, **fields))
        row = await here.row(reply.id)
        return reply, there, row


def text_of(reply) -> str:
    return "".join(
        data["delta"].get("text", "")
        for name, data in reply.events
        if name == "content_block_delta"
    )


async def test_a_stream_is_translated_and_booked(tmp_path):
    reply, there, row = await asked_of(tmp_path, plays_well)
    assert reply.status == 200
    check_stream(reply.body)
    assert text_of(reply) == "Hello."
    start = reply.events[0][1]["message"]
    assert start["model"] == KIMI
    assert start["id"].startswith("msg_gw_")
    assert start["usage"]["input_tokens"] > 0
    usage = reply.events[-2][1]["usage"]
    assert (usage["input_tokens"], usage["cache_read_input_tokens"]) == (300, 600)
    assert usage["output_tokens"] == 40
    assert (row.outcome, row.model, row.stop_reason) == ("completed", KIMI, "end_turn")
    assert (row.input_tokens, row.cache_read_tokens, row.output_tokens) == (300, 600, 40)
    assert row.usage_estimated is False
    assert row.credits > 0
    (asked,) = there.asked
    assert asked.target == b"/v1/chat/completions"
    assert asked.headers[b"authorization"] == b"Bearer sk-of-the-house-itself"
    sent = msgspec.json.decode(asked.body)
    assert sent["model"] == "kimi-k2-thinking"
    assert sent["stream_options"]["include_usage"] is True


async def test_a_whole_reply_is_translated_and_booked(tmp_path):
    reply, _, row = await asked_of(tmp_path, plays_well, stream=False)
    message = msgspec.json.decode(reply.body)
    assert message["content"] == [{"type": "text", "text": "Hello."}]
    assert (message["model"], message["stop_reason"]) == (KIMI, "end_turn")
    assert message["usage"]["output_tokens"] == 40
    assert (row.outcome, row.output_tokens, row.streamed) == ("completed", 40, False)


@pytest.mark.parametrize("stream", (True, False))
async def test_a_reply_without_usage_is_booked_by_estimate(tmp_path, stream):
    whole = msgspec.json.encode({**msgspec.json.decode(WHOLE), "usage": None})

    async def play(line: Line) -> None:
        if stream:
            await plays(ROLE, HELLO, FINISH, b"data: [DONE]\n\n")(line)
        else:
            line.whole(200, whole)

    reply, _, row = await asked_of(tmp_path, play, stream=stream)
    assert row.usage_estimated is True
    assert row.input_tokens > 0
    assert row.output_tokens > 0
    assert stream or reply.headers["x-gateway-usage"] == "estimated"


async def test_what_was_asked_too_long_is_cut_and_said(tmp_path):
    reply, there, _ = await asked_of(tmp_path, plays_well, max_tokens=1_000_000)
    sent = msgspec.json.decode(there.asked[0].body)
    assert sent["max_tokens"] == 64_000
    assert reply.headers["x-hatz-max-tokens"] == "64000"


async def test_what_cannot_be_translated_is_refused_before_anybody_is_asked(tmp_path):
    async with provider() as there, gateway(tmp_path, [there], dialect="") as here:
        computer = {"type": "computer_20250124", "name": "computer", "display_width_px": 1}
        reply = await here.post(ask(KIMI, tools=[computer]))
        assert (reply.status, reply.error["type"]) == (400, "invalid_request_error")
        assert "tools.0" in reply.error["message"]
        assert there.asked == []
        assert await here.all_rows() == []
        (refusal,) = await here.refusals(reply.id)
        assert refusal.status == 400


async def test_fields_that_are_left_out_are_counted(tmp_path):
    async with provider() as there, gateway(tmp_path, [there], dialect="") as here:
        there.usual = plays_well
        await here.post(ask(KIMI, speed="fast", top_k=5, temperature=0.5, context_management={}))
        await here.post(ask(KIMI, stream=False, context_management={}))
        sent = msgspec.json.decode(there.asked[0].body)
        assert sent["temperature"] == 0.5
        assert not {"speed", "top_k", "context_management"} & set(sent)
        client = await here.client()
        metrics = (await client.get("/metrics")).body.decode()
        client.close()
        counted = dict(
            line.removeprefix("hatz_dropped_fields_total").split(" ")
            for line in metrics.splitlines()
            if line.startswith("hatz_dropped_fields_total{")
        )
        assert counted == {
            '{field="context_management"}': "2.0",
            '{field="speed"}': "1.0",
            '{field="top_k"}': "1.0",
        }


# ---------------------------------------------------------------- broken streams


@pytest.mark.parametrize("pieces", ((ROLE,), (ROLE, HELLO), (ROLE, chunk({"content": "Hel"})[:-9])))
async def test_a_stream_cut_short_ends_in_an_error(tmp_path, pieces):
    reply, _, row = await asked_of(tmp_path, plays(*pieces))
    assert terminals(reply.body) == ["error"]
    check_ends(reply.body)
    assert row.outcome == "partial"


async def test_a_stream_reset_after_its_finish_is_whole(tmp_path):
    async def play(line: Line) -> None:
        line.head()
        line.chunk(ROLE + HELLO + FINISH)
        await line.drained()
        await asyncio.sleep(0.05)
        line.reset()

    reply, _, row = await asked_of(tmp_path, play)
    assert terminals(reply.body) == ["message_stop"]
    assert (row.outcome, row.usage_estimated) == ("completed", True)


async def test_a_server_that_never_ends_its_stream_is_waited_for_a_little(tmp_path):
    began_s = time.monotonic()
    reply, there, row = await asked_of(tmp_path, plays(ROLE, HELLO, FINISH, end=False))
    assert terminals(reply.body) == ["message_stop"]
    assert row.outcome == "completed"
    assert time.monotonic() - began_s < 8
    await asyncio.wait_for(there.lines[0].gone.wait(), 2)


async def test_an_error_first_is_a_status(tmp_path):
    error = OVERLOADED
    reply, _, row = await asked_of(tmp_path, plays(error))
    assert (reply.status, reply.error["type"]) == (529, "overloaded_error")
    assert row.outcome == "upstream_error"


async def test_an_error_midway_is_an_event(tmp_path):
    error = OVERLOADED
    reply, _, row = await asked_of(tmp_path, plays(ROLE, HELLO, error))
    assert terminals(reply.body) == ["error"]
    assert reply.events[-1][1]["error"]["type"] == "overloaded_error"
    assert row.outcome == "partial"


@pytest.mark.parametrize("kind", ("application/json", "text/event-stream"))
async def test_a_whole_reply_to_a_streamed_request_is_streamed_by_us(tmp_path, kind):
    reply, _, row = await asked_of(tmp_path, plays(WHOLE, kind=kind))
    check_stream(reply.body)
    assert text_of(reply) == "Hello."
    assert (row.outcome, row.output_tokens) == ("completed", 40)


@pytest.mark.parametrize("stream", (True, False))
async def test_html_is_no_reply(tmp_path, stream):
    page = b"<html><body>secret stack trace</body></html>"
    reply, _, _ = await asked_of(tmp_path, plays(page, kind="text/html"), stream=stream)
    assert (reply.status, reply.error["type"]) == (502, "api_error")
    assert b"secret" not in reply.body


async def test_a_silent_server_is_covered_by_pings_behind_a_beginning(tmp_path):
    async def play(line: Line) -> None:
        line.head()
        await asyncio.sleep(2.5)
        line.chunk(STREAM)
        line.end()

    reply, _, _ = await asked_of(tmp_path, play)
    names = [name for name, _ in reply.events]
    assert names[0] == "message_start"
    assert "ping" in names[1:3]
    assert names.count("message_start") == 1
    check_stream(reply.body)


async def test_a_client_that_leaves_ends_the_providers_work(tmp_path):
    async with provider() as there, gateway(tmp_path, [there], dialect="") as here:
        there.usual = plays(ROLE, HELLO, end=False)
        client = await here.client()
        client.send(ask(KIMI))
        head = await client.head()
        await client.piece()
        client.close()
        await asyncio.wait_for(there.lines[0].gone.wait(), 2)
        row = await here.row(head.id)
        assert (row.outcome, row.usage_estimated) == ("client_gone", True)
        assert row.output_tokens > 0


async def test_a_local_stop_sequence_ends_the_providers_work(tmp_path):
    play = plays(ROLE, chunk({"content": "one ST"}), chunk({"content": "OP two"}), end=False)
    reply, there, row = await asked_of(tmp_path, play, stop_sequences=["STOP"])
    assert text_of(reply) == "one "
    assert reply.events[-2][1]["delta"] == {"stop_reason": "stop_sequence", "stop_sequence": "STOP"}
    assert row.stop_reason == "stop_sequence"
    await asyncio.wait_for(there.lines[0].gone.wait(), 2)


# ---------------------------------------------------------------- refusals


async def test_a_field_that_is_refused_is_left_out_and_remembered(tmp_path):
    refusal = b'{"error":{"message":"Unrecognized request argument supplied: stream_options"}}'

    async def play(line: Line) -> None:
        if b"stream_options" in line.asked.body:
            line.whole(400, refusal)
        else:
            await plays_well(line)

    async with provider() as there, gateway(tmp_path, [there], dialect="") as here:
        there.usual = play
        first = await here.post(ask(KIMI))
        second = await here.post(ask(KIMI))
        assert terminals(first.body) == terminals(second.body) == ["message_stop"]
        with_options = [b"stream_options" in each.body for each in there.asked]
        assert with_options == [True, False, False]
        assert (await here.row(first.id)).attempts == 2
        await asyncio.sleep(0.4)
        client = await here.client()
        metrics = (await client.get("/metrics")).body.decode()
        assert (
            'hatz_learned_refusals{field="stream_options",model="kimi-k2-thinking",provider="p0"} 1'
            in metrics
        )
        client.close()


async def test_an_overflow_is_told_in_the_words_clients_know(tmp_path):
    body = (
        b'{"error":{"message":"This model\'s maximum context length is 262144 tokens. However, your'
        b' messages resulted in 300000 tokens.","code":"context_length_exceeded"}}'
    )
    reply, _, _ = await asked_of(tmp_path, plays_refusal(400, body))
    assert reply.status == 400
    assert reply.error["message"] == "prompt is too long: 300000 tokens > 262144 maximum"


async def test_our_credential_is_not_the_clients(tmp_path):
    body = b'{"error":{"message":"Incorrect API key provided: sk-leaked"}}'
    reply, _, _ = await asked_of(tmp_path, plays_refusal(401, body))
    assert (reply.status, reply.error["type"]) == (502, "api_error")
    assert b"leaked" not in reply.body


async def test_another_deployment_stands_in_before_the_first_event(tmp_path):
    async with (
        provider() as broken,
        provider() as good,
        gateway(tmp_path, [broken, good], dialect="") as here,
    ):
        broken.usual = plays_refusal(503, b'{"error":{"message":"no capacity"}}')
        good.usual = plays_well
        reply = await here.post(ask(KIMI))
        assert text_of(reply) == "Hello."
        row = await here.row(reply.id)
        assert (row.provider, row.attempts) == ("p1", 2)


async def test_arguments_that_are_no_json_are_asked_for_again_once(tmp_path):
    def calling(arguments: str) -> bytes:
        call = {
            "id": "c1",
            "type": "function",
            "function": {"name": "add", "arguments": arguments},
        }
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
        return msgspec.json.encode({"choices": [choice], "usage": USAGE})

    tools = [{"name": "add", "input_schema": {"type": "object"}}]
    async with provider() as there, gateway(tmp_path, [there], dialect="") as here:
        bad, good = calling('{"a":'), calling('{"a":1}')
        there.plays = [plays_refusal(200, bad), plays_refusal(200, good)]
        reply = await here.post(ask(KIMI, stream=False, tools=tools))
        assert msgspec.json.decode(reply.body)["content"][0]["input"] == {"a": 1}
        there.plays = [plays_refusal(200, bad), plays_refusal(200, bad)]
        reply = await here.post(ask(KIMI, stream=False, tools=tools))
        assert (reply.status, reply.error["type"]) == (502, "api_error")
        assert "add" in reply.error["message"]


async def test_a_call_that_was_only_asked_for_in_words_is_asked_for_once_more(tmp_path):
    tools = [{"name": "add", "input_schema": {"type": "object"}}]
    async with provider() as there, gateway(tmp_path, [there], FAST, dialect="moonshot") as here:
        there.usual = plays_well
        wish = ask(KIMI, stream=False, tools=tools, tool_choice={"type": "any"})
        reply = await here.post(wish)
        assert msgspec.json.decode(reply.body)["content"] == [{"type": "text", "text": "Hello."}]
        assert len(there.asked) == 2
        assert (await here.row(reply.id)).attempts == 2
        await here.post(ask(KIMI, stream=False, tools=tools))
        assert len(there.asked) == 3


# ---------------------------------------------------------------- counting


async def test_tokens_are_estimated_where_nobody_counts(tmp_path):
    async with provider() as there, gateway(tmp_path, [there], dialect="") as here:
        reply = await here.post(ask(KIMI, stream=False), COUNT)
        assert reply.headers["x-hatz-count"] == "estimate"
        assert set(msgspec.json.decode(reply.body)) == {"input_tokens"}
        assert msgspec.json.decode(reply.body)["input_tokens"] > 0
        assert there.asked == []
        assert await here.all_rows() == []


async def test_real_usage_calibrates_the_estimate(tmp_path):
    async with provider() as there, gateway(tmp_path, [there], dialect="") as here:
        there.usual = plays_well
        body = ask(KIMI, system="word " * 1000)
        before = msgspec.json.decode((await here.post(body, COUNT)).body)["input_tokens"]
        for _ in range(30):
            await here.post(body)
        after = await here.post(body, COUNT)
        assert after.headers["x-hatz-count"] == "calibrated"
        counted = msgspec.json.decode(after.body)["input_tokens"]
        assert abs(counted - 900) < abs(before - 900) or before == counted == 900


async def test_a_count_of_what_cannot_be_sent_is_an_estimate(tmp_path):
    async with provider() as there, gateway(tmp_path, [there], FAST, dialect="moonshot") as here:
        odd = {"model": KIMI, "messages": [{"role": "user", "content": [{"type": 7}]}]}
        reply = await here.post(msgspec.json.encode(odd), COUNT)
        assert reply.status == 200
        assert reply.headers["x-hatz-count"] == "estimate"
        assert not there.asked


async def test_the_vendors_own_count_is_exact_and_stood_in_for(tmp_path):
    async with provider() as there, gateway(tmp_path, [there], FAST, dialect="moonshot") as here:
        there.usual = plays_refusal(200, b'{"data":{"total_tokens":77}}')
        exact = await here.post(ask(KIMI), COUNT)
        assert exact.body == b'{"input_tokens":77}'
        assert exact.headers["x-hatz-count"] == "exact"
        assert there.asked[0].target == b"/v1/tokenizers/estimate-token-count"
        for trouble in (
            plays_refusal(500, b"oops"),
            plays_refusal(401, b"{}"),
            plays_refusal(200, b"[]"),
        ):
            there.plays = [trouble]
            stood_in = await here.post(ask(KIMI), COUNT)
            assert stood_in.status == 200
            assert stood_in.headers["x-hatz-count"] == "estimate"

        async def silent(line: Line) -> None:
            await line.gone.wait()

        there.plays = [silent]
        began_s = time.monotonic()
        assert (await here.post(ask(KIMI), COUNT)).headers["x-hatz-count"] == "estimate"
        assert time.monotonic() - began_s < 5


# ---------------------------------------------------------------- events that come one by one


class Turns:
    """A provider that says its next chunk when the test lets it: each is a read of its own."""

    def __init__(self, *pieces: bytes, end: bool = True) -> None:
        self._turn = asyncio.Semaphore(0)
        self._pieces = pieces
        self._end = end

    def next(self) -> None:
        """Let it say one more."""
        self._turn.release()

    async def play(self, line: Line) -> None:
        line.head()
        for piece in self._pieces:
            await self._turn.acquire()
            line.chunk(piece)
        if self._end:
            line.end()


WORDS = [f"word {number} " for number in range(12)]


async def test_events_that_come_one_by_one_go_out_one_by_one(tmp_path):
    said = [chunk({"content": words}) for words in WORDS]
    turns = Turns(ROLE, *said, FINISH, chunk(usage=USAGE), b"data: [DONE]\n\n")
    async with provider() as there, gateway(tmp_path, [there], dialect="") as here:
        there.usual = turns.play
        client = await here.client()
        client.send(ask(KIMI))
        turns.next()
        head = await client.head()
        body = await client.piece()
        for words in WORDS:
            turns.next()
            piece = await client.piece()
            assert piece.count(b"content_block_delta\n") == 1
            assert f'"text":"{words}"'.encode() in piece
            body += piece
        for _ in range(3):
            turns.next()
        rest, whole = await client.rest()
        assert whole
        check_stream(body + rest)
        row = await here.row(head.id)
        assert (row.outcome, row.output_tokens, row.usage_estimated) == ("completed", 40, False)
        # The client's connection is good for more, and so is the provider's.
        there.usual = plays_well
        assert text_of(await client.post(ask(KIMI))) == "Hello."
        assert len(there.lines) == 1
        client.close()


async def test_of_a_client_that_leaves_all_is_counted_that_was_forwarded(tmp_path):
    turns = Turns(ROLE, *[chunk({"content": words}) for words in WORDS], end=False)
    async with provider() as there, gateway(tmp_path, [there], dialect="") as here:
        there.usual = turns.play
        client = await here.client()
        client.send(ask(KIMI))
        turns.next()
        head = await client.head()
        await client.piece()
        for _ in WORDS:
            turns.next()
            await client.piece()
        client.close()
        await asyncio.wait_for(there.lines[0].gone.wait(), 2)
        row = await here.row(head.id)
        assert (row.outcome, row.usage_estimated) == ("client_gone", True)
        assert row.output_tokens >= len(WORDS) * 2


@pytest.mark.parametrize(
    ("last", "terminal"), [(FINISH, "message_stop"), (OVERLOADED, "error"), (b"", "error")]
)
async def test_whatever_ends_a_stream_ends_a_forwarded_one(tmp_path, last, terminal):
    turns = Turns(ROLE, *[chunk({"content": words}) for words in WORDS], last or b": over\n\n")
    async with provider() as there, gateway(tmp_path, [there], dialect="") as here:
        there.usual = turns.play
        client = await here.client()
        client.send(ask(KIMI))
        turns.next()
        await client.head()
        body = await client.piece()
        for _ in WORDS:
            turns.next()
            body += await client.piece()
        turns.next()
        rest, _ = await client.rest()
        assert terminals(body + rest) == [terminal]
        check_ends(body + rest)
        client.close()


async def test_a_client_that_does_not_read_holds_up_a_forwarded_stream(tmp_path):
    said = [chunk({"content": f"{number} " + "x" * 3000}) for number in range(3000)]
    sent = 0

    async def play(line: Line) -> None:
        nonlocal sent
        line.head()
        line.chunk(ROLE)
        for piece in said:
            line.chunk(piece)
            await line.drained()
            await asyncio.sleep(0)
            sent += 1
        line.chunk(FINISH + DONE)
        line.end()

    held = "held_bytes_max = 65536"
    async with provider() as there, gateway(tmp_path, [there], held, dialect="") as here:
        there.usual = play
        client = await here.client()
        client.send(ask(KIMI))
        await client.head()
        before = -1
        while sent != before:  # until nothing moves any more
            before = sent
            await asyncio.sleep(0.3)
        assert sent < len(said)
        count = 0
        last = b""
        while piece := await client.piece():
            count += piece.count(b"event: content_block_delta\n")
            last = piece
        assert count == len(said)
        assert terminals(last) == ["message_stop"]
        client.close()
