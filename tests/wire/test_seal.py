"""Signatures of thinking: whose they are, what they carry, what they refuse."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.seal import ThinkingSeal, is_ours

SEAL = ThinkingSeal([b"new secret", b"old secret"])
OLD = ThinkingSeal([b"old secret"])
STRANGER = ThinkingSeal([b"another secret"])
TEXTS = st.text(max_size=200)


@given(TEXTS, st.sampled_from(["", "kimi", "deepseek"]))
def test_shown_thinking_is_known_again(text: str, family: str) -> None:
    signature = SEAL.sign("tenant_1", family, text)
    opened = SEAL.open("tenant_1", signature, text)
    assert opened is not None
    assert (opened.family, opened.text, opened.extras) == (family, text, b"")


@given(TEXTS, st.binary(max_size=50))
def test_hidden_thinking_comes_back_whole(text: str, extras: bytes) -> None:
    signature = SEAL.seal("tenant_1", "kimi", text, extras)
    opened = SEAL.open("tenant_1", signature, "")
    assert opened is not None
    assert (opened.family, opened.text, opened.extras) == ("kimi", text, extras)


@given(TEXTS)
def test_a_signature_survives_json_and_is_always_the_same(text: str) -> None:
    for signature in (SEAL.sign("t", "kimi", text), SEAL.seal("t", "kimi", text)):
        assert re.fullmatch(r"[A-Za-z0-9_.-]+", signature)
        assert is_ours(signature)
    assert SEAL.seal("t", "kimi", text) == SEAL.seal("t", "kimi", text)


@pytest.mark.parametrize("make", (SEAL.sign, SEAL.seal), ids=("shown", "sealed"))
def test_another_tenant_family_text_or_secret_is_not_believed(make) -> None:  # type: ignore[no-untyped-def]
    signature = make("tenant_1", "kimi", "I think")
    shown = "I think"
    assert SEAL.open("tenant_1", signature, shown) is not None
    assert SEAL.open("tenant_2", signature, shown) is None
    assert SEAL.open("tenant_1", signature.replace("kimi", "deepseek"), shown) is None
    assert STRANGER.open("tenant_1", signature, shown) is None


def test_changed_text_is_not_believed() -> None:
    assert SEAL.open("t", SEAL.sign("t", "kimi", "I think"), "I thought") is None


@pytest.mark.parametrize("make", (OLD.sign, OLD.seal), ids=("shown", "sealed"))
def test_the_secret_before_is_still_believed(make) -> None:  # type: ignore[no-untyped-def]
    assert SEAL.open("t", make("t", "kimi", "I think"), "I think") is not None


@given(st.data())
def test_any_change_of_one_character_is_noticed(data: st.DataObject) -> None:
    signature = SEAL.seal("t", "kimi", "a secret thought")
    at = data.draw(st.integers(len("GWs1.kimi."), len(signature) - 2))
    other = data.draw(st.sampled_from("ABCabc012_-"))
    changed = signature[:at] + other + signature[at + 1 :]
    assert changed == signature or SEAL.open("t", changed, "") is None


@given(st.text(max_size=80))
def test_what_is_no_signature_of_ours_is_no_error(text: str) -> None:
    assert SEAL.open("t", text, "") is None
    assert SEAL.open("t", "GWs1.kimi." + text, "") is None
    assert SEAL.open("t", "GWs1.kimi.Ag", "") is None
