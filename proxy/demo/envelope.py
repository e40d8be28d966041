"""What goes around a reply on either wire: its envelope, and the frames it is streamed in."""

from typing import NamedTuple


class Envelope(NamedTuple):
    """All of a reply that the model does not say. `serial` is unique to the reply."""

    serial: str
    model: str
    input_tokens: int
    created_s: int = 0


class Frame(NamedTuple):
    """Bytes that are sent in one go; only deltas are paced."""

    data: bytes
    is_delta: bool = False
