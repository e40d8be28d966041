import json
from typing import Any

import pytest

from proxy.demo import anthropic_wire
from proxy.demo.envelope import Envelope
from proxy.demo.refusal import Refusal
from proxy.demo.script import AFTER_RESULT, Ask, Page, Reply, Thinking, answer
from tests.demo.grammar import check, events_of

ENVELOPE = Envelope(serial="aa00000001", model="claude-opus-4-7", input_tokens=12)
ASKS = {
    "text": Ask(text="hi"),
    "thinking": Ask(text="THINK", thinking=Thinking.SHOWN),
    "omitted": Ask(text="THINK", thinking=Thinking.OMITTED),
    "tool": Ask(text='CALL:t:{"b":1,"a":123456789012345678901234567890} END'),
    "all": Ask(text="Please THINK CALL:t:{} END CALL:u:{} END", thinking=Thinking.SHOWN),
    "empty": Ask(text="hi", tokens_max=0),
    "cut": Ask(text="hi", tokens_max=3),
    "stopped": Ask(text="hi", stop_sequences=("demo",)),
    "cited": Ask(
        tool_results=("High. Low.",), pages=(Page(3, "https://a.example/", "A", "High."),)
    ),
    "umlauts": Ask(tool_results=("Gr\u00fc\u00dfe \u2028 \U0001f600",)),
}


def reply_to(name: str) -> Reply:
    reply = answer(ASKS[name])
    assert isinstance(reply, Reply)
    return reply


def streamed(name: str) -> list[dict[str, Any]]:
    frames = anthropic_wire.frames(reply_to(name), ENVELOPE)
    return events_of(b"".join(frame.data for frame in frames))


@pytest.mark.parametrize("name", ASKS)
def test_every_stream_keeps_the_grammar_and_says_what_the_whole_message_says(name: str) -> None:
    folded = check(streamed(name))
    whole = json.loads(anthropic_wire.whole(reply_to(name), ENVELOPE))
    assert folded["content"] == whole["content"]
    for field in ("id", "model", "stop_reason", "stop_sequence"):
        assert folded[field] == whole[field]
    assert folded["usage"].items() <= whole["usage"].items()


def test_a_ping_follows_the_start() -> None:
    assert [event["type"] for event in streamed("text")[:3]] == [
        "message_start",
        "ping",
        "content_block_start",
    ]


def test_usage_is_whole_and_cumulative() -> None:
    events = streamed("thinking")
    opening = events[0]["message"]["usage"]
    assert opening["cache_creation"] == {
        "ephemeral_5m_input_tokens": 0,
        "ephemeral_1h_input_tokens": 0,
    }
    assert (opening["input_tokens"], opening["output_tokens"]) == (12, 1)
    reply = reply_to("thinking")
    assert events[-2]["usage"] == {
        "input_tokens": 12,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": reply.output_tokens,
        "output_tokens_details": {"thinking_tokens": reply.thinking_tokens},
    }


def test_only_deltas_are_paced() -> None:
    for frame in anthropic_wire.frames(reply_to("all"), ENVELOPE):
        assert frame.is_delta == frame.data.startswith(b"event: content_block_delta\n")


def test_arguments_go_out_as_they_were_written() -> None:
    assert b'"input":{"b":1,"a":123456789012345678901234567890}' in anthropic_wire.whole(
        reply_to("tool"), ENVELOPE
    )


def test_parallel_calls_have_ids_of_their_own() -> None:
    ids = [block["id"] for block in check(streamed("all"))["content"] if "id" in block]
    assert len(ids) == len(set(ids)) == 2
    assert all(made.startswith("toolu_01") for made in ids)


def test_an_omitted_thought_is_empty_but_sealed() -> None:
    thought = check(streamed("omitted"))["content"][0]
    assert thought["thinking"] == ""
    assert thought["signature"]


def test_an_error_ends_a_stream() -> None:
    frames = list(anthropic_wire.frames(reply_to("text"), ENVELOPE))[:5]
    broken = b"".join(frame.data for frame in frames)
    broken += anthropic_wire.error_frame(Refusal(529), "req_1")
    assert check(events_of(broken))["error"] == {
        "type": "overloaded_error",
        "message": "Overloaded",
    }


def test_the_error_envelope() -> None:
    assert json.loads(anthropic_wire.error_body(Refusal(400, "no"), "req_1")) == {
        "type": "error",
        "error": {"type": "invalid_request_error", "message": "no"},
        "request_id": "req_1",
    }


def test_a_page_that_was_found_is_cited() -> None:
    content = json.loads(anthropic_wire.whole(reply_to("cited"), ENVELOPE))["content"]
    assert [block["text"] for block in content] == [
        "The tool answered: High. Low.",
        f"\n{AFTER_RESULT}",
    ]
    assert "citations" not in content[1]
    assert content[0]["citations"] == [
        {
            "type": "search_result_location",
            "source": "https://a.example/",
            "title": "A",
            "cited_text": "High.",
            "search_result_index": 3,
            "start_block_index": 0,
            "end_block_index": 1,
        }
    ]
    deltas = [
        event["delta"] for event in streamed("cited") if "content_block_delta" in event["type"]
    ]
    assert deltas[0] == {"type": "citations_delta", "citation": content[0]["citations"][0]}
