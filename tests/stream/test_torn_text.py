"""Characters cut in two."""

from hypothesis import given
from hypothesis import strategies as st

from proxy.stream.torn_text import TornText
from tests.kit.patience import examples


def test_halves_find_each_other() -> None:
    torn = TornText()
    assert torn.mend("a\ud83d") == "a"
    assert torn.mend("\ude00b") == "😀b"
    assert torn.rest() == ""


def test_halves_alone_are_replaced() -> None:
    torn = TornText()
    assert torn.mend("\ude00a\ud83db\ud83d") == "\ufffda\ufffdb"
    assert torn.mend("c\ud83d") == "\ufffdc"
    assert torn.rest() == "\ufffd"
    assert torn.rest() == ""


@examples(200)
@given(st.text(st.characters(codec="utf-16", exclude_categories=())), st.lists(st.integers(0, 40)))
def test_any_text_cut_between_any_halves_comes_out_whole(text: str, places: list[int]) -> None:
    text = text.encode("utf-8", "replace").decode()
    units = text.encode("utf-16-le")
    halves = [
        units[at : at + 2].decode("utf-16-le", "surrogatepass") for at in range(0, len(units), 2)
    ]
    torn = TornText()
    assert "".join(map(torn.mend, halves)) + torn.rest() == text
