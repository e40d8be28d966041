"""Nobody makes the gateway call where they like: not by an image, not by a provider that sends it
elsewhere. Searches and what they lead to: `tests/upstream/test_side_calls.py`,
`test_guarded_names.py`, `test_public_address.py`; addresses of pages: `tests/web_search`."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.kit.journey import Line, ask, gateway, plays_text, provider

DOCUMENTS = {
    "image": {"type": "image", "source": {"type": "url", "url": "URL/picture.png"}},
    "document": {"type": "document", "source": {"type": "url", "url": "URL/paper.pdf"}},
    "text": {"type": "text", "text": "Look at URL/page"},
    "server tool": {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_fetch"},
}


@pytest.fixture
async def inside() -> AsyncIterator[tuple[str, list[bytes]]]:
    """Somebody's inner service, and what was asked of it."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.read(1000))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}", asked
    server.close()


@pytest.mark.parametrize("dialect", [None, "openai", "moonshot"])
@pytest.mark.parametrize("block", DOCUMENTS.values(), ids=DOCUMENTS)
async def test_what_a_message_points_at_is_not_fetched(
    tmp_path, inside: tuple[str, list[bytes]], block: dict[str, object], dialect: str | None
) -> None:
    url, asked = inside
    async with provider() as there, gateway(tmp_path, [there], dialect=dialect) as here:
        there.usual = plays_text
        body = ask(messages=[{"role": "user", "content": [block]}])
        reply = await here.post(body.replace(b"URL", url.encode()))
        assert reply.status in (200, 400, 502)
    assert asked == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_provider_cannot_send_the_gateway_elsewhere(
    tmp_path, inside: tuple[str, list[bytes]], status: int
) -> None:
    url, asked = inside

    async def moves(line: Line) -> None:
        line.whole(status, b"{}", more=f"location: {url}/v1/messages\r\n")

    async with provider() as there, gateway(tmp_path, [there]) as here:
        there.usual = moves
        reply = await here.post(ask())
        assert reply.status == 502 and "location" not in reply.headers
    assert asked == []
