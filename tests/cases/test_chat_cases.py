"""Every case of the shelf of translated replies: streams whole and cut to pieces, replies at once.

A case may say more in its head: `dialect:` and `expected:` are JSON, the fields that differ from
the defaults. Its first half is a stream (`upstream`) or a reply that was not streamed (`reply`).
"""

from pathlib import Path

import msgspec
import orjson
import pytest

from proxy.domain.dialect import Dialect
from proxy.domain.fault import Fault
from proxy.stream.chat_reply import whole_reply
from proxy.wire.fault_body import error_body
from tests.kit.case_file import Case, read_case
from tests.kit.chat_stream import KIMI, SEAL, make_call, make_pipe
from tests.kit.cuts import obvious_cuttings
from tests.kit.grammar import check_stream

SHELF = Path(__file__).parent / "chat_to_messages"
PATHS = sorted(SHELF.glob("*.case"))


def setting(path: Path) -> tuple[Dialect, dict[str, object], bool]:
    """What the case is played with: dialect, what the request expects, is it a stream."""
    head, _, rest = path.read_text(encoding="utf-8").partition("\n>>> ")
    lines = dict(line.split(": ", 1) for line in head.splitlines())
    fields = msgspec.to_builtins(KIMI) | orjson.loads(lines.get("dialect", "{}"))
    expected = orjson.loads(lines.get("expected", "{}"))
    for name, kind in (("stop_sequences", tuple), ("seen_tool_ids", frozenset)):
        if name in expected:
            expected[name] = kind(expected[name])
    return msgspec.convert(fields, Dialect), expected, rest.startswith("upstream")


STREAMS = [path for path in PATHS if setting(path)[2]]
REPLIES = [path for path in PATHS if not setting(path)[2]]


def played(path: Path, case: Case, pieces: list[bytes]) -> bytes:
    dialect, expected, _ = setting(path)
    pipe = make_pipe(dialect, **expected)
    return b"".join(map(pipe.feed, pieces)) + pipe.finish()


def test_the_shelf_is_not_empty() -> None:
    assert len(STREAMS) >= 50
    assert len(REPLIES) >= 15


@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.stem)
def test_a_stream_becomes_what_the_case_expects(path: Path) -> None:
    case = read_case(path)
    for pieces in obvious_cuttings(case.given):
        assert played(path, case, pieces) == case.expected, case.why
    check_stream(case.expected)


@pytest.mark.parametrize("path", REPLIES, ids=lambda path: path.stem)
def test_a_reply_becomes_what_the_case_expects(path: Path) -> None:
    case = read_case(path)
    dialect, expected, _ = setting(path)
    try:
        call = make_call(streamed=False, **expected)
        body = whole_reply(call, dialect, SEAL, case.given).body
    except Fault as fault:
        body = error_body(fault, "req_1")
    assert body == case.expected.rstrip(b"\n"), case.why
