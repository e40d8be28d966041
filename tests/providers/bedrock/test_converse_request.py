"""Chat requests in Converse's form: what the service model and Converse's own rules allow."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.domain.fault import Fault
from proxy.providers.bedrock.converse import converse_request
from proxy.providers.bedrock.converse_row import CONVERSE
from proxy.providers.openai_chat.dialects import dialect_of
from proxy.providers.openai_chat.request import chat_request
from proxy.wire.body import read_body
from proxy.wire.seal import ThinkingSeal
from tests.kit.asked import make_asked
from tests.kit.bedrock_checks import Asked, read_runtime
from tests.kit.bedrock_converse import check_converse
from tests.kit.patience import examples

SEAL = ThinkingSeal([b"secret"])
PIXEL = "iVBORw0KGgo="


def converse(model: str = "amazon.nova-pro-v1:0", **fields: Any) -> dict[str, Any]:
    asked = {
        "model": "nova",
        "max_tokens": 50,
        "messages": [{"role": "user", "content": "hi"}],
        **fields,
    }
    raw = msgspec.json.encode(asked)
    call = make_asked("amazon.nova", body=raw)
    call.model = msgspec.structs.replace(call.model, vision=True)
    body = read_body(raw, needs_max_tokens=True)
    made = chat_request(call, body, model, dialect_of(CONVERSE, model), SEAL)
    written = converse_request(made.body)
    arrived = Asked(
        "/model/amazon.nova-pro-v1%3A0/converse", {"content-type": "application/json"}, written
    )
    document = read_runtime(arrived)
    check_converse(document)
    return document


def test_the_smallest_there_is() -> None:
    assert converse() == {
        "messages": [{"role": "user", "content": [{"text": "hi"}]}],
        "inferenceConfig": {"maxTokens": 50},
    }


def test_system_sampling_and_choice() -> None:
    tool = {"name": "t", "description": "", "input_schema": {"type": "object", "properties": {}}}
    made = converse(
        system=[{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
        temperature=0.5,
        top_p=0.9,
        top_k=5,
        tools=[tool],
        tool_choice={"type": "tool", "name": "t"},
    )
    assert made["system"] == [{"text": "a\n\nb"}]
    assert made["inferenceConfig"] == {"maxTokens": 50, "temperature": 0.5, "topP": 0.9}
    spec = {"name": "t", "description": "t", "inputSchema": {"json": tool["input_schema"]}}
    assert made["toolConfig"] == {
        "tools": [{"toolSpec": spec}],
        "toolChoice": {"tool": {"name": "t"}},
    }


@pytest.mark.parametrize(
    ("asked", "choice"),
    [("auto", {"auto": {}}), ("any", {"any": {}}), ("none", None)],
)
def test_choices(asked: str, choice: dict[str, Any] | None) -> None:
    tool = {"name": "t", "input_schema": {"type": "object"}}
    config = converse(tools=[tool], tool_choice={"type": asked}).get("toolConfig", {})
    assert config.get("toolChoice") == choice


def test_files_stand_where_converse_wants_them() -> None:
    source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
    pdf = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}
    content = [
        {"type": "image", "source": source},
        {"type": "document", "title": "a/b: c.pdf", "source": pdf},
        {"type": "document", "source": pdf},
    ]
    (turn,) = converse(messages=[{"role": "user", "content": content}])["messages"]
    image, first, second, words = turn["content"]
    assert image == {"image": {"format": "png", "source": {"bytes": PIXEL}}}
    assert first["document"]["source"] == {"bytes": "JVBERi0="}
    assert first["document"]["name"] != second["document"]["name"]
    assert words == {"text": "."}


def test_a_file_by_address_is_refused() -> None:
    source = {"type": "url", "url": "https://example.org/a.png"}
    with pytest.raises(Fault) as caught:
        converse(messages=[{"role": "user", "content": [{"type": "image", "source": source}]}])
    assert caught.value.status == 400


def test_words_of_the_assistant_come_first_only_behind_some_of_the_user() -> None:
    with pytest.raises(Fault, match="prefill"):
        converse(messages=[{"role": "assistant", "content": "I"}])
    made = converse(
        messages=[{"role": "assistant", "content": "I"}, {"role": "user", "content": "you"}]
    )
    assert [turn["role"] for turn in made["messages"]] == ["user", "assistant", "user"]
    assert made["messages"][0]["content"] == [{"text": "."}]


TEXT = st.sampled_from(["", " ", "word", "two\nlines"])
IDS = st.sampled_from(["toolu_1", "functions.t:0", "x" * 70, "schräg"])
BLOCKS = st.one_of(
    st.builds(lambda text: {"type": "text", "text": text}, TEXT),
    st.builds(lambda id: {"type": "tool_use", "id": id, "name": "t", "input": {"a": 1}}, IDS),
    st.builds(
        lambda id, text, bad: {
            "type": "tool_result",
            "tool_use_id": id,
            "content": text,
            "is_error": bad,
        },
        IDS,
        TEXT,
        st.booleans(),
    ),
    st.builds(lambda text: {"type": "thinking", "thinking": text, "signature": "s"}, TEXT),
)
OF_ROLE = {"user": ("text", "tool_result"), "assistant": ("text", "tool_use", "thinking")}
TURNS = st.lists(
    st.tuples(st.sampled_from(["user", "assistant", "system"]), st.lists(BLOCKS, max_size=4)),
    min_size=1,
    max_size=8,
)


@examples(300)
@given(TURNS, st.booleans())
def test_any_conversation_comes_out_as_converse_takes_it(
    turns: list[tuple[str, list[dict[str, Any]]]], tools: bool
) -> None:
    messages = []
    for role, blocks in turns:
        kinds = OF_ROLE.get(role, ("text",))
        content = [block for block in blocks if block["type"] in kinds]
        messages.append({"role": role, "content": content})
    fields: dict[str, Any] = {"messages": messages}
    if tools:
        fields["tools"] = [{"name": "t", "input_schema": {"type": "object"}}]
    try:
        made = converse(**fields)
    except Fault as fault:
        assert fault.status == 400
        return
    told = json.dumps(made)
    for message in messages:
        for block in message["content"]:
            if block["type"] == "text" and block["text"].strip():
                assert json.dumps(block["text"])[1:-1] in told
