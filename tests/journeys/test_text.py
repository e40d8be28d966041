"""The main walk: a message goes out, its reply comes back, and nothing else was changed."""

import msgspec
import pytest

from tests.kit.journey import (
    COUNT,
    MESSAGES,
    PROVIDER_KEY,
    START,
    TEXT,
    WHOLE,
    ask,
    gateway,
    plays_then_waits,
    provider,
    renamed,
)

ODD_BODY = (
    b'{ "max_tokens" : 100,\n "betas_of_tomorrow": {"a":[1,2.50,1e400,"\\u00e9\xc3\xa9"]},'
    b'"system":[{"type":"text","text":"S","cache_control":{"type":"ephemeral","ttl":"1h"}}],'
    b'"messages":[{"role":"user","content":[{"type":"text","text":"\\"model\\":\\"opus\\"",'
    b'"cache_control":{"type":"ephemeral"}}]},{"role":"system","content":"Be brief."}],'
    b'"model"  :  "MODEL"  ,"big":123456789012345678901234567890,"stream":true , "mode":null }'
)


async def test_a_stream_comes_back_byte_for_byte_but_for_the_models_name(tmp_path):
    async with provider() as there, gateway(tmp_path, [there]) as here:
        reply = await here.post(ask("haiku"))
        assert reply.status == 200 and reply.whole
        assert reply.body == renamed(TEXT)
        assert reply.headers["content-type"].startswith("text/event-stream")
        assert "content-encoding" not in reply.headers
        assert here.open_streams == 0


async def test_a_document_comes_back_byte_for_byte_but_for_the_models_name(tmp_path):
    async with provider() as there, gateway(tmp_path, [there]) as here:
        reply = await here.post(ask("haiku", stream=False))
        assert (reply.status, reply.body) == (200, renamed(WHOLE))
        assert reply.headers["content-type"] == "application/json"


async def test_each_event_arrives_before_the_next_is_sent(tmp_path):
    async with provider() as there, gateway(tmp_path, [there]) as here:
        there.plays = [plays_then_waits(START)]
        client = await here.client()
        client.send(ask())
        await client.head()
        assert await client.piece() == renamed(START)
        (line,) = there.lines
        for each in TEXT[len(START) :].split(b"\n\n")[:-1]:
            line.chunk(each + b"\n\n")
            assert await client.piece() == each + b"\n\n"
        line.end()
        assert await client.rest() == (b"", True)
        client.close()


@pytest.mark.parametrize(
    ("asked", "via", "served"),
    [
        ("anthropic.claude-haiku-4-5", "exact", "anthropic.claude-haiku-4-5"),
        ("haiku", "alias", "anthropic.claude-haiku-4-5"),
        ("claude-haiku-4-5-20251001", "native", "anthropic.claude-haiku-4-5"),
        ("OPUS[1m]", "alias", "anthropic.claude-opus-4-7"),
    ],
)
async def test_the_reply_says_what_was_asked_and_what_ran(tmp_path, asked, via, served):
    async with provider() as there, gateway(tmp_path, [there]) as here:
        for stream in (True, False):
            reply = await here.post(ask(asked, stream=stream))
            assert reply.headers["x-hatz-requested-model"] == asked
            assert reply.headers["x-hatz-resolved-via"] == via
            if stream:
                assert reply.events[0][1]["message"]["model"] == served
            else:
                assert msgspec.json.decode(reply.body)["model"] == served
            sent = msgspec.json.decode(there.asked[-1].body)
            assert sent["model"] == served.removeprefix("anthropic.")


@pytest.mark.parametrize("asked", [b"haiku", b"claude-haiku-4-5"])
@pytest.mark.parametrize("path", [MESSAGES, COUNT])
async def test_the_provider_gets_the_clients_bytes_but_for_the_model(tmp_path, asked, path):
    body = ODD_BODY.replace(b"MODEL", asked)
    async with provider() as there, gateway(tmp_path, [there]) as here:
        reply = await here.post(body, path)
        assert reply.status == 200
        assert there.asked[0].body == ODD_BODY.replace(b"MODEL", b"claude-haiku-4-5")


async def test_headers_go_on_by_the_rules(tmp_path):
    async with provider() as there, gateway(tmp_path, [there]) as here:
        await here.post(
            ask(),
            MESSAGES + "?beta=true",
            anthropic_version="2026-10-21",
            anthropic_beta="one-2026-01-01,tomorrow-2027-01-01",
            user_agent="claude-cli/2.1.330",
            x_claude_code_session_id="session-7",
            authorization=f"Bearer {here.key}",
            cookie="a=b",
            x_forwarded_for="1.2.3.4",
            x_request_id="mine-1",
        )
        asked = there.asked[0]
        assert asked.target == b"/v1/messages?beta=true"
        assert asked.headers[b"x-api-key"] == PROVIDER_KEY.encode()
        assert asked.headers[b"anthropic-version"] == b"2026-10-21"
        assert asked.headers[b"anthropic-beta"] == b"one-2026-01-01,tomorrow-2027-01-01"
        assert asked.headers[b"user-agent"] == b"claude-cli/2.1.330"
        assert asked.headers[b"x-claude-code-session-id"] == b"session-7"
        assert asked.headers[b"x-request-id"] == b"mine-1"
        assert asked.headers[b"accept-encoding"] == b"identity"
        assert not {b"authorization", b"cookie", b"x-forwarded-for"} & set(asked.headers)
        assert here.key.encode() not in repr(asked).encode()


async def test_counting_goes_to_the_provider_and_needs_no_max_tokens(tmp_path):
    body = b'{"model":"haiku","messages":[{"role":"user","content":"x"}]}'
    async with provider() as there, gateway(tmp_path, [there]) as here:
        reply = await here.post(body, COUNT)
        assert (reply.status, reply.body) == (200, b'{"input_tokens":42}')
        assert there.asked[0].target == b"/v1/messages/count_tokens"


async def test_message_threads_are_refused_so_that_sdks_send_the_whole_conversation(tmp_path):
    async with provider() as there, gateway(tmp_path, [there]) as here:
        reply = await here.post(ask(thread={"type": "create"}))
        assert reply.status == 400
        assert reply.error == {
            "type": "invalid_request_error",
            "message": "Message threads are not supported by this gateway."
            " Send the full conversation.",
            "details": {"error_code": "thread_unsupported_request", "unsupported": []},
        }
        assert there.asked == []


async def test_many_streams_share_few_connections_one_after_the_other(tmp_path):
    async with (
        provider() as there,
        gateway(tmp_path, [there], upstream="connections_max = 2") as here,
    ):
        client = await here.client()
        for _ in range(20):
            assert (await client.post(ask())).body == renamed(TEXT)
        assert len(there.lines) == 1
        client.close()
