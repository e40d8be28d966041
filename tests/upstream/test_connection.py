"""One exchange at a time on one connection, against a server that keeps no manners."""

import asyncio

import pytest

from proxy.upstream.connection import DRAIN_BYTES_MAX, HEAD_BYTES_MAX, Broken
from tests.kit.rude_upstream import (
    CLOSE,
    HALF_CLOSE,
    LAST_CHUNK,
    RESET,
    STALL,
    Dribble,
    Until,
    answer,
    chunk,
    chunked,
    event_stream,
    head,
    until_eof,
)
from tests.upstream.ears import REQUEST, Ear, line_to, until

# -------------------------------------------------------------- whole answers


async def test_an_answer_is_told_as_head_body_and_end() -> None:
    async with line_to([answer(b"hello", "X-One: 1", "Request-Id: r")]) as line:
        ear = line.ask()
        assert line.connection.busy and not line.connection.usable
        await ear.over()
        assert ear.heard == ["head", "body", "end"]
        assert (ear.status, ear.body) == (200, b"hello")
        assert ear.headers[b"x-one"] == b"1"
        assert ear.headers[b"request-id"] == b"r"
        assert line.upstream.requests[0].head + line.upstream.requests[0].body == b"".join(REQUEST)
        assert line.freed == 1


async def test_a_request_in_pieces_of_any_kind_arrives_whole() -> None:
    async with line_to([answer(b"")]) as line:
        body = b"x" * 300_000
        top = b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 300000\r\n\r\n"
        ear = Ear()
        view = memoryview(body)
        line.connection.ask([top, view[:7], view[7:200_000], b"", view[200_000:]], ear)
        await ear.over()
        assert line.upstream.requests[0].body == body


@pytest.mark.parametrize("framing", ["length", "chunked", "dribbled", "cut"])
async def test_bodies_are_read_however_they_are_framed(framing: str) -> None:
    script = {
        "length": [answer(b"one two")],
        "chunked": [chunked(b"one", b" ", b"two")],
        "dribbled": [Dribble(chunked(b"one", b" two"))],
        "cut": [
            head("Transfer-Encoding: chunked") + b"3\r\no",
            b"ne\r",
            b"\n4\r\n two\r\n0\r\n\r\n",
        ],
    }[framing]
    async with line_to(script) as line:
        for _ in range(3):
            ear = line.ask()
            await ear.over()
            assert ear.body == b"one two"
            assert ear.heard == ["head", "body", "end"]
        assert line.freed == 3
        assert line.upstream.accepted == 1


async def test_answers_with_and_without_the_parser_are_told_alike_in_any_order() -> None:
    """An answer whole in one read is not shown to llhttp, which must be in step with the next."""
    whole = answer(b"one two", "X-One: 1", "Request-Id: r")
    at_once, dribbled, in_chunks = [whole], [Dribble(whole)], [chunked(b"one two")]
    order = (at_once, at_once, dribbled, at_once, in_chunks, at_once, at_once, dribbled)
    async with line_to(*order) as line:
        told = []
        for script in order:
            ear = line.ask()
            await ear.over()
            assert (ear.status, ear.body, ear.heard) == (200, b"one two", ["head", "body", "end"])
            if script is not in_chunks:
                told.append(ear.headers)
        assert all(headers == told[0] for headers in told)
        assert told[0][b"x-one"] == b"1"
        assert (line.freed, line.upstream.accepted) == (len(order), 1)


async def test_a_body_may_end_with_the_connection() -> None:
    async with line_to([until_eof(b"till the end"), CLOSE]) as line:
        ear = line.ask()
        await ear.over()
        assert ear.heard == ["head", "body", "end"]
        assert ear.body == b"till the end"
        await line.gone()
        assert line.freed == 0
        assert not line.connection.usable


async def test_an_answer_without_a_body_is_whole() -> None:
    for nothing in (head(status=204), head(status=304), answer(b"")):
        async with line_to([nothing]) as line:
            ear = line.ask()
            await ear.over()
            assert ear.heard == ["head", "end"]
            assert line.freed == 1


async def test_answers_before_the_answer_are_passed_over() -> None:
    early = b"HTTP/1.1 100 Continue\r\n\r\n" + b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
    async with line_to([early + answer(b"a")], [early, Dribble(early), answer(b"b")]) as line:
        for said in (b"a", b"b"):
            ear = line.ask()
            await ear.over()
            assert (ear.status, ear.body) == (200, said)
            assert ear.heard == ["head", "body", "end"]
            assert b"link" not in ear.headers
        assert line.freed == 2


async def test_a_connection_that_the_server_will_close_is_not_used_again() -> None:
    for script in (
        [answer(b"a", "Connection: close")],
        [answer(b"a").replace(b"HTTP/1.1", b"HTTP/1.0")],
        [chunked(b"a", headers=["Connection: close"])],
    ):
        async with line_to(script) as line:
            ear = line.ask()
            await ear.over()
            assert ear.heard == ["head", "body", "end"]
            assert line.freed == 0
            await line.gone()


async def test_events_are_told_as_they_arrive() -> None:
    go = asyncio.Event()
    script = [
        head("Transfer-Encoding: chunked") + chunk(b"first"),
        Until(go),
        chunk(b"second") + LAST_CHUNK,
    ]
    async with line_to(script) as line:
        ear = line.ask()
        await ear.until(lambda: ear.pieces)
        assert ear.body == b"first"
        go.set()
        await ear.over()
        assert ear.body == b"firstsecond"


# -------------------------------------------------------------- broken answers


@pytest.mark.parametrize("ending", [CLOSE, RESET], ids=["closed", "reset"])
@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"HTTP/1.1 200",
        head("Content-Length: 5"),
        answer(b"hello")[:-1],
        chunked(b"hello")[:-1],
        head("Transfer-Encoding: chunked"),
    ],
    ids=["nothing", "half a head", "no body", "half a body", "half an end", "no chunk"],
)
async def test_an_answer_cut_short_is_broken(begun: bytes, ending: object) -> None:
    async with line_to([begun, ending]) as line:
        ear = line.ask()
        await ear.over()
        assert ear.broken is Broken.CLOSED
        assert ear.heard[-1] == "broken: closed"
        assert "end" not in ear.heard
        await line.gone()
        assert line.freed == 0


async def test_a_body_till_the_end_is_broken_by_a_reset() -> None:
    go = asyncio.Event()
    async with line_to([until_eof(b"till"), Until(go), RESET]) as line:
        ear = line.ask()
        await ear.until(lambda: ear.pieces)
        go.set()
        await ear.over()
        assert ear.broken is Broken.CLOSED


async def test_a_server_that_only_reads_on_is_gone_too() -> None:
    async with line_to([answer(b"hello")[:-1], HALF_CLOSE]) as line:
        ear = line.ask()
        await ear.over()
        assert ear.broken is Broken.CLOSED


@pytest.mark.parametrize(
    "garbage",
    [
        b"not http at all\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n",
        b"\x15\x03\x01\x00\x02\x02\x50",
        b"HTTP/1.1 abc OK\r\n\r\n",
        head("Content-Length: 5", "Content-Length: 6"),
        head("Transfer-Encoding: chunked") + b"zz\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * HEAD_BYTES_MAX,
        b"HTTP/1.1 103 Hints\r\nX: y\r\n\r\n" * 4000,
    ],
    ids=lambda garbage: repr(garbage[:30]),
)
async def test_what_is_not_http_is_broken(garbage: bytes) -> None:
    async with line_to([garbage, STALL]) as line:
        ear = line.ask()
        await ear.over()
        assert ear.heard[-1] == "broken: garbled"
        assert ear.broken is Broken.GARBLED
        await line.gone()
        await line.upstream.until(lambda: line.upstream.hung_up)


async def test_two_answers_to_one_request_are_not_mixed() -> None:
    async with line_to([answer(b"one") + answer(b"two")]) as line:
        ear = line.ask()
        await ear.over()
        assert b"two" not in ear.body
        await line.gone()
        assert line.freed == 0


async def test_an_answer_nobody_asked_for_closes_the_connection() -> None:
    go = asyncio.Event()
    async with line_to([answer(b"one"), Until(go), answer(b"two"), STALL]) as line:
        ear = line.ask()
        await ear.over()
        go.set()
        await line.gone()
        assert ear.body == b"one"
        assert not line.connection.usable


async def test_a_greeting_before_any_request_closes_the_connection() -> None:
    async with line_to(on_connect=[b"220 hello\r\n"]) as line:
        await line.gone()


# -------------------------------------------------------------- stale connections


@pytest.mark.parametrize("ending", [CLOSE, RESET], ids=["closed", "reset"])
async def test_a_reused_connection_that_dies_before_an_answer_is_stale(ending: object) -> None:
    async with line_to([answer(b"one")], [ending]) as line:
        await line.ask().over()
        ear = line.ask()
        await ear.over()
        assert ear.heard == ["broken: stale"]


async def test_a_reused_connection_that_dies_midway_is_not_stale() -> None:
    async with line_to([answer(b"one")], [b"HTTP/1.1 2", CLOSE]) as line:
        await line.ask().over()
        ear = line.ask()
        await ear.over()
        assert ear.heard == ["broken: closed"]


async def test_a_free_connection_that_the_server_closes_is_not_usable() -> None:
    async with line_to([answer(b"one"), CLOSE]) as line:
        await line.ask().over()
        await line.gone()
        assert not line.connection.usable


# -------------------------------------------------------------- leaving, aborting


async def test_a_listener_that_leaves_hears_no_more_and_the_connection_is_free() -> None:
    go = asyncio.Event()
    script = [event_stream(b"stop")[: -len(LAST_CHUNK)], Until(go), LAST_CHUNK]
    async with line_to(script, [answer(b"next")]) as line:
        ear = line.ask()
        ear.on_body = line.connection.leave
        await ear.until(lambda: ear.pieces)
        assert line.connection.left
        assert line.freed == 0
        go.set()
        await line.until_told("freed")
        assert not line.connection.left
        other = line.ask()
        await other.over()
        assert other.body == b"next"
        assert ear.heard == ["head", "body"]


async def test_leaving_with_the_last_bytes_frees_at_once() -> None:
    async with line_to([event_stream(b"stop")]) as line:
        ear = line.ask()
        ear.on_body = line.connection.leave
        await ear.until(lambda: ear.pieces)
        assert line.freed == 1
        assert ear.heard == ["head", "body"]


async def test_a_rest_that_is_too_long_is_not_read() -> None:
    rest = chunk(b"x" * 1000) * (DRAIN_BYTES_MAX // 1000 + 100)
    script = [head("Transfer-Encoding: chunked") + chunk(b"a"), rest, STALL]
    async with line_to(script) as line:
        ear = line.ask()
        ear.on_head = line.connection.leave
        await line.gone()
        assert line.freed == 0
        assert ear.heard == ["head"]


async def test_one_may_leave_before_the_head() -> None:
    async with line_to([answer(b"one")], [answer(b"two")]) as line:
        ear = line.ask()
        line.connection.leave()
        await line.until_told("freed")
        assert ear.heard == []
        other = line.ask()
        await other.over()
        assert other.body == b"two"


async def test_garbage_on_a_left_connection_closes_it_in_silence() -> None:
    go = asyncio.Event()
    script = [head("Transfer-Encoding: chunked") + chunk(b"a"), Until(go), b"garbage", STALL]
    async with line_to(script) as line:
        ear = line.ask()
        ear.on_body = line.connection.leave
        await ear.until(lambda: ear.pieces)
        go.set()
        await line.gone()
        assert ear.heard == ["head", "body"]
        assert line.freed == 0


async def test_a_left_connection_that_dies_is_gone_in_silence() -> None:
    go = asyncio.Event()
    script = [head("Transfer-Encoding: chunked") + chunk(b"a"), Until(go), CLOSE]
    async with line_to(script) as line:
        ear = line.ask()
        ear.on_body = line.connection.leave
        await ear.until(lambda: ear.pieces)
        go.set()
        await line.gone()
        assert ear.heard == ["head", "body"]
        assert not line.connection.busy


@pytest.mark.parametrize("moment", ["at once", "head", "body", "end"])
async def test_aborting_at_any_moment_ends_the_exchange_in_silence(moment: str) -> None:
    async with line_to([chunked(b"a", b"b")]) as line:
        ear = line.ask()
        if moment == "at once":
            line.connection.abort()
        elif moment == "head":
            ear.on_head = line.connection.abort
        elif moment == "body":
            ear.on_body = line.connection.abort
        else:
            ear.on_end = line.connection.abort
        await line.gone()
        said = {"at once": [], "head": ["head"], "body": ["head", "body"]}
        assert ear.heard == said.get(moment, ["head", "body", "end"])
        assert not line.connection.usable
        await line.upstream.until(lambda: line.upstream.hung_up)


async def test_the_listener_is_told_of_the_end_before_the_pool_has_the_connection() -> None:
    """A pool may hand it on at once; one who drops it at the end must not hit the next exchange."""
    async with line_to([answer(b"one")]) as line:
        ear = line.ask()

        def drop() -> None:
            assert line.told == []
            line.connection.abort()

        ear.on_end = drop
        await ear.over()
        await line.gone()
        assert line.told == ["closed"]


# -------------------------------------------------------------- back-pressure


async def test_a_paused_connection_reads_nothing_until_it_is_resumed() -> None:
    size = 8 << 20
    block = chunk(b"x" * 65536)
    script = [head("Transfer-Encoding: chunked"), *[block] * (size // 65536), LAST_CHUNK]
    async with line_to(script) as line:
        ear = line.ask()
        ear.on_body = line.connection.pause
        await ear.until(lambda: ear.pieces)
        heard = len(ear.body)
        for _ in range(50):
            await asyncio.sleep(0.001)  # room for the server to go on, were it read
        assert len(ear.body) - heard < 1 << 20
        ear.on_body = lambda: None
        line.connection.resume()
        await ear.over()
        assert len(ear.body) == size


async def test_leaving_a_paused_connection_reads_on() -> None:
    go = asyncio.Event()
    script = [head("Transfer-Encoding: chunked") + chunk(b"a"), Until(go), LAST_CHUNK]
    async with line_to(script) as line:
        ear = line.ask()

        def leave() -> None:
            line.connection.pause()
            line.connection.leave()

        ear.on_body = leave
        await ear.until(lambda: ear.pieces)
        go.set()
        await line.until_told("freed")


async def test_a_connection_freed_while_paused_reads_the_next_answer() -> None:
    async with line_to([answer(b"one")], [answer(b"two")]) as line:
        ear = line.ask()
        ear.on_body = line.connection.pause
        await ear.over()
        other = line.ask()
        await other.over()
        assert other.body == b"two"


async def test_pausing_what_is_gone_does_no_harm() -> None:
    async with line_to([answer(b"one")]) as line:
        line.connection.abort()
        line.connection.pause()
        line.connection.resume()
        line.connection.leave()
        await line.gone()
        line.connection.pause()
        line.connection.resume()
        line.connection.leave()
        line.connection.abort()
        assert not line.connection.usable


# -------------------------------------------------------------- chunks that are forwarded


async def test_what_is_rewritten_is_written_and_all_else_is_told() -> None:
    go = [asyncio.Event() for _ in range(5)]
    pieces = [b"ab\n\n", b"no\n\n", b"cd\n\n", b"ef", b"gh\n\n"]
    script: list[object] = [head("Transfer-Encoding: chunked") + chunk(b"first\n\n")]
    for gate, piece in zip(go, pieces, strict=True):
        script += [Until(gate), chunk(piece)]
    written: list[bytes] = []

    def rewrite(event: bytes) -> bytes | None:
        return None if event == b"no\n\n" else event.upper() * 5

    async with line_to([*script, LAST_CHUNK]) as line:
        ear = line.ask()
        ear.on_head = lambda: line.connection.forward_rewritten(written.append, rewrite)
        await ear.until(lambda: ear.pieces)
        for at, gate in enumerate(go):
            gate.set()
            await until(lambda at=at: len(written) + len(ear.pieces) == at + 2)
        await ear.over()
    # "ef" ends in no blank line, and nobody knows whether what follows belongs to it.
    assert ear.pieces == [b"first\n\n", b"no\n\n", b"ef", b"gh\n\n"]
    assert written == [b"14\r\n" + b"AB\n\n" * 5 + b"\r\n", b"14\r\n" + b"CD\n\n" * 5 + b"\r\n"]


async def test_the_next_exchange_is_not_rewritten() -> None:
    go = asyncio.Event()
    stream = [head("Transfer-Encoding: chunked") + chunk(b"first\n\n"), Until(go)]
    stream += [chunk(b"second\n\n") + LAST_CHUNK]
    async with line_to(stream) as line:
        ear = line.ask()
        ear.on_head = lambda: line.connection.forward_rewritten(bytes.upper, bytes.upper)
        go.set()
        await ear.over()
        ear = line.ask()
        await ear.over()
        assert ear.body == b"first\n\nsecond\n\n"
