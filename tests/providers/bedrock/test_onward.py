"""A trace goes on with the request, on every surface of Bedrock's."""

import pytest

from proxy.domain.dialect import Dialect
from proxy.providers.bedrock.account import Account
from proxy.providers.bedrock.converse import BedrockConverse
from proxy.providers.bedrock.invoke import BedrockInvoke
from proxy.providers.bedrock.mantle import BedrockMantle
from proxy.providers.bedrock.surfaces import deployment_of
from proxy.providers.provider import Provider
from proxy.wire.body import read_body
from proxy.wire.seal import ThinkingSeal
from tests.providers.test_anthropic import PYTHON_SDK, make_call

LINE = b"traceparent: 00-1-2-01\r\n"
BODY = b'{"model":"m","max_tokens":5,"stream":true,"messages":[{"role":"user","content":"hi"}]}'


def made(surface: str) -> Provider:
    place = deployment_of(
        "amazon.nova-pro-v1:0" if surface == "converse" else "us.anthropic.claude-opus-4-7",
        asked=surface,
        region="eu-west-1",
        base_url="",
        signing_service="",
    )
    account = Account("aws", place, "k", None, 1 << 20)
    if surface == "converse":
        return BedrockConverse(account, Dialect(), ThinkingSeal([b"secret"]))
    kind = BedrockMantle if surface == "mantle" else BedrockInvoke
    return kind(account, lambda _, body: body)


@pytest.mark.parametrize("surface", ("mantle", "invoke", "converse"))
def test_a_trace_goes_on_with_the_request(surface: str) -> None:
    call = make_call(PYTHON_SDK, body=BODY)
    call.streamed = True
    body = read_body(BODY, needs_max_tokens=True)
    without = bytes(made(surface).request(call, body, "m")[0])
    call.onward = LINE
    head = bytes(made(surface).request(call, body, "m")[0])
    assert b"\r\n" + LINE in head
    assert head.replace(LINE, b"") == without
