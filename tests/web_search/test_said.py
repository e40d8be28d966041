"""What a model said is put together again. That it is the same bytes in every request is a law
(`tests/laws/test_splice.py`)."""

from proxy.web_search.said import Said, SaidText


def said(*items: SaidText | bytes) -> list[bytes]:
    whole = Said()
    assert whole.is_empty
    for item in items:
        if isinstance(item, bytes):
            whole.add(item)
        else:
            whole.text(item)
    assert not whole.is_empty
    return whole.blocks()


def test_a_text_that_citations_cut_is_one_again() -> None:
    assert said(
        SaidText(b"High", True),
        SaidText(b", and ", False),
        SaidText(b"low", True),
        SaidText(b".", False),
    ) == [b'{"type":"text","text":"High, and low."}']


def test_texts_that_nothing_is_cited_in_stay_apart() -> None:
    assert said(SaidText(b"One.", False), SaidText(b"Two.", False), SaidText(b"High", True)) == [
        b'{"type":"text","text":"One."}',
        b'{"type":"text","text":"Two."}',
        b'{"type":"text","text":"High"}',
    ]


def test_what_stands_between_parts_them() -> None:
    thought = b'{"type":"thinking"}'
    assert said(SaidText(b"High", True), thought, SaidText(b".", False)) == [
        b'{"type":"text","text":"High"}',
        thought,
        b'{"type":"text","text":"."}',
    ]


def test_citations_of_other_things_stay_with_the_words_they_are_of() -> None:
    kept = (b'{"type":"char_location"}',)
    assert said(SaidText(b"High", True, kept), SaidText(b".", False)) == [
        b'{"type":"text","text":"High","citations":[{"type":"char_location"}]}',
        b'{"type":"text","text":"."}',
    ]


def test_a_text_of_its_own_keeps_its_bytes_and_others_their_fields() -> None:
    whole = Said()
    raw = b'{ "text": "Hi", "type": "text" }'
    whole.text(SaidText(b"Hi", False), raw)
    cached = {"cache_control": b'{"type":"ephemeral"}'}
    whole.text(SaidText(b"High", True), b"{}")
    whole.text(SaidText(b".", False, (), cached), b"{}")
    assert whole.blocks() == [
        raw,
        b'{"type":"text","text":"High.","cache_control":{"type":"ephemeral"}}',
    ]
