"""Bedrock's ConverseStream in, Anthropic's events out.

Frames are put into the chunks of chat completions (`wire/converse.py`) and go the same way as
those: `chat_to_messages.py` decides what they mean. Owns what is Amazon's: frames, and exceptions
between them. Usage comes behind the reason to stop, so the end is told with it (trap 45).
"""

from typing import Final

import msgspec

from proxy.domain.call import Call
from proxy.domain.dialect import Dialect
from proxy.stream.broken import unreadable
from proxy.stream.chat_to_messages import ChatToMessages
from proxy.stream.pipe import BEGIN, OPEN
from proxy.wire.aws_fault import read_aws_fault
from proxy.wire.converse import ConverseEvents
from proxy.wire.eventstream import Frame, FrameReader
from proxy.wire.seal import ThinkingSeal

_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class ConverseMessages(ChatToMessages):
    """One streamed reply."""

    __slots__ = ("_events", "_frames")

    def __init__(
        self, call: Call, dialect: Dialect, seal: ThinkingSeal, event_bytes_max: int
    ) -> None:
        super().__init__(call, dialect, seal, event_bytes_max)
        self._frames = FrameReader(event_bytes_max)
        self._events = ConverseEvents()

    @property
    def held_bytes(self) -> int:
        """Of a frame that is not whole yet, and of what the translation holds."""
        return self._frames.held_bytes + super().held_bytes

    def feed(self, chunk: bytes) -> bytes:
        """What may go on, given the next bytes of the event stream."""
        out: list[bytes] = []
        for frame in self._frames.feed(chunk) if self._goes_on else ():
            out.append(self._hear(frame))
            if not self._goes_on:
                break
        if self._goes_on and self._frames.trouble:
            out.append(self.fail(unreadable(self._frames.trouble)))
        return b"".join(out)

    def finish(self) -> bytes:
        """The bytes are over."""
        if self._goes_on and self._frames.is_document:
            # A refusal in the guise of a stream; its status has been a good one.
            said = self._frames.take_document()
            return self.fail(read_aws_fault("", said, status=None, call=self._call))
        return super().finish()

    @property
    def _goes_on(self) -> bool:
        return self.at is BEGIN or self.at is OPEN

    def _hear(self, frame: Frame) -> bytes:
        kind = frame.text(":message-type")
        if kind == "event":
            try:
                chunks = self._events.chunks(frame.text(":event-type"), frame.payload)
            except _UNREADABLE:
                return self.fail(unreadable("an event of it cannot be read"))
            return super().feed(chunks) if chunks else b""
        if kind == "exception":
            name = frame.text(":exception-type")
            return self.fail(read_aws_fault(name, frame.payload, status=None, call=self._call))
        if kind == "error":
            said = msgspec.json.encode({"message": frame.text(":error-message")})
            code = frame.text(":error-code")
            return self.fail(read_aws_fault(code, said, status=None, call=self._call))
        return b""
