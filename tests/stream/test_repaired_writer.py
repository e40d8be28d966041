"""Whatever is said through the writer in whatever order, one legal message comes out."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from proxy.stream.repaired_parts import ABSENT, TheirBlock
from proxy.stream.repaired_writer import BETWEEN, DONE, DUE, FRESH, TEXT, RepairedWriter
from proxy.wire.seal import ThinkingSeal
from tests.kit.asked import make_asked
from tests.kit.grammar import check_stream, events_of
from tests.kit.patience import examples

CALL = msgspec.Raw(b'{"type":"tool_use","id":"c","name":"ls","input":{"a":\n1.0}}')
HIT = msgspec.Raw(b'{"type":"web_search_tool_result","content":[]}')
CITE = msgspec.Raw(b'{"type":"citations_delta","citation":{}}')


def make_writer() -> RepairedWriter:
    return RepairedWriter(make_asked(), ThinkingSeal([b"secret"]))


def call(writer: RepairedWriter) -> None:
    writer.open_call(CALL, msgspec.json.decode(CALL, type=TheirBlock))


STEPS: dict[str, Any] = {
    "start": lambda writer: writer.start(),
    "due": lambda writer: writer.due(b""),
    "text": lambda writer: writer.text(b"a"),
    "no text": lambda writer: writer.text(b""),
    "thinking": lambda writer: writer.thinking(b"hm"),
    "sign": lambda writer: writer.sign(b"theirs"),
    "open thinking": lambda writer: writer.open_thinking(b""),
    "call": call,
    "arguments": lambda writer: writer.arguments(b"{}"),
    "other": lambda writer: writer.open_other(HIT),
    "cite": lambda writer: writer.cite(CITE),
    "close": lambda writer: writer.close(),
}


@examples(300)
@given(st.lists(st.sampled_from(list(STEPS)), max_size=15))
def test_any_steps_make_a_legal_message(steps: list[str]) -> None:
    writer = make_writer()
    for step in steps:
        STEPS[step](writer)
    reason = writer.end("end_turn", {})
    assert writer.state is DONE
    assert check_stream(writer.taken()) == "message_stop"
    assert reason == ("tool_use" if "call" in steps else "end_turn")
    assert writer.held_bytes == 0


def test_a_text_that_never_comes_is_no_block() -> None:
    writer = make_writer()
    assert writer.state is FRESH
    writer.due(b'{"type":"text","text":""}')
    assert writer.state is DUE
    writer.close()
    assert (writer.state, writer.index) == (BETWEEN, -1)
    writer.due(b'{"type":"text","text":"","citations":[]}')
    writer.text(b"a")
    assert (writer.state, writer.index) == (TEXT, 0)
    assert b'"text":"","citations":[]' in writer.taken()


def test_input_stands_only_if_none_is_streamed() -> None:
    writer = make_writer()
    call(writer)
    writer.arguments(b'{\\"b\\":2}')
    call(writer)
    writer.close()
    deltas = [each for each in events_of(writer.taken()) if each["type"] == "content_block_delta"]
    told = [each["delta"]["partial_json"] for each in deltas]
    assert told == ['{"b":2}', '{"a":1.0}']


def test_further_fields_of_the_end_are_kept() -> None:
    writer = make_writer()
    writer.end("refusal", {"stop_details": msgspec.Raw(b'{"type":\n"refusal"}')})
    last = events_of(writer.taken())[-2]
    assert last["delta"] == {
        "stop_reason": "refusal",
        "stop_sequence": None,
        "stop_details": {"type": "refusal"},
    }


def test_an_abandoned_message_is_over() -> None:
    writer = make_writer()
    writer.start(ABSENT)
    writer.text(b"a")
    writer.abandon()
    said = writer.taken()
    writer.close()
    writer.start()
    assert writer.taken() == b""
    assert events_of(said)[-1]["type"] == "content_block_delta"
