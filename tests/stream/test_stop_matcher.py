"""Stop sequences met by us."""

from hypothesis import given
from hypothesis import strategies as st

from proxy.stream.stop_matcher import StopMatcher
from tests.kit.patience import examples

SMALL = st.text("ab", max_size=12)


def said(sequences: list[str], pieces: list[str]) -> tuple[str, str]:
    matcher = StopMatcher(sequences)
    out = "".join(map(matcher.feed, pieces))
    return out if matcher.matched else out + matcher.flush(), matcher.matched


def test_the_text_ends_before_the_match() -> None:
    assert said(["END"], ["one EN", "D two"]) == ("one ", "END")


def test_what_only_began_like_one_is_text() -> None:
    assert said(["END"], ["one EN", "C EN"]) == ("one ENC EN", "")


def test_nothing_comes_after_a_match() -> None:
    matcher = StopMatcher(["x"])
    assert matcher.feed("axb") == "a"
    assert matcher.feed("more") == ""
    assert matcher.flush() == ""


def test_the_longest_of_those_that_end_together_wins() -> None:
    assert said(["b", "ab"], ["cab"]) == ("c", "ab")


def test_without_sequences_all_is_text() -> None:
    assert said([], ["a", "b"]) == ("ab", "")
    assert said([""], ["a"]) == ("a", "")


@examples(300)
@given(st.lists(SMALL, max_size=3), st.lists(SMALL, max_size=5))
def test_it_makes_no_difference_how_the_text_was_cut(sequences: list[str], cut: list[str]) -> None:
    assert said(sequences, cut) == said(sequences, ["".join(cut)])


@examples(200)
@given(st.lists(SMALL, min_size=1, max_size=3), st.lists(SMALL, max_size=5))
def test_little_is_held(sequences: list[str], pieces: list[str]) -> None:
    matcher = StopMatcher(sequences)
    for piece in pieces:
        matcher.feed(piece)
        assert matcher.held_bytes < max(1, *map(len, sequences))
