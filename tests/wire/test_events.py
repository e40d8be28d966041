"""The bytes of single events."""

import orjson
import pytest

from proxy.domain.usage import Usage
from proxy.wire import events
from tests.kit.grammar import events_of


def test_a_delta_is_an_opening_the_escaped_words_and_a_close() -> None:
    words = 'a "quote", a \\, a \n and \u2028 é 😀'
    for kind, field in (
        (events.TEXT, "text"),
        (events.THINKING, "thinking"),
        (events.ARGUMENTS, "partial_json"),
        (events.SIGNATURE, "signature"),
    ):
        wire = events.delta_opening(3, kind) + events.escaped(words) + events.DELTA_CLOSE
        (event,) = events_of(wire)
        assert event["index"] == 3
        assert event["delta"][field] == words
        assert event["delta"]["type"] == kind.split(b'"')[3].decode()


def test_half_a_character_cannot_be_written() -> None:
    with pytest.raises(UnicodeEncodeError):
        events.escaped("\ud83d")


def test_the_start_has_every_field_a_client_reads() -> None:
    (event,) = events_of(events.message_start("msg_1", 'a "model"', Usage(input_tokens=5)))
    assert event["message"] == {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": 'a "model"',
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "stop_details": None,
        "usage": {
            "input_tokens": 5,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 1,
        },
    }


def test_a_delta_always_has_both_fields_of_the_stop() -> None:
    stop = events.stop_fields("end_turn", None, "not said")
    (event,) = events_of(events.message_delta(stop, b'{"output_tokens":1}'))
    assert event["delta"] == {"stop_reason": "end_turn", "stop_sequence": None}


def test_only_a_refusal_has_details() -> None:
    stop = orjson.loads(b"{" + events.stop_fields("refusal", None, "why") + b"}")
    assert stop["stop_details"] == {"type": "refusal", "category": None, "explanation": "why"}


def test_usage_says_what_there_is() -> None:
    least = orjson.loads(events.usage_document(Usage(input_tokens=1, output_tokens=2)))
    assert least.keys() == {
        "input_tokens",
        "cache_creation_input_tokens",
        "cache_read_input_tokens",
        "cache_creation",
        "output_tokens",
    }
    most = orjson.loads(
        events.usage_document(
            Usage(1, 2, 3, 4, 5, thinking_tokens=6, web_searches=7), service_tier="standard"
        )
    )
    assert most["cache_creation_input_tokens"] == 7
    assert most["cache_creation"] == {
        "ephemeral_5m_input_tokens": 3,
        "ephemeral_1h_input_tokens": 4,
    }
    assert most["output_tokens_details"] == {"thinking_tokens": 6}
    assert most["server_tool_use"] == {"web_search_requests": 7, "web_fetch_requests": 0}
    assert most["service_tier"] == "standard"
