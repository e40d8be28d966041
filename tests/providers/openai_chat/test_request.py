"""A request as a whole: what the shelf of cases cannot say."""

import json

import pytest

from proxy.domain.dialect import Dialect
from proxy.domain.fault import Fault
from proxy.wire.seal import ThinkingSeal
from tests.providers.openai_chat.asking import TENANT, ask, count, make_model
from tests.providers.openai_chat.conversations import request_of

HI = [{"role": "user", "content": "Hi"}]


def test_nothing_is_noted_where_nothing_was_changed() -> None:
    written = ask(request_of(HI))
    assert written.notes == b""
    assert written.expected.thinking == "swallowed"
    assert written.expected.seen_tool_ids == frozenset()


def test_a_clamp_is_noted_as_a_header_line() -> None:
    written = ask(request_of(HI), model=make_model(max_output_tokens=100))
    assert written.notes == b"x-hatz-max-tokens: 100\r\n"
    assert json.loads(written.body)["max_tokens"] == 100


def test_a_model_without_a_known_limit_is_not_clamped() -> None:
    written = ask(request_of(HI), model=make_model(max_output_tokens=0))
    assert json.loads(written.body)["max_tokens"] == 4000


def test_a_body_that_is_not_utf8_is_refused() -> None:
    raw = request_of(HI).replace(b"Hi", b"\xff\xfe")
    for run in (ask, count):
        with pytest.raises(Fault, match="not valid UTF-8"):
            run(raw)


def test_thinking_of_another_tenant_is_not_believed() -> None:
    seal = ThinkingSeal([b"secret of the tests"])
    for tenant_id, replayed in ((TENANT, "Hm."), ("tenant_2", " ")):
        block = {
            "type": "thinking",
            "thinking": "Hm.",
            "signature": seal.sign(tenant_id, "kimi", "Hm."),
        }
        call = {"type": "tool_use", "id": "a", "name": "f", "input": {}}
        result = {"type": "tool_result", "tool_use_id": "a"}
        raw = request_of(
            [
                *HI,
                {"role": "assistant", "content": [block, call]},
                {"role": "user", "content": [result]},
            ]
        )
        said = json.loads(ask(raw, "moonshot", "kimi-k2-thinking").body)["messages"][1]
        assert said["reasoning_content"] == replayed


def test_ids_of_sixty_four_safe_characters() -> None:
    ids = ["functions.read:0", "toolu_" + "A" * 80, "call-1"]
    calls = [{"type": "tool_use", "id": id, "name": "f", "input": {}} for id in ids]
    results = [{"type": "tool_result", "tool_use_id": id, "content": id} for id in ids]
    raw = request_of(
        [*HI, {"role": "assistant", "content": calls}, {"role": "user", "content": results}]
    )
    messages = json.loads(ask(raw, Dialect(tool_id="chars_64")).body)["messages"]
    sent = [call["id"] for call in messages[1]["tool_calls"]]
    assert sent[0].startswith("call_")
    assert sent[1].startswith("call_")
    assert sent[2] == "call-1"
    assert [(m["tool_call_id"], m["content"]) for m in messages[2:]] == list(
        zip(sent, ids, strict=True)
    )


def test_a_hint_stands_by_itself_behind_images() -> None:
    image = {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"},
    }
    raw = request_of(
        [{"role": "user", "content": [image]}],
        tools=[{"name": "f", "input_schema": {}}],
        tool_choice={"type": "any"},
    )
    messages = json.loads(ask(raw, "ollama", "llava").body)["messages"]
    assert messages[-1] == {"role": "user", "content": "You must call one of the tools now."}
    assert len(messages) == 2


def test_a_prefill_is_not_followed_by_a_hint() -> None:
    raw = request_of(
        [*HI, {"role": "assistant", "content": "{"}],
        tools=[{"name": "f", "input_schema": {}}],
        tool_choice={"type": "any"},
    )
    messages = json.loads(ask(raw, "moonshot", "kimi-k2-0905-preview").body)["messages"]
    assert messages[-1] == {"role": "assistant", "content": "{", "partial": True}


def test_documents_nested_without_end_are_refused() -> None:
    block: dict[str, object] = {"type": "text", "text": "x"}
    for _ in range(12):
        block = {"type": "document", "source": {"type": "content", "content": [block]}}
    with pytest.raises(Fault, match="nested too deeply"):
        ask(request_of([{"role": "user", "content": [block]}]))


def test_input_nested_to_the_readers_limit_is_text_like_any_other() -> None:
    nested = '{"a":' * 400 + "1" + "}" * 400
    raw = request_of(
        [
            *HI,
            {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f"}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a"}]},
        ]
    ).replace(b'"name": "f"', b'"name": "f", "input": ' + nested.encode())
    call = json.loads(ask(raw).body)["messages"][1]["tool_calls"][0]
    assert call["function"]["arguments"] == nested


@pytest.mark.parametrize("kind", ["web_search_20250305", "web_search_20260318"])
def test_a_search_tool_is_never_counted(kind: str) -> None:
    raw = request_of(HI, tools=[{"type": kind, "name": "web_search"}])
    assert "tools" not in json.loads(count(raw))


@pytest.mark.parametrize("place", ["schema", "input", "hits", "mark", "unheard_of"])
def test_nesting_up_to_the_readers_limit_is_carried_or_refused(place: str) -> None:
    refused = 0
    for depth in range(500, 1000, 7):
        nested = b'{"a":' * depth + b"1" + b"}" * depth
        content = {
            "schema": b'"x"',
            "input": b'[{"type":"tool_use","id":"a","name":"f","input":%b}]' % nested,
            "hits": b'[{"type":"web_search_tool_result","tool_use_id":"s","content":%b}]' % nested,
            "mark": b'[{"type":"text","text":"t","cache_control":%b}]' % nested,
            "unheard_of": b'[{"type":"unheard_of","source":%b}]' % nested,
        }[place]
        tools = b"null"
        if place == "schema":
            tools = b'[{"name":"f","strict":true,"input_schema":%b}]' % nested
        raw = (
            b'{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"},'
            b'{"role":"assistant","content":%b},{"role":"user","content":'
            b'[{"type":"text","text":"y"},{"type":"tool_result","tool_use_id":"a"}]}],"tools":%b}'
        ) % (content, tools)
        for run in (ask, count):
            try:
                made = run(raw, "openai", "gpt-4.1")
            except Fault as fault:
                assert fault.status == 400
                refused += 1
            else:
                assert (made if isinstance(made, bytes) else made.body).startswith(b'{"model"')
    assert refused, "no depth was too much"


@pytest.mark.parametrize(
    ("stops", "words"),
    [
        (["END"] * 257, "stop_sequences: List should have at most 256 items"),
        (["END", "x" * 1001], "stop_sequences.1: String should have at most 1000 characters"),
    ],
)
def test_more_to_stop_at_than_can_be_looked_for_is_refused(stops: list[str], words: str) -> None:
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}
    with pytest.raises(Fault) as caught:
        ask(body | {"stop_sequences": stops})
    assert caught.value.message == words
