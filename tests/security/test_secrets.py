"""No key, ours or a client's, in a log, an error or a support record; nothing of a conversation
either. And no way to find a key by how long it takes to refuse one."""

import logging

import pytest

from proxy.auth.keys import digest
from tests.kit.journey import (
    PROVIDER_KEY,
    ask,
    error_body,
    gateway,
    plays_refusal,
    plays_text,
    provider,
)

SAID = "the words of a conversation"
STRANGER = "hzat-a-key-that-nobody-has-0123456789"


@pytest.mark.parametrize("dialect", [None, "openai"])
@pytest.mark.parametrize("status", [400, 401, 403, 429, 500])
async def test_a_provider_that_quotes_our_key_is_not_quoted(
    tmp_path, caplog: pytest.LogCaptureFixture, status: int, dialect: str | None
) -> None:
    caplog.set_level(logging.DEBUG)
    async with provider() as there, gateway(tmp_path, [there], dialect=dialect) as here:
        there.usual = plays_refusal(
            status, error_body("authentication_error", f"Incorrect API key: {PROVIDER_KEY}.")
        )
        reply = await here.post(ask())
        assert reply.status >= 400
        assert PROVIDER_KEY.encode() not in reply.body
        assert not any(PROVIDER_KEY in value for value in reply.headers.values())
        for record in await here.refusals(reply.id):
            assert PROVIDER_KEY not in repr(record)
    assert there.asked, "it was asked"
    assert PROVIDER_KEY not in caplog.text


async def test_neither_keys_nor_words_are_logged(
    tmp_path, caplog: pytest.LogCaptureFixture, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    caplog.set_level(logging.DEBUG)
    async with provider() as there, gateway(tmp_path, [there]) as here:
        there.usual = plays_text
        words = [{"role": "user", "content": SAID}]
        good = await here.post(ask(messages=words))
        assert good.status == 200
        refused = await here.post(ask("nobody-s-model", messages=words))
        assert refused.status == 404
        client = await here.client()
        client.key = STRANGER
        unknown = await client.post(ask(messages=words))
        assert unknown.status == 401
        broken = await client.post(ask(messages=words)[:-1])
        client.close()
        for reply in (refused, unknown, broken):
            assert SAID.encode() not in reply.body and STRANGER.encode() not in reply.body
        assert SAID not in repr(await here.row(good.id)) + repr(await here.refusals(refused.id))
        secrets = (here.key, STRANGER, PROVIDER_KEY, SAID)
        representations = repr(here.house._walk.routes) + repr(here.settings)
    written = caplog.text + b"".join(capfdbinary.readouterr()).decode() + representations
    for secret in secrets:
        assert secret not in written


def test_keys_are_looked_up_by_what_cannot_be_steered() -> None:
    """No comparison of keys takes place that could take longer the more of a key is right: what is
    looked up is a keyed digest, of which nothing is alike for keys that are almost alike."""
    secret = b"s" * 32
    real = b"hzat-0123456789-0123456789-0123456789"
    theirs = digest(real, secret)
    for at in range(1, len(real)):
        guess = real[:at] + b"~" * (len(real) - at)
        alike = sum(1 for a, b in zip(digest(guess, secret), theirs, strict=True) if a == b)
        assert alike <= 3, "of 32 bytes"
    assert digest(real, b"t" * 32) != theirs
