"""Ids of calls, there and back."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.stream.tool_ids import client_id, made_id, upstream_id
from tests.kit.patience import examples

IDS = st.text(min_size=1) | st.from_regex(r"[A-Za-z0-9_\-]{1,20}", fullmatch=True)


@pytest.mark.parametrize(
    ("upstream", "client"),
    [
        ("call_1", "call_1"),
        ("x" * 128, "x" * 128),
        ("functions.a:0", "toolu_gwx_ZnVuY3Rpb25zLmE6MA"),
        ("toolu_gwx_eA", "toolu_gwx_dG9vbHVfZ3d4X2VB"),
    ],
)
def test_an_id_that_will_do_is_kept_and_others_are_wrapped(upstream: str, client: str) -> None:
    assert client_id(upstream, ()) == client
    assert upstream_id(client) == upstream


@examples(300)
@given(st.lists(st.sampled_from(["a", "ab", "abc", "é", "call_0", "toolu_gwx_YQ"]) | IDS))
def test_whatever_comes_ids_are_unique_legal_and_lead_back(upstream: list[str]) -> None:
    taken: set[str] = set()
    for each in upstream:
        shown = client_id(each, taken)
        assert shown not in taken
        assert re.fullmatch(r"[A-Za-z0-9_-]+", shown)
        assert upstream_id(shown) == each
        taken.add(shown)


@pytest.mark.parametrize("upstream", ["a", "ab", "abc"])
def test_any_number_of_repetitions_leads_back(upstream: str) -> None:
    taken: set[str] = set()
    for _ in range(1200):
        shown = client_id(upstream, taken)
        assert upstream_id(shown) == upstream
        taken.add(shown)
    assert len(taken) == 1200


@pytest.mark.parametrize(
    "foreign", ["toolu_01", "toolu_gw_x", "toolu_gwx_", "toolu_gwx_A", "toolu_gwx_YR", "a b"]
)
def test_what_we_did_not_wrap_is_itself(foreign: str) -> None:
    assert upstream_id(foreign) == foreign


def test_made_ids_are_legal_and_differ() -> None:
    made = [made_id("msg_gw_1", count) for count in range(50)] + [made_id("msg_gw_2", 0)]
    assert len(set(made)) == 51
    assert all(re.fullmatch(r"toolu_gw_[A-Za-z0-9]{22}", each) for each in made)
    assert made_id("msg_gw_1", 7) == made[7]
