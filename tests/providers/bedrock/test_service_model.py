"""What we send and hear, held against botocore's own description of the service."""

from typing import Any

import botocore.session
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.domain.call import COUNT
from proxy.domain.model import BedrockTerms
from proxy.providers.bedrock.account import Account
from proxy.providers.bedrock.converse import BedrockConverse
from proxy.providers.bedrock.converse_row import CONVERSE
from proxy.providers.bedrock.invoke import BedrockInvoke
from proxy.providers.bedrock.surfaces import deployment_of
from proxy.providers.openai_chat.dialects import dialect_of
from proxy.providers.provider import Provider
from proxy.stream.pipe import At
from proxy.wire.body import read_body
from proxy.wire.seal import ThinkingSeal
from tests.kit import event_stream as aws
from tests.kit.asked import make_asked
from tests.kit.bedrock_checks import OPERATIONS, Asked, Refused, read_runtime
from tests.kit.bedrock_converse import check_converse
from tests.kit.grammar import events_of
from tests.kit.patience import examples
from tests.kit.recorded import TEXT

SEAL = ThinkingSeal([b"secret"])
NOVA, CLAUDE = "eu.amazon.nova-pro-v1:0", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
EVERY_TERM = BedrockTerms("gr1", "DRAFT", "enabled", "priority", "optimized")
PIXEL = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
PDF = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}


def provider(model: str, terms: BedrockTerms, surface: str = "") -> Provider:
    place = deployment_of(
        model,
        asked=surface,
        region="eu-central-1",
        base_url="",
        signing_service="",
        terms=terms,
    )
    account = Account("aws", place, "key", None, 1 << 20)
    if "converse" in (surface, "converse" if "nova" in model else ""):
        return BedrockConverse(account, dialect_of(CONVERSE, model), SEAL)
    return BedrockInvoke(account, lambda _, body: body)


def arrived(made: Provider, fields: dict[str, Any], errand: str, *, stream: bool) -> Asked:
    raw = msgspec.json.encode({"model": "m", "max_tokens": 100, "stream": stream, **fields})
    call = make_asked("m", body=raw)
    call.streamed = stream
    call.model = msgspec.structs.replace(call.model, vision=True)
    if errand == COUNT:
        call.arrival.errand = COUNT
    head, body = (
        bytes(piece) for piece in made.request(call, read_body(raw, needs_max_tokens=True), "m")
    )
    opening, *lines = head.decode().removesuffix("\r\n\r\n").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return Asked(opening.split(" ")[1], headers, body)


_MARKS = st.sampled_from([None, {"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}])


def _marked(block: dict[str, Any], mark: dict[str, str] | None) -> dict[str, Any]:
    return block | {"cache_control": mark} if mark else block


_WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=20)
_TEXTS = st.builds(_marked, _WORDS.map(lambda t: {"type": "text", "text": t}), _MARKS)
_FILES = st.builds(
    _marked,
    st.sampled_from(
        [{"type": "image", "source": PIXEL}, {"type": "document", "source": PDF, "title": "a.b"}]
    ),
    _MARKS,
)
_INPUTS = st.dictionaries(_WORDS, st.integers() | _WORDS | st.none(), max_size=3)


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    """Conversations with tools, files and marks; more marks than anybody takes."""
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": draw(st.lists(_TEXTS | _FILES, min_size=1, max_size=3))}
    ]
    for turn in range(draw(st.integers(0, 2))):
        call = {"type": "tool_use", "id": f"c{turn}", "name": "t", "input": draw(_INPUTS)}
        messages.append({"role": "assistant", "content": [_marked(call, draw(_MARKS))]})
        result = {"type": "tool_result", "tool_use_id": f"c{turn}", "content": draw(_WORDS)}
        more = draw(st.lists(_TEXTS, max_size=2))
        content = [_marked(result, draw(_MARKS)), *more]
        messages.append({"role": "user", "content": content})
    tool = {"name": "t", "description": draw(_WORDS), "input_schema": {"type": "object"}}
    fields: dict[str, Any] = {"messages": messages, "tools": [_marked(tool, draw(_MARKS))]}
    if draw(st.booleans()):
        fields["system"] = draw(st.lists(_TEXTS, min_size=1, max_size=3))
    for name, values in (
        ("temperature", st.floats(0, 1)),
        ("top_p", st.floats(0.1, 1)),
        ("tool_choice", st.sampled_from([{"type": "auto"}, {"type": "any"}, {"type": "none"}])),
        ("stop_sequences", st.just(["END"])),
        ("metadata", st.just({"user_id": "u"})),
    ):
        if draw(st.booleans()):
            fields[name] = draw(values)
    return fields


@pytest.mark.parametrize(
    ("model", "surface"), [(CLAUDE, ""), (CLAUDE, "converse"), (NOVA, "")], ids=str
)
@pytest.mark.parametrize("terms", [BedrockTerms(), EVERY_TERM], ids=["plain", "terms"])
@given(fields=requests(), errand=st.sampled_from(["", COUNT]), stream=st.booleans())
@examples(60)
def test_every_field_and_header_is_one_of_the_operations_with_a_value_it_may_have(
    model: str, surface: str, terms: BedrockTerms, fields: dict[str, Any], errand: str, stream: bool
) -> None:
    asked = arrived(provider(model, terms, surface), fields, errand, stream=stream)
    document = read_runtime(asked)  # raises for whatever is not in the service model
    if asked.operation.startswith("converse"):
        check_converse(document, model)
    if terms != BedrockTerms() and asked.operation.startswith("invoke"):
        assert sum(name.startswith("x-amzn-bedrock-") for name in asked.headers) == 5


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"x-amzn-bedrock-guardrail": "gr1"}, {}),
        ({"x-amzn-bedrock-service-tier": "cheap"}, {}),
        ({"x-amzn-bedrock-guardrailversion": "one"}, {}),
    ],
    ids=["unknown", "enumeration", "pattern"],
)
def test_the_check_finds_wrong_headers(headers: dict[str, str], body: dict[str, Any]) -> None:
    asked = arrived(provider(CLAUDE, BedrockTerms()), {"messages": _HELLO}, "", stream=False)
    read_runtime(asked)
    asked.headers |= headers
    with pytest.raises(Refused):
        read_runtime(asked)


@pytest.mark.parametrize(
    "more",
    [
        {"guardrail": {}},
        {"inferenceConfig": {"maxTokens": "5"}},
        {"serviceTier": {"type": "cheap"}},
        {"system": [{"text": ""}]},
        {"messages": [{"role": "bot", "content": [{"text": "a"}]}]},
        {"messages": [{"role": "user", "content": [{"text": "a", "cachePoint": {}}]}]},
    ],
    ids=["unknown", "type", "enumeration", "length", "role", "two-in-one"],
)
def test_the_check_finds_wrong_fields(more: dict[str, Any]) -> None:
    asked = arrived(provider(NOVA, BedrockTerms()), {"messages": _HELLO}, "", stream=False)
    document = read_runtime(asked)
    asked.body = msgspec.json.encode(document | more)
    with pytest.raises(Refused):
        read_runtime(asked)


_HELLO = [{"role": "user", "content": "hi"}]


# ---------------------------------------------------------------- exceptions


_KINDS = {
    400: "invalid_request_error",
    404: "not_found_error",
    408: "timeout_error",
    424: "api_error",
    429: "rate_limit_error",
    500: "api_error",
    503: "overloaded_error",
}
"""By the status that the service model gives an exception."""


def _modelled(operation: str) -> list[tuple[str, str, int]]:
    shape = OPERATIONS[operation].get_event_stream_output()
    assert shape is not None
    return [
        (operation, name, member.metadata["error"]["httpStatusCode"])
        for name, member in shape.members.items()
        if member.metadata.get("exception")
    ]


MODELLED = _modelled("invoke-with-response-stream") + _modelled("converse-stream")


def test_the_service_model_has_the_exceptions_we_know_of() -> None:
    assert len({name for _, name, _ in MODELLED}) >= 6
    assert {status for *_, status in MODELLED} <= _KINDS.keys()


@pytest.mark.parametrize(("operation", "name", "status"), MODELLED)
@pytest.mark.parametrize("begun", [False, True], ids=["first", "mid-stream"])
def test_every_modelled_exception_in_a_stream_is_one_error_of_its_kind(
    operation: str, name: str, status: int, begun: bool
) -> None:
    raw = msgspec.json.encode({"model": "m", "max_tokens": 9, "stream": True, "messages": _HELLO})
    call = make_asked("m", body=raw)
    made = provider(CLAUDE if "invoke" in operation else NOVA, BedrockTerms())
    made.request(call, read_body(raw, needs_max_tokens=True), "m")
    pipe = made.pipe(call)
    if "invoke" in operation:
        before = aws.chunks_of(TEXT)[:4]
    else:
        before = [
            aws.event("messageStart", b'{"role":"assistant"}'),
            aws.event("contentBlockDelta", b'{"contentBlockIndex":0,"delta":{"text":"Hel"}}'),
        ]
    frames = [*(before if begun else ()), aws.exception(name, "No luck today.")]
    out = pipe.open() + b"".join([pipe.feed(frame) for frame in frames])
    assert pipe.feed(frames[0]) == b"", "nothing behind the error"
    errors = [event for event in events_of(out) if event["type"] == "error"]
    assert [event["error"]["type"] for event in errors] == [_KINDS[status]]
    assert pipe.at in (At.FAILED, At.REFUSED)


REFUSALS = sorted(
    {
        (error.name, error.metadata["error"]["httpStatusCode"])
        for operation in OPERATIONS.values()
        for error in operation.error_shapes
    }
)
_AS_REFUSALS = _KINDS | {403: "api_error"}
_OTHERWISE = {
    "ModelNotReadyException": "overloaded_error",
    "ServiceQuotaExceededException": "rate_limit_error",
}
"""Where the name says more than its status."""


@pytest.mark.parametrize(("name", "status"), REFUSALS)
@pytest.mark.parametrize("model", [CLAUDE, NOVA])
def test_every_modelled_refusal_is_told_in_anthropics_words(
    name: str, status: int, model: str
) -> None:
    call = make_asked("m", body=b"{}")
    headers = {b"x-amzn-errortype": f"{name}:http://internal.amazon.com/coral/".encode()}
    fault = provider(model, BedrockTerms()).fault(call, status, headers, b'{"message":"no"}', 0.0)
    assert fault.error_type == _OTHERWISE.get(name, _AS_REFUSALS[status])


def test_the_service_model_is_the_one_installed() -> None:
    session = botocore.session.Session()
    assert {"InvokeModel", "Converse", "CountTokens"} <= set(
        session.get_service_model("bedrock-runtime").operation_names
    )
