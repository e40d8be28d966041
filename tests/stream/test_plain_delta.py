"""The shape of events that differ in their words only."""

import pytest

from proxy.stream.plain_delta import (
    PlainDelta,
    learn,
    said_alone,
    text_of,
    text_of_one,
    text_of_quoted,
)
from proxy.wire.chat import read_chunk
from tests.kit.chat_stream import chunk, text, thought, usage


def learned(event: bytes, words: bytes, *, is_thinking: bool = False) -> PlainDelta | None:
    return learn(event[len(b"data: ") : -2], words, is_thinking=is_thinking)


def test_a_shape_is_all_around_the_words() -> None:
    shape = learned(text("x"), b"x")
    assert shape is not None
    assert shape.before + b"y" + shape.behind == text("y")
    assert shape.quoted(text("other")) == b'"other"'
    assert text_of_quoted(shape.quoted(text("a") + text("b"))) is None
    assert shape.quoted(thought("a")) == b""


def test_several_events_are_parted() -> None:
    shape = learned(text("x"), b"x")
    assert shape is not None
    read = text("a") + text("b") + text("c")
    assert shape.parts(read) == ([b"a", b"b", b"c"], len(read))
    assert shape.parts(read + b"data: half") == ([b"a", b"b", b"c"], len(read))
    assert shape.parts(thought("a") + read) == ([], 0)


def test_parts_are_good_up_to_the_first_that_is_not() -> None:
    shape = learned(text("x"), b"x")
    assert shape is not None
    read = text("a") + text("b") + text("Q").replace(b"Q", b"\\/") + text("d")
    parts, _ = shape.parts(read)
    assert shape.good(parts) == ([b"a", b"b"], len(text("a") + text("b")))


def test_thinking_has_a_shape_of_its_own() -> None:
    for event in (thought("x"), chunk({"reasoning": "x"})):
        shape = learned(event, b"x", is_thinking=True)
        assert shape is not None
        assert shape.is_thinking


@pytest.mark.parametrize(
    "event",
    [
        chunk({"content": "x"}, "stop"),
        chunk({"content": "x", "reasoning_content": "y"}),
        chunk({"content": "x", "refusal": "y"}),
        chunk({"content": "x", "reasoning_details": [{"text": "y"}]}),
        chunk({"content": "x", "tool_calls": [{"index": 0}]}),
        chunk({"content": "x", "function_call": {"name": "t"}}),
        chunk({"content": "x"}, usage={"prompt_tokens": 1}),
        chunk({"content": "x"}, error={"message": "no"}),
        chunk({"content": "x"}, x_groq={"usage": None}),
        chunk({"content": "x"}).replace(b'"index":0', b'"index":1'),
        chunk({"content": "x"}).replace(b"}]}", b'},{"index":1}]}'),
        chunk({"content": ["x"]}),
        usage(),
    ],
)
def test_what_says_more_than_words_is_not_learned(event: bytes) -> None:
    said = read_chunk(event[6:-2])
    assert said is not None
    assert said_alone(said, is_thinking=False) is None
    assert learned(event, b"x") is None


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (b"plain", "plain"),
        ("é中😀".encode(), "é中😀"),
        (b'a\\n\\"b\\\\', 'a\n"b\\'),
        (b"", None),
        (b"\\u00e9", None),
        (b"\\/", None),
        (b"a\\", None),
        (b'a"b', None),
        (b"a\nb", None),
        (b"\xff", None),
        (b"\\x", None),
    ],
)
def test_only_words_as_we_would_write_them_are_copied(words: bytes, text: str | None) -> None:
    assert text_of_one(words) == text


def test_halves_do_not_heal_across_events() -> None:
    assert text_of([b"a\\", b"nb"]) is None
    assert text_of(["é".encode()[:1], "é".encode()[1:]]) is None
    assert text_of([b"a", b""]) is None
    assert text_of([b"a\\n", "é".encode()]) == "a\né"
