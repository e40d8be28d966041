"""Conversations for property tests: legal ones, and any a client might send by mistake."""

import base64
import json
from typing import Any

from hypothesis import strategies as st

from tests.providers.openai_chat.asking import SEAL, TENANT

Json = dict[str, Any]

texts = st.sampled_from(
    [
        "",
        " ",
        "\n",
        "Hi",
        "Two\nlines",
        'He said "no" \\ \u00e9 \U0001f600 \u2028',
        "error: no",
        "x" * 99,
    ]
)
ids = st.sampled_from(
    [
        "a",
        "call_0",
        "toolu_01" + "A" * 60,
        "functions.read:0",
        "toolu_gwx_" + base64.urlsafe_b64encode(b"functions.read:0").rstrip(b"=").decode(),
        "toolu_gwx_" + base64.urlsafe_b64encode("\ud83d".encode("utf-8", "surrogatepass")).decode(),
        "toolu_gwx_!",
        "abc123XYZ",
    ]
)
names = st.sampled_from(["read", "mcp__" + "long_" * 20, "B-1"])
_sources = st.sampled_from(
    [
        {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="},
        {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
        {"type": "url", "url": "https://example.com/a"},
        {"type": "text", "media_type": "text/plain", "data": "d"},
        {"type": "content", "content": [{"type": "text", "text": "c"}]},
        {"type": "file", "file_id": "f"},
    ]
)
_documents = _sources.filter(lambda source: source.get("media_type") != "image/png")
_pictures = st.just(
    {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="},
    }
)


def _block(kind: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries({"type": st.just(kind), **fields})


text_blocks = _block("text", text=texts)
tool_uses = _block("tool_use", id=ids, name=names, input=st.just({"x": 1}))
thinking = st.sampled_from(["Hm.", "I must read.\n"]).flatmap(
    lambda said: _block(
        "thinking",
        thinking=st.just(said),
        signature=st.sampled_from(
            [
                "",
                "EqQB" + "A" * 80,
                "GWs1.kimi.AAAA",
                SEAL.sign(TENANT, "kimi", said),
                SEAL.sign(TENANT, "deepseek", said),
                SEAL.seal(TENANT, "openrouter", said, b'[{"type":"x"}]'),
            ]
        ),
    )
)
result_contents = st.one_of(
    texts,
    st.none(),
    st.lists(
        st.one_of(
            text_blocks,
            _pictures,
            _block("document", source=_documents),
            _block("search_result", source=st.just("s"), title=st.just("t"), content=st.just([])),
            _block("tool_reference", tool_name=names),
            _block("unheard_of"),
        ),
        max_size=3,
    ),
)
tool_results = st.builds(
    lambda id, content, failed: {
        "type": "tool_result",
        "tool_use_id": id,
        "content": content,
        "is_error": failed,
    },
    ids,
    result_contents,
    st.booleans(),
)
any_blocks = st.one_of(
    text_blocks,
    tool_uses,
    tool_results,
    thinking,
    _pictures,
    _block("image", source=_sources),
    _block("document", source=_sources, title=st.sampled_from([None, "T"])),
    _block("redacted_thinking", data=st.just("x")),
    _block("server_tool_use", id=st.just("srvtoolu_1"), name=st.just("web_search")),
    _block("web_search_tool_result", tool_use_id=st.just("srvtoolu_1"), content=st.just([])),
    _block("unheard_of", data=st.just({"a": [1]})),
)
any_messages = st.builds(
    lambda role, content: {"role": role, "content": content},
    st.sampled_from(["user", "assistant", "system"]),
    st.one_of(texts, st.lists(any_blocks, max_size=4)),
)
any_conversations = st.lists(any_messages, min_size=1, max_size=8)


@st.composite
def exchanges(draw: st.DrawFn, number: int) -> list[Json]:
    """What an assistant says, and a user's answer, as agents write them."""
    calls = draw(st.integers(0, 3))
    said: list[Json] = []
    if draw(st.booleans()):
        said.append(draw(thinking))
    said.append({"type": "text", "text": draw(st.sampled_from(["Done.", "I will read."]))})
    said += [
        {"type": "tool_use", "id": f"toolu_{number}_{at}", "name": draw(names), "input": {"n": at}}
        for at in range(calls)
    ]
    answered: list[Json] = [
        {
            "type": "tool_result",
            "tool_use_id": f"toolu_{number}_{at}",
            "content": draw(result_contents),
            "is_error": draw(st.booleans()),
        }
        for at in range(calls)
    ]
    answered = draw(st.permutations(answered))
    if not calls or draw(st.booleans()):
        answered.append({"type": "text", "text": draw(st.sampled_from(["Go on.", "Why?"]))})
    messages = [{"role": "assistant", "content": said}, {"role": "user", "content": answered}]
    if draw(st.booleans()):
        messages.append({"role": "system", "content": "Be brief."})
    return messages


@st.composite
def conversations(draw: st.DrawFn, exchanges_max: int = 4) -> list[Json]:
    """A conversation as agents have them, that ends with the user's turn."""
    messages: list[Json] = [{"role": "user", "content": "Begin."}]
    for number in range(draw(st.integers(0, exchanges_max))):
        messages += draw(exchanges(number))
    return messages


def request_of(messages: list[Json], **fields: object) -> bytes:
    """The body of a request."""
    whole = {"model": "opus", "max_tokens": 4000, "messages": messages, **fields}
    return json.dumps(whole, ensure_ascii=False).encode()
