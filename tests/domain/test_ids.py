"""Shapes of ids."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.domain.ids import CountedIds, is_request_id, make_id


@pytest.mark.parametrize("text", ["a", "req_011CSHoEeqs5C35K2UUqR7Fy", "A.b_c:d-9", "x" * 128])
def test_an_id_of_the_allowed_characters_is_adopted(text: str) -> None:
    assert is_request_id(text)


@pytest.mark.parametrize(
    "text",
    ["", "x" * 129, "a b", "a\n", "\na", "a\r\nset-cookie: x", "a/b", "ä", "٣", "a\0", '"', "{}"],
)
def test_any_other_is_not(text: str) -> None:
    assert not is_request_id(text)


@given(st.text())
def test_what_is_adopted_can_stand_in_a_header(text: str) -> None:
    if is_request_id(text):
        assert text.isascii()
        assert text.isprintable()
        assert " " not in text


@given(st.binary(max_size=64))
def test_a_made_id_has_one_character_for_each_byte_of_noise(noise: bytes) -> None:
    made = make_id("key", noise)
    assert made.startswith("key_")
    assert len(made) == 4 + len(noise)
    assert is_request_id(made)
    assert make_id("key", noise) == made


def test_a_made_id_has_no_characters_that_look_alike() -> None:
    every = make_id("x", bytes(range(256)))[2:]
    assert len(set(every)) == 56
    # One of each pair is left out: I and O of the capitals, and the small l.
    assert not set(every) & set("IOl")


def test_other_noise_makes_another_id() -> None:
    assert len({make_id("k", bytes([byte])) for byte in range(256)}) == 56


def test_event_ids_differ_within_a_process_and_between_processes() -> None:
    ids, others = CountedIds("evt", b"a" * 12), CountedIds("evt", b"b" * 12)
    made = {make() for make in (ids.next, others.next) for _ in range(100)}
    assert len(made) == 200
