"""Whole messages of almost Anthropic's wire, made legal."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.domain.fault import Fault
from proxy.stream.repaired_reply import repaired_reply
from proxy.stream.whole_reply import WholeReply
from proxy.wire.seal import ThinkingSeal
from tests.kit.asked import make_asked
from tests.kit.patience import examples

SEAL = ThinkingSeal([b"secret"])
CALL = make_asked(input_tokens=1234)
WHOLE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "theirs",
    "content": [{"type": "text", "text": "Hi"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 30, "output_tokens": 7},
}


def repaired(message: object) -> tuple[dict[str, Any], WholeReply]:
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    reply = repaired_reply(CALL, SEAL, body)
    return json.loads(reply.body), reply


def test_a_whole_message_only_changes_its_model() -> None:
    message, reply = repaired(WHOLE)
    assert message == {**WHOLE, "model": "moonshot.kimi-k2-thinking"}
    assert (reply.usage.output_tokens, reply.stop_reason) == (7, "end_turn")
    assert not reply.usage_estimated


def test_what_is_missing_is_put_in() -> None:
    message, reply = repaired({"content": "Hi"})
    assert message == {
        **WHOLE,
        "id": "msg_gw_0123456789abcdefghijkl",
        "model": "moonshot.kimi-k2-thinking",
        "usage": {"input_tokens": 1234, "output_tokens": 6},
    }
    assert reply.usage_estimated


def test_numbers_of_a_call_stay_what_they_are() -> None:
    given_input = '{"n": 123456789012345678901234567890, "f": 1.10}'
    call = f'{{"type":"tool_use","id":"t","name":"ls","input":{given_input}}}'
    message, reply = repaired(f'{{"content":[{call}],"stop_reason":"stop"}}'.encode())
    assert given_input.encode() in reply.body
    assert message["stop_reason"] == reply.stop_reason == "tool_use"


def test_blocks_are_repaired() -> None:
    blocks = [
        {"type": "thinking", "thinking": "hm"},
        {"type": "thinking", "thinking": "hm", "signature": "theirs"},
        {"type": "text", "text": ""},
        {"type": "tool_use", "id": "c", "name": "ls"},
        {"type": "tool_use", "id": "c", "name": "ls", "input": None},
        {"type": "later", "x": 1},
    ]
    message, _ = repaired({**WHOLE, "content": blocks})
    ours, theirs, first, second, later = message["content"]
    assert SEAL.open("tenant_1", ours["signature"], "hm") is not None
    assert theirs["signature"] == "theirs"
    assert (first["id"], first["input"]) == ("c", {})
    assert second["id"].startswith("toolu_gw_")
    assert second["input"] == {}
    assert later == {"type": "later", "x": 1}


@pytest.mark.parametrize("content", [[], None, ""])
def test_an_empty_answer_stays_empty(content: object) -> None:
    message, _ = repaired({**WHOLE, "content": content})
    assert message["content"] == []


def test_a_call_without_a_name_is_refused_and_may_go_better_again() -> None:
    with pytest.raises(Fault) as caught:
        repaired({**WHOLE, "content": [{"type": "tool_use", "id": "c", "name": ""}]})
    assert caught.value.repeat
    assert caught.value.status == 502


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"error": {"type": "overloaded_error", "message": "later"}}, 529),
        ({"type": "error", "error": {"type": "rate_limit_error", "message": "later"}}, 429),
        ({"type": "error", "message": "?"}, 502),
        ([], 502),
        (b"<html>", 502),
        (b"", 502),
    ],
)
def test_an_error_is_no_message(body: object, status: int) -> None:
    with pytest.raises(Fault) as caught:
        repaired(body)
    assert caught.value.status == status


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "text", "content", "usage", "id", "input", "name", "model"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


@examples(200)
@given(st.one_of(JSON.map(msgspec.json.encode), st.binary(max_size=40)))
def test_whatever_comes_is_a_message_or_a_fault(body: bytes) -> None:
    try:
        message, _ = repaired(body)
    except Fault:
        return
    assert message["type"] == "message"
    assert isinstance(message["content"], list)
    assert message["usage"].keys() >= {"input_tokens", "output_tokens"}
