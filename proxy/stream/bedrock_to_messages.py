"""Bedrock's InvokeModelWithResponseStream in, Anthropic's events out.

Each frame of the event stream holds one of Claude's own events in base64. They are put into the
framing of server-sent events and go through the same `passthrough.py` as Anthropic's. Owns what is
Amazon's: frames, exceptions between them, the measures it adds to the last event, and that the
model's usage is told even where only those measures have it (traps 42 to 44), and that an answer
which a guardrail has taken away is told as a refusal. There are no pings on this wire: the relay's
own fill in.
"""

from binascii import Error as NoBase64
from binascii import a2b_base64
from collections.abc import Callable
from typing import Final

import msgspec

from proxy.domain.call import Call
from proxy.domain.fault import Fault
from proxy.stream.broken import unreadable
from proxy.stream.passthrough import PLAIN, Passthrough
from proxy.stream.pipe import BEGIN, OPEN
from proxy.wire.aws_fault import read_aws_fault
from proxy.wire.bedrock_chunk import (
    UNREADABLE,
    Measures,
    event_any_way,
    read_fields,
    read_stop,
    read_type,
)
from proxy.wire.bedrock_extras import PREFIX, part, refused
from proxy.wire.events import MESSAGE_STOP
from proxy.wire.eventstream import Frame, FrameReader, Headers

_BYTES: Final = b'"bytes":"'
_DELTA: Final = b'{"type":"content_block_delta"'
_DELTA_OPENING: Final = PLAIN + b"data: "
_STOP_TYPE: Final = b'"message_stop"'


class BedrockMessages(Passthrough):
    """One streamed reply."""

    __slots__ = ("_call", "_chunk_headers", "_delta", "_frames", "_guarded", "_intervened")

    def __init__(self, call: Call, event_bytes_max: int, *, guarded: bool = False) -> None:
        """`guarded`: a guardrail looks on, and may say so in any event."""
        super().__init__(
            msgspec.json.encode(call.model.id), call.arrival.request_id, event_bytes_max
        )
        self._call = call
        # Base64 takes four bytes for three.
        self._frames = FrameReader(event_bytes_max // 3 * 4 + 4096)
        self._chunk_headers: Headers | None = None
        """Those of the frames that hold events: the reader gives the same object for the same."""
        self._delta = b""
        """The last `message_delta`, held until it is known whether its usage is whole."""
        self._guarded = guarded
        self._intervened = False

    @property
    def is_binary(self) -> bool:
        """Frames end in a checksum."""
        return True

    @property
    def passes_frames(self) -> bool:
        """Never: what comes is not what goes on."""
        return False

    @property
    def rewriter(self) -> Callable[[bytes], bytes | None] | None:
        """The short way for frames that hold one plain delta, which most reads are."""
        return self._rewritten if self.at is OPEN else None

    @property
    def held_bytes(self) -> int:
        """Of a frame that is not whole yet, of the last `message_delta`."""
        return self._frames.held_bytes + len(self._delta)

    def feed(self, chunk: bytes) -> bytes:
        """What may go on, given the next bytes of the event stream."""
        if self._is_over():
            return b""
        out: list[bytes] = []
        for frame in self._frames.feed(chunk):
            plain = self._plain(frame) if frame.headers is self._chunk_headers else None
            if plain is not None:
                out.append(plain)
                continue
            out.append(self._hear(frame))
            if self._is_over():
                return b"".join(out)
        if self._frames.trouble:
            out.append(self.fail(unreadable(self._frames.trouble)))
        return b"".join(out)

    def _is_over(self) -> bool:
        return self.at is not BEGIN and self.at is not OPEN

    def finish(self) -> bytes:
        """The bytes are over: nothing when the stream had its end, else an error."""
        if self._frames.is_document and (self.at is BEGIN or self.at is OPEN):
            # A refusal in the guise of a stream; its status has been a good one.
            said = self._frames.take_document()
            return self.fail(read_aws_fault("", said, status=None, call=self._call))
        return self._taken_delta() + super().finish()

    def fail(self, fault: Fault) -> bytes:
        """See `stream/passthrough.py`; what is held of the provider goes out before."""
        before = self._taken_delta()
        if self.at is not BEGIN and self.at is not OPEN:
            return before  # it failed by itself
        return before + super().fail(fault)

    # ------------------------------------------------------------ frames

    def _rewritten(self, chunk: bytes) -> bytes | None:
        frame = self._frames.only(chunk)
        # What is not plain is read a second time: the reader has kept nothing of it.
        return None if frame is None else self._plain(frame)

    def _plain(self, frame: Frame) -> bytes | None:
        """A frame that holds one delta of a block, which nobody has to read; None for all else."""
        if self.at is not OPEN or self._delta:
            return None
        event = _plain_event(frame.payload)
        if event is None or not event.startswith(_DELTA) or b"\n" in event or b"\r" in event:
            return None
        if self._guarded and PREFIX in event:
            return None
        tally = self.tally
        tally.passed_events += 1
        tally.passed_bytes += len(_DELTA_OPENING) + len(event) + 2
        return b"%b%b\n\n" % (_DELTA_OPENING, event)

    def _hear(self, frame: Frame) -> bytes:
        kind = frame.text(":message-type")
        if kind == "event":
            if frame.text(":event-type") != "chunk":
                return b""  # none of ours
            self._chunk_headers = frame.headers
            return self._hear_chunk(frame)
        if kind == "exception":
            name = frame.text(":exception-type")
            return self.fail(read_aws_fault(name, frame.payload, status=None, call=self._call))
        if kind == "error":
            code, message = frame.text(":error-code"), frame.text(":error-message")
            said = msgspec.json.encode({"message": message})
            return self.fail(read_aws_fault(code, said, status=None, call=self._call))
        return b""

    def _hear_chunk(self, frame: Frame) -> bytes:
        event = _plain_event(frame.payload)
        if event is None:
            event = event_any_way(frame.payload)
        if event is None:
            return self.fail(unreadable("a frame of it holds no event"))
        if b"\n" in event or b"\r" in event:
            try:
                event = msgspec.json.format(event, indent=-1)
            except UNREADABLE:
                return self.fail(unreadable("an event of it is no JSON"))
        if (self._guarded or not event.startswith(_DELTA)) and PREFIX in event:
            event = self._claudes(event)
        if event.startswith(_DELTA):
            return self._taken_delta() + super().feed(b"%b%b\n\n" % (_DELTA_OPENING, event))
        try:
            kind = read_type(event).type
        except UNREADABLE:
            kind = ""
        if not kind.isidentifier() or not kind.isascii():
            return self.fail(unreadable("an event of it does not say what it is"))
        if kind == "message_delta":
            before, self._delta = self._taken_delta(), event
            return before
        if kind == "message_stop":
            return self._hear_stop(event)
        return self._taken_delta() + super().feed(_framed(kind, event))

    def _claudes(self, event: bytes) -> bytes:
        """The event without what is Amazon's, but for the measures behind the end."""
        try:
            fields = read_fields(event)
            kept, intervened = part(fields)
        except UNREADABLE:
            return event  # whoever reads it next says so
        self._intervened = self._intervened or intervened
        return event if bytes(fields.get("type", b"")) == _STOP_TYPE else msgspec.json.encode(kept)

    def _hear_stop(self, event: bytes) -> bytes:
        """The end; Amazon's measures go no further, but for what nobody else has told."""
        try:
            measures = read_stop(event).measures
        except UNREADABLE:
            measures = None
        if self._intervened and self._delta:
            self._delta = _as_refusal(self._delta)
        if measures is not None and self._delta:
            self._delta = self._with_measures(self._delta, measures)
        return self._taken_delta() + super().feed(MESSAGE_STOP)

    def _with_measures(self, delta: bytes, measures: Measures) -> bytes:
        """`message_delta` with the counts that neither it nor `message_start` had."""
        usage = self.usage
        known = {
            "input_tokens": (usage.input_tokens, measures.input_token_count),
            "output_tokens": (0, measures.output_token_count),
            "cache_read_input_tokens": (
                usage.cache_read_tokens,
                measures.cache_read_input_token_count,
            ),
            "cache_creation_input_tokens": (
                usage.cache_write_5m_tokens + usage.cache_write_1h_tokens,
                measures.cache_write_input_token_count,
            ),
        }
        try:
            fields = read_fields(delta)
            told = read_fields(fields.get("usage", b"{}"))
        except UNREADABLE:
            return delta
        told = {name: raw for name, raw in told.items() if bytes(raw) != b"null"}
        added = {
            name: msgspec.Raw(b"%d" % measured)
            for name, (counted, measured) in known.items()
            if measured and not counted and name not in told
        }
        if not added:
            return delta
        fields["usage"] = msgspec.Raw(msgspec.json.encode(told | added))
        return msgspec.json.encode(fields)

    def _taken_delta(self) -> bytes:
        delta, self._delta = self._delta, b""
        return super().feed(_framed("message_delta", delta)) if delta else b""


def _as_refusal(delta: bytes) -> bytes:
    """`message_delta` of an answer that a guardrail took away."""
    try:
        fields = read_fields(delta)
        ended = refused(read_fields(fields.get("delta", b"{}")))
    except UNREADABLE:
        return delta
    return msgspec.json.encode(fields | {"delta": msgspec.Raw(msgspec.json.encode(ended))})


def _framed(kind: str, event: bytes) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), event)


def _plain_event(payload: bytes) -> bytes | None:
    """The event in base64 between the quotes: base64 has none, and no escapes."""
    begin = payload.find(_BYTES)
    if begin < 0:
        return None
    begin += len(_BYTES)
    try:
        return a2b_base64(payload[begin : payload.index(b'"', begin)], strict_mode=True)
    except (NoBase64, ValueError):
        return None
