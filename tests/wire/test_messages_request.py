"""Anthropic's request below its top level: what is read, and how it is refused."""

import msgspec
import pytest

from proxy.domain.fault import Fault
from proxy.wire.messages_request import (
    ABSENT,
    Format,
    Metadata,
    OutputConfig,
    Thinking,
    ToolChoice,
    is_null,
    is_true,
    json_text,
    named,
    read_content,
    read_hits,
    read_messages,
    read_optional,
    read_source,
    read_stops,
    read_tools,
    text_of,
)


def raw(text: str) -> msgspec.Raw:
    return msgspec.Raw(text.encode())


def test_messages_keep_their_content_as_bytes() -> None:
    first, second = read_messages(
        raw('[{"role":"user","content":"\\u00e9"},{"content":[ 1.0 ],"role":"assistant","x":{}}]')
    )
    assert (first.role, bytes(first.content)) == ("user", b'"\\u00e9"')
    assert (second.role, bytes(second.content)) == ("assistant", b"[ 1.0 ]")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[{}]", "messages.0.role: Field required"),
        ('[{"role":"tool","content":""}]', "messages.0.role: Input should be 'user', 'assistant'"),
        ('[{"role":"user"}]', "messages.0.content: Field required"),
        ('[{"role":5,"content":""}]', "messages.0.role: Input should be a valid string"),
        ('[{"role":"user","content":""},7]', "messages.1: Input should be an object"),
        ("{}", "messages: Input should be a valid list"),
        ("[" * 3000 + "]" * 3000, "messages.0: Input should be an object"),
        ('[{"role":"\\ud800"}]', "messages: Input should be valid JSON in UTF-8"),
    ],
)
def test_messages_that_cannot_be_read_are_refused_with_their_path(text: str, said: str) -> None:
    with pytest.raises(Fault) as refused:
        read_messages(raw(text))
    assert refused.value.message.startswith(said)
    assert refused.value.status == 400


def test_content_is_blocks_however_it_is_written() -> None:
    (block,) = read_content(raw('"Hi"'), "here")
    assert (block.type, bytes(block.text)) == ("text", b'"Hi"')
    (block,) = read_content(raw('[{"id":"a","type":"tool_use","input":{"n":1.0},"z":1}]'), "here")
    assert (block.type, block.id, bytes(block.input)) == ("tool_use", "a", b'{"n":1.0}')
    assert read_content(raw("null"), "here") == []
    assert read_content(ABSENT, "here") == []


def test_a_block_that_cannot_be_read_is_refused_with_its_path() -> None:
    with pytest.raises(Fault) as refused:
        read_content(raw('[{"type":"text"},{"type":null}]'), "messages.3.content")
    assert refused.value.message == "messages.3.content.1.type: Input should be a valid string"


def test_unknown_fields_and_their_types_are_let_pass() -> None:
    (block,) = read_content(raw('[{"type":"x","text":{},"content":7,"source":"s"}]'), "here")
    assert block.type == "x"


def test_tools_are_read_with_their_schemas_as_bytes() -> None:
    (tool,) = read_tools(raw('[{"name":"f","type":null,"input_schema":{"a": 1.0}}]'))
    assert tool.type is None
    assert bytes(tool.input_schema) == b'{"a": 1.0}'
    assert read_tools(None) == read_tools(raw("null")) == []


def test_what_is_optional_may_be_absent_or_null() -> None:
    for kind in (ToolChoice, Thinking, OutputConfig, Format, Metadata):
        assert read_optional(kind, None, "x") is None
        assert read_optional(kind, raw("null"), "x") is None
    choice = read_optional(ToolChoice, raw('{"type":"tool","name":"f"}'), "tool_choice")
    assert choice is not None
    assert (choice.type, choice.disable_parallel_tool_use) == ("tool", None)
    with pytest.raises(Fault, match=r"thinking\.budget_tokens: Input should be a valid integer"):
        read_optional(Thinking, raw('{"type":"enabled","budget_tokens":"9"}'), "thinking")
    with pytest.raises(Fault, match=r"tool_choice\.disable_parallel_tool_use: Input should be a v"):
        read_optional(ToolChoice, raw('{"disable_parallel_tool_use":1}'), "tool_choice")


def test_strings_are_read_or_refused() -> None:
    assert text_of(raw('"\\u00e9"'), "x") == "é"
    assert json_text(raw('"\\u00e9"'), "x") == b"\\u00e9"
    assert named("a", "x") == "a"
    for read in (text_of, json_text):
        with pytest.raises(Fault, match="x: Field required"):
            read(ABSENT, "x")
        with pytest.raises(Fault, match="x: Input should be a valid string"):
            read(raw("5"), "x")
    with pytest.raises(Fault, match="x: Field required"):
        named("", "x")


def test_sources_stops_and_hits() -> None:
    assert read_source(raw('{"type":"file","file_id":"f"}'), "here").type == "file"
    with pytest.raises(Fault, match=r"here\.source: Field required"):
        read_source(ABSENT, "here")
    assert read_stops(raw('["a","b"]')) == ["a", "b"]
    assert read_stops(None) == []
    with pytest.raises(Fault, match=r"stop_sequences\.1: Input should be a valid string"):
        read_stops(raw('["a",1]'))
    assert [hit.url for hit in read_hits(raw('[{"url":"u","title":null}]'))] == ["u"]
    assert read_hits(raw('{"error_code":"unavailable"}')) == []


def test_true_and_null_are_told_apart() -> None:
    assert is_true(raw("true"))
    assert not is_true(raw("false"))
    assert not is_true(ABSENT)
    assert is_null(raw("null"))
    assert not is_null(raw("true"))
    assert not is_null(ABSENT)
