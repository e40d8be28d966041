"""Signatures over whole requests, keys that ran out, a clock that is wrong."""

import asyncio
import email.utils
from collections.abc import Coroutine
from typing import Any

import pytest

from proxy.upstream.aws_credential import AwsCredential
from proxy.upstream.fresh_credential import Fetched
from proxy.wire.sigv4 import AwsKeys, Signer

HEAD = (
    b"POST /model/eu.anthropic.x-v1%3A0/invoke HTTP/1.1\r\nhost: h.example\r\n"
    b"content-type: application/json\r\naccept: application/json\r\nx-request-id: r\r\n"
    b"content-length: 4\r\n\r\n"
)
NOW_S = 1_770_000_000.0


class Held:
    def __init__(self) -> None:
        self.now_s = NOW_S
        self.fetched = 0
        self.tasks: list[asyncio.Task[None]] = []
        self.credential = AwsCredential(
            "aws",
            self.fetch,
            region="eu-central-1",
            service="bedrock",
            start_task=self.start,
            wall=lambda: self.now_s,
        )

    def start(self, work: Coroutine[Any, Any, None], name: str) -> object:
        self.tasks.append(asyncio.create_task(work))
        return None

    async def fetch(self) -> Fetched[AwsKeys]:
        self.fetched += 1
        return Fetched(AwsKeys(f"AKIA{self.fetched}", "secret", "token"), None)

    async def ready(self) -> AwsCredential:
        self.credential.tick(0.0)
        await asyncio.gather(*self.tasks)
        return self.credential


def lines_of(request: list[Any]) -> dict[str, str]:
    head = bytes(request[0])
    assert head.endswith(b"\r\n\r\n")
    return dict(line.split(": ", 1) for line in head.decode().strip().split("\r\n")[1:])


async def test_a_request_is_signed_as_it_is_sent() -> None:
    held = Held()
    credential = await held.ready()
    signed = credential.signed([HEAD, memoryview(b"{"), b'"a"', b"}"])
    assert bytes(signed[0]).startswith(HEAD[:-2])
    assert [bytes(piece) for piece in signed[1:]] == [b"{", b'"a"', b"}"]
    lines = lines_of(signed)
    assert lines["x-amz-security-token"] == "token"
    expected = Signer(AwsKeys("AKIA1", "secret", "token"), "eu-central-1", "bedrock").lines(
        "POST",
        "/model/eu.anthropic.x-v1%3A0/invoke",
        [("host", "h.example"), ("content-type", "application/json")],
        [b'{"a"}'],
        NOW_S,
    )
    assert lines["authorization"] == dict(expected)["authorization"]
    assert (
        "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token"
        in (lines["authorization"])
    )


async def test_new_keys_sign_from_then_on() -> None:
    held = Held()
    credential = await held.ready()
    assert "AKIA1" in lines_of(credential.signed([HEAD]))["authorization"]
    held.now_s += 3600
    body = b'{"message":"The security token included in the request is expired"}'
    headers = {b"x-amzn-errortype": b"ExpiredTokenException:http://x"}
    assert credential.renew(403, headers, body)
    await held.ready()
    assert "AKIA2" in lines_of(credential.signed([HEAD]))["authorization"]


@pytest.mark.parametrize("ahead_s", [-4000, 4000])
@pytest.mark.parametrize(
    ("name", "message"),
    [
        (b"InvalidSignatureException", "Signature expired: x is now earlier than y"),
        (b"RequestTimeTooSkewed", "no"),
        (b"", "Signature expired: x is now earlier than y"),
    ],
)
async def test_their_clock_is_taken_for_ours(ahead_s: int, name: bytes, message: str) -> None:
    held = Held()
    credential = await held.ready()
    date = email.utils.formatdate(NOW_S + ahead_s, usegmt=True).encode()
    headers = {b"x-amzn-errortype": name, b"date": date}
    body = b'{"message":"%b"}' % message.encode()
    assert credential.renew(403, headers, body)
    stamp = lines_of(credential.signed([HEAD]))["x-amz-date"]
    right = Signer(AwsKeys("a", "b"), "r", "s").lines("POST", "/", [], [], NOW_S + ahead_s)
    assert stamp == dict(right)["x-amz-date"]
    # Once made up for, a refusal is about something else.
    assert not credential.renew(403, headers, body)
    # And when our clock is set right, so is this.
    held.now_s += ahead_s
    assert credential.renew(403, headers, body)
    assert lines_of(credential.signed([HEAD]))["x-amz-date"] == stamp


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (429, {}, b'{"message":"Signature expired"}'),
        (403, {b"x-amzn-errortype": b"AccessDeniedException"}, b'{"message":"no access"}'),
        (400, {b"x-amzn-errortype": b"ValidationException"}, b'{"message":"max_tokens"}'),
        (403, {b"x-amzn-errortype": b"InvalidSignatureException"}, b"{}"),
        (403, {b"x-amzn-errortype": b"InvalidSignatureException", b"date": b"never"}, b"{}"),
        (
            403,
            {
                b"x-amzn-errortype": b"InvalidSignatureException",
                b"date": email.utils.formatdate(NOW_S, usegmt=True).encode(),
            },
            b'{"message":"The request signature we calculated does not match"}',
        ),
        (403, {}, b"<html>"),
    ],
)
async def test_other_refusals_are_no_reason_to_ask_again(
    status: int, headers: dict[bytes, bytes], body: bytes
) -> None:
    credential = await Held().ready()
    assert not credential.renew(status, headers, body)
