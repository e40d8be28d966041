"""A provider's answer that came whole in one read, told from the bytes alone.

Most answers that are not streamed are such: 200, a stated length, all of it there. Their heads are
of names that were seen before, and a look at each line costs a third of what a parser costs, which
calls back for every part. Owns what may be read so. All else, and all that is in the least unusual,
is left to the parser; what is read here is what the parser would have said (property-tested).
"""

from collections.abc import Mapping
from typing import Final

_BEGINNING: Final = b"HTTP/1.1 200 "
_HEAD_END: Final = b"\r\n\r\n"
_LINE_END: Final = b"\r\n"
_CONTROLS: Final = bytes([*range(32), 127])
_KEEP_ALIVE: Final = b"keep-alive"

NOT_PLAIN: Final = frozenset((b"transfer-encoding", b"upgrade", b"proxy-connection", b"trailer"))
"""A head with one of these says more about its body or its connection than a length."""
NAMES_MAX: Final = 256
NAME_BYTES_MAX: Final = 64


def learn(names: dict[bytes, bytes], seen: bytes) -> None:
    """Keep a header's name that the parser let pass; `names` are names as sent to lower case."""
    lower = seen.lower()
    if lower not in NOT_PLAIN and len(seen) <= NAME_BYTES_MAX and len(names) < NAMES_MAX:
        names[seen] = lower


def read_whole(
    data: bytes, names: Mapping[bytes, bytes]
) -> tuple[dict[bytes, bytes], bytes] | None:
    """Headers (lower-case names) and body of a read that is exactly one plain answer, else None."""
    if not data.startswith(_BEGINNING):
        return None
    end = data.find(_HEAD_END)
    if end < 0:
        return None
    lines = data[:end].split(_LINE_END)
    # Nothing below a space but the line ends; so nothing hides in a value, and none is folded.
    if len(data[:end].translate(None, _CONTROLS)) != end - 2 * (len(lines) - 1):
        return None
    headers: dict[bytes, bytes] = {}
    for number in range(1, len(lines)):
        sent, _, value = lines[number].partition(b": ")
        name = names.get(sent)
        if name is None or not value or value[0] == 32 or value[-1] == 32:
            return None
        headers[name] = value
    if len(headers) != len(lines) - 1:
        return None  # a name came twice
    length = headers.get(b"content-length")
    if length is None or not length.isdigit() or len(length) > 9:
        return None
    if headers.get(b"connection", _KEEP_ALIVE) != _KEEP_ALIVE:
        return None
    begin = end + len(_HEAD_END)
    if len(data) - begin != int(length):
        return None
    return headers, data[begin:]
