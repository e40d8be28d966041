"""A user's mapping of the aliases."""

import msgspec
import pytest

from proxy.domain.alias_mapping import AliasMapping
from proxy.domain.caller import Caller

PICKS = AliasMapping(enabled=True, opus="anthropic.claude-opus-4-7", haiku="moonshot.kimi")


def test_a_pick_is_the_target_of_its_family() -> None:
    assert PICKS.target("opus") == "anthropic.claude-opus-4-7"
    assert PICKS.target("haiku") == "moonshot.kimi"


def test_an_empty_pick_has_no_target() -> None:
    assert PICKS.target("sonnet") is None


@pytest.mark.parametrize("family", ["", "fable", "Opus", "no-such-family"])
def test_other_families_have_no_target(family: str) -> None:
    assert PICKS.target(family) is None


def test_picks_stay_while_the_mapping_is_off() -> None:
    off = msgspec.structs.replace(PICKS, enabled=False)
    assert off.target("opus") is None
    assert off.opus == PICKS.opus
    assert msgspec.structs.replace(off, enabled=True).target("opus") == PICKS.opus


def test_a_caller_without_a_mapping_maps_nothing() -> None:
    caller = Caller("key_1", "u", "a@example.com", "t", "Default", "general_user")
    assert [caller.mapping.target(family) for family in ("opus", "sonnet", "haiku")] == [None] * 3
    assert caller.active
    assert caller.disabled_models == frozenset()


def test_callers_are_values() -> None:
    one = Caller("key_1", "u", "a@example.com", "t", "Default", "general_user")
    other = Caller("key_1", "u", "a@example.com", "t", "Default", "general_user")
    assert one == other
    assert hash(one) == hash(other)
    assert one != other.but(role="client_admin")
    assert one.role == "general_user"
