"""Is this reply right? Judges what came back: a message, or a stream event by event.

Knows the score that was asked for and the model's name the client must see; knows nothing of
sockets. A measured number counts only replies that passed here, so the judge is strict about order
and completeness, lenient about pings (a proxy may add some) and about the spelling of JSON.
"""

import array
import enum

import msgspec

from bench import score as scores

HELD_BYTES_MAX = 1 << 20
"""More than this without an event boundary is not an event stream."""


class _Usage(msgspec.Struct):
    output_tokens: int


class _Text(msgspec.Struct):
    type: str
    text: str = ""


class _Message(msgspec.Struct):
    type: str
    model: str
    content: list[_Text]
    usage: _Usage


class _Start(msgspec.Struct):
    message: _Message


class _Delta(msgspec.Struct):
    delta: _Text


class _Kind(msgspec.Struct):
    type: str


class _MessageDelta(msgspec.Struct):
    usage: _Usage


def wrong_message(body: bytes, model: str) -> str | None:
    """What is wrong with a reply that is not streamed; None when nothing is."""
    if not body:
        return "empty body"
    try:
        message = msgspec.json.decode(body, type=_Message)
    except msgspec.MsgspecError as error:
        return f"unreadable message: {error}"
    if message.type != "message":
        return f"type {message.type!r} instead of 'message'"
    if message.model != model:
        return f"model {message.model!r} instead of {model!r}"
    if sum(len(block.text) for block in message.content) != scores.MESSAGE_TEXT_BYTES:
        return "text of another length"
    return None


def wrong_start(frame: bytes, model: str) -> str | None:
    """What is wrong with the first event of a stream, given without its blank line."""
    judge = StreamCheck(model, 0)
    judge.feed(frame + b"\n\n")
    if judge.wrong is None and judge.place is not Place.BLOCK:
        return "the first event is no message_start"
    return judge.wrong


class Place(enum.Enum):
    """Where in the stream we are, named by the event that must come next."""

    START = "message_start"
    BLOCK = "content_block_start"
    DELTAS = "content_block_stop"
    DELTA = "message_delta"
    STOP = "message_stop"
    ENDED = "nothing more"


_NEXT = {
    Place.START: Place.BLOCK,
    Place.BLOCK: Place.DELTAS,
    Place.DELTAS: Place.DELTA,
    Place.DELTA: Place.STOP,
    Place.STOP: Place.ENDED,
}


class StreamCheck:
    """Follows one stream. `wrong` is what was wrong first; nothing is read after it."""

    __slots__ = ("_deltas_due", "_held", "_model", "_place", "deltas", "late_ns_max", "wrong")

    def __init__(self, model: str, deltas_due: int) -> None:
        self._model = model
        self._deltas_due = deltas_due
        self._held = b""
        self._place = Place.START
        self.deltas = 0
        self.late_ns_max = 0
        self.wrong: str | None = None

    @property
    def place(self) -> Place:
        """Where the stream is."""
        return self._place

    def feed(
        self, piece: bytes, now_ns: int = 0, lags_ns: "array.array[int] | None" = None
    ) -> None:
        """Take body bytes cut anywhere; note how late stamped deltas are when a place is given."""
        if self.wrong is not None:
            return
        *frames, self._held = (self._held + piece if self._held else piece).split(b"\n\n")
        for frame in frames:
            if self._place is Place.DELTAS and frame.startswith(scores.DELTA_HEAD):
                if not frame.endswith(scores.DELTA_TAIL):
                    self.wrong = "a delta's text is damaged"
                else:
                    self._delta(frame[scores.SEQUENCE], frame[scores.STAMP], now_ns, lags_ns)
            else:
                self._other(frame, now_ns, lags_ns)
            if self.wrong is not None:
                return
        if len(self._held) > HELD_BYTES_MAX:
            self.wrong = "no event boundary"

    def finish(self) -> str | None:
        """The body ended: what was wrong with it, None when it was whole."""
        if self.wrong is None:
            if self._held:
                self.wrong = "ended in the middle of an event"
            elif self._place is not Place.ENDED:
                self.wrong = f"ended before {self._place.value} (after {self.deltas} deltas)"
        return self.wrong

    def _delta(
        self,
        sequence: bytes | str,
        stamp: bytes | str,
        now_ns: int,
        lags_ns: "array.array[int] | None",
    ) -> None:
        try:
            number, written_ns = int(sequence), int(stamp)
        except ValueError:
            self.wrong = "a delta's text is damaged"
            return
        if number != self.deltas:
            self.wrong = f"delta {number} where {self.deltas} was due"
            return
        self.deltas += 1
        if written_ns and now_ns:
            lag_ns = now_ns - written_ns
            if lag_ns > self.late_ns_max:
                self.late_ns_max = lag_ns
            if lags_ns is not None:
                lags_ns.append(lag_ns)

    def _other(self, frame: bytes, now_ns: int, lags_ns: "array.array[int] | None") -> None:
        """Everything but a delta spelled as the upstream spells it."""
        if frame.startswith(b":"):  # a comment, legal anywhere
            return
        first, _, second = frame.partition(b"\n")
        if not first.startswith(b"event: ") or not second.startswith(b"data: "):
            self.wrong = f"not an event: {frame[:80]!r}"
            return
        name, data = first[7:].decode(errors="replace"), second[6:]
        try:
            self._event(name, data, now_ns, lags_ns)
        except msgspec.MsgspecError as error:
            self.wrong = f"unreadable {name}: {error}"

    def _event(
        self, name: str, data: bytes, now_ns: int, lags_ns: "array.array[int] | None"
    ) -> None:
        kind = msgspec.json.decode(data, type=_Kind).type
        if kind != name:
            self.wrong = f"event {name} says it is {kind}"
        elif name == "ping":
            return
        elif name == "error":
            self.wrong = f"error event: {data[:160].decode(errors='replace')}"
        elif name == "content_block_delta" and self._place is Place.DELTAS:
            text = msgspec.json.decode(data, type=_Delta).delta.text
            if not text.endswith(scores.TEXT_TAIL):
                self.wrong = "a delta's text is damaged"
            else:
                self._delta(text[:6], text[7:26], now_ns, lags_ns)
        elif name != self._place.value:
            self.wrong = f"{name} where {self._place.value} was due"
        else:
            self._turn(data)

    def _turn(self, data: bytes) -> None:
        """The event that was due came: look into it and go on to the next place."""
        if self._place is Place.START:
            model = msgspec.json.decode(data, type=_Start).message.model
            if model != self._model:
                self.wrong = f"model {model!r} instead of {self._model!r}"
        elif self._place is Place.DELTAS and self.deltas != self._deltas_due:
            self.wrong = f"{self.deltas} deltas instead of {self._deltas_due}"
        elif self._place is Place.DELTA:
            msgspec.json.decode(data, type=_MessageDelta)
        self._place = _NEXT[self._place]
