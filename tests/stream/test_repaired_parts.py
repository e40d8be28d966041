"""Parts of a message: what is read, what stands in."""

import msgspec
import pytest

from proxy.stream.repaired_parts import (
    ABSENT,
    Counts,
    given,
    object_of,
    one_line,
    read_block,
    read_torn_event,
    stop_reason,
    text_of,
    words_of,
)
from proxy.stream.torn_text import TornText


def raw(text: str) -> msgspec.Raw:
    return msgspec.Raw(text.encode())


def test_null_is_not_given() -> None:
    assert not given(ABSENT)
    assert not given(raw("null"))
    assert given(raw("0"))


@pytest.mark.parametrize(
    ("value", "words"), [('"a\\n"', b"a\\n"), ('""', b""), ("null", b""), ("5", b""), ("{}", b"")]
)
def test_only_strings_have_words(value: str, words: bytes) -> None:
    assert words_of(raw(value)) == words
    assert text_of(raw(value)) == ("a\n" if words else "")


def test_half_a_character_is_no_text() -> None:
    assert text_of(raw('"\\ud83d"')) == ""


def test_halves_of_a_character_find_each_other_in_the_words_of_two_events() -> None:
    torn = TornText()
    told = [
        read_torn_event(rb'{"delta":{"text":"a\ud83d","type":"text_delta"}}', torn),
        read_torn_event(rb'{"delta":{"text":"\ude00b"}}', torn),
    ]
    assert [words_of(read_block(each.delta).text) for each in told if each] == [
        b"a",
        "😀b".encode(),
    ]


@pytest.mark.parametrize(
    "event", [b"nonsense", b"[1]", b'{"type":"\\ud83d","delta":NaN}', b"[" * 5000]
)
def test_what_is_no_event_is_none_without_its_halves_either(event: bytes) -> None:
    assert read_torn_event(event, TornText()) is None


def test_objects_are_written_on_one_line_and_keep_their_numbers() -> None:
    spread = raw('{\n "n": 123456789012345678901234567890, "f": 1.10\n}')
    assert one_line(spread) == b'{"n":123456789012345678901234567890,"f":1.10}'
    assert object_of({"a": spread, "b": raw("null")}) == b'{"a":%b,"b":null}' % one_line(spread)


@pytest.mark.parametrize(
    ("theirs", "calls", "ours"),
    [
        ("end_turn", 0, "end_turn"),
        ("end_turn", 1, "tool_use"),
        ("tool_use", 0, "end_turn"),
        ("tool_calls", 2, "tool_use"),
        ("stop", 0, "end_turn"),
        ("length", 1, "max_tokens"),
        ("content_filter", 0, "refusal"),
        ("pause_turn", 1, "pause_turn"),
        ("", 0, "end_turn"),
    ],
)
def test_the_reason_fits_the_message(theirs: str, calls: int, ours: str) -> None:
    assert stop_reason(theirs, calls=calls) == ours


def final(counts: Counts) -> object:
    return msgspec.json.decode(counts.document(input_tokens=99, output_bytes=40, is_final=True))


def test_counts_come_in_pieces() -> None:
    counts = Counts()
    counts.merge(raw('{"input_tokens":5,"output_tokens":1,"inference_geo":"eu"}'))
    counts.merge(raw('{"input_tokens":0,"output_tokens":7,"cache_read_input_tokens":null}'))
    counts.merge(raw("null"))
    counts.merge(raw('"many"'))
    assert final(counts) == {"input_tokens": 5, "output_tokens": 7, "inference_geo": "eu"}
    assert (counts.usage.input_tokens, counts.estimated) == (5, False)


def test_numbers_in_other_clothes_are_numbers() -> None:
    counts = Counts()
    counts.merge(raw('{"input_tokens":5.0,"output_tokens":"7"}'))
    assert final(counts) == {"input_tokens": 5, "output_tokens": 7}


def test_without_counts_both_sides_are_estimated() -> None:
    counts = Counts()
    counts.merge(raw('{"input_tokens":"lots"}'))
    assert final(counts) == {"input_tokens": 99, "output_tokens": 10}
    assert counts.estimated


def test_an_estimate_at_the_beginning_is_not_final() -> None:
    counts = Counts()
    shown = counts.document(input_tokens=99, output_bytes=0, is_final=False)
    assert msgspec.json.decode(shown) == {"input_tokens": 99, "output_tokens": 1}
    assert (counts.usage.input_tokens, counts.estimated) == (0, False)
