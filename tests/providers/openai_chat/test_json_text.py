"""Text between quotes, copied and joined."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.providers.openai_chat.json_text import as_string, escaped, is_blank, plain, quoted
from tests.kit.patience import examples

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@examples(100)
@given(TEXTS)
def test_text_is_the_same_after_quotes(text: str) -> None:
    assert plain(escaped(text)) == text
    assert json.loads(quoted(text)) == text
    assert json.loads(as_string(text.encode())) == text


@pytest.mark.parametrize("inside", [b"", b" ", rb"\n\t\r ", rb"\u0020\u00a0\u00A0\u000a"])
def test_white_space_is_blank_however_it_is_escaped(inside: bytes) -> None:
    assert is_blank(inside)
    assert not plain(inside).strip()


@pytest.mark.parametrize("inside", [b"a", rb"\n.", rb"\\n", rb"\u0041", rb"\"", b"\xc3\xa9"])
def test_anything_else_is_not(inside: bytes) -> None:
    assert not is_blank(inside)
