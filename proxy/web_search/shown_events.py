"""A message with searches as the bytes of Anthropic's events. Knows which block is open, and its
index; that the order is legal is the caller's care (`splice.py`).
"""

from proxy.wire import events

_CITATION = b'{"type":"citations_delta","citation":'


class ShownEvents:
    """Bytes gather until they are taken."""

    def __init__(self) -> None:
        self._out: list[bytes] = []
        self._index = -1
        self._open = b""
        """What stands before the words of the open block's deltas; empty: none is open."""

    def take(self) -> bytes:
        """All that was written since it was last asked."""
        whole = b"".join(self._out)
        self._out.clear()
        return whole

    def text(self, words: bytes) -> None:
        """See `shown.Shown`, as for all that follows."""
        if not self._open:
            self._begin(events.TEXT_BLOCK, events.TEXT)
        self._out.append(self._open + words + events.DELTA_CLOSE)

    def cite(self, citation: bytes) -> None:
        """A `citations_delta`."""
        opening = events.delta_opening(self._index, _CITATION)
        self._out.append(opening + citation + b"}}\n\n")

    def thinking(self, words: bytes) -> None:
        """A `thinking_delta`."""
        self._thinks()
        self._out.append(self._open + words + events.DELTA_CLOSE)

    def sign(self, signature: bytes) -> None:
        """A `signature_delta`."""
        self._thinks()
        opening = events.delta_opening(self._index, events.SIGNATURE)
        self._out.append(opening + signature + events.DELTA_CLOSE)

    def call(self, call_id: str, name: str) -> None:
        """A `tool_use`."""
        self._begin(events.call_block(call_id, name), events.ARGUMENTS)

    def arguments(self, words: bytes) -> None:
        """An `input_json_delta`."""
        self._out.append(self._open + words + events.DELTA_CLOSE)

    def close(self) -> None:
        """`content_block_stop`."""
        if self._open:
            self._out.append(events.block_stop(self._index))
            self._open = b""

    def searched(self, opening: bytes, arguments: bytes, whole: bytes) -> None:
        """A `server_tool_use`, its input in one delta."""
        self._begin(opening, events.ARGUMENTS)
        self.arguments(events.escaped(arguments.decode()))
        self.close()

    def block(self, whole: bytes) -> None:
        """A block without deltas."""
        self._begin(whole, b" ")
        self.close()

    def _thinks(self) -> None:
        if not self._open:
            self._begin(events.THINKING_BLOCK, events.THINKING)

    def _begin(self, block: bytes, kind: bytes) -> None:
        assert not self._open, "one block at a time"
        self._index += 1
        self._out.append(events.block_start(self._index, block))
        self._open = events.delta_opening(self._index, kind)
