"""The page at `/`, and calm answers to probes."""

import pytest

from proxy.server.welcome import WelcomePages
from tests.kit.raw_client import RawClient


async def test_the_page_shows_the_public_address_and_cannot_be_broken_by_it() -> None:
    page = await WelcomePages("https://ai.example.com").welcome(None)  # type: ignore[arg-type]
    assert page.text is not None
    assert "https://ai.example.com/v1/anthropic" in page.text
    assert "{{" not in page.text
    odd = await WelcomePages("https://x/<script>").welcome(None)  # type: ignore[arg-type]
    assert odd.text is not None
    assert "https://x/<script>" not in odd.text


@pytest.mark.parametrize("path", ("/v1/anthropic", "/v1/anthropic/api/hello"))
def test_probes_get_a_small_document(client: RawClient, path: str) -> None:
    reply = client.ask("GET", path)
    assert (reply.status, reply.json()) == (200, {})
    assert client.ask("HEAD", path).body == b""
