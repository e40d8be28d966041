"""The search tool as the model is shown it (translation.md 9.2, 9.10)."""

import msgspec

from proxy.web_search.citing import BLOCKS, MARKS
from proxy.web_search.shown_tool import custom_tool, with_custom_tool
from proxy.web_search.tool import read_wish
from tests.web_search.playing import read_tool

PLAIN = '{"type":"web_search_20250305","name":"web_search"}'
SCHEMA = {
    "type": "object",
    "properties": {
        "query": {"type": "string", "description": "Search query, at most 500 characters"}
    },
    "required": ["query"],
    "additionalProperties": False,
}


def test_the_tool_is_the_same_every_time_and_asks_for_marks() -> None:
    shown = custom_tool(read_tool(PLAIN), MARKS)
    assert shown == custom_tool(read_tool(PLAIN.replace("20250305", "20260318")), MARKS)
    tool = msgspec.json.decode(shown)
    assert tool["name"] == "web_search"
    assert tool["input_schema"] == SCHEMA
    assert "[[1]]" in tool["description"]
    assert "untrusted" in tool["description"]


def test_domains_are_told() -> None:
    tool = read_tool(PLAIN[:-1] + ',"allowed_domains":["a.example/blog","b.example"]}')
    said = msgspec.json.decode(custom_tool(tool, MARKS))["description"]
    assert said.endswith(" Only these sites are searched: a.example/blog, b.example.")
    tool = read_tool(PLAIN[:-1] + ',"blocked_domains":["a.example"]}')
    said = msgspec.json.decode(custom_tool(tool, MARKS))["description"]
    assert said.endswith(" These sites are never shown: a.example.")


def test_claude_is_shown_a_custom_tool_and_cites_of_itself() -> None:
    tool = read_tool(PLAIN[:-1] + ',"cache_control":{"type":"ephemeral"}}')
    shown = msgspec.json.decode(custom_tool(tool, BLOCKS))
    assert shown.keys() == {"name", "description", "input_schema", "cache_control"}
    assert shown["input_schema"] == SCHEMA
    assert shown["cache_control"] == {"type": "ephemeral"}
    assert "[[" not in shown["description"]


def test_other_tools_keep_their_bytes() -> None:
    other = b'{"name": "get",  "input_schema": {"type": "object", "x": 1e400}}'
    tools = msgspec.Raw(b"[ %b , %b, %b]" % (other, PLAIN.encode(), other))
    wish = read_wish({"tools": tools})
    assert wish is not None
    shown = custom_tool(wish.tool, MARKS)
    assert with_custom_tool(tools, wish, MARKS) == b"[%b,%b,%b]" % (other, shown, other)
