"""Whole conversations between the gateway's translation and every vendor played here, without a
socket: what is asked is taken, what is answered is read, and what was read may be sent back.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from proxy.demo import openai_errors, openai_wire
from proxy.demo.envelope import Envelope, Frame
from proxy.demo.openai_request import ChatRequest, read_request
from proxy.demo.script import ORDINARY, THOUGHT, Ending, Overflow, Reply, answer
from proxy.demo.vendors import vendor_of
from proxy.domain.call import Call
from proxy.domain.fault import Kind
from proxy.providers.openai_chat.request import chat_request
from proxy.stream.chat_reply import whole_reply
from proxy.stream.chat_to_messages import ChatToMessages
from proxy.wire.body import read_body
from proxy.wire.chat_fault import read_chat_error
from tests.demo.grammar import check, events_of
from tests.providers.openai_chat.asking import SEAL, dialect_of, make_call

EVENT_BYTES_MAX = 1 << 24

VENDORS = [
    ("openai", "gpt-4o"),
    ("openai", "o3"),
    ("openai", "gpt-5"),
    ("openai", "gpt-5.4"),
    ("azure", "azure-gpt-4o"),
    ("moonshot", "moonshot-v1-8k"),
    ("moonshot", "kimi-k2.6"),
    ("moonshot", "kimi-k2-thinking"),
    ("moonshot", "kimi-k3"),
    ("mantle", "moonshotai.kimi-k2-thinking"),
    ("deepseek", "deepseek-v4"),
    ("openrouter", "openrouter/x"),
    ("vllm", "vllm-qwen3"),
    ("ollama", "ollama-qwen3"),
    ("generic", "m"),
]


def all_but(*rows: str) -> pytest.MarkDecorator:
    """Every vendor of other rows."""
    chosen = [pytest.param(row, model, id=model) for row, model in VENDORS if row not in rows]
    return pytest.mark.parametrize(("row", "model"), chosen)


everybody = all_but()

WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [
    {"name": "weather", "input_schema": WEATHER},
    {"name": "time", "input_schema": {"type": "object", "properties": {}}},
]
CALLS = 'CALL:weather:{"city":"Rome","n":123456789012345678901} END CALL:time:{} END'


class Client:
    """Somebody who speaks Anthropic to one model of one vendor."""

    def __init__(self, row: str, model: str) -> None:
        self._dialect = dialect_of(row, model)
        self._model = model
        self._turns = 0
        self.sent: ChatRequest | None = None

    def ask(self, *, stream: bool, **asked: Any) -> dict[str, Any]:
        """The message that comes back."""
        self._turns += 1
        raw = json.dumps({"model": "x", "max_tokens": 9000, "stream": stream} | asked).encode()
        call, _ = make_call(raw)
        call.message_id = f"msg_gw_{self._turns:022d}"
        call.input_tokens = 7
        body = read_body(raw, needs_max_tokens=True)
        written = chat_request(call, body, self._model, self._dialect, SEAL)
        call.expected = written.expected
        self.sent = asked_of_it = read_request(written.body)
        reply = answer(asked_of_it.ask)
        assert isinstance(reply, Reply)
        envelope = Envelope(f"{self._turns:08x}", self._model, asked_of_it.input_tokens, 1)
        manner = openai_wire.Manner(
            asked_of_it.vendor,
            asked_of_it.continuous_usage,
            asked_of_it.padded,
            asked_of_it.calls_before,
        )
        if not stream:
            said = openai_wire.whole(reply, envelope, manner)
            message = whole_reply(call, self._dialect, SEAL, said).body
            return dict(json.loads(message))
        frames = openai_wire.frames(
            reply, envelope, include_usage=asked_of_it.include_usage, manner=manner
        )
        if reply.ending is not Ending.WHOLE:
            middle = [frame.data for frame in frames][: reply.pieces_count // 2]
            if reply.ending is Ending.ERROR:
                middle.append(openai_wire.failure(envelope, manner))
            frames = (Frame(data) for data in middle)
        said = b"".join(self._read(call, (frame.data for frame in frames)))
        return check(events_of(said), estimated=True)

    def _read(self, call: Call, frames: Iterator[bytes]) -> Iterator[bytes]:
        pipe = ChatToMessages(call, self._dialect, SEAL, EVENT_BYTES_MAX)
        for frame in frames:
            yield pipe.feed(frame)
        yield pipe.finish()


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def texts(message: dict[str, Any]) -> str:
    return "".join(block["text"] for block in message["content"] if block["type"] == "text")


def kinds(message: dict[str, Any]) -> list[str]:
    return [block["type"] for block in message["content"]]


@everybody
@pytest.mark.parametrize("stream", [True, False])
def test_a_text(row: str, model: str, stream: bool) -> None:
    message = Client(row, model).ask(stream=stream, messages=[user("hi CACHED 3")])
    assert texts(message) == ORDINARY
    assert message["stop_reason"] == "end_turn"
    assert message["usage"]["output_tokens"] >= len(ORDINARY.split())
    assert message["usage"]["input_tokens"] > 0


@everybody
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("thinking", [{}, {"thinking": {"type": "adaptive"}}], ids=["", "thinking"])
def test_a_round_with_two_tools_goes_there_and_back(
    row: str, model: str, stream: bool, thinking: dict[str, Any]
) -> None:
    client = Client(row, model)
    asked: dict[str, Any] = {"tools": TOOLS} | thinking
    history = [user(CALLS)]
    ids: list[str] = []
    for _ in range(2):  # the second round replays the first
        message = client.ask(stream=stream, messages=history, **asked)
        calls = [block for block in message["content"] if block["type"] == "tool_use"]
        assert message["stop_reason"] == "tool_use"
        assert [(call["name"], call["input"]) for call in calls] == [
            ("weather", {"city": "Rome", "n": 123456789012345678901}),
            ("time", {}),
        ]
        ids += [call["id"] for call in calls]
        results = [
            {"type": "tool_result", "tool_use_id": call["id"], "content": f"of {call['name']}"}
            for call in reversed(calls)
        ]
        history += [{"role": "assistant", "content": message["content"]}, user(results)]
        last = client.ask(stream=stream, messages=history, **asked)
        assert last["stop_reason"] == "end_turn"
        assert "of weather" in texts(last)
        assert "of time" in texts(last)
        history += [{"role": "assistant", "content": last["content"]}, user(CALLS)]
    assert len(set(ids)) == 4
    assert client.sent is not None
    assert client.sent.calls_before == 4


@everybody
def test_thoughts_are_shown_to_who_asks_and_where_there_are_any(row: str, model: str) -> None:
    client = Client(row, model)
    message = client.ask(
        stream=True, messages=[user("THINK")], thinking={"type": "enabled", "budget_tokens": 2000}
    )
    assert client.sent is not None
    vendor = client.sent.vendor
    told = bool(vendor.reasoning_field) and vendor.thinks != "never"
    assert kinds(message) == (["thinking", "text"] if told else ["text"])
    if told:
        assert message["content"][0]["thinking"] == THOUGHT


@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "time"}])
@everybody
def test_a_forced_tool_is_called_even_where_nobody_can_be_forced(
    row: str, model: str, choice: dict[str, Any]
) -> None:
    message = Client(row, model).ask(
        stream=True, messages=[user("hi")], tools=TOOLS, tool_choice=choice
    )
    named = choice.get("name", "weather")
    assert [b["name"] for b in message["content"] if b["type"] == "tool_use"] == [named]


@all_but("generic", "mantle")  # they are told in words alone, which the demo model does not read
def test_answers_are_as_the_schema_says(row: str, model: str) -> None:
    wanted = {"format": {"type": "json_schema", "schema": WEATHER}}
    message = Client(row, model).ask(stream=True, messages=[user("hi")], output_config=wanted)
    assert list(json.loads(texts(message))) == ["city"]


@everybody
def test_stop_sequences_are_named(row: str, model: str) -> None:
    message = Client(row, model).ask(
        stream=True, messages=[user("hi")], stop_sequences=["not", "model!"]
    )
    assert (message["stop_reason"], message["stop_sequence"]) == ("stop_sequence", "model!")
    assert texts(message) == "Hello from the demo "


@all_but("deepseek", "mantle")  # their models do not see; the catalogue says so beforehand
def test_images_arrive(row: str, model: str) -> None:
    data = {"type": "base64", "media_type": "image/png", "data": "aGVsbG8="}
    image = {"type": "image", "source": data}
    client = Client(row, model)
    seen = [user([image, {"type": "text", "text": "hi"}])]
    assert texts(client.ask(stream=False, messages=seen)) == ORDINARY


@everybody
def test_a_prompt_that_is_too_long_is_told_in_the_words_coding_agents_know(
    row: str, model: str
) -> None:
    refusal = openai_errors.overflow(Overflow(9000, 100, 8192), vendor_of(model))
    assert refusal is not None
    call, _ = make_call(json.dumps({"model": "x", "messages": [user("hi")]}).encode())
    said = openai_errors.error_body(refusal, vendor_of(model))
    fault = read_chat_error(said, status=refusal.status, call=call)
    assert (fault.kind, fault.message[:20]) == (Kind.BAD_REQUEST, "prompt is too long: ")
    if row != "ollama":  # which tells no numbers
        assert fault.message == "prompt is too long: 9000 tokens > 8192 maximum"


@everybody
def test_a_stream_that_fails_midway_ends_in_an_error(row: str, model: str) -> None:
    client = Client(row, model)
    for marker in ("ERRORMID", "TRUNCATE"):
        message = client.ask(stream=True, messages=[user(marker)])
        assert message["error"]["type"] in ("overloaded_error", "api_error"), marker
        assert "Hello" in "".join(message["content"][-1]["_parts"])  # a block that never closed
