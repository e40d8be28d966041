"""Thinking between tags."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.stream.think_tags import SPACE_CHARS_MAX, ThinkTags
from tests.kit.patience import examples

NAMES = ("think", "thinking")


def said(pieces: list[str], *, implicit: bool = False) -> list[tuple[bool, str]]:
    tags = ThinkTags(NAMES, implicit=implicit)
    pairs = [pair for piece in pieces for pair in tags.feed(piece)] + tags.flush()
    joined = []
    for kind, group in itertools.groupby(pairs, key=lambda pair: pair[0]):
        joined.append((kind, "".join(text for _, text in group)))
    return joined


TABLE = {
    "thought and answer": ("<think>hm</think>yes", [(True, "hm"), (False, "yes")]),
    "space belongs to the tags": (
        "\n<think>\nhm\n</think>\n\nyes",
        [(True, "hm\n"), (False, "yes")],
    ),
    "longer tag": ("<thinking>hm</thinking>yes", [(True, "hm"), (False, "yes")]),
    "two thoughts": ("<think>a</think><think>b</think>c", [(True, "ab"), (False, "c")]),
    "never closed": ("<think>hm </thi", [(True, "hm </thi")]),
    "in the middle": ("a <think>b</think>", [(False, "a <think>b</think>")]),
    "no tags": ("  plain", [(False, "  plain")]),
    "almost": ("<thin air", [(False, "<thin air")]),
    "empty thought": ("<think></think>yes", [(False, "yes")]),
}


@pytest.mark.parametrize("name", TABLE)
def test_thinking_is_told_from_text_however_it_is_cut(name: str) -> None:
    text, expected = TABLE[name]
    assert said([text]) == expected
    assert said(list(text)) == expected


def test_an_implicit_thought_ends_with_its_closing_tag() -> None:
    assert said(["hm</think>yes"], implicit=True) == [(True, "hm"), (False, "yes")]
    assert said(list("<think>hm</think>yes"), implicit=True) == [(True, "hm"), (False, "yes")]


def test_a_thought_told_elsewhere_is_not_implied() -> None:
    tags = ThinkTags(NAMES, implicit=True)
    tags.thought_elsewhere()
    assert tags.feed("yes") == [(False, "yes")]


def test_a_tag_may_follow_a_call() -> None:
    tags = ThinkTags(NAMES, implicit=False)
    assert tags.feed("text") == [(False, "text")]
    tags.begin_again()
    assert tags.feed("<think>hm") == [(True, "hm")]


def test_space_is_not_waited_behind_for_ever() -> None:
    tags = ThinkTags(NAMES, implicit=False)
    assert tags.feed(" " * SPACE_CHARS_MAX) == []
    assert tags.feed(" ") == [(False, " " * (SPACE_CHARS_MAX + 1))]


@examples(300)
@given(
    st.lists(st.sampled_from(["<think>", "</think>", "<thi", "nk>", "</", " ", "a", "<"])),
    st.booleans(),
)
def test_it_makes_no_difference_how_the_text_was_cut(pieces: list[str], implicit: bool) -> None:
    assert said(pieces, implicit=implicit) == said(["".join(pieces)], implicit=implicit)
