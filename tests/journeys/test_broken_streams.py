"""A recorded stream broken at every byte: one end for the client, one row in the books."""

import asyncio

import pytest

from tests.kit.journey import START, TEXT, Line, ask, gateway, provider, renamed, terminals

AT_ONCE = 24


async def ends_in_order(line: Line) -> None:
    line.end()


async def hangs_up(line: Line) -> None:
    line.close()


async def resets(line: Line) -> None:
    # A reset overtakes what was sent before it; the gateway must have read that first.
    await asyncio.sleep(0.004)
    line.reset()


@pytest.mark.parametrize("breaks", [ends_in_order, hangs_up, resets])
@pytest.mark.parametrize("framing", ["chunked", "until close"])
async def test_broken_at_every_byte(tmp_path, breaks, framing):
    if framing == "until close" and breaks is ends_in_order:
        return await _until_close_whole(tmp_path)

    async def play(line: Line) -> None:
        sent = TEXT[: int(line.asked.id)]
        if framing == "chunked":
            line.head()
            line.chunk(sent)
        else:
            line.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + sent)
        await breaks(line)

    async with provider() as there, gateway(tmp_path, [there]) as here:
        there.usual = play
        cuts = iter(range(len(TEXT) + 1))
        wrong: list[str] = []

        async def one_after_the_other() -> None:
            for cut in cuts:
                reply = await here.post(ask(), x_request_id=str(cut))
                problem = _wrong(cut, reply)
                if problem:
                    wrong.append(f"cut at {cut}: {problem}: {reply}")

        await asyncio.gather(*[one_after_the_other() for _ in range(AT_ONCE)])
        assert not wrong, f"{len(wrong)} of {len(TEXT) + 1}: {wrong[0]}"
        rows = await here.all_rows()
        expected = [(str(cut), _outcome(cut)) for cut in range(len(TEXT) + 1)]
        assert sorted(rows) == sorted(expected)
        assert here.open_streams == 0


def _outcome(cut: int) -> str:
    if cut < len(START):
        return "upstream_error"
    return "partial" if cut < len(TEXT) else "completed"


def _wrong(cut, reply) -> str:
    """What is wrong with the reply to a stream that ended after `cut` bytes; empty if nothing."""
    if cut < len(START):
        return "" if reply.status == 502 and reply.error["type"] == "api_error" else "no 502"
    if reply.status != 200 or not reply.whole:
        return "the reply itself is broken"
    if cut == len(TEXT):
        return "" if reply.body == renamed(TEXT) else "not the whole text"
    if terminals(reply.body) != ["error"] or reply.events[-1][0] != "error":
        return "not one error at the end"
    passed = renamed(TEXT[: TEXT.rfind(b"\n\n", 0, cut) + 2])
    return "" if reply.body.startswith(passed) else "whole events were lost"


async def _until_close_whole(tmp_path):
    """Without a length the end of the connection is the end of the reply: nothing is broken."""

    async def play(line: Line) -> None:
        line.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + TEXT)
        line.close()

    async with provider() as there, gateway(tmp_path, [there]) as here:
        there.usual = play
        for _ in range(3):
            assert (await here.post(ask())).body == renamed(TEXT)


async def test_single_bytes_make_the_same_reply(tmp_path):
    async def play(line: Line) -> None:
        line.head()
        for at in range(len(TEXT)):
            line.chunk(TEXT[at : at + 1])
            if at % 7 == 0:
                await asyncio.sleep(0)
        line.end()

    async with provider() as there, gateway(tmp_path, [there]) as here:
        there.usual = play
        assert (await here.post(ask())).body == renamed(TEXT)
