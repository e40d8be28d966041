"""Anthropic's own wire: what is sent on, what comes back, what a refusal means."""

import json
import time
from collections.abc import Mapping

import httptools
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.domain.call import Arrival, Call, Errand
from proxy.domain.fault import Fault, Kind, Source
from proxy.domain.headers import Headers
from proxy.domain.usage import Usage
from proxy.providers.anthropic import Anthropic
from proxy.providers.provider import Provider
from proxy.stream.pipe import At
from proxy.wire.body import Body, read_body
from proxy.wire.http import Origin, split_base_url
from tests.catalog.shop import make_caller, make_model
from tests.kit.patience import examples
from tests.kit.recorded import MESSAGE_STOP, event, message_start

SECRET = "sk-upstream-secret"
NOW_S = 1_795_000_000.0  # 2026-11-18 11:06:40 UTC
BODY = (
    b'{"model": "opus", "max_tokens": 9, "messages": [{"role":"user","content":"hi"}], "n": 1.10}'
)

CLAUDE_CODE = {
    b"accept": b"application/json",
    b"authorization": b"Bearer sk-of-the-client",
    b"content-type": b"application/json",
    b"user-agent": b"claude-cli/2.1.330 (external, sdk-cli)",
    b"x-claude-code-session-id": b"00000000-0000-4000-8000-000000000001",
    b"x-stainless-lang": b"js",
    b"x-stainless-timeout": b"600",
    b"anthropic-beta": b"claude-code-20250219,interleaved-thinking-2025-05-14,effort-2025-11-24",
    b"anthropic-dangerous-direct-browser-access": b"true",
    b"anthropic-version": b"2023-06-01",
    b"x-app": b"cli",
    b"connection": b"keep-alive",
    b"host": b"127.0.0.1:8080",
    b"accept-encoding": b"gzip, deflate, br, zstd",
    b"content-length": b"49240",
}
PYTHON_SDK = {
    b"host": b"127.0.0.1:8080",
    b"accept-encoding": b"gzip, deflate",
    b"connection": b"keep-alive",
    b"x-stainless-retry-count": b"0",
    b"accept": b"application/json",
    b"content-type": b"application/json",
    b"user-agent": b"Anthropic/Python 2.12.0",
    b"x-api-key": b"sk-of-the-client",
    b"anthropic-version": b"2026-10-21",
    b"content-length": b"99",
}


def make_provider(
    url: str = "https://api.anthropic.com",
    credential: tuple[str, str] | None = ("x-api-key", SECRET),
) -> Anthropic:
    origin, prefix = split_base_url(url)
    return Anthropic(
        "main",
        origin,
        prefix,
        credential=credential,
        event_bytes_max=1 << 20,
        without_searches=lambda _, body: body,
    )


def make_call(
    headers: Mapping[bytes, bytes] | None = None,
    *,
    errand: Errand = Errand.MESSAGE,
    query: bytes = b"",
    body: bytes = BODY,
) -> Call:
    known = Headers()
    known.update(PYTHON_SDK if headers is None else headers)
    arrival = Arrival(errand, "req_ours", b"/v1/messages", query, known, body, 0, 0.0)
    model = make_model("anthropic.claude-opus-4-7")
    return Call(arrival, make_caller(), model, "opus", "alias", True)


class Sent:
    """A request as a server reads it."""

    def __init__(self, raw: bytes) -> None:
        self.target = b""
        self.headers: dict[bytes, bytes] = {}
        self.body = b""
        self.messages = 0
        parser = httptools.HttpRequestParser(self)
        parser.feed_data(raw)
        self.method = parser.get_method()
        self.version = parser.get_http_version()

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        assert name not in self.headers, f"{name!r} is sent twice"
        self.headers[name] = value

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.messages += 1


def sent(
    call: Call, provider: Provider | None = None, upstream_model: str = "claude-opus-4-7"
) -> Sent:
    provider = provider or make_provider()
    body = read_body(call.arrival.body, needs_max_tokens=False)
    request = Sent(b"".join(provider.request(call, body, upstream_model)))
    assert request.messages == 1
    return request


# -------------------------------------------------------------- the request


def test_the_class_is_a_provider() -> None:
    provider: Provider = make_provider()
    assert provider.name == "main"
    assert provider.origin == Origin(True, "api.anthropic.com", 443)


@pytest.mark.parametrize("client", [CLAUDE_CODE, PYTHON_SDK], ids=["claude code", "python sdk"])
def test_a_request_is_one_valid_message_with_the_clients_bytes(
    client: Mapping[bytes, bytes],
) -> None:
    request = sent(make_call(client))
    assert (request.method, request.target, request.version) == (b"POST", b"/v1/messages", "1.1")
    assert request.body == BODY.replace(b'"opus"', b'"claude-opus-4-7"')
    assert request.headers[b"content-length"] == b"%d" % len(request.body)


def test_all_of_claude_codes_headers_are_dealt_with() -> None:
    assert sent(make_call(CLAUDE_CODE)).headers == {
        b"host": b"api.anthropic.com",
        b"x-api-key": SECRET.encode(),
        b"content-type": b"application/json",
        b"accept": b"application/json",
        b"accept-encoding": b"identity",
        b"user-agent": CLAUDE_CODE[b"user-agent"],
        b"x-claude-code-session-id": CLAUDE_CODE[b"x-claude-code-session-id"],
        b"anthropic-beta": CLAUDE_CODE[b"anthropic-beta"],
        b"anthropic-dangerous-direct-browser-access": b"true",
        b"anthropic-version": b"2023-06-01",
        b"x-app": b"cli",
        b"x-request-id": b"req_ours",
        b"content-length": b"%d" % (len(BODY) + len(b"claude-opus-4-7") - len(b"opus")),
    }


@pytest.mark.parametrize(
    "name",
    [
        b"user-agent",
        b"x-app",
        b"x-claude-code-session-id",
        b"x-claude-code-agent-id",
        b"x-claude-code-parent-agent-id",
        b"anthropic-client-platform",
        b"anthropic-beta",
        b"anthropic-version",
        b"anthropic-something-new",
    ],
)
def test_a_header_is_forwarded_unchanged(name: bytes) -> None:
    assert sent(make_call({name: b"Some, Value; =1"})).headers[name] == b"Some, Value; =1"


@pytest.mark.parametrize(
    "name",
    [
        b"authorization",
        b"cookie",
        b"te",
        b"upgrade",
        b"expect",
        b"transfer-encoding",
        b"x-forwarded-for",
        b"x-stainless-lang",
        b"x-custom",
        b"anthropic-workspace-id",
        b"anthropic-user-profile-id",
    ],
)
def test_a_header_is_not_forwarded(name: bytes) -> None:
    assert name not in sent(make_call({name: b"secret-of-the-client"})).headers


@pytest.mark.parametrize("name", [b"x-api-key", b"authorization"])
@pytest.mark.parametrize(
    "credential", [("x-api-key", SECRET), ("authorization", f"Bearer {SECRET}"), None]
)
def test_exactly_our_credential_is_sent(name: bytes, credential: tuple[str, str] | None) -> None:
    request = sent(make_call({name: b"sk-of-the-client"}), make_provider(credential=credential))
    ours = {key: request.headers.get(key) for key in (b"x-api-key", b"authorization")}
    expected = dict.fromkeys(ours)
    if credential is not None:
        expected[credential[0].encode()] = credential[1].encode()
    assert ours == expected
    assert b"sk-of-the-client" not in b"".join(request.headers.values())


def test_a_version_is_stated_when_the_client_states_none() -> None:
    assert sent(make_call({})).headers[b"anthropic-version"] == b"2023-06-01"


def test_the_newer_version_is_forwarded() -> None:
    assert sent(make_call(PYTHON_SDK)).headers[b"anthropic-version"] == b"2026-10-21"


@pytest.mark.parametrize(
    ("betas", "left"),
    [
        (b"oauth-2025-04-20", None),
        (b"a-1,oauth-2025-04-20,b-2", b"a-1,b-2"),
        (b"a-1, oauth-2025-04-20", b"a-1"),
        (b"a-1, b-2", b"a-1, b-2"),
        (b"not-oauth-1", b"not-oauth-1"),
    ],
)
def test_the_betas_of_a_login_are_left_out(betas: bytes, left: bytes | None) -> None:
    assert sent(make_call({b"anthropic-beta": betas})).headers.get(b"anthropic-beta") == left


def test_the_query_is_forwarded() -> None:
    assert sent(make_call(query=b"beta=true")).target == b"/v1/messages?beta=true"


def test_tokens_are_counted_at_their_own_path() -> None:
    call = make_call(errand=Errand.COUNT, query=b"beta=true")
    assert sent(call).target == b"/v1/messages/count_tokens?beta=true"


@pytest.mark.parametrize(
    ("url", "target", "host"),
    [
        ("http://h:8081", b"/v1/messages", b"h:8081"),
        ("http://h/v1", b"/v1/messages", b"h"),
        ("https://h/anthropic/", b"/anthropic/v1/messages", b"h"),
        ("https://[::1]:9/a/v1/", b"/a/v1/messages", b"[::1]:9"),
    ],
)
def test_the_base_url_may_have_a_path(url: str, target: bytes, host: bytes) -> None:
    request = sent(make_call(), make_provider(url))
    assert (request.target, request.headers[b"host"]) == (target, host)


def test_a_model_that_needs_no_change_leaves_the_very_bytes() -> None:
    call = make_call()
    body = read_body(BODY, needs_max_tokens=True)
    _, whole = make_provider().request(call, body, "opus")
    assert whole is BODY


def test_a_model_with_odd_characters_is_written_as_json() -> None:
    name = 'o"p\\us \u00e9'
    request = sent(make_call(), upstream_model=name)
    assert json.loads(request.body)["model"] == name
    assert request.headers[b"content-length"] == b"%d" % len(request.body)


def test_a_large_body_is_not_copied() -> None:
    body = read_body(BODY.replace(b"hi", b"x" * 100_000), needs_max_tokens=True)
    head, *pieces = make_provider().request(make_call(), body, "m")
    assert len(bytes(head)) < 1000
    assert all(isinstance(piece, memoryview) for piece in (pieces[0], pieces[2]))


def test_heads_of_one_connection_do_not_mix() -> None:
    first = make_call({b"anthropic-beta": b"a", b"user-agent": b"one"})
    again = make_call()
    again.arrival.headers = first.arrival.headers
    again.arrival.request_id = "req_other"
    other = make_call({b"user-agent": b"two"})
    assert sent(first).headers[b"user-agent"] == b"one"
    repeated = sent(again)
    assert repeated.headers[b"anthropic-beta"] == b"a"
    assert repeated.headers[b"x-request-id"] == b"req_other"
    assert sent(other).headers[b"user-agent"] == b"two"
    assert b"anthropic-beta" not in sent(other).headers


def test_what_goes_on_of_a_head_is_made_once_for_all_its_requests() -> None:
    call = make_call()
    first = sent(call).headers
    assert call.arrival.headers.forwarded is not None
    assert sent(call).headers == first


# -------------------------------------------------------------- secrets


def test_no_secret_shows_in_words() -> None:
    provider = make_provider()
    said = repr(provider) + str(provider)
    assert SECRET not in said
    assert "api.anthropic.com" in said


@pytest.mark.parametrize("status", [400, 401, 500])
def test_no_secret_shows_in_a_fault(status: int) -> None:
    fault = make_provider().fault(make_call(), status, {}, b"", NOW_S)
    assert SECRET not in repr(fault) + fault.message + fault.detail


# -------------------------------------------------------------- replies

REPLY = (
    b'{"id":"msg_1","type":"message","role":"assistant","model":"claude-opus-4-7","content":[],'
    b'"stop_reason":"end_turn","usage":{"input_tokens":12,"output_tokens":3}}'
)


def test_a_whole_reply_gets_the_name_the_client_knows() -> None:
    reply = make_provider().reply(make_call(), REPLY)
    assert reply.body == REPLY.replace(b'"claude-opus-4-7"', b'"anthropic.claude-opus-4-7"')
    assert reply.usage == Usage(input_tokens=12, output_tokens=3)
    assert reply.stop_reason == "end_turn"


def test_a_reply_without_usage_or_reason_is_passed_on() -> None:
    reply = make_provider().reply(make_call(), b'{"model":"m","stop_reason":null}')
    assert json.loads(reply.body)["model"] == "anthropic.claude-opus-4-7"
    assert (reply.usage, reply.stop_reason) == (Usage(), "")


def test_a_count_is_passed_on_as_it_is() -> None:
    call = make_call(errand=Errand.COUNT)
    counted = b'{ "input_tokens": 403, "context_management": {"original_input_tokens": 500} }'
    reply = make_provider().reply(call, counted)
    assert (reply.body, reply.usage) == (counted, Usage())


DEEP = b'{"model":"m","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"


@pytest.mark.parametrize("errand", [Errand.MESSAGE, Errand.COUNT])
@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b'{"type":"error"}', b'{"model":"m","usage":1}'[:-1], DEEP],
    ids=["empty", "html", "list", "error", "cut", "deep"],
)
def test_a_reply_that_cannot_be_read_is_a_fault(errand: Errand, body: bytes) -> None:
    with pytest.raises(Fault) as caught:
        make_provider().reply(make_call(errand=errand), body)
    assert (caught.value.status, caught.value.source) == (502, Source.UPSTREAM)


def test_a_streamed_reply_runs_through_a_pipe_that_knows_the_name_and_the_id() -> None:
    pipe = make_provider().pipe(make_call())
    out = pipe.feed(message_start("claude-opus-4-7"))
    assert b'"model":"anthropic.claude-opus-4-7"' in out
    assert b'"request_id":"req_ours"' in pipe.finish()
    whole = make_provider().pipe(make_call())
    whole.feed(message_start() + event("message_delta") + MESSAGE_STOP)
    assert whole.at is At.WHOLE


# -------------------------------------------------------------- refusals


def refusal(status: int, error_type: str = "", message: str = "why", **headers: str) -> Fault:
    """What a refusal becomes; without a type its body is HTML."""
    told = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    error = {"type": error_type, "message": message}
    body = json.dumps({"type": "error", "error": error, "request_id": "req_theirs"}).encode()
    return make_provider().fault(
        make_call(), status, told, body if error_type else b"<html>", NOW_S
    )


@pytest.mark.parametrize(
    ("status", "error_type", "kind"),
    [
        (400, "invalid_request_error", Kind.BAD_REQUEST),
        (404, "not_found_error", Kind.NOT_FOUND),
        (408, "timeout_error", Kind.UPSTREAM_TIMEOUT),
        (409, "conflict_error", Kind.CONFLICT),
        (413, "request_too_large", Kind.TOO_LARGE),
        (422, "invalid_request_error", Kind.BAD_REQUEST),
        (429, "rate_limit_error", Kind.RATE_LIMITED),
        (418, "new_error", Kind.UPSTREAM_BROKEN),
        (500, "api_error", Kind.UPSTREAM_BROKEN),
        (502, "api_error", Kind.UPSTREAM_BROKEN),
        (503, "overloaded_error", Kind.OVERLOADED),
        (504, "timeout_error", Kind.UPSTREAM_TIMEOUT),
        (529, "overloaded_error", Kind.OVERLOADED),
    ],
)
def test_an_anthropic_error_keeps_its_status_type_and_words(
    status: int, error_type: str, kind: Kind
) -> None:
    fault = refusal(status, error_type, "prompt is too long: 5 tokens > 4 maximum")
    assert (fault.status, fault.error_type, fault.kind) == (status, error_type, kind)
    assert fault.message == "prompt is too long: 5 tokens > 4 maximum"
    assert json.loads(fault.error_body) == {"type": error_type, "message": fault.message}
    assert fault.source is Source.UPSTREAM
    assert f"main answered {status} {error_type}" in fault.detail


@pytest.mark.parametrize(
    ("status", "told", "error_type"),
    [
        (400, 400, "invalid_request_error"),
        (404, 404, "not_found_error"),
        (408, 504, "timeout_error"),
        (409, 409, "conflict_error"),
        (413, 413, "request_too_large"),
        (422, 400, "invalid_request_error"),
        (429, 429, "rate_limit_error"),
        (418, 502, "api_error"),
        (500, 502, "api_error"),
        (502, 502, "api_error"),
        (503, 529, "overloaded_error"),
        (520, 502, "api_error"),
        (504, 504, "timeout_error"),
        (529, 529, "overloaded_error"),
        (302, 502, "api_error"),
        (600, 502, "api_error"),
        (999, 502, "api_error"),
    ],
)
def test_a_refusal_without_an_anthropic_body_is_told_in_our_words(
    status: int, told: int, error_type: str
) -> None:
    fault = refusal(status)
    assert (fault.status, fault.error_type) == (told, error_type)
    assert fault.error_body == b""
    assert "html" not in fault.message
    assert "model provider" in fault.message or "status" in fault.message


@pytest.mark.parametrize("status", [401, 402, 403])
@pytest.mark.parametrize("error_type", ["authentication_error", "permission_error", ""])
def test_trouble_with_our_credential_is_never_shown(status: int, error_type: str) -> None:
    fault = refusal(status, error_type, "invalid x-api-key sk-up…")
    assert (fault.status, fault.error_type) == (502, "api_error")
    assert "x-api-key" not in fault.message and fault.error_body == b""
    assert "operator" in fault.message
    assert fault.retry is False
    assert str(status) in fault.detail
    assert error_type in fault.detail


def test_a_status_that_is_no_error_does_not_keep_an_error_body() -> None:
    fault = refusal(302, "api_error")
    assert (fault.status, fault.error_body) == (502, b"")


@pytest.mark.parametrize(
    ("value", "retry"), [("true", True), ("false", False), ("maybe", None), (None, None)]
)
@pytest.mark.parametrize("error_type", ["rate_limit_error", ""])
def test_the_providers_word_on_retrying_is_passed_on(
    value: str | None, retry: bool | None, error_type: str
) -> None:
    headers = {} if value is None else {"x_should_retry": value}
    assert refusal(429, error_type, **headers).retry is retry


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30", 30),
        (" 30 ", 30),
        ("0", 0),
        ("1.2", 2),
        ("-5", 0),
        ("Wed, 18 Nov 2026 11:07:40 GMT", 60),
        ("Wed, 18 Nov 2026 11:07:40 -0000", 60),
        ("Wed, 18 Nov 2026 12:07:40 +0100", 60),
        ("Tue, 17 Nov 2026 11:07:40 GMT", 0),
        ("soon", None),
        ("", None),
        ("inf", None),
        ("nan", None),
        ("Wed, 99 Nov 2026 11:07:40 GMT", None),
        ("Mon, 01 Jan 0001 00:00:00 +2359", 0),
        ("Mon, 01 Jan 0001 00:00:00 -0000", 0),
        ("Fri, 31 Dec 99999 23:59:59 GMT", None),
    ],
)
@pytest.mark.parametrize("error_type", ["rate_limit_error", ""])
def test_how_long_to_wait_is_passed_on_in_seconds(
    value: str, seconds: int | None, error_type: str
) -> None:
    assert refusal(429, error_type, retry_after=value).retry_after_s == seconds


def test_a_date_without_a_zone_is_universal_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        fault = refusal(429, retry_after="Wed, 18 Nov 2026 11:07:40 -0000")
    time.tzset()
    assert fault.retry_after_s == 60


def test_without_retry_after_no_wait_is_told() -> None:
    assert refusal(429, "rate_limit_error").retry_after_s is None


@examples()
@given(st.one_of(st.binary(max_size=40), st.text(max_size=40).map(str.encode)))
def test_no_retry_after_can_break_us(value: bytes) -> None:
    wait = (
        make_provider().fault(make_call(), 429, {b"retry-after": value}, b"", NOW_S).retry_after_s
    )
    assert wait is None or wait >= 0


@examples()
@given(st.integers(100, 999), st.binary(max_size=60))
def test_no_refusal_can_break_us(status: int, body: bytes) -> None:
    fault = make_provider().fault(make_call(), status, {}, body, NOW_S)
    assert fault.status not in (401, 402, 403)
    assert 400 <= fault.status <= 599


def test_a_body_is_decoded_only_as_far_as_needed() -> None:
    """Nothing a provider need not know makes a request fail: unknown fields go on as bytes."""
    raw = (
        BODY[:-1] + b', "future": {"huge": 123456789012345678901234567890, "x": "\\ud83d\\ude00"}}'
    )
    fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    pieces = make_provider().request(make_call(), Body(raw, fields), "m")
    assert b"".join(pieces).endswith(raw.partition(b'"opus"')[2])


def test_thinking_of_other_models_does_not_reach_anthropic() -> None:
    ours = b'{"type":"thinking","thinking":"hm","signature":"GWs1.kimi.AQID"}'
    turn = b'{"role":"assistant","content":[%b{"type":"text","text":"x"}]}'
    body = b'{"model":"opus","max_tokens":9,"messages":[{"role":"user","content":"hi"},%b]}'
    request = sent(make_call(body=body % (turn % (ours + b", "))))
    assert request.body == (body % (turn % b"")).replace(b"opus", b"claude-opus-4-7")
    assert request.headers[b"content-length"] == b"%d" % len(request.body)
