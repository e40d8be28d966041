"""Replies that were not streamed; what they become stands on the shelf of cases."""

import orjson
import pytest

from proxy.domain.fault import Fault, Kind, Source
from proxy.stream.chat_reply import whole_reply
from tests.kit.chat_stream import KIMI, SEAL, make_call, whole


def test_usage_and_the_reason_go_with_the_body() -> None:
    reply = whole_reply(make_call(), KIMI, SEAL, whole({"content": "x"}, "length"))
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (900, 40)
    assert reply.stop_reason == "max_tokens" == orjson.loads(reply.body)["stop_reason"]
    assert not reply.usage_estimated


def test_usage_is_estimated_where_none_came() -> None:
    reply = whole_reply(make_call(), KIMI, SEAL, whole({"content": "Some words."}, usage=None))
    assert reply.usage_estimated
    assert reply.usage.input_tokens == 77
    assert reply.usage.output_tokens > 0


@pytest.mark.parametrize(
    "body",
    [
        whole({"tool_calls": [{"id": "a", "function": {"name": "t", "arguments": "{"}}]}),
        whole({"tool_calls": [{"id": "a", "function": {"name": "", "arguments": "{}"}}]}),
        whole({"content": "x"}, "error"),
        whole({"content": ""}, None),
        b"<html>",
        b"",
    ],
)
def test_what_cannot_be_used_may_be_asked_for_again(body: bytes) -> None:
    with pytest.raises(Fault) as raised:
        whole_reply(make_call(), KIMI, SEAL, body)
    assert raised.value.repeat
    assert raised.value.kind is Kind.UPSTREAM_BROKEN
    assert raised.value.source is Source.UPSTREAM


def test_an_error_is_told_as_it_is() -> None:
    with pytest.raises(Fault) as raised:
        whole_reply(make_call(), KIMI, SEAL, b'{"error":{"message":"busy","code":503}}')
    assert not raised.value.repeat
