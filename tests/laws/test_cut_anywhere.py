"""The same bytes come out for every cutting of the bytes that come in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.stream.passthrough import Passthrough
from tests.kit.cuts import cut_at, cuttings, obvious_cuttings
from tests.kit.patience import examples
from tests.kit.recorded import BROKEN_OFF, LONG, MESSAGE_STOP, TEXT, WHOLE, message_start

STREAMS = (
    WHOLE
    | BROKEN_OFF
    | {
        "long": LONG,
        "behind-the-end": TEXT + TEXT,
        "two-messages": message_start() + TEXT,
        "no-start": MESSAGE_STOP,
        "no-end": TEXT[:-40],
        "no-json": message_start() + b"event: message_delta\ndata: nonsense\n\n" + MESSAGE_STOP,
    }
)


def seen(pieces: list[bytes]) -> tuple[object, ...]:
    """All that can be seen of a stream after its end."""
    pipe = Passthrough(b'"shown"', "req_1", 1 << 20)
    out = b"".join(map(pipe.feed, pieces)) + pipe.finish()
    told = pipe.fault.message if pipe.fault else None
    return (out, pipe.at, pipe.usage, pipe.stop_reason, told)


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS.keys())
def test_small_pieces_and_large_ones_give_the_same(stream: bytes) -> None:
    whole, *others = map(seen, obvious_cuttings(stream))
    assert all(other == whole for other in others)


@pytest.mark.parametrize("stream", [TEXT, WHOLE["thinktools-crlf"], BROKEN_OFF["error"]])
def test_a_cut_at_every_place_gives_the_same(stream: bytes) -> None:
    whole = seen([stream])
    for place in range(len(stream)):
        assert seen(cut_at(stream, [place])) == whole


@examples(200)
@given(st.sampled_from(sorted(STREAMS)), st.data())
def test_any_cutting_gives_the_same(name: str, data: st.DataObject) -> None:
    stream = STREAMS[name]
    assert seen(data.draw(cuttings(stream))) == seen([stream])
