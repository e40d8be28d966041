"""The head of a request body, its wordings, and the exchange of one value in its bytes."""

import json

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from proxy.domain.fault import Fault, Kind
from proxy.wire.body import Body, read_body
from tests.kit.patience import examples

SMALL = b'{"model":"opus","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}'


def body_of(**fields: object) -> bytes:
    """A valid body with some fields changed; None leaves one out."""
    whole = {
        "model": "opus",
        "max_tokens": 5,
        "messages": [{"role": "user", "content": "hi"}],
        **fields,
    }
    return json.dumps({key: value for key, value in whole.items() if value is not None}).encode()


def refusal_of(raw: bytes, *, needs_max_tokens: bool = True) -> Fault:
    with pytest.raises(Fault) as caught:
        read_body(raw, needs_max_tokens=needs_max_tokens)
    fault = caught.value
    assert fault.kind is Kind.BAD_REQUEST
    assert fault.status == 400
    assert fault.error_type == "invalid_request_error"
    return fault


def spliced(raw: bytes, name: bytes) -> bytes:
    return b"".join(read_body(raw, needs_max_tokens=False).with_model(name))


# -------------------------------------------------------------- what is read


def test_the_model_and_whether_to_stream_are_read() -> None:
    body = read_body(body_of(stream=True, model="claude-\u00e9\n"), needs_max_tokens=True)
    assert body.model == "claude-\u00e9\n"
    assert body.streamed


@pytest.mark.parametrize("written", [b"false", b"null"])
def test_a_stream_that_is_not_wanted_is_not_streamed(written: bytes) -> None:
    body = read_body(SMALL[:-1] + b',"stream":' + written + b"}", needs_max_tokens=True)
    assert not body.streamed


def test_a_body_is_not_streamed_unless_it_says_so() -> None:
    assert not read_body(SMALL, needs_max_tokens=True).streamed


def test_max_tokens_may_be_missing_where_nothing_is_generated() -> None:
    assert read_body(body_of(max_tokens=None), needs_max_tokens=False).model == "opus"


def test_a_byte_order_mark_is_taken_off() -> None:
    body = read_body(b"\xef\xbb\xbf" + SMALL, needs_max_tokens=True)
    assert b"".join(body.with_model(b'"x"')) == SMALL.replace(b'"opus"', b'"x"')


def test_a_thread_that_is_null_is_no_thread() -> None:
    assert read_body(SMALL[:-1] + b',"thread":null}', needs_max_tokens=True).model == "opus"


def test_unknown_fields_and_huge_numbers_are_left_to_the_provider() -> None:
    raw = SMALL[:-1] + b',"new":{"n":123456789012345678901234567890,"f":1.10e400}}'
    assert spliced(raw, b'"x"') == raw.replace(b'"opus"', b'"x"')


def test_max_tokens_beyond_64_bits_are_the_providers_to_refuse() -> None:
    assert read_body(body_of(max_tokens=10**30), needs_max_tokens=True).model == "opus"


def test_many_messages_are_not_looked_into() -> None:
    raw = body_of(messages=[{"role": "user", "content": "x" * 100}])
    assert read_body(raw, needs_max_tokens=True).model == "opus"


# -------------------------------------------------------------- wordings of a 400


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "The request body is empty; send a JSON object"),
        (b" \r\n\t", "The request body is empty; send a JSON object"),
        (
            b"[1]",
            "Input should be a valid dictionary: the request body must be a JSON object",
        ),
        (
            b'"text"',
            "Input should be a valid dictionary: the request body must be a JSON object",
        ),
        (b"null", "Input should be a valid dictionary: the request body must be a JSON object"),
        (b'{"model":', "The request body is not valid JSON: Input data was truncated"),
        (b"{'a':1}", "The request body is not valid JSON: object keys must be strings (byte 1)"),
        (
            SMALL + b"x",
            "The request body is not valid JSON: trailing characters (byte 76)",
        ),
        (
            b'{"a":1,}',
            "The request body is not valid JSON: trailing comma in object (byte 7)",
        ),
        (b'{"\xff":1}', "The request body is not valid JSON: not valid UTF-8"),
        (
            b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
            "The request body is not valid JSON: nested too deeply",
        ),
        (b"{}", "model: Field required"),
        (body_of(model=None), "model: Field required"),
        (body_of(model=5), "model: Input should be a valid string"),
        (SMALL.replace(b'"opus"', b"null"), "model: Input should be a valid string"),
        (SMALL.replace(b'"opus"', b'"\xff"'), "model: Input should be a valid string"),
        (body_of(model=["opus"]), "model: Input should be a valid string"),
        (body_of(model=""), "model: String should have at least 1 character"),
        (body_of(model=" \t"), "model: String should have at least 1 character"),
        (body_of(messages=None), "messages: Field required"),
        (body_of(messages={}), "messages: Input should be a valid list"),
        (body_of(messages="hi"), "messages: Input should be a valid list"),
        (
            SMALL.replace(b'"messages":[', b'"messages":null,"m":['),
            "messages: Input should be a valid list",
        ),
        (body_of(messages=[]), "messages: at least one message is required"),
        (
            SMALL.replace(b'"messages":[', b'"messages":[ \n ],"m":['),
            "messages: at least one message is required",
        ),
        (body_of(max_tokens=None), "max_tokens: Field required"),
        (body_of(max_tokens="5"), "max_tokens: Input should be a valid integer"),
        (body_of(max_tokens=1.5), "max_tokens: Input should be a valid integer"),
        (body_of(max_tokens=True), "max_tokens: Input should be a valid integer"),
        (SMALL.replace(b":5,", b":null,"), "max_tokens: Input should be a valid integer"),
        (body_of(max_tokens=0), "max_tokens: Input should be greater than or equal to 1"),
        (body_of(max_tokens=-3), "max_tokens: Input should be greater than or equal to 1"),
        (body_of(stream="yes"), "stream: Input should be a valid boolean"),
        (body_of(stream=1), "stream: Input should be a valid boolean"),
        (
            body_of(thread={"id": "t"}),
            "Message threads are not supported by this gateway. Send the full conversation.",
        ),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else None,
)
def test_what_no_provider_could_read_is_refused_in_anthropics_words(
    raw: bytes, message: str
) -> None:
    assert refusal_of(raw).message == message


def test_the_refusal_of_a_thread_names_the_code_that_sdks_look_for() -> None:
    assert refusal_of(body_of(thread="t")).error_code == "thread_unsupported_request"


def test_the_model_is_asked_for_before_anything_else() -> None:
    assert refusal_of(b'{"max_tokens":0}').message.startswith("model:")


# -------------------------------------------------------------- the exchange of the model


def test_only_the_models_bytes_change() -> None:
    raw = b' {\n "stream" : true ,\t"model"\r:  "opus" , "messages":[ {"model":"opus"} ] } \n'
    assert spliced(raw, b'"x"') == raw.replace(b'"opus" ,', b'"x" ,')


def test_nothing_of_a_large_body_is_copied() -> None:
    raw = body_of(system="s" * 100_000)
    before, name, behind = read_body(raw, needs_max_tokens=True).with_model(b'"x"')
    assert name == b'"x"'
    assert isinstance(before, memoryview) and before.obj is raw
    assert isinstance(behind, memoryview) and behind.obj is raw


def test_a_repeated_model_is_written_once() -> None:
    raw = SMALL[:-1] + b',"model":"haiku"}'
    assert read_body(raw, needs_max_tokens=True).model == "haiku"
    assert spliced(raw, b'"x"') == SMALL.replace(b'"opus"', b'"x"')


def test_an_escaped_key_is_the_model_too() -> None:
    raw = SMALL.replace(b'"model"', rb'"mod\u0065l"')
    assert spliced(raw, b'"x"') == SMALL.replace(b'"opus"', b'"x"')


@pytest.mark.parametrize(
    "raw",
    [
        # The last "x" is as long as `{"p":{}`; behind it, inside the first "x", stands a "model".
        b'{"x":{"p":{},"model":"m"},"model":"m","x":1234567}',
        # The same where the walk would end with the last byte of the body.
        b'{"x":1,"model":"m","y":10,"x":{"p":0   ,"model":"m" ,"y":0}}',
        b'{"x":1,"model":"m","y":10,"x":{"p":0  ,"model":"m"  ,"y":0}}',
    ],
)
def test_a_repeated_key_cannot_lead_the_walk_into_a_nested_model(raw: bytes) -> None:
    for spaces in range(8):
        padded = raw.replace(b'{"p":0', b'{"p":0' + b" " * spaces)
        out = b"".join(Body(padded, fields_of(padded)).with_model(b'"new"'))
        assert json.loads(out) == {**json.loads(padded), "model": "new"}


SPACE = st.sampled_from([b"", b"", b"", b" ", b"\n  ", b"\t", b"\r\n"])
SCALAR = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(10**18, 10**30), st.text(max_size=8)
)
KEYS = st.one_of(
    st.sampled_from(["model", "messages", "x", "mode", "models", "", 'a"b', "\\", "é", "\u2028"]),
    st.text(max_size=4).filter(lambda text: not any("\ud800" <= c <= "\udfff" for c in text)),
)
VALUES = st.recursive(
    SCALAR,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=6,
)


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    """A JSON object with at least one model: any spaces, repeated keys, escaped keys."""
    members = draw(st.lists(st.tuples(KEYS, VALUES), max_size=6))
    models = draw(st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=2))
    members += [("model", model) for model in models]
    members = draw(st.permutations(members))
    written = []
    for key, value in members:
        name = json.dumps(key, ensure_ascii=draw(st.booleans()))
        if key and key.isascii() and key.isalpha() and draw(st.integers(0, 9)) == 0:
            name = f'"\\u{ord(key[0]):04x}{key[1:]}"'
        text = json.dumps(
            value,
            ensure_ascii=draw(st.booleans()),
            indent=draw(st.sampled_from([None, None, 1])),
            separators=draw(st.sampled_from([(",", ":"), (", ", ": ")])),
        )
        space = [draw(SPACE) for _ in range(4)]
        written.append(
            space[0] + name.encode() + space[1] + b":" + space[2] + text.encode() + space[3]
        )
    return draw(SPACE) + b"{" + b",".join(written) + b"}" + draw(SPACE)


@examples(400)
@given(documents(), st.sampled_from([b'"n"', b'"a-much-longer-name-than-before"', b'"\\u00e9"']))
def test_the_exchanged_body_is_the_same_document_with_another_model(
    raw: bytes, name: bytes
) -> None:
    model = json.loads(raw)["model"]
    assume(isinstance(model, str) and model.strip())
    out = b"".join(Body(raw, fields_of(raw)).with_model(name))

    assert json.loads(out) == {**json.loads(raw), "model": json.loads(name)}
    members = members_of(raw)
    keys = [key for key, _, _ in members]
    if len(set(keys)) == len(keys) and b"\\" not in b"".join(keys):
        [(begin, end)] = [(begin, end) for key, begin, end in members if key == b'"model"']
        assert out == raw[:begin] + name + raw[end:]


def fields_of(raw: bytes) -> dict[str, msgspec.Raw]:
    return msgspec.json.decode(raw, type=dict[str, msgspec.Raw])


def members_of(raw: bytes) -> list[tuple[bytes, int, int]]:
    """The top level read slowly: each key as written, and where its value begins and ends."""
    text = raw.decode("latin-1")  # one character per byte, so that places are places of bytes
    decoder = json.JSONDecoder()
    members = []
    at = text.index("{") + 1
    while True:
        begin = _behind_space(text, at)
        _, end = decoder.raw_decode(text, begin)
        value = _behind_space(text, text.index(":", end) + 1)
        _, at = decoder.raw_decode(text, value)
        members.append((raw[begin:end], value, at))
        at = _behind_space(text, at) + 1
        if text[at - 1] == "}":
            return members


def _behind_space(text: str, at: int) -> int:
    while text[at] in " \t\r\n":
        at += 1
    return at
