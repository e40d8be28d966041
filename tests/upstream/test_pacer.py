"""Streams rest while the loop is behind: the same bytes in fewer reads; else nothing is held."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.upstream.connection import Connection
from proxy.upstream.pacer import BUSY_REST_S, CALM_LOOKS, LATE_LOOKS, Pacer
from tests.kit.patience import examples
from tests.laws.test_chunks_any_cut import DELTA, HEAD, Ear, Wire, frame
from tests.upstream.ears import until

LATE_S, ON_TIME_S = 0.2, 0.001


def test_streams_rest_only_after_the_loop_was_late_more_than_once() -> None:
    pacer = Pacer(lag_max_s=0.05)
    for _ in range(5):
        pacer.looked(LATE_S)  # one large body now and then
        pacer.looked(ON_TIME_S)
    assert pacer.rest_s == 0
    for _ in range(LATE_LOOKS):
        pacer.looked(LATE_S)
    assert pacer.rest_s == BUSY_REST_S


def test_streams_are_read_at_once_again_when_the_loop_has_been_on_time_for_a_while() -> None:
    pacer = Pacer(lag_max_s=0.05)
    for _ in range(LATE_LOOKS):
        pacer.looked(LATE_S)
    for _ in range(CALM_LOOKS - 1):
        pacer.looked(ON_TIME_S)
    assert pacer.rest_s == BUSY_REST_S
    pacer.looked(LATE_S)  # begins anew
    for _ in range(CALM_LOOKS):
        assert pacer.rest_s == BUSY_REST_S
        pacer.looked(ON_TIME_S)
    assert pacer.rest_s == 0


@pytest.mark.parametrize(("always_s", "busy_s"), [(0.005, BUSY_REST_S), (0.5, 0.5)])
def test_a_rest_that_is_always_taken_grows_but_never_shrinks(
    always_s: float, busy_s: float
) -> None:
    pacer = Pacer(always_s=always_s, lag_max_s=0.05)
    assert pacer.rest_s == always_s
    for _ in range(LATE_LOOKS):
        pacer.looked(LATE_S)
    assert pacer.rest_s == busy_s
    for _ in range(CALM_LOOKS):
        pacer.looked(ON_TIME_S)
    assert pacer.rest_s == always_s


def test_without_a_bound_no_lateness_counts() -> None:
    pacer = Pacer()
    for _ in range(10):
        pacer.looked(60.0)
    assert pacer.rest_s == 0


class Socket(Wire):
    """What has come waits in it while nobody reads, as in a real one."""

    def __init__(self) -> None:
        self.reader: Connection | None = None
        self.reads = 0
        self._waits = b""
        self._reading = True

    def comes(self, data: bytes) -> None:
        self._waits += data
        self._tell()

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        self._reading = True
        asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self) -> None:
        if self._reading and self._waits and self.reader is not None:
            data, self._waits = self._waits, b""
            self.reads += 1
            self.reader.data_received(data)

    @property
    def is_read(self) -> bool:
        return self._reading and not self._waits


def asked(pacer: Pacer) -> tuple[Socket, Ear, Connection]:
    connection = Connection(lambda freed: None, lambda closed: None, pacer)
    socket = Socket()
    socket.reader = connection
    connection.connection_made(socket)  # type: ignore[arg-type]
    ear = Ear(connection)
    connection.ask([b"GET / HTTP/1.1\r\n\r\n"], ear)
    return socket, ear, connection


async def until_over(ear: Ear, socket: Socket) -> None:
    await until(lambda: ear.ends and socket.is_read)


async def test_what_comes_during_a_rest_is_one_read() -> None:
    socket, ear, _ = asked(Pacer(always_s=0.02))
    socket.comes(HEAD + frame(DELTA, False))
    assert ear.body == DELTA, "the first event waits for nothing"
    for _ in range(20):
        socket.comes(frame(DELTA, False))
    socket.comes(b"0\r\n\r\n")
    await until_over(ear, socket)
    assert (ear.body, ear.ends, socket.reads) == (DELTA * 21, 1, 2)


async def test_without_a_rest_every_event_is_read_as_it_comes() -> None:
    socket, ear, _ = asked(Pacer(lag_max_s=0.05))
    socket.comes(HEAD + frame(DELTA, False))
    for number in range(20):
        socket.comes(frame(DELTA, False))
        assert ear.body == DELTA * (number + 2)
    assert socket.reads == 21


async def test_the_next_answer_on_the_connection_waits_for_no_rest_of_the_one_before() -> None:
    socket, ear, connection = asked(Pacer(always_s=60.0))
    socket.comes(HEAD + frame(DELTA, False))
    # TLS tells what it has opened already, also to who reads no more.
    connection.data_received(frame(DELTA, False))
    connection.data_received(b"0\r\n\r\n")
    assert (ear.body, ear.ends, socket.reads) == (DELTA * 2, 1, 1)
    again = Ear(connection)
    connection.ask([b"GET / HTTP/1.1\r\n\r\n"], again)
    socket.comes(HEAD + frame(DELTA, False))
    await asyncio.sleep(0)
    assert again.body == DELTA


async def test_a_rest_does_not_wake_a_stream_whose_client_is_full() -> None:
    socket, ear, connection = asked(Pacer(always_s=0.005))
    socket.comes(HEAD + frame(DELTA, False))
    connection.pause()
    socket.comes(frame(DELTA, False))
    await asyncio.sleep(0.03)
    assert ear.body == DELTA and not socket.is_read
    connection.resume()
    await asyncio.sleep(0)
    assert ear.body == DELTA * 2
    connection.abort()


@examples(60)
@given(st.lists(st.tuples(st.integers(1, 3), st.booleans()), max_size=8), st.data())
def test_a_stream_that_rests_is_heard_the_same(
    pieces: list[tuple[int, bool]], data: st.DataObject
) -> None:
    frames = [frame(DELTA * events, upper) for events, upper in pieces]
    whole = b"".join([HEAD, *frames, b"0\r\n\r\n"])
    cuts = sorted(data.draw(st.sets(st.integers(1, len(whole) - 1), max_size=10)))
    turns = data.draw(st.lists(st.booleans(), min_size=len(cuts) + 1, max_size=len(cuts) + 1))

    async def play() -> None:
        socket, ear, _ = asked(Pacer(always_s=0.001))
        for (start, end), turn in zip(
            zip([0, *cuts], [*cuts, len(whole)], strict=True), turns, strict=True
        ):
            socket.comes(whole[start:end])
            if turn:
                await asyncio.sleep(0)
        await until_over(ear, socket)
        assert (ear.body, ear.ends) == (DELTA * sum(events for events, _ in pieces), 1)

    asyncio.run(play())
