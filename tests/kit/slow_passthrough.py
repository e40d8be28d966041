"""What `stream/passthrough.py` must do, written the slow and obvious way.

The whole stream at once; every event split off, every line of it looked at, the model's name found
token by token. The proof of the fast scan is that both say the same (house.md part 4, habit 15).
"""

import itertools
import json
import re
from dataclasses import dataclass, field

import msgspec

from proxy.domain.usage import Usage
from proxy.wire.fault_body import read_error_body
from proxy.wire.messages import read_delta, read_start
from proxy.wire.reported import merge_usage

STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')


@dataclass
class Outcome:
    """Everything that can be seen of a stream that went through."""

    passed: bytes = b""
    end: str = "broken off"
    """`message_stop`, the type of the provider's own error, or `broken off`."""
    stop_reason: str = ""
    usage: Usage = field(default_factory=Usage)


def slow_passthrough(stream: bytes, name: str) -> Outcome:
    """`passed` is all that may go on before the error event of ours, if one must follow."""
    out = Outcome()
    begun = False
    blanks = [b"\n\n", b"\r\n\r\n"]
    while True:
        places = [stream.find(blank) + len(blank) for blank in blanks if blank in stream]
        if not places:
            return out
        event, stream = stream[: min(places)], stream[min(places) :]
        kind, data = _parse(event)
        if kind == b"message_start":
            if begun or not _start(data, out):
                return out
            begun = True
            blanks = [b"\r\n\r\n"] if event.endswith(b"\r\n") else [b"\n\n"]
            event = _renamed(event, json.dumps(name).encode())
        elif kind == b"error":
            out.end = _error_type(data)
            return out
        elif not begun:
            if kind not in (b"ping", b""):
                return out
        elif kind == b"message_delta" and not _delta(data, out):
            return out
        out.passed += event
        if kind == b"message_stop":
            out.end = "message_stop"
            return out


def _parse(event: bytes) -> tuple[bytes, bytes]:
    kind, data = b"", []
    for line in event.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n"):
        if line.startswith(b"event:"):
            kind = line.removeprefix(b"event:").removeprefix(b" ")
        elif line.startswith(b"data:"):
            data.append(line.removeprefix(b"data:").removeprefix(b" "))
    return kind, b"\n".join(data)


def _start(data: bytes, out: Outcome) -> bool:
    try:
        start = read_start(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    if start.message.usage is not None:
        merge_usage(start.message.usage, out.usage)
    return True


def _delta(data: bytes, out: Outcome) -> bool:
    try:
        delta = read_delta(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    if delta.usage is not None:
        merge_usage(delta.usage, out.usage)
    if delta.delta is not None and delta.delta.stop_reason is not None:
        out.stop_reason = delta.delta.stop_reason or out.stop_reason
    return True


def _error_type(data: bytes) -> str:
    read = read_error_body(data)
    return "broken off" if read is None else read[0].type


def _renamed(event: bytes, name: bytes) -> bytes:
    tokens = list(STRING.finditer(event, max(0, event.find(b'"message"'))))
    for key, value in itertools.pairwise(tokens):
        between = event[key.end() : value.start()]
        if key[0] == b'"model"' and between.strip() == b":":
            return event[: value.start()] + name + event[value.end() :]
    return event
