"""Marks of the prompt's cache as Converse's checkpoints: which, where, how many."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.domain.dialect import Dialect
from proxy.providers.bedrock.checkpoints import CHECKPOINTS_MAX, Checkpoints, thinned
from proxy.providers.bedrock.converse_request import converse_count, converse_request
from proxy.providers.bedrock.converse_row import CONVERSE
from proxy.providers.openai_chat.dialects import dialect_of
from proxy.providers.openai_chat.request import chat_request, counting_request
from proxy.wire.body import read_body
from proxy.wire.seal import ThinkingSeal
from tests.kit.asked import make_asked
from tests.kit.bedrock_converse import check_converse
from tests.kit.patience import examples

SEAL = ThinkingSeal([b"secret"])
NOVA, CLAUDE, LLAMA = "amazon.nova-pro-v1:0", "anthropic.claude-sonnet-4-5", "meta.llama3"
MARK = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}
POINT = {"cachePoint": {"type": "default"}}
PIXEL = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}


def chat(model: str, fields: dict[str, Any], *, counting: bool = False) -> tuple[bytes, Dialect]:
    raw = msgspec.json.encode({"model": "m", "max_tokens": 50, **fields})
    call = make_asked("amazon.nova", body=raw)
    call.model = msgspec.structs.replace(call.model, vision=True)
    dialect = dialect_of(CONVERSE, model)
    body = read_body(raw, needs_max_tokens=True)
    if counting:
        return counting_request(call, body, model, dialect, SEAL), dialect
    return chat_request(call, body, model, dialect, SEAL).body, dialect


def converse(model: str, *, hour: bool = False, **fields: Any) -> dict[str, Any]:
    written, dialect = chat(model, fields)
    points = Checkpoints(hour=hour, behind_results=dialect.cache_marks_beyond_text)
    document = msgspec.json.decode(converse_request(written, points))
    check_converse(document, model)
    return dict(document)


def text(words: str, mark: dict[str, str] | None = None) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "text", "text": words}
    return block | {"cache_control": mark} if mark else block


def agentic(**last: Any) -> dict[str, Any]:
    """A conversation with marks wherever Anthropic takes them."""
    return {
        "system": [text("a"), text("b", MARK), text("c")],
        "tools": [
            {"name": "t", "description": "d", "input_schema": {"type": "object"}},
            {
                "name": "u",
                "description": "d",
                "input_schema": {"type": "object"},
                "cache_control": MARK,
            },
        ],
        "messages": [
            {"role": "user", "content": [text("look", MARK), text("here")]},
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "c1", "name": "t", "input": {}}],
            },
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "ok", **last}],
            },
        ],
    }


def test_claude_takes_them_wherever_anthropic_does() -> None:
    made = converse(CLAUDE, **agentic(cache_control=MARK))
    assert made["system"] == [{"text": "a"}, {"text": "b"}, POINT, {"text": "c"}]
    assert [list(each) for each in made["toolConfig"]["tools"]] == [
        ["toolSpec"],
        ["toolSpec"],
        ["cachePoint"],
    ]
    assert made["messages"][0]["content"] == [{"text": "look"}, POINT, {"text": "here"}]
    assert made["messages"][2]["content"][1] == POINT


def test_nova_takes_them_behind_texts_only() -> None:
    made = converse(NOVA, **agentic(cache_control=MARK))
    assert made["system"][2] == POINT
    assert made["messages"][0]["content"][1] == POINT
    assert all("toolSpec" in each for each in made["toolConfig"]["tools"])
    assert [list(each) for each in made["messages"][2]["content"]] == [["toolResult"]]


def test_a_text_behind_a_result_may_bear_one_on_nova() -> None:
    fields = agentic()
    fields["messages"][2]["content"].append(text("and now?", MARK))
    made = converse(NOVA, **fields)
    assert [next(iter(each)) for each in made["messages"][2]["content"]] == [
        "toolResult",
        "text",
        "cachePoint",
    ]


def test_others_get_none_and_one_text() -> None:
    made = converse(LLAMA, **agentic(cache_control=MARK))
    assert b"cachePoint" not in msgspec.json.encode(made)
    assert made["system"] == [{"text": "a\n\nb\n\nc"}]


def test_what_is_not_text_bears_them_on_claude() -> None:
    shown = {"type": "image", "source": PIXEL, "cache_control": MARK}
    made = converse(
        CLAUDE,
        messages=[
            {"role": "user", "content": [shown, text("what is it?")]},
            {"role": "assistant", "content": [text("a dot", MARK)]},
            {"role": "user", "content": "and now?"},
        ],
    )
    assert [next(iter(each)) for each in made["messages"][0]["content"]] == [
        "image",
        "cachePoint",
        "text",
    ]
    assert made["messages"][1]["content"] == [{"text": "a dot"}, POINT]


def test_a_mark_on_a_picture_in_a_result_stands_behind_the_result() -> None:
    fields = agentic()
    fields["messages"][2]["content"][0] |= {
        "content": [text("see"), {"type": "image", "source": PIXEL}],
        "cache_control": MARK,
    }
    made = converse(CLAUDE, **fields)
    kinds = [next(iter(each)) for each in made["messages"][2]["content"]]
    assert kinds == ["toolResult", "cachePoint", "text", "image"]


@pytest.mark.parametrize(
    ("mark", "hour", "expected"),
    [
        (HOUR, True, {"type": "default", "ttl": "1h"}),
        (HOUR, False, {"type": "default"}),
        ({"type": "ephemeral", "ttl": "5m"}, True, {"type": "default"}),
        (MARK, True, {"type": "default"}),
    ],
)
def test_an_hour_is_asked_for_where_it_may_be(
    mark: dict[str, str], hour: bool, expected: dict[str, str]
) -> None:
    made = converse(
        CLAUDE,
        hour=hour,
        system=[text("a", mark)],
        messages=[{"role": "user", "content": "hi"}],
    )
    assert made["system"][1] == {"cachePoint": expected}


@pytest.mark.parametrize("mark", ["ephemeral", 7, ["x"], {"type": "ephemeral", "ttl": 3}])
def test_a_mark_that_is_nonsense_is_left_out(mark: Any) -> None:
    point = Checkpoints(hour=True).behind(msgspec.Raw(msgspec.json.encode(mark)))
    assert point == []


def test_of_too_many_those_behind_the_most_are_kept() -> None:
    made = converse(
        CLAUDE,
        system=[text("a", MARK)],
        messages=[{"role": "user", "content": [text(str(n), MARK) for n in range(6)]}],
    )
    assert made["system"] == [{"text": "a"}]
    content = made["messages"][0]["content"]
    assert content[:3] == [{"text": "0"}, {"text": "1"}, {"text": "2"}]
    assert content[3:5] == [POINT, {"text": "3"}]
    assert content.count(POINT) == 4


def test_a_count_has_none() -> None:
    written, _ = chat(CLAUDE, agentic(cache_control=MARK), counting=True)
    counted = converse_count(written)
    assert b"cachePoint" not in msgspec.json.encode(counted)
    assert counted.keys() == {"system", "messages", "toolConfig"}


_BLOCKS = st.lists(st.sampled_from(["word", "point"]), max_size=6)


@given(st.lists(_BLOCKS, max_size=5))
@examples(200)
def test_no_more_than_four_stay_each_behind_something(drawn: list[list[str]]) -> None:
    places: list[list[dict[str, object]]] = [
        [{"text": "a"} if kind == "word" else {"cachePoint": {}} for kind in kinds]
        for kinds in drawn
    ]
    words = sum(kind == "word" for kinds in drawn for kind in kinds)
    possible = sum(
        "point" in kinds[at + 1 : at + 2]
        for kinds in drawn
        for at, kind in enumerate(kinds)
        if kind == "word"
    )
    thinned(places)
    points = 0
    for blocks in places:
        for at, block in enumerate(blocks):
            if "cachePoint" in block:
                points += 1
                assert at > 0 and "text" in blocks[at - 1]
    assert points == min(possible, CHECKPOINTS_MAX)
    assert sum("text" in block for blocks in places for block in blocks) == words
