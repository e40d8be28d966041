"""Opaque JSON survives to the byte, equal requests give equal bytes, and a conversation that grows
keeps its beginning: what providers' prompt caches live on (translation.md D2, 10)."""

import json
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from proxy.providers.openai_chat.dialects import ROWS
from tests.kit.patience import examples
from tests.providers.openai_chat.asking import ask
from tests.providers.openai_chat.conversations import conversations, exchanges, request_of

spaces = st.sampled_from(["", " ", "\n  ", "\t"])
scalars = st.one_of(
    st.sampled_from(
        [
            *("1.0", "1e5", "-0", "0.10", "1E-7", "null", "true", "false"),
            *("1000000000000000000000000000000", "-18446744073709551617", "0.1000000000000000055"),
            *(r'"\u00e9\/\ud83d\ude00"', '"\u2028"', '"\u00e9"', r'"\"}{\\"', '""'),
        ]
    ),
    st.integers().map(str),
    st.text(max_size=8).map(json.dumps),
)


def _list(items: list[str], space: str) -> str:
    return "[" + space + ("," + space).join(items) + "]"


def _object(members: list[tuple[str, str]], space: str) -> str:
    # Keys may repeat: nobody looks inside.
    return "{" + ("," + space).join(f'"{k}"{space}:{space}{v}' for k, v in members) + space + "}"


keys = st.sampled_from(["b", "a", "model", "type", "10", "\u00e9", "messages"])
values = st.recursive(
    scalars,
    lambda inner: (
        st.builds(_list, st.lists(inner, max_size=3), spaces)
        | st.builds(_object, st.lists(st.tuples(keys, inner), max_size=3), spaces)
    ),
    max_leaves=12,
)
objects = st.builds(_object, st.lists(st.tuples(keys, values), max_size=4), spaces)
_RAW = msgspec.json.Decoder(dict[str, msgspec.Raw])
_RAWS = msgspec.json.Decoder(list[msgspec.Raw])


def raw_at(whole: bytes, *path: str | int) -> bytes:
    """The bytes of a value inside a JSON document."""
    for step in path:
        if isinstance(step, int):
            whole = bytes(_RAWS.decode(whole)[step])
        else:
            whole = bytes(_RAW.decode(whole)[step])
    return whole


@examples(200)
@given(objects, st.sampled_from(sorted(ROWS)))
def test_the_input_of_a_call_survives_to_the_byte(given_input: str, row: str) -> None:
    raw = b"".join(
        [
            b'{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"},'
            b'{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":',
            given_input.encode(),
            b'}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"a"}]}]}',
        ]
    )
    body = ask(raw, row).body
    arguments = raw_at(body, "messages", 1, "tool_calls", 0, "function", "arguments")
    assert msgspec.json.decode(arguments, type=str) == given_input


@examples(200)
@given(st.lists(st.tuples(keys, values), max_size=4), spaces, st.sampled_from(sorted(ROWS)))
def test_a_schema_survives_to_the_byte(
    members: list[tuple[str, str]], space: str, row: str
) -> None:
    schema = _object([("type", '"object"'), ("properties", "{}"), *members], space)
    raw = b"".join(
        [
            b'{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}],'
            b'"tools":[{"name":"f","input_schema":',
            schema.encode(),
            b"}]}",
        ]
    )
    body = ask(raw, row).body
    assert raw_at(body, "tools", 0, "function", "parameters") == schema.encode()


@examples(100)
@given(st.text(max_size=40), st.booleans())
def test_text_survives_as_it_is_written(text: str, ascii_only: bool) -> None:
    written = json.dumps(text + "!", ensure_ascii=ascii_only).encode()
    head = b'{"model":"m","max_tokens":9,"messages":[{"role":"user","content":'
    body = ask(head + written + b"}]}").body
    assert raw_at(body, "messages", 0, "content") == written


@examples(100)
@given(conversations(), st.sampled_from(sorted(ROWS)))
def test_equal_requests_give_equal_bytes(messages: list[dict[str, Any]], row: str) -> None:
    raw = request_of(messages)
    first, second = ask(raw, row, "kimi-k2.6"), ask(bytes(raw), row, "kimi-k2.6")
    assert first.body == second.body
    assert first.expected == second.expected


@examples(200)
@given(
    conversations(),
    st.sampled_from(sorted(ROWS)),
    st.sampled_from(["kimi-k2-thinking", "gpt-5", "mistral-large", "deepseek-v4"]),
    st.data(),
)
def test_a_conversation_that_grows_keeps_its_beginning(
    messages: list[dict[str, Any]], row: str, model: str, data: st.DataObject
) -> None:
    grown = messages + data.draw(exchanges(99))
    tools = [{"name": "read", "input_schema": {}}]
    attribution = data.draw(st.sampled_from(["x-anthropic-billing-header: cch=1;", "Top."]))
    system = [{"type": "text", "text": attribution}, {"type": "text", "text": "Rules."}]
    before = ask(request_of(messages, tools=tools, system=system), row, model).body
    after = ask(request_of(grown, tools=tools, system=system), row, model).body
    told = raw_at(before, "messages")
    assert raw_at(after, "messages").startswith(told.removesuffix(b"]"))
    assert raw_at(after, "tools") == raw_at(before, "tools")
