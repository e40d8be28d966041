"""Anthropic in, Anthropic out: whole events pushed on as they arrive, usage read in passing.

Owns: where an event ends, the model's name in `message_start`, the usage, the stream's one end.
Refuses to know: the content of any other event. Output equals input but for the model's name.

Only whole events are pushed on (a client can do nothing with half of one), so an error or a ping of
ours always stands at an event's border, and a stream cut at any byte ends in one `event: error`.
Cost per read: a handful of C-level searches. They are safe because JSON holds no raw line end:
`\\nevent: ` is always a field at the start of a line (translation.md 4.2).
"""

import re
from typing import Final

import msgspec

from proxy.domain.fault import Fault, Kind, Source
from proxy.stream.broken import cut_off, unreadable
from proxy.stream.pipe import BEGIN, FAILED, OPEN, REFUSED, WHOLE, Pipe
from proxy.wire.events import LF
from proxy.wire.fault_body import error_event, read_error_body
from proxy.wire.messages import read_delta, read_start
from proxy.wire.reported import merge_usage

PLAIN: Final = b"event: content_block_delta\n"
"""How an event begins that is never read, only passed on."""
DELTA_FRAME_BYTES: Final = 112
TEXT_BYTES_PER_TOKEN: Final = 4
"""Wire bytes around the text of a delta, and bytes of text per token: used only to estimate the
output of a stream that was left before its usage was reported."""


class Passthrough(Pipe):
    """One streamed reply. `feed` gives what may go on now; after an end it gives nothing more."""

    __slots__ = (
        "_blank",
        "_event_bytes_max",
        "_held",
        "_is_estimated",
        "_name",
        "_request_id",
    )

    def __init__(self, name: bytes, request_id: str, event_bytes_max: int) -> None:
        super().__init__()
        self._is_estimated = False
        self._name = name
        self._request_id = request_id
        self._event_bytes_max = event_bytes_max
        self._held = bytearray()
        self._blank = b"\n\n"

    def feed(self, chunk: bytes) -> bytes:
        """What may go on, given the next bytes of the provider."""
        if self.at is OPEN:
            size = len(chunk)
            tally = self.tally
            if (
                chunk.startswith(PLAIN)
                and chunk.endswith(self._blank)
                and LF not in chunk[len(PLAIN) : -len(self._blank)]
                and not self._held
            ):
                # Exactly one event, and one that is never read: what most reads are.
                tally.passed_bytes += size
                tally.passed_events += 1
                return chunk
            if self._held:
                # The border is looked for in the new bytes alone: a large event costs no more.
                if (self._held[-3:] + chunk).rfind(self._blank) < 0:
                    return self._hold(chunk)
                chunk = bytes(self._held) + chunk
                self._held.clear()
            cut = chunk.rfind(self._blank)
            if cut < 0:
                return self._hold(chunk)
            cut += len(self._blank)
            rest = b""
            if cut != len(chunk):
                rest = chunk[cut:]
                chunk = chunk[:cut]
            tally.passed_bytes += cut
            tally.passed_events += chunk.count(self._blank)
            if chunk.find(b"message_") >= 0 or chunk.find(b"error") >= 0:
                chunk = self._read_marked(chunk)
            if rest and self.at is OPEN:
                chunk += self._hold(rest)
            return chunk
        if self.at is BEGIN:
            return self._begin(chunk)
        return b""

    def open(self) -> bytes:
        """The provider makes the `message_start`: there is nothing to begin with."""
        return b""

    def finish(self) -> bytes:
        """The provider's bytes are over: nothing when the stream had its end, else an error."""
        if self.at is not BEGIN and self.at is not OPEN:
            return b""
        return self.fail(cut_off())

    def fail(self, fault: Fault) -> bytes:
        """End the stream with `fault`; the open block is not closed (client-contract.md 8.3)."""
        assert self.at is BEGIN or self.at is OPEN, "a finished stream cannot fail"
        self.at = FAILED if self.at is OPEN else REFUSED
        self.fault = fault
        self._held.clear()
        return error_event(fault, self._request_id)

    def estimate_usage(self) -> None:
        """The stream was left early: let the output count at least for what went by."""
        if self.at is OPEN or self.at is FAILED:
            tally = self.tally
            text_bytes = tally.passed_bytes - tally.passed_events * DELTA_FRAME_BYTES
            estimate = max(tally.passed_events, text_bytes // TEXT_BYTES_PER_TOKEN)
            if estimate > self.usage.output_tokens:
                self.usage.output_tokens = estimate
                self._is_estimated = True

    @property
    def usage_estimated(self) -> bool:
        """Is `usage` ours in part?"""
        return self._is_estimated

    @property
    def passes_frames(self) -> bool:
        """May whole plain events go by without being fed? What goes by is counted by whoever
        forwards it. Only where a blank line is two line feeds: then nothing is held behind one."""
        return self.at is OPEN and self._blank == b"\n\n"

    @property
    def held_bytes(self) -> int:
        """Bytes of an event that is not whole yet."""
        return len(self._held)

    def _hold(self, chunk: bytes) -> bytes:
        self._held += chunk
        if len(self._held) > self._event_bytes_max:
            return self.fail(_too_large(self._event_bytes_max))
        return b""

    def _begin(self, chunk: bytes) -> bytes:
        """Up to and with `message_start`; its line ends decide how events are parted after it."""
        held = bytes(self._held) + chunk
        self._held.clear()
        passed: list[bytes] = []
        while True:
            cut = _first_border(held)
            if cut < 0:
                passed.append(self._hold(held))
                return b"".join(passed)
            event, held = held[:cut], held[cut:]
            name = _event_name(event)
            if name == b"message_start":
                break
            if name == b"error":
                passed.append(self._relay_error(event))
                return b"".join(passed)
            if name not in (b"ping", b""):
                passed.append(
                    self.fail(unreadable(f"began with {name.decode('ascii', 'replace')!r}"))
                )
                return b"".join(passed)
            passed.append(event)
        passed.append(self._start(event))
        if self.at is OPEN and held:
            passed.append(self.feed(held))
        return b"".join(passed)

    def _start(self, event: bytes) -> bytes:
        try:
            start = read_start(_data(event))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self.fail(unreadable("its message_start cannot be read"))
        if start.message.usage is not None:
            merge_usage(start.message.usage, self.usage)
        self.at = OPEN
        if event.endswith(b"\r\n"):
            self._blank = b"\r\n\r\n"
        return _renamed(event, self._name)

    def _read_marked(self, block: bytes) -> bytes:
        """`block` is whole events, some of which matter: read those, and cut after an end."""
        at = 0
        while (begin := _next_marked(block, at, self._blank)) >= 0:
            at = block.find(self._blank, begin) + len(self._blank)
            event = block[begin:at]
            name = _event_name(event)
            if name == b"message_delta":
                if not self._read_delta(event):
                    return block[:begin] + self.fail(unreadable("its message_delta cannot be read"))
            elif name == b"message_stop":
                self.at = WHOLE
                return block[:at]
            elif name == b"message_start":
                return block[:begin] + self.fail(unreadable("it began a second message"))
            elif name == b"error":
                return block[:begin] + self._relay_error(event)
        return block

    def _read_delta(self, event: bytes) -> bool:
        try:
            delta = read_delta(_data(event))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False
        if delta.usage is not None:
            merge_usage(delta.usage, self.usage)
        if delta.delta is not None and delta.delta.stop_reason:
            self.stop_reason = delta.delta.stop_reason
        return True

    def _relay_error(self, event: bytes) -> bytes:
        read = read_error_body(_data(event))
        if read is None:
            return self.fail(unreadable("it reported an error that cannot be read"))
        said, raw = read
        if said.type in _ABOUT_US:
            return self.fail(
                Fault(
                    Kind.UPSTREAM_BROKEN,
                    "The model provider refused the gateway's own credential.",
                    hint="Please tell the gateway's operator.",
                    detail=f"the stream ended with {said.type}: {said.message}",
                    source=Source.UPSTREAM,
                    retry=False,
                )
            )
        return self.fail(
            Fault(
                _KINDS.get(said.type, Kind.UPSTREAM_BROKEN),
                said.message,
                source=Source.UPSTREAM,
                error_type=said.type,
                error_body=raw,
            )
        )


_MARKS: Final = (b"event: message_", b"event: error", b"event:message_", b"event:error")
_MARKED_LINES: Final = tuple([b"\n" + mark for mark in _MARKS])
_MODEL: Final = re.compile(rb'"model"\s*:\s*("(?:[^"\\]|\\.)*")')

_KINDS: Final = {
    "invalid_request_error": Kind.BAD_REQUEST,
    "not_found_error": Kind.NOT_FOUND,
    "request_too_large": Kind.TOO_LARGE,
    "rate_limit_error": Kind.RATE_LIMITED,
    "timeout_error": Kind.UPSTREAM_TIMEOUT,
    "overloaded_error": Kind.OVERLOADED,
}
"""The status of a stream that began with an error (translation.md 3.11)."""
_ABOUT_US: Final = ("authentication_error", "permission_error", "billing_error")
"""What a provider says about our credential is not the client's to see (translation.md 7.1)."""


def _first_border(held: bytes) -> int:
    """The end of the first event, or -1: after a blank line, in either common line ending."""
    lf = held.find(b"\n\n")
    crlf = held.find(b"\r\n\r\n")
    if lf < 0 and crlf < 0:
        return -1
    if lf < 0 or 0 <= crlf < lf:
        return crlf + 4
    return lf + 2


def _next_marked(block: bytes, at: int, blank: bytes) -> int:
    """Where the next event that is read begins, or -1. `at` is an event's border."""
    if block.startswith(_MARKS, at):
        return at
    places = [place for line in _MARKED_LINES if (place := block.find(line, at)) >= 0]
    if not places:
        return -1
    border = block.rfind(blank, at, min(places) + 1)
    return at if border < 0 else border + len(blank)


def _event_name(event: bytes) -> bytes:
    """The value of the last `event:` line; a client believes the last one too."""
    name = b""
    for line in event.splitlines():
        if line.startswith(b"event:"):
            name = line[6:].removeprefix(b" ")
    return name


def _data(event: bytes) -> bytes:
    """The event's data; several lines are joined as the SSE grammar says."""
    lines = [line[5:].strip() for line in event.splitlines() if line.startswith(b"data:")]
    return lines[0] if len(lines) == 1 else b"\n".join(lines)


def _renamed(event: bytes, name: bytes) -> bytes:
    """`message_start` with the model's name exchanged.

    Inside a JSON string every quote is escaped, so the first `"model":` after `"message"` can only
    be a key (translation.md 4.2).
    """
    model = _MODEL.search(event, max(0, event.find(b'"message"')))
    if model is None:
        return event
    return event[: model.start(1)] + name + event[model.end(1) :]


def _too_large(event_bytes_max: int) -> Fault:
    return Fault(
        Kind.UPSTREAM_BROKEN,
        f"The model provider sent an event of more than {event_bytes_max} bytes.",
        source=Source.UPSTREAM,
    )
