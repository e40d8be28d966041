"""One call."""

import pytest

from proxy.stream.tool_slot import Slot, input_of


def given(arguments: str) -> Slot:
    slot = Slot(0, 0, "a")
    slot.add(arguments)
    return slot


@pytest.mark.parametrize(
    ("arguments", "whole"),
    [
        ('{"a": 1.0}', '{"a": 1.0}'),
        (' {"a":1}\n', '{"a":1}'),
        ("", "{}"),
        (" ", "{}"),
        ("null", "{}"),
        ('"{\\"a\\":1}"', '{"a":1}'),
        ('"\\"{}\\""', None),
        ('"x"', None),
        ("[1]", None),
        ('{"a":', None),
        ('{"a":1}{"a":1}', None),
    ],
)
def test_the_input_is_one_object_or_none(arguments: str, whole: str | None) -> None:
    assert input_of(given(arguments)) == whole


WHOLE = [
    ('{"a":{}}', True),
    ('{"a":{}', False),
    ("", False),
    ("null", False),
    ("[{}]", False),
    ('"{}"', False),
]


@pytest.mark.parametrize(("arguments", "is_whole"), WHOLE)
def test_whole_is_an_object_with_its_end(arguments: str, is_whole: bool) -> None:
    slot = given(arguments)
    assert slot.is_whole is is_whole
    assert slot.is_whole is is_whole


def test_halves_of_characters_wait_for_each_other() -> None:
    slot = given('{"a":"\ud83d')
    assert slot.add('\ude00"}') == '😀"}'
    assert input_of(slot) == '{"a":"😀"}'


def test_a_half_at_the_end_is_replaced() -> None:
    assert input_of(given('"\ud83d')) is None
