"""Our signatures are taken out of conversations that go to Anthropic; nothing else moves."""

import base64
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.artefacts import without_artefacts
from proxy.wire.body import read_body
from tests.kit.patience import examples

OURS = '{"type": "thinking", "thinking": "hm", "signature": "GWs1.kimi.AQID"}'
HIDDEN = '{"type":"thinking","thinking":"","signature":"GWs1.kimi.AgID"}'
THEIRS = '{"type":"thinking","thinking":"hm","signature":"ErUB GWs1."}'
TEXT = '{"type":"text","text":"I saw GWs1.x.y","n":1.10}'
CALL = '{"type":"tool_use","id":"t","name":"n","input":{"big":123456789012345678901234567890}}'


def body_of(*contents: str) -> bytes:
    messages = [f'{{"role": "assistant", "content": {content}, "x":1}}' for content in contents]
    return f'{{"model":"m", "messages": [ {" , ".join(messages)} ],"max_tokens":9}}'.encode()


def cleaned(raw: bytes) -> bytes:
    return without_artefacts(read_body(raw, needs_max_tokens=True)).raw


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"[{OURS}, {TEXT}]", f"[{TEXT}]"),
        (f"[ {OURS}  ,  {TEXT} ]", f"[ {TEXT} ]"),
        (f"[{TEXT} , {OURS}]", f"[{TEXT}]"),
        (f"[{TEXT}, {OURS}, {CALL}]", f"[{TEXT}, {CALL}]"),
        (f"[{OURS},{HIDDEN},{CALL}]", f"[{CALL}]"),
        (f"[{THEIRS},{OURS},{CALL}]", f"[{THEIRS},{CALL}]"),
        (f"[{OURS}]", '[{"type":"text","text":"hm"}]'),
        (f"[{OURS},{HIDDEN}]", '[{"type":"text","text":"hm"}]'),
        (f"[{HIDDEN}]", '[{"type":"text","text":"(thinking that is not shown)"}]'),
    ],
)
def test_thinking_of_ours_is_taken_out(before: str, after: str) -> None:
    assert cleaned(body_of('"hi"', before, f"[{CALL}]")) == body_of('"hi"', after, f"[{CALL}]")


@pytest.mark.parametrize(
    "content",
    [
        '"GWs1.kimi.AQID"',
        f"[{TEXT}]",
        f"[{THEIRS},{TEXT}]",
        '[{"type":"tool_use","input":{"type":"thinking","signature":"GWs1.a.b"}}]',
        '[{"type":"thinking","signature":null},{"type":"text","text":"GWs1."}]',
        '{"type":"thinking","signature":"GWs1.a.b"}',
        '[1,"GWs1.",null]',
        "null",
    ],
)
def test_what_only_looks_like_it_stays(content: str) -> None:
    raw = body_of(content)
    body = read_body(raw, needs_max_tokens=True)
    assert without_artefacts(body) is body


def test_messages_that_are_none_are_for_the_provider_to_refuse() -> None:
    raw = b'{"model":"m","max_tokens":9,"messages":["GWs1.",5]}'
    assert cleaned(raw) == raw


def test_what_was_read_of_the_body_is_kept() -> None:
    body = without_artefacts(read_body(body_of(f"[{OURS}]"), needs_max_tokens=True))
    assert (body.model, body.max_tokens) == ("m", 9)


@pytest.mark.parametrize("letters", [0, 1, 127, 128, 129, 1000])
def test_the_mark_is_found_behind_any_number_of_its_letters(letters: int) -> None:
    before = '"' + "W" * letters + '"'
    assert cleaned(body_of(before, f"[{OURS},{TEXT}]")) == body_of(before, f"[{TEXT}]")
    assert cleaned(body_of(before)) == body_of(before)


def test_the_mark_is_found_behind_a_picture() -> None:
    picture = json.dumps(base64.b64encode(random.Random(1).randbytes(50_000)).decode())
    assert cleaned(body_of(picture, f"[{OURS},{TEXT}]")) == body_of(picture, f"[{TEXT}]")


BLOCKS = st.lists(st.sampled_from([OURS, HIDDEN, THEIRS, TEXT, CALL]), min_size=1, max_size=6)


@examples(200)
@given(st.lists(BLOCKS, min_size=1, max_size=4), st.sampled_from([",", " , ", ",\n "]))
def test_only_blocks_of_ours_go(turns: list[list[str]], comma: str) -> None:
    raw = body_of(*[f"[{comma.join(blocks)}]" for blocks in turns])
    sent = json.loads(cleaned(raw))["messages"]
    for blocks, message in zip(turns, sent, strict=True):
        kept = [json.loads(block) for block in blocks if block not in (OURS, HIDDEN)]
        assert message["content"] == kept or (not kept and message["content"][0]["type"] == "text")
    if not any(block in (OURS, HIDDEN) for blocks in turns for block in blocks):
        assert cleaned(raw) == raw
