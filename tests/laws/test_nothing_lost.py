"""What comes out is what came in, byte for byte, but for the model's name."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.stream.passthrough import Passthrough
from proxy.stream.pipe import At
from tests.kit.cuts import cuttings
from tests.kit.patience import examples
from tests.kit.recorded import LONG, PING, WHOLE, event, message_delta, message_start

STREAMS = WHOLE | {"long": LONG}
MODEL = re.compile(rb'("message":\{.*?"model":)"[^"]*"')
NAME = b'"a name of ours \\u00e9"'


def through(pieces: list[bytes]) -> bytes:
    pipe = Passthrough(NAME, "req_1", 1 << 20)
    out = b"".join(map(pipe.feed, pieces))
    assert pipe.at is At.WHOLE
    assert pipe.finish() == b""
    return out


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS.keys())
def test_a_recorded_stream_keeps_every_byte(stream: bytes) -> None:
    assert through([stream]) == MODEL.sub(lambda found: found[1] + NAME, stream, count=1)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=5,
)
NAMES = st.sampled_from(
    ["content_block_start", "content_block_delta", "content_block_stop", "future_event", "ping"]
)


@examples(200)
@given(
    st.lists(st.tuples(NAMES, st.dictionaries(TEXTS, JSON, max_size=3)), max_size=12),
    TEXTS,
    st.data(),
)
def test_any_events_with_any_content_keep_every_byte(
    events: list[tuple[str, dict[str, object]]], model: str, data: st.DataObject
) -> None:
    middle = b"".join(event(name, content=content) for name, content in events)
    end = middle + message_delta() + event("message_stop")
    start = message_start(model)
    out = through(data.draw(cuttings(PING + start + end)))
    assert out.startswith(PING) and out.endswith(end)
    assert out.removeprefix(PING).removesuffix(end) == message_start("\x00").replace(
        b'"\\u0000"', NAME
    )
