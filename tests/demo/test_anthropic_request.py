import json
from typing import Any

import pytest

from proxy.demo.anthropic_request import (
    FIRST_VERSION,
    OCTOBER_VERSION,
    check_version,
    read_request,
)
from proxy.demo.refusal import RefusedError
from proxy.demo.script import Ask, ForcedTool, Page, Thinking

SCHEMA = {"type": "object", "properties": {"title": {"type": "string"}}}
TOOL = {"name": "weather", "input_schema": SCHEMA}


def body(**changes: Any) -> dict[str, Any]:
    right = {"model": "m", "max_tokens": 64, "messages": [{"role": "user", "content": "hi"}]}
    return right | changes


def asked(version: str = FIRST_VERSION, **changes: Any) -> Ask:
    return read_request(json.dumps(body(**changes)).encode(), version).ask


def user(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def text(written: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": written, **more}


@pytest.mark.parametrize(
    ("version", "wording"),
    [
        (None, "anthropic-version: header is required"),
        ("", "anthropic-version: header is required"),
        ("2020-01-01", 'anthropic-version: "2020-01-01" is not a valid version'),
    ],
)
def test_a_wrong_version_is_refused(version: str | None, wording: str) -> None:
    with pytest.raises(RefusedError, match=wording):
        check_version(version)


@pytest.mark.parametrize("version", [FIRST_VERSION, OCTOBER_VERSION])
def test_both_versions_are_taken(version: str) -> None:
    assert check_version(version) == version


@pytest.mark.parametrize(
    ("raw", "wording"),
    [
        (b"{", "not valid JSON"),
        (b"\xff", "not valid JSON"),
        (b"[" * 5000, "not valid JSON"),
        (b"[]", "must be a JSON object"),
    ],
)
def test_what_is_no_json_object_is_refused(raw: bytes, wording: str) -> None:
    with pytest.raises(RefusedError, match=wording):
        read_request(raw, FIRST_VERSION)


@pytest.mark.parametrize(
    ("changes", "wording"),
    [
        ({"model": None}, "model: Field required"),
        ({"model": 3}, "model: Invalid value"),
        ({"max_tokens": None}, "max_tokens: Field required"),
        ({"max_tokens": "9"}, "max_tokens: Input should be a valid integer"),
        ({"max_tokens": True}, "max_tokens: Input should be a valid integer"),
        ({"max_tokens": -1}, "max_tokens: Input should be greater"),
        ({"messages": None}, "messages: Field required"),
        ({"messages": {}}, "messages: Input should be a valid list"),
        ({"messages": []}, "messages: at least one message is required"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role"),
        ({"messages": ["hi"]}, "messages.0.role"),
        ({"messages": [{"role": "user"}]}, "messages.0.content: Field required"),
        ({"messages": [user(text(""))]}, "text content blocks must be non-empty"),
        ({"thinking": {"type": "enabled"}}, "budget_tokens: Field required"),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 10}},
            "greater than or equal to 1024",
        ),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 1024},
            "`max_tokens` must be greater than `thinking.budget_tokens`",
        ),
    ],
)
def test_a_wrong_body_is_refused_in_the_providers_words(
    changes: dict[str, Any], wording: str
) -> None:
    with pytest.raises(RefusedError, match=wording) as refused:
        asked(**changes)
    assert refused.value.refusal.status == 400


DOCUMENT = {"type": "document", "source": {"type": "text", "media_type": "t", "data": "d"}}
OCTOBER = [
    ({"temperature": 1}, "^temperature: Extra inputs are not permitted$"),
    ({"top_p": 1}, "^top_p: Extra inputs are not permitted$"),
    ({"top_k": 1}, "^top_k: Extra inputs are not permitted$"),
    ({"messages": [{"role": "assistant", "content": [DOCUMENT]}]}, "messages.0.content.0"),
    ({"messages": [user(text("x", citations=[{}]))]}, "citations: Extra inputs"),
]


@pytest.mark.parametrize(("changes", "wording"), OCTOBER)
def test_the_newer_version_refuses_what_the_older_takes(
    changes: dict[str, Any], wording: str
) -> None:
    asked(FIRST_VERSION, **changes)
    with pytest.raises(RefusedError, match=wording):
        asked(OCTOBER_VERSION, **changes)


def test_counting_needs_no_max_tokens() -> None:
    raw = json.dumps({"model": "m", "messages": [user(text("hi"))]}).encode()
    assert read_request(raw, FIRST_VERSION, counting=True).input_tokens > 0


SYSTEM = {"role": "system", "content": "ERROR 500"}
RESULT = {"type": "tool_result", "tool_use_id": "t", "content": "18C"}


@pytest.mark.parametrize(
    ("messages", "written", "results"),
    [
        ([user(text("a"))], "a", ()),
        ([{"role": "user", "content": "a"}], "a", ()),
        ([user(text("a"), {"type": "image", "source": {}}, text("b"))], "a\nb", ()),
        ([user(text("a")), SYSTEM], "a", ()),
        ([user(text("a")), SYSTEM, user(text("b")), SYSTEM], "b", ()),
        ([user(text("a")), {"role": "assistant", "content": "prefill"}], "a", ()),
        ([user(RESULT)], "", ("18C",)),
        ([user(RESULT), SYSTEM], "", ("18C",)),
        ([user(RESULT | {"content": [text("x"), text("y")]}, RESULT)], "", ("x\ny", "18C")),
        ([user({"type": "tool_result", "tool_use_id": "t"}, text("more"))], "more", ("",)),
        ([SYSTEM], "", ()),
    ],
)
def test_the_last_user_message_decides(
    messages: list[Any], written: str, results: tuple[str, ...]
) -> None:
    ask = asked(messages=messages)
    assert (ask.text, ask.tool_results) == (written, results)


@pytest.mark.parametrize(
    ("changes", "ask"),
    [
        ({}, Ask()),
        ({"stop_sequences": ["a", "", 3]}, Ask(stop_sequences=("a",))),
        ({"thinking": {"type": "adaptive"}}, Ask(thinking=Thinking.SHOWN)),
        ({"thinking": {"type": "adaptive", "display": "updates"}}, Ask(thinking=Thinking.SHOWN)),
        ({"thinking": {"type": "adaptive", "display": "omitted"}}, Ask(thinking=Thinking.OMITTED)),
        ({"thinking": {"type": "disabled"}}, Ask()),
        ({"tools": [TOOL]}, Ask(has_tools=True, only_tool="weather")),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, Ask()),
        ({"tool_choice": {"type": "none"}}, Ask(tools_allowed=False)),
        (
            {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
            Ask(parallel_tools=False),
        ),
        (
            {"tools": [TOOL], "tool_choice": {"type": "any"}},
            Ask(has_tools=True, only_tool="weather", forced_tool=ForcedTool("weather", SCHEMA)),
        ),
        (
            {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "weather"}},
            Ask(has_tools=True, only_tool="weather", forced_tool=ForcedTool("weather", SCHEMA)),
        ),
        (
            {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "x"}},
            Ask(has_tools=True, only_tool="weather"),
        ),
        ({"tools": [TOOL, {**TOOL, "name": "other"}]}, Ask(has_tools=True)),
        (
            {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
            Ask(schema=SCHEMA),
        ),
        ({"output_format": {"type": "json_schema", "schema": SCHEMA}}, Ask(schema=SCHEMA)),
        ({"output_config": {"effort": "high"}}, Ask()),
    ],
)
def test_wishes_are_read(changes: dict[str, Any], ask: Ask) -> None:
    found = asked(**changes)
    assert (found.text, found.tokens_max) == ("hi", 64)
    assert (
        found.stop_sequences,
        found.thinking,
        found.has_tools,
        found.only_tool,
        found.tools_allowed,
        found.parallel_tools,
        found.forced_tool,
        found.schema,
    ) == (
        ask.stop_sequences,
        ask.thinking,
        ask.has_tools,
        ask.only_tool,
        ask.tools_allowed,
        ask.parallel_tools,
        ask.forced_tool,
        ask.schema,
    )


def page(source: str, *, cited: bool) -> dict[str, Any]:
    found = {"type": "search_result", "source": source, "title": "T", "content": [text("High.")]}
    return found | {"citations": {"enabled": True}} if cited else found


def result(*found: dict[str, Any]) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": "toolu_1", "content": list(found)}


def test_pages_a_tool_found_may_be_cited_by_their_number() -> None:
    earlier = user(result(page("https://a.example/", cited=True)))
    now = user(result(page("https://b.example/", cited=True)))
    found = asked(messages=[earlier, now])
    assert found.tool_results == ("High.",)
    assert found.pages == (Page(1, "https://b.example/", "T", "High."),)
    assert asked(messages=[user(result(page("https://a.example/", cited=False)))]).pages == ()


DOCUMENT = {"type": "document", "source": {"type": "text", "data": "A book."}}


@pytest.mark.parametrize(
    ("changes", "wording"),
    [
        ({"messages": [user(DOCUMENT, result(page("https://a/", cited=True)))]}, "all or none"),
        (
            {
                "messages": [
                    user(page("https://a/", cited=False)),
                    user(page("https://b/", cited=True)),
                ]
            },
            "all or none",
        ),
        (
            {
                "messages": [user(page("https://a/", cited=True))],
                "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
            },
            "together with citations",
        ),
    ],
)
def test_citations_are_for_all_sources_or_none(changes: dict[str, Any], wording: str) -> None:
    with pytest.raises(RefusedError, match=wording):
        asked(**changes)
