"""Server-sent events out of bytes that come as they come, cut anywhere (translation.md 3.7).

Owns: where an event ends, what its data is, how much is held of one that is not whole, and whether
these are events at all: a provider may answer a question for a stream with a document.
Refuses to know: what the data means.

Everything is parted as bytes, never as text: a character cut in two heals by itself, and the line
ends that only Unicode knows (U+2028) stay what they are inside JSON.
"""

import msgspec

BOM = b"\xef\xbb\xbf"
_SPACE = b" \t\r\n"
_DOCUMENTS = b"{[<"
"""How a JSON document or a page of HTML begins. No field of an event does."""
_GOES_ON = b' \t"{}[],'
"""How a line of JSON begins, and no field's name."""


class Named(msgspec.Struct, frozen=True):
    """The data of an event that says what it is, other than `message`."""

    name: bytes
    data: bytes


class EventReader:
    """Bytes in, the data of whole events out. Never raises: what is too large is said by
    `is_too_large`, and nothing is read after it."""

    __slots__ = ("_after_cr", "_bytes_max", "_is_seen", "held", "is_document", "is_too_large")

    def __init__(self, event_bytes_max: int) -> None:
        self.held = bytearray()
        """Of an event that is not whole yet; all of it when `is_document`."""
        self.is_document = False
        self.is_too_large = False
        self._after_cr = False
        self._bytes_max = event_bytes_max
        self._is_seen = False

    def feed(self, chunk: bytes) -> list[bytes | Named]:
        """The data of the events that are whole now."""
        end = len(chunk) - 2
        if (
            chunk.find(b"\n") == end  # exactly one event of one line: what most reads are
            and chunk.startswith(b"data: ")
            and chunk.endswith(b"\n\n")
            and self._is_seen
            and not self.held
            and end <= self._bytes_max
            and b"\r" not in chunk
        ):
            return [chunk[6:end]]
        if self.is_too_large:
            return []
        if self._after_cr or b"\r" in chunk:
            chunk = self._in_line_feeds(chunk)
        if not self._is_seen:
            chunk = self._look(chunk)
        if self.is_document:
            return self._hold(chunk)
        if self.held:
            # The border is looked for in the new bytes alone: a large event costs no more.
            if (self.held[-1:] + chunk).find(b"\n\n") < 0:
                return self._hold(chunk)
            chunk = bytes(self.held) + chunk
            self.held.clear()
        cut = chunk.rfind(b"\n\n")
        if cut < 0:
            return self._hold(chunk)
        if cut + 2 != len(chunk):
            self._hold(chunk[cut + 2 :])
        return self._events(chunk[:cut])

    def finish(self) -> list[bytes | Named]:
        """The bytes are over: the event that had no blank line behind it, if there is one."""
        if self.is_document or self.is_too_large:
            return []
        rest = bytes(self.held)
        self.held.clear()
        return [said for said in [_event(rest)] if said is not None]

    def take_document(self) -> bytes:
        """All that came, once `is_document`."""
        whole = bytes(self.held)
        self.held.clear()
        return whole

    def _events(self, block: bytes) -> list[bytes | Named]:
        said: list[bytes | Named] = []
        for event in block.split(b"\n\n"):
            if len(event) > self._bytes_max and len(event.strip(b"\n")) > self._bytes_max:
                self._refuse()
                return said
            if event.startswith(b"data: ") and b"\n" not in event:
                said.append(event[6:])
            elif (data := _event(event)) is not None:
                said.append(data)
        return said

    def _hold(self, chunk: bytes) -> list[bytes | Named]:
        self.held += chunk
        if len(self.held) > self._bytes_max and len(self.held.strip(b"\n")) > self._bytes_max:
            self._refuse()
        return []

    def _refuse(self) -> None:
        self.is_too_large = True
        self._is_seen = False  # bars the short way
        self.held.clear()

    def _in_line_feeds(self, chunk: bytes) -> bytes:
        """All three line ends of the grammar as one. JSON holds none of them raw."""
        if self._after_cr and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._after_cr = False
        if chunk.endswith(b"\r"):
            self._after_cr = True
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _look(self, chunk: bytes) -> bytes:
        """The first bytes: is a BOM to be dropped, are these events? Space before them is."""
        begun = bytes(self.held) + chunk
        self.held.clear()
        if BOM.startswith(begun):
            self.held += begun
            return b""
        begun = begun.removeprefix(BOM).lstrip(_SPACE)
        if begun:
            self._is_seen = True
            self.is_document = begun[0] in _DOCUMENTS
        return begun


def _event(event: bytes) -> bytes | Named | None:
    """One event by the grammar; None for comments and events without data."""
    name = b""
    data: list[bytes] = []
    for line in event.split(b"\n"):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value
        elif data and line[:1] and line[0] in _GOES_ON:
            # JSON over several lines whose writer forgot to begin each with `data:`.
            data.append(line)
    if not data:
        return None
    whole = data[0] if len(data) == 1 else b"\n".join(data)
    return whole if name in (b"", b"message") else Named(name, whole)
