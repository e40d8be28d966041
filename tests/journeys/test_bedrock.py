"""Claude on Bedrock behind the gateway: every request is checked as Amazon checks it."""

import asyncio
import contextlib
import datetime as dt
import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiohttp import web

from tests.kit import event_stream as aws
from tests.kit.bedrock import API_KEY, Bedrock, Play, bedrock, plays_frames, plays_refusal
from tests.kit.grammar import check_stream
from tests.kit.journey import COUNT, Gateway, Reply, ask
from tests.kit.recorded import TEXT, text_stream

SONNET = "anthropic.claude-sonnet-4-5"
PROFILE = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
ARN = f"arn:aws:bedrock:eu-central-1:123456789012:inference-profile/{PROFILE}"
HAIKU = "anthropic.claude-haiku-4-5"
KIMI = "moonshot.kimi-k2-thinking"
NOVA = "amazon.nova-pro-v1:0"
EACH = (SONNET, HAIKU, KIMI, NOVA)
"""A model on each surface: InvokeModel, mantle's two, Converse."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bedrock]:
    with bedrock() as one:
        for name, value in one.environ().items():
            monkeypatch.setenv(name, value)
        yield one


def model(id: str, *deployments: tuple[str, str], developer: str = "Anthropic") -> str:
    places = ", ".join(f'{{ provider = "{p}", model = "{m}" }}' for p, m in deployments)
    return (
        f'[[models]]\nid = "{id}"\ndisplay_name = "{id}"\ndeveloper = "{developer}"\n'
        "released = 2026-01-01\ncontext_window = 200000\nmax_output_tokens = 64000\n"
        "rates = { input = 1000, output = 5000, cache_write_5m = 1250, cache_read = 100 }\n"
        f"deployments = [ {places} ]\n"
    )


@contextlib.asynccontextmanager
async def gateway(
    folder: Path,
    server: Bedrock,
    *,
    models: str = "",
    upstream: str = "",
    more: str = "",
    **provider: str,
) -> AsyncIterator[Gateway]:
    """A gateway whose models run on Bedrock."""
    config = folder / "gateway.toml"
    config.write_text(
        f'[server]\nhost = "127.0.0.1"\nport = 0\ndrain_timeout_s = 0.5\n'
        f'[storage]\nurl = "sqlite:///{folder / "gateway.db"}"\n'
        f"[observability]\naccess_log = false\n"
        f'[ledger]\nfolder = "{folder / "journal"}"\nflush_ms = 20\n'
        f"[upstream]\n{upstream}\n{more}"
        + server.provider(**provider)
        + (
            models
            or model(SONNET, ("aws", PROFILE))
            + model("by.arn", ("aws", ARN))
            + model(HAIKU, ("aws", HAIKU))
            + model(KIMI, ("aws", KIMI), developer="Moonshot AI")
            + model(NOVA, ("aws", NOVA), developer="Amazon")
        )
    )
    one = Gateway(folder, config)
    one.environ["API_KEY"] = API_KEY
    await one.open()
    try:
        yield one
    finally:
        await one.close()


def text_of(reply: Reply) -> str:
    assert reply.status == 200, reply.body
    check_stream(reply.body)
    return "".join(data["delta"].get("text", "") for _, data in reply.events if "delta" in data)


# ------------------------------------------------------------------ good days


@pytest.mark.parametrize("auth", [{}, {"api_key": "env:API_KEY"}], ids=["signed", "bearer"])
@pytest.mark.parametrize("name", [SONNET, "by.arn", HAIKU, KIMI, NOVA])
async def test_a_message_is_answered_streamed_whole_and_counted(
    tmp_path: Path, server: Bedrock, name: str, auth: dict[str, str]
) -> None:
    async with gateway(tmp_path, server, **auth) as gw:
        streamed = await gw.post(ask(name))
        whole = await gw.post(ask(name, stream=False))
        counted = await gw.post(ask(name), COUNT)
        assert not server.refused
        said = json.loads(whole.body)
        assert text_of(streamed) == said["content"][-1]["text"]
        assert streamed.events[0][1]["message"]["model"] == said["model"] == name
        assert json.loads(counted.body)["input_tokens"] > 0
        for reply in (streamed, whole):
            row = await gw.row(reply.id)
            assert (row.outcome, row.provider) == ("completed", "aws")
            assert row.input_tokens > 0
            assert row.output_tokens > 1
    assert ("authorization" in server.asked[0].headers) and (
        server.asked[0].headers["authorization"].startswith("Bearer") == bool(auth)
    )
    assert bool(server.issued) == (not auth)


@pytest.mark.parametrize(
    ("name", "paths"),
    [
        (
            SONNET,
            [
                "/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke-with-response-stream",
                "/model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/count-tokens",
            ],
        ),
        (
            "by.arn",
            [
                "/model/arn%3Aaws%3Abedrock%3Aeu-central-1%3A123456789012%3Ainference-profile%2F"
                "eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke-with-response-stream",
                "/model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/count-tokens",
            ],
        ),
        (HAIKU, ["/anthropic/v1/messages", "/anthropic/v1/messages/count_tokens"]),
        (KIMI, ["/v1/chat/completions"]),
        (
            NOVA,
            [
                "/model/amazon.nova-pro-v1%3A0/converse-stream",
                "/model/amazon.nova-pro-v1%3A0/count-tokens",
            ],
        ),
    ],
)
async def test_each_model_is_asked_where_it_is(
    tmp_path: Path, server: Bedrock, name: str, paths: list[str]
) -> None:
    async with gateway(tmp_path, server) as gw:
        await gw.post(ask(name), path="/v1/anthropic/v1/messages?beta=true")
        await gw.post(ask(name), COUNT)
    assert [asked.path for asked in server.asked] == paths
    assert not server.refused


async def test_what_claude_code_sends_is_cut_to_what_bedrock_takes(
    tmp_path: Path, server: Bedrock
) -> None:
    fields = {
        "metadata": {"user_id": "u"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "speed": "fast",
        "output_config": {"effort": "high"},
        "system": [
            {"type": "text", "text": "x-anthropic-billing-header: a"},
            {
                "type": "text",
                "text": "Be good.",
                "cache_control": {"type": "ephemeral", "ttl": "1h", "scope": "global"},
            },
        ],
        "tools": [
            {
                "name": "Bash",
                "description": "runs",
                "input_schema": {"type": "object", "properties": {"n": {"const": 2**70}}},
                "eager_input_streaming": True,
                "defer_loading": True,
            }
        ],
    }
    betas = (
        "claude-code-20250219,interleaved-thinking-2025-05-14,effort-2025-11-24,oauth-2025-04-20"
    )
    async with gateway(tmp_path, server) as gw:
        reply = await gw.post(ask(SONNET, **fields), **{"anthropic-beta": betas})
        assert reply.status == 200, reply.body
    (asked,) = server.asked
    body = asked.document()
    assert body["anthropic_beta"] == ["interleaved-thinking-2025-05-14"]
    assert body["system"][0]["text"].startswith("x-anthropic-billing-header")
    assert body["system"][1]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    assert b"1180591620717411303424" in asked.body
    assert not {"speed", "context_management", "output_config", "model", "stream"} & body.keys()
    assert "anthropic-beta" not in asked.headers
    assert "anthropic-version" not in asked.headers


async def test_thinking_comes_back_to_its_model_as_it_was(tmp_path: Path, server: Bedrock) -> None:
    async with gateway(tmp_path, server) as gw:
        for name in (SONNET, HAIKU):
            thinking = {"type": "enabled", "budget_tokens": 1024}
            asked = {"max_tokens": 4000, "thinking": thinking, "stream": False}
            question = {"role": "user", "content": "THINK and say hello."}
            first = json.loads((await gw.post(ask(name, **asked, messages=[question]))).body)
            assert [block["type"] for block in first["content"]] == ["thinking", "text"]
            more = [
                question,
                {"role": "assistant", "content": first["content"]},
                {"role": "user", "content": "Again."},
            ]
            second = await gw.post(ask(name, **asked, messages=more))
            assert second.status == 200, second.body
            spoilt = json.loads(json.dumps(more))
            spoilt[1]["content"][0]["signature"] += "x"
            refused = await gw.post(ask(name, **asked, messages=spoilt))
            assert refused.status == 400
            assert "signature" in refused.error["message"]


async def test_silence_is_filled_with_pings_of_ours(tmp_path: Path, server: Bedrock) -> None:
    server.replies.append(plays_frames(*aws.chunks_of(TEXT), pause_s=2.6))
    async with gateway(tmp_path, server, upstream="ping_after_s = 0.5\n") as gw:
        reply = await gw.post(ask(SONNET))
        names = [name for name, _ in reply.events]
        assert "ping" in names
        assert names[0] == "message_start"
        check_stream(reply.body)


async def test_an_unknown_beta_is_left_out_once_it_was_refused(
    tmp_path: Path, server: Bedrock
) -> None:
    headers = {"anthropic-beta": "context-1m-2025-08-07,brand-new-2027-01-01"}
    async with gateway(tmp_path, server) as gw:
        for _ in range(2):
            reply = await gw.post(ask(SONNET), **headers)
            assert reply.status == 200, reply.body
        row = await gw.row(reply.id)
        assert row.attempts == 1
    assert len(server.asked) == 3
    assert [one.message for one in server.refused] == ["invalid beta flag"]
    assert server.asked[-1].document()["anthropic_beta"] == ["context-1m-2025-08-07"]


@pytest.mark.parametrize("name", [SONNET, NOVA])
async def test_a_model_that_bedrock_does_not_count_is_estimated(
    tmp_path: Path, server: Bedrock, name: str
) -> None:
    server.counts = False
    async with gateway(tmp_path, server) as gw:
        for _ in range(2):
            counted = await gw.post(ask(name), COUNT)
            assert counted.status == 200
            assert json.loads(counted.body)["input_tokens"] > 0
            assert counted.headers["x-hatz-count"] != "exact"
    assert len(server.asked) == 1  # it is asked once, not each time


async def test_a_round_with_tools_is_told_as_converse_wants_it(
    tmp_path: Path, server: Bedrock
) -> None:
    weather = {
        "name": "get_weather",
        "input_schema": {"type": "object", "properties": {"n": {"const": 2**70}}},
    }
    question = 'CALL:get_weather:{"city":"Rome"} END CALL:get_weather:{"city":"Oslo"} END'
    messages = [
        {"role": "user", "content": "   "},
        {"role": "user", "content": question},
    ]
    async with gateway(tmp_path, server) as gw:
        for stream in (True, False):
            reply = await gw.post(ask(NOVA, stream=stream, tools=[weather], messages=messages))
            assert reply.status == 200, reply.body
            if stream:
                check_stream(reply.body)
                starts = [
                    data["content_block"]
                    for name, data in reply.events
                    if name == "content_block_start"
                ]
                ids = [block["id"] for block in starts if block["type"] == "tool_use"]
                stop = [data for name, data in reply.events if name == "message_delta"][-1]
                assert stop["delta"]["stop_reason"] == "tool_use"
                assert stop["usage"]["cache_read_input_tokens"] == 3
                assert stop["usage"]["output_tokens"] > 1
                continue
            said = json.loads(reply.body)
            calls = [block for block in said["content"] if block["type"] == "tool_use"]
            assert [call["input"] for call in calls] == [{"city": "Rome"}, {"city": "Oslo"}]
            assert len(ids) == 2
            results = [
                {"type": "tool_result", "tool_use_id": calls[1]["id"], "content": "cold"},
                {
                    "type": "tool_result",
                    "tool_use_id": calls[0]["id"],
                    "content": "hot",
                    "is_error": True,
                },
                {"type": "text", "text": "And?"},
            ]
            more = [
                *messages,
                {"role": "assistant", "content": said["content"]},
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": results},
            ]
            # Without tools, too: those that were called stand for them.
            for tools in ({"tools": [weather]}, {}):
                answer = await gw.post(ask(NOVA, messages=more, **tools))
                assert answer.status == 200, answer.body
                check_stream(answer.body)
    assert not server.refused
    body = server.asked[-2].document()
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]
    statuses = [
        block["toolResult"]["status"]
        for block in body["messages"][-1]["content"]
        if "toolResult" in block
    ]
    assert statuses == ["error", "success"]
    assert b"1180591620717411303424" in server.asked[-2].body


async def test_a_choice_that_converse_refuses_is_told_in_words(
    tmp_path: Path, server: Bedrock
) -> None:
    words = (
        "This model doesn't support the toolConfig.toolChoice.any field. "
        "Remove toolConfig.toolChoice.any and try again."
    )
    server.replies.append(plays_refusal(400, "ValidationException", words))
    tool = {"name": "t", "input_schema": {"type": "object"}}
    async with gateway(tmp_path, server) as gw:
        reply = await gw.post(ask(NOVA, tools=[tool], tool_choice={"type": "any"}))
        assert reply.status == 200, reply.body
    first, second, *_ = (asked.document()["toolConfig"] for asked in server.asked)
    assert first["toolChoice"] == {"any": {}}
    assert "any" not in second.get("toolChoice", {})


# ------------------------------------------------------------------ bad days


@pytest.mark.parametrize(
    ("frames", "kind"),
    [
        ([aws.exception("throttlingException", "Too fast.")], "rate_limit_error"),
        ([aws.exception("modelStreamErrorException", "It broke.")], "api_error"),
        ([aws.spoilt(aws.chunks_of(TEXT)[4], 60)], "api_error"),
        ([], "api_error"),
        ([aws.chunks_of(TEXT)[4][:50]], "api_error"),
    ],
    ids=["throttled", "model", "checksum", "cut-between", "cut-within"],
)
@pytest.mark.parametrize("size", [0, 7])
async def test_a_stream_that_breaks_ends_in_one_error_and_is_paid_for_in_part(
    tmp_path: Path, server: Bedrock, frames: list[bytes], kind: str, size: int
) -> None:
    server.replies.append(plays_frames(*aws.chunks_of(TEXT)[:4], *frames, size=size))
    async with gateway(tmp_path, server) as gw:
        reply = await gw.post(ask(SONNET))
        assert reply.status == 200
        assert check_stream(reply.body) == "error"
        assert reply.events[-1][1]["error"]["type"] == kind
        row = await gw.row(reply.id)
        assert row.outcome == "partial"
        assert row.input_tokens > 0


@pytest.mark.parametrize(
    ("status", "name", "message", "told", "kind"),
    [
        (429, "ThrottlingException", "Too many requests", 429, "rate_limit_error"),
        (400, "ServiceQuotaExceededException", "quota", 429, "rate_limit_error"),
        (429, "ModelNotReadyException", "warming up", 529, "overloaded_error"),
        (503, "ServiceUnavailableException", "full", 529, "overloaded_error"),
        (408, "ModelTimeoutException", "slow", 504, "timeout_error"),
        (424, "ModelErrorException", "broke", 500, "api_error"),
        (500, "InternalServerException", "broke", 500, "api_error"),
        (404, "ResourceNotFoundException", "no such model", 404, "not_found_error"),
        (400, "ValidationException", "on-demand isn't supported", 400, "invalid_request_error"),
        (403, "AccessDeniedException", "arn:aws:iam::1:user/x is not", 502, "api_error"),
    ],
)
@pytest.mark.parametrize("name_asked", EACH)
async def test_each_refusal_is_told_as_anthropic_would(
    tmp_path: Path,
    server: Bedrock,
    status: int,
    name: str,
    message: str,
    told: int,
    kind: str,
    name_asked: str,
) -> None:
    server.replies.append(plays_refusal(status, name, message))
    async with gateway(tmp_path, server) as gw:
        reply = await gw.post(ask(name_asked))
    assert (reply.status, reply.error["type"]) == (told, kind)
    assert "arn:aws" not in reply.error["message"]


NOT_SERVED = [
    (
        400,
        "ValidationException",
        f"Invocation of model ID {ARN} with on-demand throughput isn\u2019t supported. Retry your "
        "request with the ID or ARN of an inference profile that contains this model.",
    ),
    (400, "ValidationException", "The provided model identifier is invalid."),
    (404, "ResourceNotFoundException", "This model version has reached the end of its life."),
    (404, "ResourceNotFoundException", "Model use case details have not been submitted"),
]


@pytest.mark.parametrize(("status", "name", "message"), NOT_SERVED)
@pytest.mark.parametrize("name_asked", [SONNET, HAIKU, NOVA])
async def test_a_model_that_an_account_does_not_have_is_told_so_without_the_account(
    tmp_path: Path, server: Bedrock, status: int, name: str, message: str, name_asked: str
) -> None:
    server.replies.append(plays_refusal(status, name, message))
    async with gateway(tmp_path, server) as gw:
        reply = await gw.post(ask(name_asked))
    assert reply.status == status
    assert reply.error["message"].startswith(
        f"model: {name_asked}: its provider does not serve it to this gateway."
    )
    assert reply.headers["x-should-retry"] == "false"
    assert b"123456789012" not in reply.body


@pytest.mark.parametrize(("status", "name", "message"), NOT_SERVED)
async def test_a_model_that_an_account_does_not_have_the_next_deployment_serves(
    tmp_path: Path, server: Bedrock, status: int, name: str, message: str
) -> None:
    models = model(SONNET, ("aws", PROFILE), ("aws", HAIKU))
    server.replies.append(plays_refusal(status, name, message))
    async with gateway(tmp_path, server, models=models) as gw:
        reply = await gw.post(ask(SONNET))
        assert reply.status == 200, reply.body
        assert (await gw.row(reply.id)).attempts == 2


async def test_no_account_of_the_operators_is_in_a_refusal(tmp_path: Path, server: Bedrock) -> None:
    words = f"The resource {ARN} is in another state."
    server.replies.append(plays_refusal(400, "ValidationException", words))
    async with gateway(tmp_path, server) as gw:
        reply = await gw.post(ask(SONNET))
    assert (reply.status, "123456789012" in reply.error["message"]) == (400, False)


async def test_throttling_for_the_day_is_not_worth_a_retry(tmp_path: Path, server: Bedrock) -> None:
    words = "Too many tokens per day, please wait before trying again."
    server.replies.append(plays_refusal(429, "ThrottlingException", words))
    async with gateway(tmp_path, server) as gw:
        reply = await gw.post(ask(SONNET))
    assert reply.status == 429
    assert reply.headers["x-should-retry"] == "false"


# ------------------------------------------------------------------ credentials


async def test_keys_are_exchanged_ahead_of_their_end_and_no_request_waits(
    tmp_path: Path, server: Bedrock
) -> None:
    server.issues_for_s = 8.0
    async with gateway(tmp_path, server) as gw:
        until_s = time.monotonic() + 40
        used: set[str] = set()
        while len(used) < 3:
            assert time.monotonic() < until_s
            reply = await gw.post(ask(SONNET))
            assert reply.status == 200, reply.body
            assert (await gw.row(reply.id)).attempts == 1
            used.add(server.asked[-1].headers["x-amz-security-token"])
            await asyncio.sleep(0.3)
    assert not server.refused


@pytest.mark.parametrize("name", EACH)
async def test_keys_that_ran_out_early_are_fetched_anew_and_the_client_sees_nothing(
    tmp_path: Path, server: Bedrock, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("proxy.upstream.fresh_credential.REFUSED_AGAIN_S", -1.0)
    async with gateway(tmp_path, server) as gw:
        assert (await gw.post(ask(name))).status == 200
        server.guard.ends = dict.fromkeys(server.guard.keys, dt.datetime.now(dt.UTC))
        reply = await gw.post(ask(name))
        assert reply.status == 200, reply.body
        assert (await gw.row(reply.id)).attempts == 2
    assert len({asked.headers["x-amz-security-token"] for asked in server.asked}) == 2
    assert [one.name for one in server.refused] == ["ExpiredTokenException"]


@pytest.mark.parametrize("name", EACH)
async def test_keys_that_ran_out_for_good_are_the_operators_trouble(
    tmp_path: Path, server: Bedrock, name: str
) -> None:
    words = "The security token included in the request is expired"
    server.replies += [plays_refusal(403, "ExpiredTokenException", words)] * 3
    async with gateway(tmp_path, server) as gw:
        reply = await gw.post(ask(name))
    assert (reply.status, reply.error["type"]) == (502, "api_error")
    assert reply.error["message"] == (
        "The model provider refused the gateway's own credential. "
        "Please tell the gateway's operator."
    )
    assert reply.headers["x-should-retry"] == "false"
    assert len(server.asked) == 2, "asked once more, and not again"


async def test_without_credentials_the_client_is_told_whom_to_ask_and_the_log_why(
    tmp_path: Path, server: Bedrock, caplog: pytest.LogCaptureFixture
) -> None:
    server.issues_nothing = True
    async with gateway(tmp_path, server) as gw:
        reply = await gw.post(ask(SONNET))
        assert reply.status == 502
        assert "operator" in reply.error["message"]
        server.issues_nothing = False
        until_s = time.monotonic() + 15
        while (await gw.post(ask(SONNET))).status != 200:
            assert time.monotonic() < until_s, "it never came round"
            await asyncio.sleep(0.2)
    assert "provider aws: no new credential" in caplog.text
    assert "secret" not in caplog.text


async def test_a_client_that_leaves_while_there_are_no_credentials_yet_asks_nobody(
    tmp_path: Path, server: Bedrock
) -> None:
    server.issues_after_s = 1.5
    async with gateway(tmp_path, server) as gw:
        client = await gw.client()
        waiting = asyncio.ensure_future(client.post(ask(SONNET)))
        while gw.open_streams == 0:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.02)
        waiting.cancel()
        client.close()
        until_s = time.monotonic() + 10
        while gw.open_streams:
            assert time.monotonic() < until_s
            await asyncio.sleep(0.02)
        assert (await gw.post(ask(SONNET))).status == 200
        assert [outcome for _, outcome in await gw.all_rows()] == ["client_gone", "completed"]
    assert len(server.asked) == 1


async def test_the_support_record_has_amazons_name_of_a_request(
    tmp_path: Path, server: Bedrock
) -> None:
    server.replies.append(plays_refusal(400, "ValidationException", "no"))
    async with gateway(tmp_path, server) as gw:
        reply = await gw.post(ask(SONNET))
        row = await gw.row(reply.id)
        assert row.provider_request_id == "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize("name", EACH)
@pytest.mark.parametrize("ahead_s", [-3600.0, 3600.0])
async def test_a_wrong_clock_is_made_up_for(
    tmp_path: Path, server: Bedrock, ahead_s: float, name: str
) -> None:
    server.guard.ahead_s = ahead_s
    async with gateway(tmp_path, server) as gw:
        for _ in range(2):
            reply = await gw.post(ask(name))
            assert reply.status == 200, reply.body
        assert (await gw.row(reply.id)).attempts == 1
    assert len(server.refused) == 1


async def test_a_wrong_secret_is_the_gateways_trouble_and_not_the_clients(
    tmp_path: Path, server: Bedrock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_CONTAINER_CREDENTIALS_FULL_URI")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAWRONG")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-the-secret")
    server.guard.keys["AKIAWRONG"] = ("the-secret", "")
    async with gateway(tmp_path, server) as gw:
        reply = await gw.post(ask(SONNET))
    assert reply.status == 502
    assert "signature" not in reply.error["message"]
    assert len(server.asked) == 1  # a second try would not be better


async def test_the_next_deployment_answers_where_one_has_no_credentials(
    tmp_path: Path, server: Bedrock
) -> None:
    server.issues_nothing = True
    other = server.provider("bearer", api_key="env:API_KEY")
    models = other + model(SONNET, ("aws", PROFILE), ("bearer", PROFILE))
    async with gateway(tmp_path, server, models=models) as gw:
        reply = await gw.post(ask(SONNET))
        assert reply.status == 200, reply.body
        assert (await gw.row(reply.id)).provider == "bearer"


# ------------------------------------------------------------------ the prompt's cache on Converse

MARK = {"type": "ephemeral"}
CACHED = {
    "system": [{"type": "text", "text": "Long.", "cache_control": {**MARK, "ttl": "1h"}}],
    "tools": [
        {
            "name": "t",
            "description": "d",
            "input_schema": {"type": "object"},
            "cache_control": {**MARK, "ttl": "1h"},
        }
    ],
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": MARK}]}
    ],
}


@pytest.mark.parametrize(
    ("known_as", "hour", "five_minutes"),
    [("anthropic.claude-sonnet-4-5", 20, 10), ("amazon.nova-pro-v1:0", 0, 20)],
)
async def test_marks_of_the_cache_are_checkpoints_and_what_they_write_is_told(
    tmp_path: Path, server: Bedrock, known_as: str, hour: int, five_minutes: int
) -> None:
    models = model("m", ("aws", known_as))
    async with gateway(tmp_path, server, models=models, surface="converse") as gw:
        for stream in (True, False):
            reply = await gw.post(ask("m", stream=stream, **CACHED))
            assert reply.status == 200, reply.body
            told = (
                [data["usage"] for name, data in reply.events if name == "message_delta"][-1]
                if stream
                else json.loads(reply.body)["usage"]
            )
            assert told["cache_read_input_tokens"] == 3
            assert told["cache_creation_input_tokens"] == hour + five_minutes
            assert told["cache_creation"] == {
                "ephemeral_1h_input_tokens": hour,
                "ephemeral_5m_input_tokens": five_minutes,
            }
            row = await gw.row(reply.id)
            assert (
                row.cache_read_tokens,
                row.cache_write_5m_tokens,
                row.cache_write_1h_tokens,
            ) == (
                3,
                five_minutes,
                hour,
            )
    assert not server.refused


async def test_a_model_that_turns_out_to_cache_nothing_is_sent_no_checkpoints(
    tmp_path: Path, server: Bedrock
) -> None:
    # The operator says it is Claude, and it is something else.
    place = f'{{ provider = "aws", model = "meta.llama3-v1:0", base_model = "{HAIKU}" }}'
    models = model("m", ("aws", "x")).replace('{ provider = "aws", model = "x" }', place)
    async with gateway(tmp_path, server, models=models, surface="converse") as gw:
        for _ in range(2):
            reply = await gw.post(ask("m", **CACHED))
            assert reply.status == 200, reply.body
        assert (await gw.row(reply.id)).attempts == 1
    assert [one.name for one in server.refused] == ["AccessDeniedException"]
    assert len(server.asked) == 3


async def test_a_model_that_takes_fewer_checkpoints_teaches_where(
    tmp_path: Path, server: Bedrock
) -> None:
    place = f'{{ provider = "aws", model = "{NOVA}", base_model = "claude-3-7-sonnet" }}'
    models = model("m", ("aws", "x")).replace('{ provider = "aws", model = "x" }', place)
    async with gateway(tmp_path, server, models=models, surface="converse") as gw:
        for _ in range(2):
            reply = await gw.post(ask("m", **CACHED))
            assert reply.status == 200, reply.body
    assert ["toolConfig/tools/1" in one.message for one in server.refused] == [True]
    body = server.asked[-1].document()
    assert "cachePoint" in body["system"][1]
    assert [list(each) for each in body["toolConfig"]["tools"]] == [["toolSpec"]]


# ------------------------------------------------------------------ terms and names

APPLICATION = "arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/a1b2c3"
TERMS = (
    'bedrock = { guardrail = "gr1", guardrail_version = "2", guardrail_trace = "enabled_full", '
    'service_tier = "flex", latency = "optimized" }'
)
CANNED = "Sorry, the model cannot answer this question."


def on_terms(id: str, there: str, base_model: str = "") -> str:
    known = f', base_model = "{base_model}"' if base_model else ""
    place = f'{{ provider = "aws", model = "{there}"{known}, {TERMS} }}'
    return model(id, ("aws", "x")).replace('{ provider = "aws", model = "x" }', place)


@pytest.mark.parametrize("stream", [True, False])
async def test_the_terms_of_a_deployment_are_asked_for_signed_and_by_their_names(
    tmp_path: Path, server: Bedrock, stream: bool
) -> None:
    # Haiku would be on mantle, which has no guardrails: the terms lead to the runtime.
    models = on_terms("claude", HAIKU) + on_terms("nova", NOVA)
    async with gateway(tmp_path, server, models=models) as gw:
        for name in ("claude", "nova"):
            reply = await gw.post(ask(name, stream=stream))
            assert reply.status == 200, reply.body
            assert (await gw.post(ask(name), COUNT)).status == 200
    assert not server.refused
    invoked, _, conversed, counted = server.asked
    assert {
        name: value for name, value in invoked.headers.items() if name.startswith("x-amzn-bedrock")
    } == {
        "x-amzn-bedrock-guardrailidentifier": "gr1",
        "x-amzn-bedrock-guardrailversion": "2",
        "x-amzn-bedrock-trace": "ENABLED_FULL",
        "x-amzn-bedrock-service-tier": "flex",
        "x-amzn-bedrock-performanceconfig-latency": "optimized",
    }
    body = conversed.document()
    assert body["guardrailConfig"] == {
        "guardrailIdentifier": "gr1",
        "guardrailVersion": "2",
        "trace": "enabled_full",
    }
    assert body["serviceTier"] == {"type": "flex"}
    assert body["performanceConfig"] == {"latency": "optimized"}
    assert "guardrailConfig" not in str(counted.document())


def _blocked_events() -> list[bytes]:
    frames = aws.chunks_of(text_stream([CANNED]))
    *most, _ = frames
    return [
        *most,
        aws.chunk(
            {
                "type": "message_stop",
                "amazon-bedrock-guardrailAction": "INTERVENED",
                "amazon-bedrock-trace": {"guardrail": {"input": {"gr1": {}}}},
                "amazon-bedrock-invocationMetrics": aws.METRICS,
            }
        ),
    ]


def _blocked_by_converse() -> list[bytes]:
    told = [
        ("messageStart", {"role": "assistant"}),
        ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": CANNED}}),
        ("contentBlockStop", {"contentBlockIndex": 0}),
        ("messageStop", {"stopReason": "guardrail_intervened"}),
        (
            "metadata",
            {
                "usage": {"inputTokens": 9, "outputTokens": 4, "totalTokens": 13},
                "metrics": {"latencyMs": 5},
                "trace": {"guardrail": {"inputAssessment": {"gr1": {"topicPolicy": {}}}}},
            },
        ),
    ]
    return [aws.event(kind, json.dumps(payload).encode()) for kind, payload in told]


def _whole(document: dict[str, object]) -> Play:
    async def play(request: web.Request) -> web.StreamResponse:
        return web.json_response(document)

    return play


@pytest.mark.parametrize("name", ["claude", "nova"])
@pytest.mark.parametrize("stream", [True, False])
async def test_what_a_guardrail_takes_away_is_a_refusal_in_the_guardrails_words(
    tmp_path: Path, server: Bedrock, name: str, stream: bool
) -> None:
    content = [{"type": "text", "text": CANNED}]
    usage = {"input_tokens": 9, "output_tokens": 4}
    plays = {
        ("claude", True): plays_frames(*_blocked_events()),
        ("claude", False): _whole(
            {
                "id": "msg_bdrk_1",
                "type": "message",
                "role": "assistant",
                "model": "claude",
                "content": content,
                "stop_reason": "end_turn",
                "stop_sequence": None,
                "usage": usage,
                "amazon-bedrock-guardrailAction": "INTERVENED",
                "amazon-bedrock-trace": {"guardrail": {"input": {"gr1": {}}}},
            }
        ),
        ("nova", True): plays_frames(*_blocked_by_converse()),
        ("nova", False): _whole(
            {
                "output": {"message": {"role": "assistant", "content": [{"text": CANNED}]}},
                "stopReason": "guardrail_intervened",
                "usage": {"inputTokens": 9, "outputTokens": 4, "totalTokens": 13},
                "metrics": {"latencyMs": 5},
                "trace": {"guardrail": {"inputAssessment": {"gr1": {}}}},
            }
        ),
    }
    server.replies.append(plays[name, stream])
    models = on_terms("claude", PROFILE) + on_terms("nova", NOVA)
    async with gateway(tmp_path, server, models=models) as gw:
        reply = await gw.post(ask(name, stream=stream))
        assert reply.status == 200, reply.body
        if stream:
            assert text_of(reply) == CANNED
            ended = [data["delta"] for at, data in reply.events if at == "message_delta"][-1]
        else:
            ended = json.loads(reply.body)
            assert ended["content"][0]["text"] == CANNED
        assert ended["stop_reason"] == "refusal"
        assert ended["stop_details"]["type"] == "refusal"
        assert b"gr1" not in reply.body, "the policy is the operator's business"
        row = await gw.row(reply.id)
        assert (row.outcome, row.stop_reason) == ("completed", "refusal")


@pytest.mark.parametrize(
    "words",
    [
        "The guardrail identifier or version provided in the request does not exist.",
        "Latency performance configuration is not supported for this model.",
        "Service tier flex is not supported for the model x.",
    ],
)
async def test_terms_that_are_not_to_be_had_are_the_operators_trouble(
    tmp_path: Path, server: Bedrock, words: str
) -> None:
    server.replies.append(plays_refusal(400, "ValidationException", words))
    async with gateway(tmp_path, server, models=on_terms("claude", PROFILE)) as gw:
        reply = await gw.post(ask("claude"))
    assert (reply.status, reply.error["type"]) == (502, "api_error")
    assert "operator" in reply.error["message"]
    assert reply.headers["x-should-retry"] == "false"


async def test_the_model_behind_an_arn_is_what_the_operator_says(
    tmp_path: Path, server: Bedrock
) -> None:
    models = on_terms("old", APPLICATION, "anthropic.claude-3-5-haiku-20241022-v1:0")
    models += on_terms("new", APPLICATION, "eu.anthropic.claude-sonnet-4-6-v1:0")
    models += on_terms("nova", APPLICATION, NOVA)
    server.behind[APPLICATION] = NOVA
    effort = {"output_config": {"effort": "low"}}
    hour = {"system": [{"type": "text", "text": "Hi", "cache_control": {**MARK, "ttl": "1h"}}]}
    async with gateway(tmp_path, server, models=models) as gw:
        for name in ("old", "new", "nova"):
            for errand in ("", COUNT):
                reply = await gw.post(ask(name, **effort, **hour), *([errand] if errand else []))
                assert reply.status == 200, reply.body
    assert not server.refused
    assert [asked.path.rpartition("/")[2] for asked in server.asked] == [
        "invoke-with-response-stream",
        "count-tokens",
        "invoke-with-response-stream",
        "count-tokens",
        "converse-stream",
        "count-tokens",
    ]
    assert [asked.model for asked in server.asked[1::2]] == [
        "anthropic.claude-3-5-haiku-20241022-v1:0",
        "anthropic.claude-sonnet-4-6-v1:0",
        NOVA,
    ]
    assert {asked.model for asked in server.asked[::2]} == {APPLICATION}
    old, new = (server.asked[at].document() for at in (0, 2))
    assert "output_config" not in old
    assert old["system"][0]["cache_control"] == MARK
    assert new["output_config"] == {"effort": "low"}
    assert new["system"][0]["cache_control"]["ttl"] == "1h"


@pytest.mark.parametrize(
    ("status", "name"),
    [(403, "AccessDeniedException"), (404, "UnknownOperationException")],
)
async def test_where_counting_is_not_allowed_or_not_there_it_is_asked_for_once(
    tmp_path: Path, server: Bedrock, status: int, name: str
) -> None:
    server.replies.append(plays_refusal(status, name, "not authorized: bedrock:CountTokens"))
    async with gateway(tmp_path, server) as gw:
        for _ in range(2):
            counted = await gw.post(ask(NOVA), COUNT)
            assert counted.status == 200
            assert counted.headers["x-hatz-count"] != "exact"
    assert len(server.asked) == 1


async def test_a_count_in_a_bad_moment_is_estimated_and_asked_for_again(
    tmp_path: Path, server: Bedrock
) -> None:
    server.replies.append(plays_refusal(429, "ThrottlingException", "slow down"))
    async with gateway(tmp_path, server) as gw:
        worths = [(await gw.post(ask(NOVA), COUNT)).headers["x-hatz-count"] for _ in range(2)]
    assert worths[0] != "exact"
    assert worths[1] == "exact"


# ------------------------------------------------------------------ the search tool


@pytest.mark.parametrize("name", EACH)
async def test_a_search_is_made_for_models_of_each_surface(
    tmp_path: Path, server: Bedrock, name: str
) -> None:
    search = (
        f'[web_search]\nenabled = true\nbase_url = "{server.demo_url}"\napi_key = "env:API_KEY"\n'
    )
    asked = {
        "tools": [{"type": "web_search_20250305", "name": "web_search"}],
        "messages": [
            {"role": "user", "content": 'CALL:web_search:{"query":"the moon"} END And then?'}
        ],
    }
    async with gateway(tmp_path, server, more=search) as gw:
        reply = await gw.post(ask(name, **asked))
        assert reply.status == 200, reply.body
        check_stream(reply.body)
        kinds = [
            data["content_block"]["type"] for at, data in reply.events if "content_block" in data
        ]
        assert kinds[:2] == ["server_tool_use", "web_search_tool_result"]
        assert kinds[-1] == "text"
        told = [data["usage"] for at, data in reply.events if at == "message_delta"][-1]
        assert told["server_tool_use"]["web_search_requests"] == 1
    assert not server.refused
    assert len(server.asked) == 2, "the search and what the model made of it"
    assert all("web_search_2" not in asked.body.decode() for asked in server.asked)
