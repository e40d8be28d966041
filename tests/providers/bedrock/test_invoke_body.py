"""Bodies of InvokeModel: what Bedrock takes as the client wrote it, nothing that it refuses."""

import base64
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.domain.fault import Fault
from proxy.providers.bedrock.invoke_body import counting_body, invoke_body
from proxy.providers.bedrock.lessons import UNKNOWN_BETAS
from proxy.providers.compat_lessons import ALL_BETAS
from proxy.wire.body import read_body
from tests.kit.bedrock_checks import check_claude
from tests.kit.patience import examples

SONNET = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
OPUS = "anthropic.claude-opus-4-7"
OLD = "anthropic.claude-3-5-sonnet-20241022-v2:0"
USER = {"role": "user", "content": "hi"}
TOOL = {"name": "t", "input_schema": {"type": "object"}}


def written(
    model: str = SONNET,
    betas: str = "",
    version: str = "2023-06-01",
    left_out: frozenset[str] = frozenset(),
    **fields: Any,
) -> dict[str, Any]:
    given = {"model": "sonnet", "max_tokens": 9, "messages": [USER], "stream": True, **fields}
    headers = {b"anthropic-version": version.encode()}
    if betas:
        headers[b"anthropic-beta"] = betas.encode()
    body = read_body(msgspec.json.encode(given), needs_max_tokens=False)
    made: dict[str, Any] = json.loads(invoke_body(body, headers, model, left_out).body)
    check_claude(made)
    return made


def refusal(**asked: Any) -> str:
    with pytest.raises(Fault) as caught:
        written(**asked)
    assert caught.value.status in (400, 413)
    return caught.value.message


def test_model_and_stream_go_and_the_version_comes() -> None:
    assert written() == {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 9,
        "messages": [USER],
    }


def test_values_keep_their_bytes() -> None:
    raw = (
        b'{"model":"s","max_tokens":9,"messages":[{"role":"user","content":[{"type":"tool_result",'
        b'"tool_use_id":"t","content":[{"type":"text","text":"x","cache_control":{"type":'
        b'"ephemeral","scope":"global"}}]}]},{"role":"assistant","content":[{"type":"tool_use",'
        b'"id":"t","name":"n","input":{"n":99999999999999999999999,"f":1.0,"e":1e400, "k":1}}]}]}'
    )
    made = invoke_body(read_body(raw, needs_max_tokens=True), {}, SONNET, frozenset())
    assert b'{"n":99999999999999999999999,"f":1.0,"e":1e400, "k":1}' in made.body
    assert b"scope" not in made.body


@pytest.mark.parametrize(
    ("betas", "expected"),
    [
        ("context-1m-2025-08-07", ["context-1m-2025-08-07"]),
        (" context-1m-2025-08-07 ,, context-1m-2025-08-07", ["context-1m-2025-08-07"]),
        ("prompt-caching-2024-07-31,oauth-2025-04-20,claude-code-20250219", None),
        ("files-api-2025-04-14,memory-2025-08-18,fast-mode-2026-02-01", None),
        ("advanced-tool-use-2025-11-20", ["tool-search-tool-2025-10-19"]),
        ("extended-cache-ttl-2025-04-11,code-execution-2025-05-22", None),
        # Without their fields these ask for nothing.
        ("effort-2025-11-24,context-management-2025-06-27,compact-2026-01-12", None),
    ],
)
def test_betas_go_into_the_body_where_they_are_taken(
    betas: str, expected: list[str] | None
) -> None:
    assert written(betas=betas).get("anthropic_beta") == expected


def test_betas_that_were_refused_stay_out() -> None:
    given = {"model": "s", "max_tokens": 9, "messages": [USER]}
    body = read_body(msgspec.json.encode(given), needs_max_tokens=False)
    headers = {b"anthropic-beta": b"brand-new-2027,context-1m-2025-08-07"}
    for left_out, expected in (
        (frozenset(), ["brand-new-2027", "context-1m-2025-08-07"]),
        (frozenset((UNKNOWN_BETAS,)), ["context-1m-2025-08-07"]),
        (frozenset((ALL_BETAS,)), None),
        (frozenset(("context-1m-2025-08-07",)), ["brand-new-2027"]),
    ):
        made = json.loads(invoke_body(body, headers, SONNET, left_out).body)
        assert made.get("anthropic_beta") == expected


@pytest.mark.parametrize(
    ("edits", "kept", "betas"),
    [
        (["clear_thinking_20251015"], None, None),
        (["clear_tool_uses_20250919"], 1, ["context-management-2025-06-27"]),
        (["compact_20260112", "clear_thinking_20251015"], 1, ["compact-2026-01-12"]),
        ([], None, None),
    ],
)
def test_edits_of_the_context_go_with_their_betas(
    edits: list[str], kept: int | None, betas: list[str] | None
) -> None:
    wanted = {"edits": [{"type": kind, "keep": "all"} for kind in edits]}
    made = written(context_management=wanted, betas="context-management-2025-06-27")
    assert made.get("anthropic_beta") == betas
    assert (len(made["context_management"]["edits"]) if kept else None) == kept
    assert ("context_management" in made) == bool(kept)


@pytest.mark.parametrize(("model", "kept"), [(SONNET, False), (OPUS, True), (OLD, False)])
def test_effort_goes_where_it_is_understood_with_its_beta(model: str, kept: bool) -> None:
    made = written(model=model, output_config={"effort": "low"}, betas="effort-2025-11-24")
    assert ("output_config" in made) == kept
    assert ("anthropic_beta" in made) == kept


def test_an_answer_by_schema() -> None:
    form = {"type": "json_schema", "schema": {"type": "object"}}
    assert written(output_config={"format": form})["output_config"] == {"format": form}
    assert written(output_format=form)["output_config"] == {"format": form}
    assert "output_config.format" in refusal(model=OLD, output_config={"format": form})


@pytest.mark.parametrize(("model", "takes"), [(SONNET, True), (OLD, False)])
def test_marks_for_the_cache_everywhere(model: str, takes: bool) -> None:
    mark = {"type": "ephemeral", "ttl": "1h", "scope": "global"}
    text = {"type": "text", "text": "x", "cache_control": mark}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [text], "cache_control": mark}
    made = written(
        model=model,
        cache_control=mark,
        system=[text],
        tools=[{**TOOL, "cache_control": mark}],
        messages=[{"role": "user", "content": [text, result]}],
    )
    expected = {"type": "ephemeral", "ttl": "1h"} if takes else {"type": "ephemeral"}
    blocks = made["messages"][0]["content"]
    assert made["system"][0]["cache_control"] == expected
    assert made["tools"][0]["cache_control"] == expected
    assert blocks[0]["cache_control"] == blocks[1]["cache_control"] == expected
    assert blocks[1]["content"][0]["cache_control"] == expected
    assert "cache_control" not in made


def test_tools_lose_what_is_not_taken_and_keep_what_their_beta_brings() -> None:
    tool = {
        **TOOL,
        "eager_input_streaming": True,
        "allowed_callers": ["direct"],
        "input_examples": [{}],
        "custom": {"defer_loading": True},
    }
    assert written(tools=[tool, TOOL])["tools"] == [TOOL, TOOL]
    made = written(tools=[tool], betas="advanced-tool-use-2025-11-20")
    assert made["tools"] == [{**TOOL, "defer_loading": True}]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"container": "c"}, "container"),
        ({"mcp_servers": [{"type": "url"}]}, "mcp_servers"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools.0"),
        ({"tools": [TOOL, {"type": "code_execution_20250522", "name": "c"}]}, "tools.1"),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "image", "source": {"type": "url", "url": "https://x"}}
                        ],
                    }
                ]
            },
            "messages.0.content.0.image.source",
        ),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {
                                "type": "tool_result",
                                "content": [
                                    {"type": "document", "source": {"type": "file", "file_id": "f"}}
                                ],
                            }
                        ],
                    }
                ]
            },
            "messages.0.content.0.content.0.document.source",
        ),
        ({"metadata": {"user_id": "x" * 20_000_000}}, "20000"),
    ],
)
def test_what_a_request_rests_on_is_refused(asked: dict[str, Any], said: str) -> None:
    assert said in refusal(**asked)


def test_what_is_empty_is_no_reason_to_refuse() -> None:
    assert "container" not in written(container=None, mcp_servers=[])


def test_hints_are_dropped_and_counted() -> None:
    given = {
        "model": "s",
        "max_tokens": 9,
        "messages": [USER],
        "stream": True,
        "speed": "fast",
        "service_tier": "auto",
        "new_thing": 1,
    }
    body = read_body(msgspec.json.encode(given), needs_max_tokens=False)
    made = invoke_body(body, {}, SONNET, frozenset())
    assert made.dropped == ("speed", "service_tier", "new_thing")


def test_system_among_the_messages_is_told_by_the_user_and_never_between_call_and_result() -> None:
    call = {"type": "tool_use", "id": "t", "name": "n", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": "r"}
    made = written(
        messages=[
            USER,
            {"role": "system", "content": "first"},
            {"role": "assistant", "content": [call]},
            {"role": "system", "content": [{"type": "text", "text": "second"}]},
            {"role": "user", "content": [result]},
            {"role": "system", "content": "third"},
            USER,
            {"role": "system", "content": "last"},
        ]
    )["messages"]
    assert [message["role"] for message in made] == ["user", "assistant", "user", "user"]
    texts = [[block.get("text", "") for block in message["content"]] for message in made]
    assert texts == [
        ["hi", "<system-reminder>\nfirst\n</system-reminder>"],
        [""],
        # What stood between call and result is behind the result.
        [
            "",
            "<system-reminder>\nsecond\n</system-reminder>",
            "<system-reminder>\nthird\n</system-reminder>",
        ],
        ["hi", "<system-reminder>\nlast\n</system-reminder>"],
    ]


def test_system_behind_an_answer_is_told_before_the_next_question_or_by_itself() -> None:
    answer = {"role": "assistant", "content": "ok"}
    system = {"role": "system", "content": "now"}
    told = {"type": "text", "text": "<system-reminder>\nnow\n</system-reminder>"}
    made = written(messages=[USER, answer, system, USER])["messages"]
    assert made[2]["content"] == [told, {"type": "text", "text": "hi"}]
    made = written(messages=[USER, answer, system])["messages"]
    assert made[2] == {"role": "user", "content": [told]}


def test_the_newer_version_goes_where_it_is_known_and_keeps_system_messages() -> None:
    messages = [USER, {"role": "system", "content": "x"}]
    made = written(model=OPUS, version="2026-10-21", messages=messages)
    assert made["anthropic_version"] == "2026-10-21"
    assert made["messages"] == messages
    assert written(model=SONNET, version="2026-10-21")["anthropic_version"].startswith("bedrock")


def test_pages_that_are_cited_bring_their_beta() -> None:
    page = {"type": "search_result", "source": "https://a.example", "title": "A", "content": []}
    message = {"role": "user", "content": [page]}
    assert written(messages=[message])["anthropic_beta"] == ["search-results-2025-06-09"]
    refused = frozenset(("search-results-2025-06-09",))
    assert "anthropic_beta" not in written(messages=[message], left_out=refused)


def test_counting_wraps_the_body_and_asks_for_some_output() -> None:
    outer = json.loads(counting_body(b'{"anthropic_version":"bedrock-2023-05-31","messages":[]}'))
    inner = json.loads(base64.b64decode(outer["input"]["invokeModel"]["body"]))
    assert inner == {"anthropic_version": "bedrock-2023-05-31", "messages": [], "max_tokens": 1}


KEYS = [
    *("type", "text", "role", "content", "source", "cache_control", "scope", "ttl", "custom"),
    *("url", "file", "name", "tool_result", "image", "system", "edits", "effort"),
]
TOP = [
    *("system", "tools", "context_management", "output_config", "output_format"),
    *("metadata", "container"),
]
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)


@examples(300)
@given(
    st.dictionaries(
        st.sampled_from(TOP),
        JSON,
    ),
    st.lists(JSON, min_size=1, max_size=3),
    st.sampled_from([SONNET, OPUS, OLD]),
)
def test_whatever_is_sent_a_body_or_a_refusal_comes_out(
    fields: dict[str, Any], messages: list[Any], model: str
) -> None:
    given = {"model": "s", "max_tokens": 9, "messages": messages, **fields}
    body = read_body(msgspec.json.encode(given), needs_max_tokens=False)
    try:
        made = json.loads(invoke_body(body, {}, model, frozenset()).body)
    except Fault as fault:
        assert fault.status == 400
    else:
        assert made["max_tokens"] == 9
        assert isinstance(made["messages"], list)
