"""Calls that leaked into the text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.stream.kimi_tokens import KimiTokens, LeakedCall
from tests.kit.patience import examples

ONE = '<|tool_call_begin|>functions.read:0<|tool_call_argument_begin|>{"a":1}<|tool_call_end|>'
TWO = "<|tool_call_begin|>write:1<|tool_call_argument_begin|> {} <|tool_call_end|>"
SECTION = f"<|tool_calls_section_begin|>{ONE}\n{TWO}<|tool_calls_section_end|>"
READ = LeakedCall("functions.read:0", "read", '{"a":1}')
WRITE = LeakedCall("write:1", "write", "{}")


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_calls_are_found_however_the_text_is_cut(size: int) -> None:
    text = "Looking. " + SECTION
    kimi = KimiTokens()
    out = "".join(kimi.feed(text[at : at + size]) for at in range(0, len(text), size))
    assert out + kimi.flush() == "Looking. "
    assert kimi.has_leaked
    assert kimi.held_bytes == len(SECTION)
    assert kimi.calls(cut_off=False) == [READ, WRITE]
    assert kimi.held_bytes == 0


@pytest.mark.parametrize(
    ("leaked", "calls", "when_cut"),
    [
        (ONE, [READ], [READ]),
        (ONE.removesuffix("<|tool_call_end|>"), [READ], [READ]),
        (ONE + "and more", None, [READ]),
        (ONE + ONE[:40], None, [READ]),
        ("<|tool_calls_section_begin|>", None, []),
        (ONE.replace("functions.read:0", ""), None, None),
    ],
)
def test_what_cannot_be_read_is_said(
    leaked: str, calls: list[LeakedCall] | None, when_cut: list[LeakedCall] | None
) -> None:
    for cut_off, expected in ((False, calls), (True, when_cut)):
        kimi = KimiTokens()
        assert kimi.feed(leaked) == ""
        assert kimi.calls(cut_off=cut_off) == expected


@examples(200)
@given(st.lists(st.sampled_from(["<", "|", "tool", "_", "cal", "a", "<|", "<|tool_"])))
def test_text_without_calls_comes_through(pieces: list[str]) -> None:
    kimi = KimiTokens()
    out = "".join(map(kimi.feed, pieces)) + kimi.flush()
    if kimi.has_leaked:
        assert "<|tool_call" in "".join(pieces)
    else:
        assert out == "".join(pieces)
