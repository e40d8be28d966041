"""Calls in fragments; most of what they become stands on the shelf of cases."""

import orjson
import pytest

from proxy.domain.fault import Fault
from tests.kit.chat_stream import (
    DONE,
    KIMI,
    Document,
    call,
    calls,
    chunk,
    make_pipe,
    message_of,
    said,
    text,
)

FINISH = chunk({}, "tool_calls") + DONE


def blocks(*chunks: bytes, **expected: object) -> list[Document]:
    content: list[Document] = message_of(said(make_pipe(KIMI, **expected), *chunks, FINISH))[
        "content"
    ]
    return content


def test_arguments_go_out_as_they_come() -> None:
    pipe = make_pipe()
    pipe.feed(calls(call(0, "a", "t")))
    for piece in ('{"a":', '"', "x", '"}'):
        assert orjson.dumps(piece)[1:-1] in pipe.feed(calls(call(0, arguments=piece)))


def test_calls_come_out_in_order_although_a_later_one_is_ready_first() -> None:
    found = blocks(
        calls(call(0, "a", None, "{}"), call(1, "b", "second", "{}")),
        calls(call(0, None, "first")),
    )
    assert [block["name"] for block in found] == ["first", "second"]


def test_a_call_begun_with_a_later_index_need_not_wait_for_earlier_ones() -> None:
    found = blocks(calls(call(1, "a", "t", "{}")), calls(call(2, "b", "u", "{}")))
    assert [block["id"] for block in found] == ["a", "b"]


@pytest.mark.parametrize("index", ["0", 0.5, True, -1, None, [], 2**62])
def test_an_odd_index_is_survived(index: object) -> None:
    element = call(None, "a", "t", "{}") | {"index": index}
    assert [block["name"] for block in blocks(calls(element))] == ["t"]


def test_space_behind_a_closed_call_is_nothing() -> None:
    found = blocks(
        calls(call(0, "a", "t", "{}")), text("x"), calls(call(0, arguments=" \n")), text("y")
    )
    assert [block["type"] for block in found] == ["tool_use", "text"]


def test_whether_arguments_are_whole_is_asked_of_new_bytes_only() -> None:
    pipe = make_pipe()
    pipe.feed(calls(call(0, "a", "t", '{"a":{}')))
    for _ in range(50):
        pipe.feed(text("wait"))
    assert pipe.held_bytes > 50 * 4
    slot = pipe._turn.slots._live
    assert slot is not None
    assert slot.seen_bytes == len(slot.given)


def test_many_calls_are_bounded() -> None:
    pipe = make_pipe(KIMI, 10_000)
    for at in range(100):
        pipe.feed(calls(call(at)))
    assert pipe.fault is not None


def test_only_the_first_call_exists_where_one_is_allowed() -> None:
    found = blocks(
        calls(call(0, "a", "t")),
        calls(call(1, "b", "u", "garbage")),
        calls(call(0, arguments="{}"), call(1, arguments="more")),
        first_call_only=True,
    )
    assert [block["id"] for block in found] == ["a"]


def test_halves_of_characters_in_arguments_find_each_other() -> None:
    first = calls(call(0, "a", "t", '{"a":"Q')).replace(b"Q", b"\\ud83d")
    second = calls(call(0, arguments='Q"}')).replace(b"Q", b"\\ude00")
    assert blocks(first, second)[0]["input"] == {"a": "😀"}


def test_a_whole_reply_in_a_stream_keeps_its_calls_apart() -> None:
    element = {"function": {"name": "t", "arguments": "{}"}}
    message = {"choices": [{"message": {"tool_calls": [element, element]}}]}
    found = blocks(b"data: " + orjson.dumps(message) + b"\n\n")
    assert len({block["id"] for block in found}) == 2


@pytest.mark.parametrize("arguments", ["[1]", "5", '"text"', '{"a":1}{', '{"a":NaN}', "{"])
def test_what_is_no_object_is_never_sent_as_one(arguments: str) -> None:
    pipe = make_pipe()
    out = said(pipe, calls(call(0, "a", "t", arguments)), FINISH)
    assert isinstance(pipe.fault, Fault)
    assert "malformed tool arguments for t" in pipe.fault.message
    assert out.count(b"message_stop") == 0
