"""A gateway that reads streams less often: the same stream in fewer pieces."""

import asyncio

import pytest

from tests.kit.journey import START, TEXT, Line, ask, delta, gateway, provider, renamed

BLOCK, MARK, _ = TEXT[len(START) :].partition(b"event: content_block_delta")
END = TEXT[TEXT.index(b"event: content_block_stop") :]
WORDS = [delta(f"word {number} ") for number in range(60)]
WHOLE_STREAM = START + BLOCK + b"".join(WORDS) + END
REST_MS = 100


async def plays_words(line: Line) -> None:
    """An event in each chunk, some milliseconds apart."""
    line.head()
    line.chunk(START)
    line.chunk(BLOCK)
    for word in WORDS:
        line.chunk(word)
        await asyncio.sleep(0.005)
    line.chunk(END)
    line.end()


async def pieces_of(tmp_path, relay: str) -> list[bytes]:
    """What the client gets, piece by piece."""
    async with (
        provider() as there,
        gateway(tmp_path, [there], upstream=f"[relay]\n{relay}") as here,
    ):
        there.plays = [plays_words]
        client = await here.client()
        client.send(ask())
        await client.head()
        pieces = []
        while piece := await client.piece():
            pieces.append(piece)
        client.close()
    return pieces


@pytest.mark.parametrize("relay", ["", f"coalesce_ms = {REST_MS}"])
async def test_a_stream_is_the_same_however_often_it_is_read(tmp_path, relay):
    pieces = await pieces_of(tmp_path, relay)
    assert b"".join(pieces) == renamed(WHOLE_STREAM)


async def test_events_that_come_during_a_rest_go_out_together(tmp_path):
    pieces = await pieces_of(tmp_path, f"coalesce_ms = {REST_MS}")
    # 60 events in 300 ms and more: some four rests, and what came before the first.
    assert len(pieces) < len(WORDS) / 2
