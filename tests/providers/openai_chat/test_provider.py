"""One deployment on the OpenAI wire: what is written to it, where, with which credential."""

import pytest

from proxy.domain.call import Call
from proxy.domain.dialect import Dialect
from proxy.domain.fault import Fault
from proxy.providers.openai_chat.dialects import dialect_for
from proxy.providers.openai_chat.provider import OpenAIChat
from proxy.wire.body import Body, read_body
from proxy.wire.http import Origin
from tests.kit.asked import make_asked
from tests.providers.openai_chat.asking import SEAL

ORIGIN = Origin(True, "models.example", 443)
KEY = "sk-0a1b2c3d"


def make_provider(dialect: Dialect | None = None, *, key: str = KEY) -> OpenAIChat:
    return OpenAIChat(
        "there",
        ORIGIN,
        "/v1",
        key=key,
        dialect=dialect or Dialect(),
        seal=SEAL,
        event_bytes_max=1 << 20,
    )


def asked(*, counts: bool = False, streamed: bool = True) -> tuple[Call, Body]:
    call = make_asked(counts=counts, streamed=streamed)
    return call, read_body(call.arrival.body, needs_max_tokens=not counts)


def head_of(provider: OpenAIChat, *, counts: bool = False, streamed: bool = True) -> list[bytes]:
    head, body = provider.request(*asked(counts=counts, streamed=streamed), "theirs")
    lines = bytes(head).removesuffix(b"\r\n\r\n").split(b"\r\n")
    assert b"content-length: %d" % len(body) in lines
    return lines


def test_the_head_is_ours_alone() -> None:
    assert head_of(make_provider())[:-1] == [
        b"POST /v1/chat/completions HTTP/1.1",
        b"host: models.example",
        b"authorization: Bearer sk-0a1b2c3d",
        b"content-type: application/json",
        b"accept-encoding: identity",
        b"accept: text/event-stream",
        b"x-request-id: req_case",
    ]
    assert b"accept: application/json" in head_of(make_provider(), streamed=False)


def test_a_trace_goes_on_with_the_request() -> None:
    call, body = asked()
    call.onward = b"traceparent: 00-1-2-01\r\n"
    head, _ = make_provider().request(call, body, "theirs")
    assert b"\r\ntraceparent: 00-1-2-01\r\n" in bytes(head)


def test_azure_gets_the_bare_key_and_a_server_without_one_none() -> None:
    azure = head_of(make_provider(dialect_for("azure", "gpt-5")))
    assert b"api-key: sk-0a1b2c3d" in azure
    assert not any(line.startswith(b"authorization") for line in azure)
    none = head_of(make_provider(key=""))
    assert not any(line.startswith((b"authorization", b"api-key")) for line in none)


@pytest.mark.parametrize(
    ("row", "target"),
    [("moonshot", b"/v1/tokenizers/estimate-token-count"), ("vllm", b"/tokenize")],
)
def test_tokens_are_counted_where_each_server_counts_them(row: str, target: bytes) -> None:
    provider = make_provider(dialect_for(row, "x"))
    assert provider.counts
    assert head_of(provider, counts=True)[0] == b"POST %b HTTP/1.1" % target
    assert not make_provider().counts


@pytest.mark.parametrize(
    ("body", "tokens"),
    [(b'{"data":{"total_tokens":7}}', 7), (b'{"count":8,"tokens":[1,2]}', 8), (b'{"count":0}', 0)],
)
def test_counts_are_read_in_either_spelling(body: bytes, tokens: int) -> None:
    call, _ = asked(counts=True)
    reply = make_provider().reply(call, body)
    assert reply.body == b'{"input_tokens":%d}' % tokens


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"count":-1}', b'{"count":1.5}', b'{"count":1%b}' % (b"0" * 30), b"\xff"],
)
def test_a_count_that_is_none_is_the_providers_fault(body: bytes) -> None:
    call, _ = asked(counts=True)
    with pytest.raises(Fault) as caught:
        make_provider().reply(call, body)
    assert caught.value.status == 502


def test_what_is_refused_once_is_left_out_for_an_hour() -> None:
    provider = make_provider()
    call, body = asked()
    assert b"stream_options" in provider.request(call, body, "theirs")[1]
    refusal = b'{"error":{"message":"Unrecognized request argument supplied: stream_options"}}'
    assert provider.learn(400, refusal, 0.0) == "stream_options"
    assert provider.learned(0.0) == ("stream_options",)
    assert b"stream_options" not in provider.request(call, body, "theirs")[1]
    assert provider.learned(3601.0) == ()


def test_each_attempt_notes_what_the_way_back_must_know() -> None:
    call, body = asked()
    provider = make_provider(Dialect(max_output_tokens=5))
    provider.request(call, body, "theirs")
    assert call.notes == b"x-hatz-max-tokens: 5\r\n"
    make_provider().request(call, body, "theirs")
    assert call.notes == b""


def test_its_secret_is_not_to_be_seen() -> None:
    assert KEY not in repr(make_provider())
