"""Claude on Google Cloud, from a client's request to its answer, its row and its troubles."""

import asyncio

import msgspec
import pytest

from tests.kit.cloud_gateway import MODEL, THERE, cloud_gateway, vertex_cloud
from tests.kit.google_issuer import SUBJECT_TOKEN, GoogleIssuer, google_issuer
from tests.kit.journey import (
    BLOCK,
    COUNT,
    START,
    TEXT,
    WHOLE,
    Line,
    ask,
    delta,
    error_body,
    plays_refusal,
    renamed,
    terminals,
    until,
)
from tests.kit.vertex_cloud import PROJECT, REGION, google_error


@pytest.fixture
def issuer():
    with google_issuer() as issuer:
        yield issuer
        assert issuer.complaints == []


def path(verb: str, model: str = THERE) -> bytes:
    return (
        f"/v1/projects/{PROJECT}/locations/{REGION}/publishers/anthropic/models/{model}:{verb}"
    ).encode()


async def test_a_stream_and_a_whole_message_come_through_to_the_byte(tmp_path, issuer):
    async with vertex_cloud(issuer) as cloud, cloud_gateway(tmp_path, cloud) as here:
        reply = await here.post(ask())
        assert (reply.status, reply.body) == (200, renamed(TEXT))
        row = await here.row(reply.id)
        assert (row.outcome, row.attempts, row.provider) == ("completed", 1, "p0")
        assert (row.input_tokens, row.output_tokens) == (12, 3)
        reply = await here.post(ask(stream=False))
        assert (reply.status, reply.body) == (200, renamed(WHOLE))
        row = await here.row(reply.id)
        assert (row.input_tokens, row.cache_read_tokens, row.cache_write_5m_tokens) == (12, 7, 5)
        assert cloud.complaints == []
        assert [a.target for a in cloud.asked] == [path("streamRawPredict"), path("rawPredict")]
        assert len(issuer.issued) == 1, "one token for all"


async def test_a_request_of_claude_code_is_what_the_cloud_takes(tmp_path, issuer):
    """All that it may send: betas, scopes, hints on tools, fields of other products."""
    cached = {"type": "ephemeral", "ttl": "1h"}
    body = ask(
        system=[
            {"type": "text", "text": "Be kind.", "cache_control": {**cached, "scope": "global"}}
        ],
        messages=[
            {"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": cached}]},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "sig=="},
                    {"type": "tool_use", "id": "t1", "name": "Read", "input": {"scope": "x"}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "t1",
                        "content": "ok",
                        "cache_control": {"type": "ephemeral", "scope": "global"},
                    }
                ],
            },
        ],
        tools=[
            {
                "name": "Read",
                "description": "reads",
                "input_schema": {"type": "object", "properties": {"scope": {"type": "string"}}},
                "eager_input_streaming": True,
                "input_examples": [{}],
                "defer_loading": True,
            },
            {"type": "web_search_20260209", "name": "web_search", "allowed_callers": ["direct"]},
        ],
        thinking={"type": "adaptive", "display": "updates"},
        output_config={"effort": "high"},
        context_management={"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        cache_control={"type": "ephemeral"},
        service_tier="auto",
        speed="fast",
        tags={"a": "b"},
        metadata={"user_id": "someone"},
    )
    betas = (
        "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,"
        "prompt-caching-scope-2026-01-05,advanced-tool-use-2025-11-20,effort-2025-11-24,"
        "fine-grained-tool-streaming-2025-05-14,oauth-2025-04-20"
    )
    async with vertex_cloud(issuer) as cloud, cloud_gateway(tmp_path, cloud) as here:
        reply = await here.post(
            body, anthropic_beta=betas, anthropic_version="2023-06-01", user_agent="claude-cli/2"
        )
        assert (reply.status, cloud.complaints) == (200, [])
        [asked] = cloud.asked
        assert asked.headers[b"anthropic-beta"].decode().split(",") == [
            "interleaved-thinking-2025-05-14",
            "context-management-2025-06-27",
            "tool-search-tool-2025-10-19",
            "web-search-2025-03-05",
        ]
        sent, was = msgspec.json.decode(asked.body), msgspec.json.decode(body)
        assert sent["anthropic_version"] == "vertex-2023-10-16"
        assert sent["system"][0]["cache_control"] == cached
        assert sent["messages"][:2] == was["messages"][:2], "signatures and inputs untouched"
        assert sent["messages"][2]["content"][0]["cache_control"] == {"type": "ephemeral"}
        kept = ("name", "description", "input_schema", "defer_loading")
        assert sent["tools"] == [
            {name: was["tools"][0][name] for name in kept},
            {"type": "web_search_20250305", "name": "web_search"},
        ]
        for name in ("thinking", "output_config", "context_management", "metadata"):
            assert sent[name] == was[name]
        for name in ("model", "cache_control", "service_tier", "speed", "tags"):
            assert name not in sent


async def test_the_newer_dialect_is_kept_until_it_is_refused(tmp_path, issuer):
    async with vertex_cloud(issuer) as cloud, cloud_gateway(tmp_path, cloud) as here:
        refused = error_body(
            "invalid_request_error", "anthropic_version: Input should be 'vertex-2023-10-16'"
        )
        cloud.plays = [plays_refusal(400, refused)]
        for _ in range(2):
            reply = await here.post(ask(), anthropic_version="2026-10-21")
            assert (reply.status, reply.body) == (200, renamed(TEXT))
        versions = [msgspec.json.decode(a.body)["anthropic_version"] for a in cloud.asked]
        assert versions == ["2026-10-21", "vertex-2023-10-16", "vertex-2023-10-16"]


async def test_tokens_are_counted_there(tmp_path, issuer):
    async with vertex_cloud(issuer) as cloud, cloud_gateway(tmp_path, cloud) as here:
        body = msgspec.json.encode(
            {"model": "haiku", "messages": [{"role": "user", "content": "hi"}], "speed": "fast"}
        )
        reply = await here.post(body, COUNT, anthropic_beta="context-1m-2025-08-07")
        assert (reply.status, reply.body) == (200, b'{"input_tokens":42}')
        assert reply.headers["x-hatz-count"] == "exact"
        [asked] = cloud.asked
        assert asked.target == path("rawPredict", "count-tokens")
        assert msgspec.json.decode(asked.body) == {
            "anthropic_version": "vertex-2023-10-16",
            "model": THERE,
            "messages": [{"role": "user", "content": "hi"}],
        }
        assert cloud.complaints == []


async def test_tokens_are_counted_in_a_region_that_can(tmp_path, issuer):
    async with (
        vertex_cloud(issuer) as cloud,
        cloud_gateway(tmp_path, cloud, more='count_region = "us-east5"') as here,
    ):
        cloud.usual = plays_refusal(200, b'{"input_tokens":7}')
        cloud.region = "us-east5"
        reply = await here.post(ask(stream=False), COUNT)
        assert (reply.status, reply.body, cloud.complaints) == (200, b'{"input_tokens":7}', [])


async def test_a_request_that_may_search_is_estimated(tmp_path, issuer):
    async with vertex_cloud(issuer) as cloud, cloud_gateway(tmp_path, cloud) as here:
        tools = [{"type": "web_search_20250305", "name": "web_search"}]
        reply = await here.post(ask(stream=False, tools=tools), COUNT)
        assert reply.status == 200 and reply.headers["x-hatz-count"] != "exact"
        assert cloud.asked == []


# ---------------------------------------------------------------- tokens


async def test_a_token_that_ends_early_is_fetched_anew_and_the_client_sees_nothing(
    tmp_path, issuer, monkeypatch
):
    monkeypatch.setattr("proxy.upstream.fresh_credential.REFUSED_AGAIN_S", -1.0)
    async with vertex_cloud(issuer) as cloud, cloud_gateway(tmp_path, cloud) as here:
        assert (await here.post(ask())).status == 200
        issuer.revoke()
        reply = await here.post(ask())
        assert (reply.status, reply.body) == (200, renamed(TEXT))
        sent = [asked.headers[b"authorization"] for asked in cloud.asked]
        first, second = (f"Bearer {token}".encode() for token in issuer.issued)
        assert sent == [first, first, second]
        assert (await here.row(reply.id)).attempts == 2


async def test_a_token_that_is_never_taken_is_the_operators_trouble(tmp_path, issuer):
    async with vertex_cloud(issuer) as cloud, cloud_gateway(tmp_path, cloud) as here:
        assert (await here.post(ask())).status == 200
        issuer.revoke()
        cloud.issuer = GoogleIssuer()  # knows none of them
        reply = await here.post(ask())
        assert reply.status == 502 and reply.headers["x-should-retry"] == "false"
        assert reply.error["message"] == (
            "The model provider refused the gateway's own credential. "
            "Please tell the gateway's operator."
        )
        assert len(cloud.asked) <= 3, "asked once more at most"


async def test_tokens_are_exchanged_ahead_of_their_end(tmp_path, issuer, quick_wheel):
    issuer.lifetime_s = 1.2  # fetched anew in its last quarter
    async with vertex_cloud(issuer) as cloud, cloud_gateway(tmp_path, cloud) as here:
        await until(lambda: len(issuer.issued) >= 3)
        reply = await here.post(ask())
        assert reply.status == 200
        token = cloud.asked[0].headers[b"authorization"].decode().removeprefix("Bearer ")
        assert token in issuer.issued[2:]


async def test_a_wrong_clock_is_named_in_the_log_and_not_to_the_client(tmp_path, issuer, caplog):
    issuer.clock_ahead_s = 7200
    async with vertex_cloud(issuer) as cloud, cloud_gateway(tmp_path, cloud) as here:
        reply = await here.post(ask())
        assert reply.status == 502
        assert "no credential for the model provider" in reply.error["message"]
        assert "clock" not in reply.error["message"]
        assert cloud.asked == []
        assert "is this machine's clock right? Set it by NTP" in caplog.text
        issuer.clock_ahead_s = 0
        await asyncio.sleep(2.1)  # so long nobody asks again
        assert (await here.post(ask())).status == 200


async def test_a_clock_that_is_wrong_by_minutes_does_not_matter(tmp_path, issuer):
    issuer.clock_ahead_s = -200
    async with vertex_cloud(issuer) as cloud, cloud_gateway(tmp_path, cloud) as here:
        assert (await here.post(ask())).status == 200


async def test_a_count_does_not_fail_for_want_of_a_token(tmp_path, issuer):
    issuer.troubles = [(400, {"error": "invalid_grant"})] * 3
    async with vertex_cloud(issuer) as cloud, cloud_gateway(tmp_path, cloud) as here:
        reply = await here.post(ask(stream=False), COUNT)
        assert reply.status == 200 and reply.headers["x-hatz-count"] != "exact"
        assert cloud.asked == []


@pytest.mark.parametrize("kind", ["workload_identity", "authorized_user"])
async def test_other_credentials_give_tokens_too(tmp_path, issuer, kind, monkeypatch):
    monkeypatch.setattr(  # of users it knows one address only
        "google.oauth2.credentials._GOOGLE_OAUTH2_TOKEN_ENDPOINT", f"{issuer.url}/token"
    )
    (tmp_path / "subject").write_text(SUBJECT_TOKEN)
    made = {
        "workload_identity": lambda: issuer.workload_identity(str(tmp_path / "subject")),
        "authorized_user": issuer.authorized_user,
    }
    (tmp_path / "p0.json").write_text(made[kind]())
    async with vertex_cloud(issuer) as cloud, cloud_gateway(tmp_path, cloud) as here:
        reply = await here.post(ask())
        assert (reply.status, reply.body) == (200, renamed(TEXT))
        pays = cloud.asked[0].headers.get(b"x-goog-user-project")
        assert pays == (b"pays-for-it" if kind == "authorized_user" else None)


# ---------------------------------------------------------------- refusals

PUBLISHER = (
    "Publisher Model `projects/my-project/locations/europe-west1/publishers/anthropic/models/x` "
    "was not found or your project does not have access to it."
)
QUOTA = (
    "Quota exceeded for aiplatform.googleapis.com/online_prediction_requests_per_base_model with "
    "base model: anthropic-claude-haiku-4-5 in project:my-project"
)
REFUSALS = {
    "throttled": (
        429,
        google_error(429, "RESOURCE_EXHAUSTED", QUOTA, retry_delay="7.2s"),
        (429, "rate_limit_error", "limits the rate of requests"),
    ),
    "throttled in a list": (
        429,
        b"[" + google_error(429, "RESOURCE_EXHAUSTED", QUOTA, retry_delay="7.2s") + b"]",
        (429, "rate_limit_error", "limits the rate of requests"),
    ),
    "access denied": (
        403,
        google_error(403, "PERMISSION_DENIED", "Permission 'aiplatform.endpoints.predict' denied"),
        (502, "api_error", "gateway's own credential"),
    ),
    "not enabled": (
        404,
        google_error(404, "NOT_FOUND", PUBLISHER),
        (404, "not_found_error", "its provider does not have it for this gateway"),
    ),
    "not in this region": (
        400,
        google_error(400, "FAILED_PRECONDITION", "Publisher Model x is not servable in region y."),
        (404, "not_found_error", "its provider does not have it for this gateway"),
    ),
    "not in this project": (
        400,
        google_error(
            400, "FAILED_PRECONDITION", "Project `p` is not allowed to use Publisher Model `x`"
        ),
        (404, "not_found_error", "its provider does not have it for this gateway"),
    ),
    "invalid": (
        400,
        google_error(400, "INVALID_ARGUMENT", "Bad thing in projects/my-project/locations/x"),
        (400, "invalid_request_error", "Bad thing in projects/***/locations/x"),
    ),
    "organization policy": (
        400,
        google_error(400, "FAILED_PRECONDITION", "Organization Policy constraint forbids it"),
        (400, "invalid_request_error", "Organization Policy"),
    ),
    "too long": (
        400,
        google_error(400, "INVALID_ARGUMENT", "prompt is too long: 300000 tokens > 200000 maximum"),
        (400, "invalid_request_error", "prompt is too long: 300000 tokens > 200000 maximum"),
    ),
    "unavailable": (
        503,
        google_error(503, "UNAVAILABLE", "The service is currently unavailable."),
        (529, "overloaded_error", "overloaded"),
    ),
    "deadline": (
        504,
        google_error(504, "DEADLINE_EXCEEDED", "Deadline exceeded."),
        (504, "timeout_error", "too long to answer"),
    ),
    "internal": (
        500,
        google_error(500, "INTERNAL", "Internal error encountered."),
        (500, "api_error", "failed"),
    ),
    "the model's own": (
        400,
        error_body("invalid_request_error", "messages.1: `tool_use` ids were found without"),
        (400, "invalid_request_error", "messages.1: `tool_use` ids were found without"),
    ),
    "a page": (
        404,
        b"<!DOCTYPE html><title>Error 404 (Not Found)!!1</title>",
        (404, "not_found_error", "does not know this model or path"),
    ),
}


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("name", REFUSALS)
async def test_a_refusal_is_told_as_anthropic_would(tmp_path, issuer, name, stream):
    status, body, (told, kind, words) = REFUSALS[name]
    async with vertex_cloud(issuer) as cloud, cloud_gateway(tmp_path, cloud) as here:
        cloud.usual = plays_refusal(status, body)
        reply = await here.post(ask(stream=stream))
        assert (reply.status, reply.error["type"]) == (told, kind)
        assert words in reply.error["message"]
        assert "my-project" not in reply.error["message"], "the operator's, not the client's"
        if told == 429:
            assert reply.headers["retry-after"] == "8"
        row = await here.row(reply.id)
        assert (row.outcome, row.status, row.error_type) == ("upstream_error", told, kind)
        assert len(cloud.asked) == 1


async def test_a_refused_beta_goes_with_its_field_and_is_remembered(tmp_path, issuer):
    refused = error_body(
        "invalid_request_error",
        "Unexpected value(s) `context-management-2025-06-27` for the `anthropic-beta` header. "
        "Please consult our documentation at docs.anthropic.com or try again without the header.",
    )
    async with vertex_cloud(issuer) as cloud, cloud_gateway(tmp_path, cloud) as here:
        cloud.plays = [plays_refusal(400, refused)]
        for _ in range(2):
            reply = await here.post(
                ask(context_management={"edits": []}),
                anthropic_beta="context-management-2025-06-27,context-1m-2025-08-07",
            )
            assert (reply.status, reply.body) == (200, renamed(TEXT))
        assert [a.headers[b"anthropic-beta"] for a in cloud.asked[1:]] == [
            b"context-1m-2025-08-07"
        ] * 2
        assert ["context_management" in msgspec.json.decode(a.body) for a in cloud.asked] == [
            True,
            False,
            False,
        ]


async def test_instructions_in_mid_conversation_are_told_by_the_user_where_they_are_refused(
    tmp_path, issuer
):
    refused = error_body(
        "invalid_request_error", "messages.1.role: Input should be 'user' or 'assistant'"
    )
    body = ask(
        messages=[
            {"role": "user", "content": "hi"},
            {"role": "system", "content": [{"type": "text", "text": "Be brief."}]},
        ]
    )
    async with vertex_cloud(issuer) as cloud, cloud_gateway(tmp_path, cloud) as here:
        cloud.plays = [plays_refusal(400, refused)]
        assert (await here.post(body)).status == 200
        first, second = (msgspec.json.decode(a.body)["messages"] for a in cloud.asked)
        assert first[1]["role"] == "system"
        assert second[1]["role"] == "user"
        assert [block["text"] for block in second[1]["content"]] == [
            "<system-reminder>",
            "Be brief.",
            "</system-reminder>",
        ]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"container": "c1"}, "container: not supported"),
        ({"mcp_servers": [{"url": "x"}]}, "mcp_servers: not supported"),
        ({"tools": [{"type": "web_fetch_20250910", "name": "f"}]}, "tools.0.type: not supported"),
        ({"inference_geo": "us"}, "inference_geo: "),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}}
                        ],
                    }
                ]
            },
            "messages.0.content.0.image.source.type: ",
        ),
    ],
)
async def test_what_is_not_there_is_refused_by_name(tmp_path, issuer, fields, words):
    async with vertex_cloud(issuer) as cloud, cloud_gateway(tmp_path, cloud) as here:
        reply = await here.post(ask(**fields))
        assert (reply.status, cloud.asked) == (400, [])
        assert reply.error["message"].startswith(words)


# ---------------------------------------------------------------- broken streams


async def test_a_stream_that_is_cut_ends_in_one_error(tmp_path, issuer):
    async def is_cut(line: Line) -> None:
        line.head()
        line.chunk(START + BLOCK + delta("Hel"))
        line.end()

    async with vertex_cloud(issuer) as cloud, cloud_gateway(tmp_path, cloud) as here:
        cloud.usual = is_cut
        reply = await here.post(ask())
        assert reply.status == 200 and terminals(reply.body) == ["error"]
        row = await here.row(reply.id)
        assert (row.outcome, row.input_tokens) == ("partial", 12)


async def test_googles_error_inside_a_stream_is_an_error_event(tmp_path, issuer):
    async def fails(line: Line) -> None:
        line.head()
        line.chunk(START + BLOCK + delta("Hel"))
        line.chunk(b"[" + google_error(503, "UNAVAILABLE", "No.") + b"]")
        line.end()

    async with vertex_cloud(issuer) as cloud, cloud_gateway(tmp_path, cloud) as here:
        cloud.usual = fails
        reply = await here.post(ask())
        assert reply.status == 200 and terminals(reply.body) == ["error"]
        assert (await here.row(reply.id)).outcome == "partial"
        assert MODEL.encode() in reply.body
