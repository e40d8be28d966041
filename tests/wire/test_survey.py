"""A body surveyed is the body read."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.domain.fault import Fault
from proxy.wire.body import Body, read_body, without_mark
from proxy.wire.seal import PREFIX
from proxy.wire.survey import survey, surveyed
from tests.kit.patience import examples

SPACE = st.sampled_from(["", " ", "\n", "\t \r\n"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    members = {
        "model": "m",
        "messages": [1],
        "max_tokens": 5,
        **draw(
            st.dictionaries(
                st.text(max_size=5).filter(lambda key: key not in ("stream", "thread")),
                VALUES,
                max_size=4,
            )
        ),
    }
    names = draw(st.permutations(list(members)))
    space = draw(SPACE)
    parts = [
        b"%b%b%b:%b%b%b"
        % (s, msgspec.json.encode(name), s, s, msgspec.json.encode(members[name]), s)
        for name in names
        for s in (space.encode(),)
    ]
    if draw(st.booleans()):
        parts.append(parts[0])
    return draw(SPACE).encode() + b"{" + b",".join(parts) + b"}" + draw(SPACE).encode()


def same(one: Body, other: Body) -> None:
    assert {name: bytes(value) for name, value in one.fields.items()} == {
        name: bytes(value) for name, value in other.fields.items()
    }
    assert list(one.fields) == list(other.fields)
    assert (one.model, one.streamed, one.max_tokens) == (
        other.model,
        other.streamed,
        other.max_tokens,
    )
    assert b"".join(one.with_model(b'"n"')) == b"".join(other.with_model(b'"n"'))


@examples(200)
@given(bodies())
def test_a_body_surveyed_is_the_body_read(raw: bytes) -> None:
    try:
        expected = read_body(raw, needs_max_tokens=True)
    except Fault as fault:
        with pytest.raises(Fault) as told:
            surveyed(raw, survey(raw), needs_max_tokens=True)
        assert told.value.message == fault.message
        return
    same(surveyed(raw, survey(raw), needs_max_tokens=True), expected)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{",
        b'{"model":"m"}',
        b'{"model":"m","messages":[]}',
        b'{"model":"m","messages":[1],"thread":{}}',
        b'{"model":"m","messages":[1]}',
        b'{"model":"m","messages":[1],"max_tokens":0}',
        b'{"model":"m","messages":[1],"max_tokens":1,"stream":1}',
        b'{"a":' + b"[" * 100_000,
        b'{"model":"\xff","messages":[1]}',
    ],
    ids=range(11),
)
def test_what_is_wrong_is_told_in_the_same_words(raw: bytes) -> None:
    with pytest.raises(Fault) as read:
        read_body(raw, needs_max_tokens=True)
    with pytest.raises(Fault) as told:
        surveyed(raw, survey(raw), needs_max_tokens=True)
    assert told.value.message == read.value.message
    assert told.value.error_code == read.value.error_code


def test_what_a_search_would_tell_is_told() -> None:
    plain = b'{"model":"m","messages":[{"content":[{"type":"text"}]}],"max_tokens":5}'
    body = surveyed(plain, survey(plain), needs_max_tokens=True)
    assert body.artefacts is False and body.image == ""
    bears = plain.replace(b'"type":"text"', b'"type":"image","signature":"GWs1.x"')
    assert PREFIX == "GWs1."
    body = surveyed(bears, survey(bears), needs_max_tokens=True)
    assert body.artefacts is True and body.image == "messages.0.content.0"


def test_a_byte_order_mark_is_no_part_of_the_body() -> None:
    raw = without_mark(b'\xef\xbb\xbf{"model":"m","messages":[1],"max_tokens":5}')
    same(surveyed(raw, survey(raw), needs_max_tokens=True), read_body(raw, needs_max_tokens=True))
