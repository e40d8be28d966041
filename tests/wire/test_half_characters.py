"""Characters cut in two heal; nothing else changes."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.half_characters import HalfCharacters
from tests.kit.patience import examples


def mended(*texts: str) -> list[str]:
    halves = HalfCharacters()
    return [halves.mended(text.encode()).decode() for text in texts]


def test_the_first_half_waits_for_the_second() -> None:
    assert mended(r'{"t":"a\ud83d"}', r'{"t":"\uDE00b"}') == ['{"t":"a"}', r'{"t":"\ud83d\uDE00b"}']


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (r'"\ud83d\ude00"', r'"\ud83d\ude00"'),
        (r'"\ude00"', r'"\ufffd"'),
        (r'"a\ud83db"', r'"a\ufffdb"'),
        (r'"\ud83d\ud83d\ude00"', r'"\ufffd\ud83d\ude00"'),
        (r'"\\ud83d"', r'"\\ud83d"'),
        (r'"\"\ud83d"', r'"\""'),
        (r'"\u00e4"', r'"\u00e4"'),
    ],
)
def test_half_a_character_alone_is_none(before: str, after: str) -> None:
    assert mended(before) == [after]


def test_a_half_without_its_other_is_lost_and_no_later_one_gets_it() -> None:
    assert mended(r'"\ud83d"', r'"a\ude00"', r'"x"') == ['""', r'"a\ufffd"', '"x"']


@examples(200)
@given(st.lists(st.text(st.characters(codec=None), max_size=6), max_size=4))
def test_what_is_mended_can_be_decoded(texts: list[str]) -> None:
    halves = HalfCharacters()
    for text in texts:
        msgspec.json.decode(halves.mended(json.dumps(text).encode()))
