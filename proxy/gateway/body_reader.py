"""The process that reads large bodies: body after body in, what `wire/survey` finds out.

Run by `gateway/apart.py` as `python -m proxy.gateway.body_reader`; ends when its input does. Each
way a message is eight bytes that say how long it is, and so many bytes.
"""

import signal
import sys
from typing import BinaryIO

from proxy.wire.survey import survey

LENGTH_BYTES = 8


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Until `source` ends."""
    while len(length := source.read(LENGTH_BYTES)) == LENGTH_BYTES:
        size = int.from_bytes(length, "big")
        raw = source.read(size)
        if len(raw) < size:
            return
        found = survey(raw)
        sink.write(len(found).to_bytes(LENGTH_BYTES, "big") + found)
        sink.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the gateway, which ends the input
    serve(sys.stdin.buffer, sys.stdout.buffer)
