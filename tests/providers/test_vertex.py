"""Claude on Google Cloud: what is sent, byte by byte, and what a refusal means."""

import json
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.domain.call import Call, Errand
from proxy.domain.fault import Fault, Kind, Source
from proxy.providers.provider import Provider
from proxy.providers.vertex import Vertex
from proxy.providers.vertex_body import BODY_BYTES_MAX
from proxy.providers.vertex_place import base_url
from proxy.wire.body import read_body
from proxy.wire.http import split_base_url
from tests.kit.patience import examples
from tests.kit.vertex_cloud import google_error
from tests.providers.test_anthropic import CLAUDE_CODE, NOW_S, PYTHON_SDK, Sent, make_call

HELLO = [{"role": "user", "content": "hi"}]


class Token:
    """A credential that is at hand."""

    def ready(self, waiter: object) -> bool:
        return True

    def forget(self, waiter: object) -> None:
        """Nobody waits."""

    def signed(self, request: list[Any]) -> list[Any]:
        return request

    def renew(self, status: int, headers: object, body: bytes) -> bool:
        return False


def make_vertex(region: str = "global", model: str = "claude-opus-4-7", **more: Any) -> Vertex:
    origin, prefix = split_base_url(base_url(region))
    return Vertex(
        "cloud",
        origin,
        prefix,
        project="my-project",
        region=region,
        model=model,
        credential=Token(),
        event_bytes_max=1 << 20,
        without_searches=lambda _, body: body,
        **more,
    )


def call_of(raw: bytes, headers: dict[bytes, bytes] = PYTHON_SDK, **more: Any) -> Call:
    call = make_call(headers, body=raw, **more)
    call.streamed = b'"stream":true' in raw
    return call


def sent(
    raw: bytes,
    headers: dict[bytes, bytes] = PYTHON_SDK,
    *,
    vertex: Vertex | None = None,
    errand: Errand = Errand.MESSAGE,
) -> Sent:
    body = read_body(raw, needs_max_tokens=False)
    pieces = (vertex or make_vertex()).request(
        call_of(raw, headers, errand=errand), body, "claude-opus-4-7"
    )
    return Sent(b"".join(map(bytes, pieces)))


def asked(**fields: Any) -> bytes:
    return msgspec.json.encode({"model": "opus", "max_tokens": 9, "messages": HELLO, **fields})


def test_it_is_a_provider() -> None:
    provider: Provider = make_vertex()
    assert provider.counts and not provider.translates and provider.credential is not None


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("global", "aiplatform.googleapis.com"),
        ("us", "aiplatform.us.rep.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
        ("europe-west1", "europe-west1-aiplatform.googleapis.com"),
        ("us-east5", "us-east5-aiplatform.googleapis.com"),
    ],
)
def test_each_region_has_its_host_and_stands_in_the_path(region: str, host: str) -> None:
    vertex = make_vertex(region, "claude-sonnet-4-5@20250929")
    there = f"/v1/projects/my-project/locations/{region}/publishers/anthropic/models/"
    for raw, verb in ((asked(), "rawPredict"), (asked(stream=True), "streamRawPredict")):
        request = sent(raw, vertex=vertex)
        assert request.headers[b"host"] == host.encode()
        assert request.target.decode() == f"{there}claude-sonnet-4-5@20250929:{verb}"
    counted = sent(asked(), vertex=vertex, errand=Errand.COUNT)
    assert counted.target.decode() == f"{there}count-tokens:rawPredict"


def test_nothing_of_the_client_goes_on_but_its_betas() -> None:
    headers = sent(asked(), CLAUDE_CODE).headers
    assert set(headers) == {
        *(b"host", b"content-type", b"accept", b"accept-encoding", b"user-agent"),
        *(b"anthropic-beta", b"x-request-id", b"content-length"),
    }
    assert headers[b"anthropic-beta"] == b"interleaved-thinking-2025-05-14"
    assert headers[b"user-agent"] == b"hatz-messages-gateway"


@pytest.mark.parametrize(
    ("betas", "kept"),
    [
        (b"advanced-tool-use-2025-11-20", b"tool-search-tool-2025-10-19"),
        (
            b"advanced-tool-use-2025-11-20, tool-search-tool-2025-10-19",
            b"tool-search-tool-2025-10-19",
        ),
        (b"computer-use-2025-11-24,computer-use-2030-01-01", None),
        (b"effort-2025-11-24,files-api-2025-04-14,structured-outputs-2025-12-15", b""),
        (b"mine-1,mine-2,other-1", b"mine-1,mine-2"),
        (b" compact-2026-01-12 ,,", b"compact-2026-01-12"),
    ],
)
def test_betas_that_are_known_to_work_go_on(betas: bytes, kept: bytes | None) -> None:
    vertex = make_vertex(betas=("mine-*",))
    headers = {**PYTHON_SDK, b"anthropic-beta": betas}
    told = sent(asked(), headers, vertex=vertex).headers.get(b"anthropic-beta", b"")
    assert told == (betas if kept is None else kept)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=9,
)


@examples(150)
@given(tool_input=VALUES, schema=VALUES, scoped=st.booleans(), hinted=st.booleans())
def test_inputs_and_schemas_keep_their_bytes_whatever_is_taken_out_around_them(
    tool_input: Any, schema: Any, scoped: bool, hinted: bool
) -> None:
    """Prompt caches hang on them, and integers beyond 64 bits."""
    odd = {"scope": {"cache_control": {"scope": "x"}}, "custom": 1.50, "is": tool_input}
    written = json.dumps(odd, indent=1)
    drawn = json.dumps({"type": "object", "properties": schema, "defer_loading": 10**30})
    control = '{"type":"ephemeral","scope":"global"}' if scoped else '{"type":"ephemeral"}'
    hint = ',"eager_input_streaming":true,"custom":{"defer_loading":true}' if hinted else ""
    raw = (
        '{"model":"m","max_tokens":1,"messages":[{"role":"assistant","content":[{"type":"tool_use",'
        f'"id":"t","name":"n","input":{written},"cache_control":{control}}}]}}],"tools":[{{"name":'
        f'"n","input_schema":{drawn}{hint}}}]}}'
    ).encode()
    headers = {**PYTHON_SDK, b"anthropic-beta": b"prompt-caching-scope-2026-01-05"}
    body = sent(raw, headers).body
    assert written.encode() in body and drawn.encode() in body
    block = json.loads(body)["messages"][0]["content"][0]
    assert block["cache_control"] == {"type": "ephemeral"}
    assert set(json.loads(body)["tools"][0]) == {"name", "input_schema"}


@examples(150)
@given(st.dictionaries(st.text(max_size=12), VALUES, max_size=6))
def test_unknown_fields_never_go_on(fields: dict[str, Any]) -> None:
    body = json.loads(sent(json.dumps({**fields, **json.loads(asked())}).encode()).body)
    known = (
        *("anthropic_version", "messages", "system", "max_tokens", "stop_sequences", "stream"),
        *("temperature", "top_p", "top_k", "tools", "tool_choice", "thinking", "metadata"),
        *("output_config", "context_management", "safeguards"),
    )
    assert set(body) <= set(known)
    assert next(iter(body)) == "anthropic_version"


def test_the_older_spelling_of_a_format_becomes_the_newer() -> None:
    schema = {"type": "json_schema", "schema": {"type": "object"}}
    body = json.loads(sent(asked(output_format=schema)).body)
    assert body["output_config"] == {"format": schema} and "output_format" not in body
    both = json.loads(sent(asked(output_format=schema, output_config={"effort": "low"})).body)
    assert both["output_config"] == {"effort": "low", "format": schema}


def test_what_is_left_out_of_the_known_hints_is_told() -> None:
    raw = asked(speed="fast", service_tier="auto", unheard_of=1)
    call = call_of(raw)
    make_vertex().request(call, read_body(raw, needs_max_tokens=True), "m")
    assert set(call.dropped) == {"speed", "service_tier"}


def test_a_body_larger_than_the_cloud_takes_is_refused_here() -> None:
    with pytest.raises(Fault) as refused:
        sent(asked(messages=[{"role": "user", "content": "x" * BODY_BYTES_MAX}]))
    assert (refused.value.kind, refused.value.status) == (Kind.TOO_LARGE, 413)


@pytest.mark.parametrize(
    ("region", "geo", "kept"),
    [
        ("us-east5", "us", True),
        ("us", "us", True),
        ("eu", "eu", True),
        ("europe-west1", "eu", True),
        ("europe-west1", "us", False),
        ("global", "us", False),
        ("global", "global", True),
        ("asia-southeast1", "global", True),
    ],
)
def test_a_place_is_a_promise(region: str, geo: str, kept: bool) -> None:
    vertex = make_vertex(region)
    if kept:
        assert b"inference_geo" not in sent(asked(inference_geo=geo), vertex=vertex).body
        return
    with pytest.raises(Fault, match="inference_geo"):
        sent(asked(inference_geo=geo), vertex=vertex)


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ([{"type": "document", "source": {"type": "file", "file_id": "f"}}], "content.0.document"),
        (
            [
                {"type": "text", "text": 'a "type":"url" in words'},
                {
                    "type": "tool_result",
                    "tool_use_id": "t",
                    "content": [{"type": "image", "source": {"type": "url", "url": "u"}}],
                },
            ],
            "content.1.content.0.image",
        ),
        ([{"type": "tool_use", "id": "t", "name": "n", "input": {"type": "url"}}], ""),
        ([{"type": "image", "source": {"type": "base64", "data": "", "x": {"type": "url"}}}], ""),
        ("a text about url", ""),
    ],
)
def test_a_source_that_only_points_somewhere_is_refused_with_its_place(
    content: Any, place: str
) -> None:
    raw = asked(messages=[{"role": "user", "content": content}])
    if not place:
        assert json.loads(sent(raw).body)["messages"][0]["content"] == content
        return
    with pytest.raises(Fault) as refused:
        sent(raw)
    assert refused.value.message.startswith(f"messages.0.{place}.source.type: ")


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "user", "content": "hi"}, {"role": "system", "content": "Be brief."}],
        [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t"}]},
            {"role": "system", "content": []},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t"}]},
        ],
        [{"role": "assistant", "content": "x"}, {"role": "system", "content": "last"}],
    ],
)
def test_folded_instructions_leave_calls_next_to_their_results(
    messages: list[dict[str, Any]],
) -> None:
    vertex = make_vertex()
    said = b"messages.1.role: Input should be 'user' or 'assistant'"
    refusal = b'{"type":"error","error":{"type":"invalid_request_error","message":"%b"}}' % said
    assert vertex.learn(400, refusal, NOW_S) == "messages.role.system"
    folded = json.loads(sent(asked(messages=messages), vertex=vertex).body)["messages"]
    assert [m["role"] for m in folded].count("system") == 0
    assert len(folded) == len(messages)
    for before, after in pairwise(folded):
        if isinstance(before["content"], list) and before["content"][0]["type"] == "tool_use":
            assert after["content"][0]["type"] == "tool_result"


@pytest.mark.parametrize(
    ("message", "learned"),
    [
        ("anthropic_version: Input should be 'vertex-2023-10-16'", "anthropic_version.2026-10-21"),
        ("thinking.adaptive.display: Extra inputs are not permitted", "thinking.display"),
        (
            "context_management.edits.0: Input tag 'x' found using 'type' does not match any of "
            "the expected tags: 'y'",
            "context_management",
        ),
        ("This model does not support the effort parameter.", "output_config.effort"),
        ("messages.0.content: Field required", ""),
    ],
)
def test_what_a_refusal_teaches(message: str, learned: str) -> None:
    error = {"type": "error", "error": {"type": "invalid_request_error", "message": message}}
    vertex = make_vertex()
    assert vertex.learn(400, msgspec.json.encode(error), 0.0) == learned
    assert vertex.learned(0.0) == ((learned,) if learned else ())
    body = asked(
        thinking={"type": "adaptive", "display": "updates"},
        output_config={"effort": "low"},
        context_management={},
    )
    headers = {**PYTHON_SDK, b"anthropic-version": b"2026-10-21"}
    after = json.loads(sent(body, headers, vertex=vertex).body)
    assert ("display" in after["thinking"]) == (learned != "thinking.display")
    assert ("output_config" in after) == (learned != "output_config.effort")
    assert ("context_management" in after) == (learned != "context_management")
    dated = after["anthropic_version"] == "2026-10-21"
    assert dated == (learned != "anthropic_version.2026-10-21")


def test_a_request_that_searches_bears_the_beta_google_asks_for() -> None:
    tool = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}
    request = sent(asked(tools=[tool]))
    assert request.headers[b"anthropic-beta"] == b"web-search-2025-03-05"
    assert json.loads(request.body)["tools"] == [tool]


def test_a_count_names_its_model_without_a_moving_version() -> None:
    raw = asked(stream=True, metadata={"user_id": "x"})
    vertex = make_vertex(model="claude-opus-4-7@default")
    body = read_body(raw, needs_max_tokens=False)
    pieces = vertex.request(call_of(raw, errand=Errand.COUNT), body, "claude-opus-4-7@default")
    request = Sent(b"".join(map(bytes, pieces)))
    assert json.loads(request.body) == {
        "anthropic_version": "2026-10-21",
        "model": "claude-opus-4-7",
        "messages": HELLO,
    }


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        ("SERVICE_DISABLED", "enable the Vertex AI API"),
        ("BILLING_DISABLED", "enable billing"),
        ("", "roles/aiplatform.user"),
    ],
)
def test_what_google_says_of_our_account_is_for_the_log_with_its_remedy(
    reason: str, remedy: str
) -> None:
    said = google_error(403, "PERMISSION_DENIED", "denied on project my-project", reason=reason)
    fault = make_vertex().fault(call_of(asked()), 403, {}, said, NOW_S)
    assert (fault.status, fault.source, fault.retry) == (502, Source.UPSTREAM, False)
    assert remedy in fault.detail and "my-project" in fault.detail
    assert "my-project" not in fault.message


def test_a_model_that_is_not_there_is_another_deployments_chance() -> None:
    said = google_error(404, "NOT_FOUND", "Publisher Model was not found")
    fault = make_vertex().fault(call_of(asked()), 404, {}, said, NOW_S)
    assert (fault.status, fault.reason) == (404, "upstream_unavailable")
    assert "Model Garden" in fault.detail


def test_a_trace_goes_on_with_the_request() -> None:
    call = call_of(b'{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}')
    call.onward = b"traceparent: 00-1-2-01\r\n"
    body = read_body(call.arrival.body, needs_max_tokens=True)
    head = bytes(make_vertex().request(call, body, "claude-opus-4-7")[0])
    assert b"\r\ntraceparent: 00-1-2-01\r\n" in head
