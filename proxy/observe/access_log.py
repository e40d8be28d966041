"""One line per request, formatted after its last byte and written in batches.

A line says who asked for what and how it ended, never content and never a credential.
"""

from collections.abc import Callable

import msgspec

LINES_HELD_MAX = 10_000
CLIENT_CHARS_MAX = 200


class Line(msgspec.Struct, omit_defaults=True, gc=False):
    """`at` is Unix milliseconds; `model` is what was served, `asked` what the client named."""

    at: int
    request_id: str
    method: str
    path: str
    status: int
    ms: int
    client: str = ""
    outcome: str = ""
    asked: str = ""
    model: str = ""
    via: str = ""
    streamed: bool = False
    user_id: str = ""
    trace_id: str = ""
    """In hexadecimal, where it belongs to a trace, sampled or not."""


class AccessLog:
    """Lines wait in memory for at most a flush interval; when too many wait, the rest is counted
    and said so, because a slow terminal must not fill the memory."""

    def __init__(self, write: Callable[[bytes], None], *, wanted: bool, as_json: bool) -> None:
        self.wanted = wanted
        self._write = write
        self._as_json = as_json
        self._lines: list[Line] = []
        self._left_out = 0
        self.dropped = 0
        """Lines left out since the start."""

    def note(self, line: Line) -> None:
        """Keep one line for the next flush."""
        if len(self._lines) < LINES_HELD_MAX:
            self._lines.append(line)
        else:
            self._left_out += 1
            self.dropped += 1

    def flush(self) -> None:
        """Write what waits, in one go."""
        lines, self._lines = self._lines, []
        left_out, self._left_out = self._left_out, 0
        form = msgspec.json.encode if self._as_json else _for_people
        texts = [form(line) for line in lines]
        if left_out:
            texts.append(b'{"access_lines_left_out":%d}' % left_out)
        if texts:
            texts.append(b"")
            self._write(b"\n".join(texts))


def _for_people(line: Line) -> bytes:
    model = f" {line.asked} -> {line.model}" if line.model else ""
    outcome = f" {line.outcome}" if line.outcome else ""
    stream = " stream" if line.streamed else ""
    text = (
        f"{line.method} {line.path} {line.status} {line.ms} ms{model}{stream}{outcome}"
        f" [{line.request_id}]"
    )
    # Paths and names are as clients spell them: no line ends, no orders to the terminal.
    return text.encode("unicode_escape")
