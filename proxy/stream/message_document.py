"""A message as one JSON document: the sink of every translated reply that is not streamed.

The input of a call is the provider's own bytes (translation.md D2).
"""

from proxy.domain.usage import Usage
from proxy.wire import events


class MessageDocument:
    """Blocks gather until the end; then `body` is the document."""

    __slots__ = (
        "_blocks",
        "_call_id",
        "_kind",
        "_message_id",
        "_model",
        "_name",
        "_pieces",
        "body",
    )

    def __init__(self, message_id: str, model: str) -> None:
        self._message_id = message_id
        self._model = model
        self._blocks: list[bytes] = []
        self._pieces: list[bytes] = []
        self._kind = b""
        self._call_id = self._name = ""
        self.body = b""

    def start(self, usage: Usage) -> None:
        """All is said at the end."""

    def open_text(self, index: int) -> None:
        """A text begins."""
        self._kind = b'{"type":"text","text":"'

    def open_thinking(self, index: int) -> None:
        """A thought begins."""
        self._kind = b'{"type":"thinking","thinking":"'

    def open_call(self, index: int, call_id: str, name: str) -> None:
        """A call begins."""
        self._kind = b""
        self._call_id = call_id
        self._name = name

    def delta(self, words: bytes) -> None:
        """More of it."""
        self._pieces.append(words)

    def arguments(self, text: str) -> None:
        """More of the input."""
        self._pieces.append(text.encode())

    def sign(self, signature: str) -> None:
        """The thought is signed."""
        self._pieces.append(b'","signature":"' + events.escaped(signature))

    def close(self, index: int) -> None:
        """The block is whole."""
        said = b"".join(self._pieces)
        self._pieces.clear()
        if self._kind:
            self._blocks.append(self._kind + said + b'"}')
        else:
            self._blocks.append(events.call_block(self._call_id, self._name, said or b"{}"))

    def end(self, stop_fields: bytes, usage_document: bytes) -> None:
        """The document."""
        self.body = events.whole_message(
            self._message_id, self._model, self._blocks, stop_fields, usage_document
        )
