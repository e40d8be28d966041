"""Keys are hard to guess, survive the trip in a header, and leave only a digest."""

import re

import pytest

from proxy.auth.credential import read
from proxy.auth.keys import (
    GIVEN_KEY_CHARACTERS_MAX,
    NOISE_BYTES,
    digest,
    fault_of_given,
    mint,
    shown_prefix,
)

SECRET = b"a secret of the house, thirty-two"


def test_a_minted_key_is_prefixed_url_safe_and_long_enough_to_be_given_again() -> None:
    key = mint(bytes(range(NOISE_BYTES)))
    assert re.fullmatch(r"hzat-[A-Za-z0-9_-]{32}", key)
    assert fault_of_given(key) == ""


def test_different_noise_makes_different_keys() -> None:
    assert mint(b"a" * 24) != mint(b"a" * 23 + b"b")


def test_too_little_noise_is_refused() -> None:
    with pytest.raises(ValueError, match="20 random bytes"):
        mint(b"x" * 19)


def test_a_minted_key_passes_through_either_header_unchanged() -> None:
    key = mint(b"\xff" * 24).encode()
    assert read(b"Bearer " + key, None).keys == read(None, key).keys == (key,)


def test_a_digest_depends_on_key_and_secret_and_holds_neither() -> None:
    made = digest(b"key", SECRET)
    assert len(made) == 32
    assert made == digest(b"key", SECRET)
    assert made != digest(b"keY", SECRET)
    assert made != digest(b"key", SECRET + b"!")


def test_a_shown_prefix_reveals_at_most_four_random_characters() -> None:
    key = mint(bytes(range(24)))
    assert shown_prefix(key) == key[:9]
    assert shown_prefix("a-given-value-of-thirty-two-chars") == "a-gi"


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("x" * 31, "at least 32"),
        ("x" * (GIVEN_KEY_CHARACTERS_MAX + 1), "at most 512"),
        ("x" * 20 + " " + "x" * 20, "without spaces"),
        ("x" * 40 + "\n", "printable"),
        ("ü" * 40, "ASCII"),
    ],
)
def test_a_given_value_that_cannot_be_a_key_is_explained_but_not_quoted(
    value: str, says: str
) -> None:
    fault = fault_of_given(value)
    assert says in fault
    assert value not in fault
