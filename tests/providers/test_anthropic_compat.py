"""A provider that is almost Anthropic: what it is sent, and what becomes of its answers."""

import json

import pytest

from proxy.domain.call import Call
from proxy.domain.fault import Fault, Kind
from proxy.providers.anthropic_compat import AnthropicCompat
from proxy.providers.provider import Provider
from proxy.stream.pipe import At
from proxy.wire.body import read_body
from proxy.wire.http import split_base_url
from proxy.wire.seal import ThinkingSeal
from tests.kit.asked import make_asked
from tests.kit.grammar import check_stream
from tests.kit.recorded import TEXT

NOW_S = 1_795_000_000.0
CLIENT = {
    b"x-api-key": b"of-the-client",
    b"anthropic-beta": b"context-management-2025-06-27,other-1",
    b"anthropic-version": b"2023-06-01",
}
ASKED = b'{"model":"kimi","max_tokens":9,"context_management":{"edits":[]},"messages":[{"a":1.0}]}'


def make_provider() -> AnthropicCompat:
    origin, prefix = split_base_url("https://api.moonshot.example/anthropic")
    return AnthropicCompat(
        "kimi",
        origin,
        prefix,
        credential=("authorization", "Bearer ours"),
        event_bytes_max=1 << 20,
        seal=ThinkingSeal([b"secret"]),
    )


def make_call(*, counts: bool = False, now_s: float = NOW_S, body: bytes = ASKED) -> Call:
    call = make_asked(headers=CLIENT, body=body, counts=counts, input_tokens=1234)
    call.arrival.received_ms = int(now_s * 1000)
    return call


def sent(provider: Provider, call: Call) -> tuple[list[bytes], bytes]:
    """Lines of the head, and the body."""
    body = read_body(call.arrival.body, needs_max_tokens=False)
    head, _, rest = b"".join(provider.request(call, body, "kimi-k2")).partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert b"content-length: %d" % len(rest) in lines
    return lines, rest


def test_the_request_is_the_clients_with_one_credential_of_ours() -> None:
    lines, body = sent(make_provider(), make_call())
    assert lines[0] == b"POST /anthropic/v1/messages HTTP/1.1"
    assert b"authorization: Bearer ours" in lines
    assert not any(line.startswith(b"x-api-key") for line in lines)
    assert b"anthropic-beta: context-management-2025-06-27,other-1" in lines
    assert body == ASKED.replace(b'"kimi"', b'"kimi-k2"')


def test_thinking_that_we_signed_goes_back_to_where_it_came_from() -> None:
    thinking = b'{"type":"thinking","thinking":"hm","signature":"GWs1.compat.AQID"}'
    body = (
        b'{"model":"m","max_tokens":9,"messages":[{"role":"assistant","content":[%b]}]}' % thinking
    )
    assert thinking in sent(make_provider(), make_call(body=body))[1]


@pytest.mark.parametrize(
    ("message", "learned"),
    [
        (
            "Unexpected value(s) `context-management-2025-06-27` for the `anthropic-beta` header.",
            "context-management-2025-06-27",
        ),
        ("context_management: Extra inputs are not permitted", "context_management"),
    ],
)
def test_a_refused_beta_and_its_field_are_left_out_for_an_hour(message: str, learned: str) -> None:
    provider = make_provider()
    refusal = json.dumps({"error": {"type": "invalid_request_error", "message": message}}).encode()
    assert provider.learn(400, refusal, NOW_S) == learned
    assert provider.learned(NOW_S) == (learned,)
    lines, body = sent(provider, make_call())
    assert b"anthropic-beta: other-1" in lines
    assert body == b'{"model":"kimi-k2","max_tokens":9,"messages":[{"a":1.0}]}'
    lines, body = sent(provider, make_call(now_s=NOW_S + 3600))
    assert b"anthropic-beta: context-management-2025-06-27,other-1" in lines
    assert b"context_management" in body


def test_a_stream_is_repaired() -> None:
    pipe = make_provider().pipe(make_call())
    out = pipe.feed(TEXT.replace(b"event: ", b"x: "))
    assert check_stream(out) == "message_stop"
    assert pipe.at is At.WHOLE


def test_a_whole_reply_is_repaired() -> None:
    reply = make_provider().reply(make_call(), b'{"content":[{"type":"text","text":"Hi"}]}')
    message = json.loads(reply.body)
    assert message["model"] == "moonshot.kimi-k2-thinking"
    assert message["usage"]["input_tokens"] == 1234
    assert reply.usage_estimated


def test_a_count_is_passed_on() -> None:
    call = make_call(counts=True)
    assert make_provider().reply(call, b'{"input_tokens":7}').body == b'{"input_tokens":7}'
    assert sent(make_provider(), call)[0][0].startswith(
        b"POST /anthropic/v1/messages/count_tokens "
    )
    for body in (b"{}", b"<html>", b'{"input_tokens":"x"}'):
        with pytest.raises(Fault) as caught:
            make_provider().reply(call, body)
        assert caught.value.kind is Kind.UPSTREAM_BROKEN


def test_a_refusal_is_told_in_claude_codes_words() -> None:
    body = b'{"error":{"message":"Your request exceeded model token limit: 9 (requested: 12)"}}'
    fault = make_provider().fault(make_call(), 400, {}, body, NOW_S)
    assert fault.message == "prompt is too long: 12 tokens > 9 maximum"


def test_no_secret_shows_in_words() -> None:
    assert "ours" not in repr(make_provider())
