"""How much was said."""

from hypothesis import given
from hypothesis import strategies as st

from proxy.stream.said import SAMPLE_CHARS, Said
from proxy.wire.token_estimate import estimate_text
from tests.kit.patience import examples


def test_nothing_is_nothing_and_a_little_is_one_at_least() -> None:
    said = Said()
    assert said.estimate_tokens() == 0
    said.add("a")
    assert said.estimate_tokens() >= 1


def test_a_short_text_is_estimated_as_it_is() -> None:
    said = Said()
    text = "The quick brown fox jumps over the lazy dog. "
    for word in text.split(" "):
        said.add(word + " ")
    assert said.estimate_tokens() == estimate_text((text + " ").encode())


def test_a_long_text_is_estimated_by_its_beginning() -> None:
    said = Said()
    for _ in range(4 * SAMPLE_CHARS // 8):
        said.add("letters ")
    assert said.chars == 4 * SAMPLE_CHARS
    assert said.estimate_tokens() == 4 * estimate_text(b"letters " * (SAMPLE_CHARS // 8))


@examples(50)
@given(st.lists(st.text(max_size=50), max_size=20))
def test_it_makes_no_difference_how_the_text_was_cut(pieces: list[str]) -> None:
    one, many = Said(), Said()
    one.add("".join(pieces))
    for piece in pieces:
        many.add(piece)
    assert one.estimate_tokens() == many.estimate_tokens()
