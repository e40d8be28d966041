"""Real clients on Claude at Amazon Bedrock: they must not be able to tell it from Anthropic.

The same drivers as everywhere, a few of their scenes. Behind the gateway stands
`tests/kit/bedrock`, which checks the signature, the path and the body of every request, and that
thinking comes back as it was given out.
"""

import os
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.clients.driving import Seen, drive, folder_of
from tests.clients.serving import (
    CLAUDE_ELSEWHERE,
    GPT,
    KEY,
    KEY_MAPPED,
    KEY_WRONG,
    KIMI,
    MODEL,
    ROOT,
    UPSTREAM_KEY,
    Gateway,
    config,
    opened,
)
from tests.kit.bedrock import Bedrock, bedrock

HAIKU = "anthropic.claude-haiku-4-5"
OPUS = "anthropic.claude-opus-5-5"
GREETING = "Hello from the demo model!"
NOVA = "amazon.nova-premier-v1:0"
SURFACES = {
    HAIKU: "/anthropic/v1/messages",
    OPUS: "/model/eu.anthropic.claude-opus-5-5-v1%3A0/invoke-with-response-stream",
    NOVA: "/model/amazon.nova-premier-v1%3A0/converse-stream",
}
"""A model on each, and where its streams are asked for. Kimi is on mantle's chat completions."""
SCENES = {
    "python-new": (
        *("text", "stream_helper", "stream_raw", "asynchronous", "tool_round", "thinking"),
        *("count_tokens", "search", "cloud_text", "cloud_tool_round", "cloud_thinking"),
        *("cloud_wide_request", "cloud_count_tokens"),
    ),
    "claude-code": (
        *("tool_round", "opus", "thinking", "product_id", "claude_search"),
        *[f"cloud_tools {model}" for model in SURFACES],
    ),
}
NOWHERE = "http://127.0.0.1:9"
"""Where Google Cloud is not: nothing is asked there."""
AT_BEDROCK = {
    "claude-opus-5-5": "eu.anthropic.claude-opus-5-5-v1:0",
    "claude-opus-4-7": "anthropic.claude-opus-4-7",
    "claude-sonnet-5-5": "eu.anthropic.claude-sonnet-5-5-v1:0",
    "claude-haiku-5-5": "anthropic.claude-haiku-5-5",
    "claude-haiku-4-5": "anthropic.claude-haiku-4-5",
    "claude-sonnet-4-6": "global.anthropic.claude-sonnet-4-6",
    "kimi-k2-thinking": "moonshotai.kimi-k2-thinking",
}


@pytest.fixture(scope="module")
def server() -> Iterator[Bedrock]:
    with bedrock() as one:
        yield one


@pytest.fixture(scope="module")
def gateway(server: Bedrock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One whose models all run on Bedrock, but for OpenAI's."""
    place = tmp_path_factory.mktemp("bedrock")
    environment = {
        **os.environ,
        **server.environ(),
        "DEMO_UPSTREAM_KEY": UPSTREAM_KEY,
        "CLIENTS_KEY": KEY,
        "CLIENTS_KEY_MAPPED": KEY_MAPPED,
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
    }
    written = config(server.demo_url, NOWHERE)
    for native, id in AT_BEDROCK.items():
        written, count = re.subn(
            rf'provider = "\w+", model = "{native}"', f'provider = "aws", model = "{id}"', written
        )
        assert count == 1
    written += server.provider() + MODEL.format(
        id=NOVA,
        name="Nova",
        developer="Amazon",
        family="",
        released="2025-04-30",
        vision="true",
        provider="aws",
        native=NOVA,
    )
    with opened(place, written, environment) as (process, url):
        process.answers(f"{url}/readyz")
        yield Gateway(
            f"{url}/v1/anthropic",
            KEY,
            KEY_WRONG,
            KEY_MAPPED,
            f"{url}/v1/anthropic",
            server.demo_url,
            place / "gateway.log",
            clouds=tuple(SURFACES),
        )


def driven(client: str, gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    if not (folder_of(client) / ".stamp").exists():
        pytest.fail(f"{client} is not installed: run `python tests/clients/install.py` once")
    return drive(client, gateway, tmp_path_factory.mktemp(client), *SCENES[client])


@pytest.fixture(scope="module")
def python(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return driven("python-new", gateway, tmp_path_factory)


@pytest.fixture(scope="module")
def claude_code(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return driven("claude-code", gateway, tmp_path_factory)


def test_the_sdk_gets_a_text_whole_streamed_and_asynchronously(python: Seen) -> None:
    for scene in ("text", "stream_helper"):
        message = python[scene]
        assert message["text"].startswith(GREETING)
        assert message["model"] == HAIKU
        assert message["stop_reason"] == "end_turn"
        assert message["input_tokens"] > 0
        assert message["output_tokens"] > 10
    assert "".join(python["stream_helper"]["pieces"]) == python["text"]["text"]
    assert python["stream_raw"]["types"][-1] == "message_stop"
    assert "failed" not in python["asynchronous"]


def test_the_sdks_tools_make_a_round(python: Seen) -> None:
    for way in ("plain", "streamed"):
        played = python["tool_round"][way]
        assert played["first"]["stop_reason"] == "tool_use"
        assert [t["input"] for t in played["first"]["tools"]] == [
            {"city": "Rome"},
            {"city": "Oslo"},
        ]
        assert "Rome: 21 degrees" in played["second"]["text"]


def test_the_sdks_thinking_goes_back_with_its_signature(python: Seen, server: Bedrock) -> None:
    told = str(python["thinking"])
    assert any(signature in told for signature in server.signatures)
    assert not [one for one in server.refused if "signature" in one.message]


def test_the_sdk_counts_tokens(python: Seen) -> None:
    assert "failed" not in python["count_tokens"]


@pytest.mark.parametrize("model", [CLAUDE_ELSEWHERE, KIMI, GPT])
def test_the_sdk_searches_where_the_model_cannot(python: Seen, model: str) -> None:
    for way in ("plain", "streamed", "second"):
        message = python["search"][model][way]
        kinds = [block["type"] for block in message["content"]]
        assert "server_tool_use" in kinds, kinds
        assert "web_search_tool_result" in kinds
        cited = [each for block in message["content"] for each in block.get("citations") or []]
        assert {each["type"] for each in cited} == {"web_search_result_location"}
        assert message["stop_reason"] == "end_turn"
    assert python["search"][model]["third"]["stop_reason"] == "end_turn"


@pytest.mark.parametrize(("scene", "model"), [("opus", OPUS), ("product_id", HAIKU)])
def test_claude_code_gets_a_turn(claude_code: Seen, scene: str, model: str) -> None:
    run = claude_code[scene]
    assert run["exit"] == 0, run["stderr"]
    assert run["result"].startswith(GREETING)
    assert run["models"] == [model]
    assert run["retries"] == []
    assert run["usage"]["input_tokens"] > 1000


def test_claude_code_runs_a_command(claude_code: Seen) -> None:
    run = claude_code["tool_round"]
    assert run["exit"] == 0, run["stderr"]
    assert run["tools"] == ["Bash"]
    assert run["tool_results"] == ["hi-from-bash-42"]
    assert "hi-from-bash-42" in run["result"]
    assert run["retries"] == []


def test_claude_code_sees_thinking(claude_code: Seen) -> None:
    run = claude_code["thinking"]
    assert run["exit"] == 0, run["stderr"]
    assert run["blocks"] == ["thinking", "text"]
    assert run["retries"] == []


def test_claude_code_searches_through_us(claude_code: Seen) -> None:
    run = claude_code["claude_search"]
    assert run["exit"] == 0, run["stderr"]
    [report] = run["searches"]
    assert (report["query"], report["searchCount"]) == ("the moon", 1)
    assert run["retries"] == []


# ---------------------------------------------------------------- on each surface


surfaces = pytest.mark.parametrize("model", SURFACES)


def asked_of(server: Bedrock, model: str, words: str) -> list[dict[str, Any]]:
    """The streams of a model whose last message holds `words`, as they were asked for."""
    return [
        document
        for asked in server.asked
        if asked.path == SURFACES[model]
        for document in [asked.document()]
        if words in str(document["messages"][-1]) and document.get("model", model) == model
    ]


def thoughts_in(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        block
        for message in document["messages"]
        if message["role"] == "assistant" and isinstance(message["content"], list)
        for block in message["content"]
        if block.get("type") == "thinking" or "reasoningContent" in block
    ]


@surfaces
@pytest.mark.parametrize("way", ["plain", "streamed"])
def test_the_sdk_gets_a_text_on_each_surface(python: Seen, model: str, way: str) -> None:
    message = python["cloud_text"][model][way]
    assert (message["model"], message["stop_reason"]) == (model, "end_turn")
    assert message["text"].startswith(GREETING)
    assert message["input_tokens"] > 0 and message["output_tokens"] > 0


@surfaces
@pytest.mark.parametrize("way", ["plain", "streamed", "thinking"])
def test_the_sdks_tools_make_a_round_on_each_surface(python: Seen, model: str, way: str) -> None:
    played = python["cloud_tool_round"][model][way]
    assert [tool["input"] for tool in played["first"]["tools"]] == [
        {"city": "Rome"},
        {"city": "Oslo"},
    ]
    assert "Rome: 21 degrees" in played["second"]["text"]


@surfaces
def test_the_sdks_thinking_comes_signed_and_goes_back_on_each_surface(
    python: Seen, server: Bedrock, model: str
) -> None:
    played = python["cloud_thinking"][model]
    [signature] = played["first"]["signatures"]
    assert signature and played["next"]["text"]
    [document] = asked_of(server, model, f"And now? {model}")
    thoughts = thoughts_in(document)
    if model == NOVA:
        # Signed by the gateway: the model's own is not asked for again, and ours is not shown it.
        assert thoughts == [] and signature not in server.signatures
    else:
        assert [block["signature"] for block in thoughts] == [signature]
        assert signature in server.signatures


@surfaces
def test_what_only_anthropic_knows_is_no_reason_to_refuse(python: Seen, model: str) -> None:
    assert python["cloud_wide_request"][model]["text"].startswith(GREETING)


@surfaces
def test_tokens_are_counted_on_each_surface(python: Seen, model: str) -> None:
    counted = python["cloud_count_tokens"][model]
    assert counted["tokens"] > 0 and counted["count"] == "exact"


@surfaces
def test_claude_code_runs_tools_and_gives_its_thinking_back_on_each_surface(
    claude_code: Seen, server: Bedrock, model: str
) -> None:
    run = claude_code[f"cloud_tools {model}"]
    assert run["exit"] == 0, run["stderr"]
    assert run["tools"] == ["Bash", "Bash"]
    assert sorted(run["tool_results"]) == ["hi-again-43", "hi-from-bash-42"]
    assert "hi-from-bash-42" in run["result"]
    assert run["models"] == [model]
    assert run["blocks"][0] == "thinking"
    assert run["retries"] == []
    rounds = asked_of(server, model, "hi-from-bash-42")
    assert rounds
    thoughts = [block for document in rounds for block in thoughts_in(document)]
    if model == NOVA:
        assert thoughts == []
        # Its marks of the cache arrive as checkpoints, which Nova refuses in other places.
        assert any("cachePoint" in block for block in rounds[-1]["system"])
    else:
        assert thoughts
        assert {block["signature"] for block in thoughts} <= server.signatures


def test_nothing_of_theirs_was_refused_but_betas_that_were_learned_once_each(
    server: Bedrock, python: Seen, claude_code: Seen
) -> None:
    # Claude Code sends betas that Bedrock does not know: one lesson for each deployment it used.
    assert {one.message for one in server.refused} == {"invalid beta flag"}
    assert len(server.refused) <= 4  # two scenes play at a time
    betas = [
        set(asked.document().get("anthropic_beta", ()))
        for asked in server.asked
        if asked.operation.startswith("invoke")
    ]
    # The one it knows stays when those it does not know are left out.
    known = [each for each in betas if "interleaved-thinking-2025-05-14" in each]
    assert any(less < more for less in known for more in known)
    operations = {asked.operation or asked.path for asked in server.asked}
    assert operations >= {
        "invoke",
        "invoke-with-response-stream",
        "/anthropic/v1/messages",
        "/v1/chat/completions",
    }
