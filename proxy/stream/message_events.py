"""A message as the bytes of Anthropic's events: the sink of every translated stream."""

from proxy.domain.usage import Usage
from proxy.wire import events


class MessageEvents:
    """Bytes gather until they are taken."""

    __slots__ = ("_message_id", "_model", "_opening", "_out")

    def __init__(self, message_id: str, model: str) -> None:
        self._message_id = message_id
        self._model = model
        self._out: list[bytes] = []
        self._opening = b""

    def take(self) -> bytes:
        """All that was written since it was last asked."""
        whole = b"".join(self._out)
        self._out.clear()
        return whole

    @property
    def opening(self) -> bytes:
        """What stands before the words of every delta of the open block."""
        return self._opening

    def start(self, usage: Usage) -> None:
        """`message_start`."""
        self._out.append(events.message_start(self._message_id, self._model, usage))

    def open_text(self, index: int) -> None:
        """`content_block_start`."""
        self._out.append(events.block_start(index, events.TEXT_BLOCK))
        self._opening = events.delta_opening(index, events.TEXT)

    def open_thinking(self, index: int) -> None:
        """`content_block_start`."""
        self._out.append(events.block_start(index, events.THINKING_BLOCK))
        self._opening = events.delta_opening(index, events.THINKING)

    def open_call(self, index: int, call_id: str, name: str) -> None:
        """`content_block_start`."""
        self._out.append(events.block_start(index, events.call_block(call_id, name)))
        self._opening = events.delta_opening(index, events.ARGUMENTS)

    def delta(self, words: bytes) -> None:
        """`content_block_delta` of text or thinking."""
        self._out.append(self._opening + words + events.DELTA_CLOSE)

    def arguments(self, text: str) -> None:
        """`content_block_delta` of a call."""
        self._out.append(self._opening + events.escaped(text) + events.DELTA_CLOSE)

    def sign(self, signature: str) -> None:
        """`content_block_delta` that closes thinking."""
        # The opening knows the index; only the kind of delta is another one.
        opening = self._opening.replace(events.THINKING, events.SIGNATURE)
        self._out.append(opening + events.escaped(signature) + events.DELTA_CLOSE)

    def close(self, index: int) -> None:
        """`content_block_stop`."""
        self._out.append(events.block_stop(index))

    def end(self, stop_fields: bytes, usage_document: bytes) -> None:
        """`message_delta` and `message_stop`."""
        self._out.append(events.message_delta(stop_fields, usage_document))
        self._out.append(events.MESSAGE_STOP)
