"""Usage merges field by field; a whole reply gets another model's name and nothing else."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.domain.usage import Usage
from proxy.wire.messages import (
    ReportedUsage,
    read_delta,
    read_reply,
    read_start,
)
from proxy.wire.reported import merge_usage, with_reply_model
from tests.kit.patience import examples

REPLY = (
    b'{"id":"msg_1","type":"message","role":"assistant","model":"up","content":'
    b'[{"type":"text","text":"\\"model\\":\\"up\\"","citations":null}],"stop_reason":"end_turn",'
    b'"usage":{"input_tokens":12,"output_tokens":3}}'
)


def merged(*reports: dict[str, object]) -> Usage:
    usage = Usage()
    for report in reports:
        merge_usage(msgspec.convert(report, ReportedUsage), usage)
    return usage


# -------------------------------------------------------------- usage


def test_every_count_is_taken_over() -> None:
    assert merged(
        {
            "input_tokens": 1,
            "output_tokens": 2,
            "cache_creation_input_tokens": 7,
            "cache_read_input_tokens": 5,
            "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4},
            "output_tokens_details": {"thinking_tokens": 6},
            "server_tool_use": {"web_search_requests": 8, "web_fetch_requests": 9},
            "service_tier": "standard",
        }
    ) == Usage(
        input_tokens=1,
        output_tokens=2,
        cache_write_5m_tokens=3,
        cache_write_1h_tokens=4,
        cache_read_tokens=5,
        thinking_tokens=6,
        web_searches=8,
    )


FULL = {
    "input_tokens": 10,
    "output_tokens": 1,
    "cache_creation_input_tokens": 7,
    "cache_read_input_tokens": 5,
    "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4},
    "output_tokens_details": {"thinking_tokens": 6},
    "server_tool_use": {"web_search_requests": 8},
}


@pytest.mark.parametrize(
    "later",
    [
        {},
        dict.fromkeys(FULL),
        {"cache_creation": {}, "output_tokens_details": {}, "server_tool_use": {}},
        {
            "cache_creation": {
                "ephemeral_5m_input_tokens": None,
                "ephemeral_1h_input_tokens": None,
            },
            "output_tokens_details": {"thinking_tokens": None},
            "server_tool_use": {"web_search_requests": None},
        },
    ],
    ids=["absent", "null", "empty", "nested null"],
)
def test_absent_and_null_never_overwrite(later: dict[str, object]) -> None:
    assert merged(FULL, later) == merged(FULL)


def test_a_later_count_replaces_an_earlier_one_and_is_not_added() -> None:
    usage = merged(FULL, {"output_tokens": 40}, {"output_tokens": 57, "input_tokens": 11})
    assert (usage.input_tokens, usage.output_tokens) == (11, 57)


def test_a_zero_is_a_count_too() -> None:
    assert merged(FULL, {"input_tokens": 0}).input_tokens == 0


def test_cache_writes_without_a_split_count_as_five_minutes() -> None:
    usage = merged({"cache_creation_input_tokens": 100})
    assert (usage.cache_write_5m_tokens, usage.cache_write_1h_tokens) == (100, 0)


def test_a_repeated_total_keeps_the_split() -> None:
    usage = merged(FULL, {"cache_creation_input_tokens": 7})
    assert (usage.cache_write_5m_tokens, usage.cache_write_1h_tokens) == (3, 4)


def test_a_larger_total_grows_the_five_minute_part() -> None:
    usage = merged(FULL, {"cache_creation_input_tokens": 9})
    assert (usage.cache_write_5m_tokens, usage.cache_write_1h_tokens) == (5, 4)


def test_a_total_below_the_hour_part_leaves_no_negative_count() -> None:
    assert merged(FULL, {"cache_creation_input_tokens": 2}).cache_write_5m_tokens == 0


def test_one_half_of_a_split_completes_from_the_total() -> None:
    usage = merged(
        {
            "cache_creation_input_tokens": 10,
            "cache_creation": {"ephemeral_1h_input_tokens": 4},
        }
    )
    assert (usage.cache_write_5m_tokens, usage.cache_write_1h_tokens) == (6, 4)


COUNT = st.one_of(st.none(), st.integers(0, 10**9))


@examples()
@given(st.lists(st.fixed_dictionaries({"input_tokens": COUNT, "output_tokens": COUNT}), max_size=5))
def test_the_last_stated_count_wins(reports: list[dict[str, object]]) -> None:
    usage = merged(*reports)
    for name in ("input_tokens", "output_tokens"):
        stated = [report[name] for report in reports if report[name] is not None]
        assert getattr(usage, name) == (stated[-1] if stated else 0)


def test_events_are_read_with_fields_nobody_knows_yet() -> None:
    start = read_start(
        b'{"type":"message_start","new":[1],"message":{"model":"m","usage":{"input_tokens":4,"x":{}}}}'
    )
    assert start.message.model == "m"
    assert start.message.usage is not None and start.message.usage.input_tokens == 4
    delta = read_delta(b'{"delta":{"stop_reason":"refusal","stop_details":{}},"usage":null}')
    assert delta.delta is not None and delta.delta.stop_reason == "refusal"
    assert delta.usage is None


# -------------------------------------------------------------- whole replies


def test_only_the_models_bytes_of_a_reply_change() -> None:
    reply = read_reply(REPLY)
    assert reply.stop_reason == "end_turn"
    named = with_reply_model(REPLY, reply, b'"shown"')
    assert named == REPLY.replace(b'"model":"up"', b'"model":"shown"')


@pytest.mark.parametrize(
    "body",
    [
        b'{"content":[{"model":"up"}],"usage":{"model":"up"},"model":"up"}',
        b'{"container":{"model":"up"},"model":"up","content":[]}',
        b'{"model" : "up","content":[]}',
        b'\n{"model":"up"}',
        b'{"mod\\u0065l":"up","x":{"model":"up"}}',
        b'{"metadata":"' + b"x" * 600 + b'","model":"up"}',
        b'{"model":"first","model":"up"}',
        b'{"model":null,"content":[]}',
        b'{"model":"u\\u0070","content":"\\u00e9"}',
    ],
    ids=lambda body: body[:30],
)
def test_the_top_level_model_is_found_wherever_it_stands(body: bytes) -> None:
    named = with_reply_model(body, read_reply(body), b'"shown"')
    assert json.loads(named) == {**json.loads(body), "model": "shown"}


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"<html>", b'{"model":"m","usage":{"input_tokens":"many"}}']
)
def test_what_is_no_reply_cannot_be_read(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        read_reply(body)
