"""Passwords: what they must be like, and that a hash tells nothing and takes its time."""

import asyncio
import unicodedata

import pytest

from proxy.auth.passwords import WAITING_MAX, Busy, Passwords, fault_of_chosen, suggested

GOOD = "correct horse battery staple"


async def test_a_hash_is_argon2id_salted_and_matches_its_password_only() -> None:
    passwords = Passwords()
    first, second = await passwords.hashed(GOOD), await passwords.hashed(GOOD)
    assert first.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert first != second
    assert await passwords.matches(GOOD, first)
    assert await passwords.matches(GOOD, second)
    assert not await passwords.matches(GOOD + " ", first)
    assert not await passwords.matches(GOOD.upper(), first)


async def test_the_same_characters_typed_in_another_way_are_the_same_password() -> None:
    passwords = Passwords()
    hashed = await passwords.hashed(unicodedata.normalize("NFC", "ein übergroßes Ähnliches"))
    assert await passwords.matches(unicodedata.normalize("NFD", "ein übergroßes Ähnliches"), hashed)


@pytest.mark.parametrize("stored", (None, "", "no hash at all", "$argon2id$v=19$m=8,t=1,p=1$x$y"))
async def test_without_a_hash_nothing_matches_and_nothing_fails(stored: str | None) -> None:
    assert not await Passwords().matches(GOOD, stored)


async def test_so_many_at_once_are_turned_away_and_the_others_served() -> None:
    passwords = Passwords()
    hashed = await passwords.hashed(GOOD)
    tries = [passwords.matches(GOOD, hashed) for _ in range(WAITING_MAX + 3)]
    found = await asyncio.gather(*tries, return_exceptions=True)
    assert [each for each in found if each is not True and not isinstance(each, Busy)] == []
    assert found.count(True) == WAITING_MAX


@pytest.mark.parametrize(
    ("password", "says"),
    [
        ("elevenchars", "at least 12"),
        ("x" * 201, "at most 200"),
        ("aaaaaaaaaaaaaaaaaa", "repeats"),
        ("Ada.Lovelace@example.com", "your email address"),
        ("ada.lovelace", "your email address"),
    ],
)
def test_what_cannot_be_a_password_says_why(password: str, says: str) -> None:
    fault = fault_of_chosen(password, "ada.lovelace@example.com")
    assert says in fault
    assert password not in fault


def test_a_long_one_is_good_whatever_it_is_made_of() -> None:
    for password in (GOOD, "пароль на двенадцать", "1234567890ab", suggested(bytes(range(15)))):
        assert fault_of_chosen(password, "ada@example.com") == ""


def test_a_suggested_one_needs_noise_and_shows_all_of_it() -> None:
    assert suggested(b"a" * 15) != suggested(b"a" * 14 + b"b")
    with pytest.raises(ValueError, match="at least 15"):
        suggested(b"a" * 14)
