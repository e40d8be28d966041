"""Chunks as servers send them, and as they should not."""

import msgspec
import pytest

from proxy.wire.chat import (
    NOTHING,
    complains,
    is_said,
    parts_of,
    read_chunk,
    read_details,
    read_json,
    read_text,
)


def test_unknown_fields_are_nothing() -> None:
    chunk = read_chunk(b'{"choices":[{"delta":{"content":"x","new":[1]},"logprobs":{}}],"v":2}')
    assert chunk is not None
    assert chunk.choices is not None
    assert chunk.choices[0].delta is not None
    assert chunk.choices[0].delta.content == "x"
    assert not chunk.is_loose


@pytest.mark.parametrize(
    "data",
    [
        b'{"choices":[{"delta":{"content":"x"},"logprobs":NaN}]}',
        b'{"choices":[{"delta":{"content":"x","audio":"\\ud83d"}}]}',
        b'{"choices":[{"delta":{"content":"x"},"index":0},7],"usage":[1e400]}',
        b'{"choices":[{"delta":{"content":"x","tool_calls":"none","function_call":1}}]}',
        b'{"choices":[{"delta":{"content":"x","tool_calls":[{"function":7}]}}],"x_groq":1}',
    ],
)
def test_what_msgspec_refuses_is_read_by_the_second_decoder(data: bytes) -> None:
    chunk = read_chunk(data)
    assert chunk is not None
    assert chunk.is_loose
    assert chunk.choices is not None
    assert chunk.choices[0].delta is not None
    assert chunk.choices[0].delta.content == "x"


@pytest.mark.parametrize(
    "data", [b"", b"x", b"[]", b"1", b'"x"', b'{"a":', b"[" * 100_000, b'{"a":' * 100_000]
)
def test_what_nobody_reads_is_none(data: bytes) -> None:
    assert read_chunk(data) is None


def test_halves_of_characters_and_bad_bytes_come_through_as_text() -> None:
    assert read_text(b'"a\\ud83d"') == "a\ud83d"
    assert read_text(b'"a\xff"') == "a\ufffd"
    assert read_text(b"5") is None
    assert read_text(b"nonsense") is None


def test_arguments_keep_their_bytes() -> None:
    data = b'{"choices":[{"delta":{"tool_calls":[{"function":{"arguments":{"n": 1.0}}}]}}]}'
    chunk = read_chunk(data)
    assert chunk is not None
    assert chunk.choices is not None
    delta = chunk.choices[0].delta
    assert delta is not None
    assert delta.tool_calls is not None
    call = delta.tool_calls[0]
    assert call is not None
    assert call.function is not None
    assert bytes(call.function.arguments) == b'{"n": 1.0}'


def test_arguments_with_a_number_that_is_none_are_no_json() -> None:
    data = b'{"choices":[{"delta":{"tool_calls":[{"function":{"arguments":{"n":[NaN]}}}]}}]}'
    chunk = read_chunk(data)
    assert chunk is not None
    assert chunk.choices is not None
    delta = chunk.choices[0].delta
    assert delta is not None
    assert delta.tool_calls is not None
    call = delta.tool_calls[0]
    assert call is not None
    assert call.function is not None
    assert read_json((read_text(call.function.arguments) or "").encode()) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b' {"a": 1.0} ', b'{"a": 1.0}'),
        (b'{"n":123456789012345678901234567890}', b'{"n":123456789012345678901234567890}'),
        (b'{"a":1}{', None),
        (b'{"a":NaN}', None),
        (b'{"a":"\xff"}', None),
        (b"", None),
        (b"[" * 100_000, None),
    ],
)
def test_json_is_one_value_in_utf8(text: bytes, value: bytes | None) -> None:
    assert read_json(text) == value


@pytest.mark.parametrize("raw", [b"null", b'""', b"{}", b"[]", b"false"])
def test_nothing_is_said_in_many_ways(raw: bytes) -> None:
    assert not is_said(msgspec.Raw(raw))
    assert is_said(msgspec.Raw(b'"x"'))
    assert not is_said(NOTHING)


def test_parts_are_text_or_thinking() -> None:
    parts = [
        "a",
        {"type": "text", "text": "b"},
        {"type": "thinking", "thinking": "c"},
        {"type": "thinking", "thinking": [{"type": "text", "text": "d"}, 7]},
        {"type": "image"},
        None,
    ]
    assert list(parts_of(parts)) == [(False, "a"), (False, "b"), (True, "c"), (True, "d")]


def test_details_have_a_text_and_are_a_list() -> None:
    raw = b'[{"text":"a"},{"summary":"b"},{"data":"x"},{"text":5},7]'
    assert read_details(msgspec.Raw(raw)) == ("ab", raw)
    assert read_details(msgspec.Raw(b'{"text":"a"}')) == ("", b"")
    assert read_details(msgspec.Raw(b'["\xff"]')) == ("", b"")


@pytest.mark.parametrize(
    ("data", "is_error"),
    [
        (b'{"object":"error","code":400}', True),
        (b'{"message":"no"}', True),
        (b'{"detail":[1]}', True),
        (b'{"choices":[],"prompt_filter_results":[]}', False),
        (b"nonsense", False),
    ],
)
def test_errors_have_other_names(data: bytes, is_error: bool) -> None:
    assert complains(data) is is_error
