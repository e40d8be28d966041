"""What the estimate is measured with: the same on every machine, and nothing left out."""

import json

from bench.estimator import Measured, _framing, _markdown, _table, _texts
from bench.estimator_samples import (
    PIECE_CHARS,
    PIECES_MAX,
    conversation,
    held_out,
    pieces,
    samples,
)
from bench.estimator_samples import tools as sample_tools


def test_every_kind_of_text_has_pieces_of_bounded_length() -> None:
    for kinds in (samples(), held_out()):
        for kind, texts in kinds.items():
            assert 1 <= len(texts) <= PIECES_MAX, kind
            assert all(text.strip() for text in texts), kind


def test_no_text_that_was_fitted_to_is_held_out() -> None:
    fitted = {line for texts in samples().values() for text in texts for line in text.splitlines()}
    for kind in ("Chinese", "Japanese", "Korean", "German", "French", "Russian", "English prose"):
        [text] = held_out()[kind]
        assert not fitted & set(text.splitlines())


def test_cutting_loses_nothing_but_crumbs() -> None:
    text = "".join([f"line {n}\n" for n in range(5_000)])
    cut = pieces(iter([text]))
    assert "".join(cut) == text
    assert max(map(len, cut)) < PIECE_CHARS + 20
    assert pieces(iter(["", "crumb"])) == []


def test_a_conversation_is_the_same_every_time_and_all_of_it_is_counted() -> None:
    asked = conversation("m", 12, 3)
    assert asked == conversation("m", 12, 3) != conversation("m", 12, 4)
    assert len(asked["messages"]) == 25  # type: ignore[arg-type]
    texts = _texts(asked)
    written = json.dumps(asked, ensure_ascii=False)
    shown = sum([len(json.dumps(text, ensure_ascii=False)) for text in texts])
    assert 0.75 * len(written) < shown < 1.1 * len(written)
    assert len([text for text in texts if "input_schema" in text]) >= len(sample_tools())
    assert _framing(asked) == 4 * 26


def test_the_table_says_what_was_measured() -> None:
    rows = [
        Measured("Go", 1_234, 3.456, 1.041, 0.9, 1.1, 1.0),
        Measured("agent", 9, 1, 1, 1, 1, None),
    ]
    table = _table(rows).splitlines()
    assert table[1].split() == ["Go", "1,234", "3.46", "1.04", "0.90", "to", "1.10", "1.00"]
    assert _markdown(rows).splitlines()[1:3] == [
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        "| Go | 1,234 | 3.46 | 1.04 | 0.90 to 1.10 | 1.00 |",
    ]
