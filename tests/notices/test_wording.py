"""The words of letters: nothing of a name becomes anything but a name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.domain.people import User
from proxy.notices.wording import LINK_MARK, House, Standing, approaching, invitation, reached
from tests.kit.patience import examples

HOUSE = House("https://gateway.example.com")


def standing(**more: object) -> Standing:
    plain = Standing("Acme", "Starter", False, 800, 1_000, "2026-10-01 00:00 (UTC)", "all models")
    return plain._replace(**more)


def user(**more: str) -> User:
    fields = {
        "id": "user_1",
        "tenant_id": "tenant_1",
        "tenant": "Acme",
        "tenant_status": "Active",
        "email": "kim@acme.example",
        "first_name": "",
        "last_name": "",
        "role": "general_user",
        "role_id": "role_general_user",
        "status": "Invited",
        **more,
    }
    return User(**fields, created_at=0)


@pytest.mark.parametrize(
    ("used", "limit", "percent"), [(999_999, 1_000_000, 99), (1_000, 1_000, 100), (0, 5, 0)]
)
def test_a_share_that_is_not_reached_is_not_told(used: int, limit: int, percent: int) -> None:
    assert standing(used=used, limit=limit).percent == percent


def test_without_a_contact_there_is_still_somebody_to_ask() -> None:
    for words in (
        approaching(standing(), "", HOUSE),
        reached(standing(), "", HOUSE),
        invitation(user(), "", HOUSE),
    ):
        assert "whoever runs this gateway for you" in words.body


def test_an_operator_is_nobody_one_can_answer() -> None:
    words = invitation(user(), "", HOUSE)
    assert "An administrator invited you" in words.body
    assert "Answer this letter" not in words.body


def test_an_invitation_says_how_to_come_in() -> None:
    choose = invitation(user(), "", House("https://x.example", way_in="password")).body
    assert f"choose your password here:\n\n    {LINK_MARK}\n" in choose
    assert "sign in there" not in choose
    both = House("https://x.example", way_in="password", label="Acme")
    assert 'Or sign in there by "Acme"' in invitation(user(), "", both).body
    elsewhere = House("https://x.example", way_in="elsewhere", label="Sign in with Acme")
    there = invitation(user(), "", elsewhere).body
    assert 'sign in there by "Sign in with Acme" with this address' in there
    assert LINK_MARK not in there and "password" not in there


def test_a_long_name_leaves_room_in_a_subject() -> None:
    subject = reached(standing(tenant="A" * 200), "", HOUSE).subject
    assert len(subject) < 110 and "…" in subject


_NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=200
)


@examples(60)
@given(_NAMES, _NAMES)
def test_names_stand_in_letters_as_they_are(tenant: str, first_name: str) -> None:
    for words in (
        approaching(standing(tenant=tenant), first_name, HOUSE),
        reached(standing(tenant=tenant), first_name, HOUSE),
        invitation(user(tenant=tenant, first_name=first_name), "", HOUSE),
    ):
        assert f'"{tenant}"' in words.body and f"Hello {first_name}," in words.body
        assert "\n" not in words.subject
        assert max(map(len, words.body.split("\n"))) < 998
