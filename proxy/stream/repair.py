"""Anthropic's stream as imperfect servers write it in, a legal one out (translation.md 4.2).

For third-party "Anthropic-compatible" endpoints: events without names or without types, blocks
without a stop, indexes with gaps, thinking without a signature, usage in pieces or not at all.
Owns: which block is open, under which index of ours, and that the message has one end. What makes
it whole is a reason to stop; a stream that ends without one was cut (D4). One state variable:

                 block         text        thinking    arguments   block stop  end
    FRESH        start,open    start,open  start,open  refused     nothing     refused
    BETWEEN      open          open        open        refused     nothing     end
    DUE          drop,open     open        drop,open   refused     drop        drop,end
    TEXT         close,open    δ           close,open  refused     close       close,end
    THINKING     close,open    close,open  δ           refused     close       close,end
    CALL         close,open    close,open  close,open  δ           close       close,end
    OTHER        close,open    close,open  close,open  δ           close       close,end

DUE is a block of text of which nothing has come: clients cannot send an empty one back (trap 13).
Arguments and text are never decoded.
"""

import hashlib
from enum import Enum

import msgspec

from proxy.domain.call import Call
from proxy.domain.fault import Fault, Kind, Source
from proxy.domain.usage import Usage
from proxy.stream.pipe import BEGIN, FAILED, OPEN, REFUSED, WHOLE, At
from proxy.stream.repaired_parts import (
    ABSENT,
    BYTES_PER_TOKEN,
    CALLS,
    UNREADABLE,
    Counts,
    TheirBlock,
    TheirEvent,
    given,
    one_line,
    read_block,
    read_event,
    read_fields,
    read_list,
    signed,
    stop_reason,
    text_of,
    words_of,
)
from proxy.stream.thinking_signer import ThinkingSigner
from proxy.stream.tool_ids import made_id
from proxy.wire import events
from proxy.wire.chat_fault import read_chat_error
from proxy.wire.fault_body import error_event
from proxy.wire.half_characters import HalfCharacters
from proxy.wire.seal import ThinkingSeal
from proxy.wire.sse import EventReader, Named

FAMILY = "compat"
"""In signatures of thinking that such a server did not sign itself."""
_ID_CHARS = 22
_DONE = b"[DONE]"
_INDEX_BYTES_MAX = 20


class State(Enum):
    """Which block is open."""

    FRESH = "fresh"
    BETWEEN = "between"
    DUE = "due"
    TEXT = "text"
    THINKING = "thinking"
    CALL = "call"
    OTHER = "other"
    DONE = "done"


# Plain names: found through its class, a member costs ten times as much (75 ns on 3.11).
FRESH, BETWEEN, DUE, TEXT, THINKING, CALL, OTHER, DONE = State


class RepairedMessages:
    """One streamed reply; implements `stream/pipe.Pipe`."""

    __slots__ = (
        "_call",
        "_calls",
        "_counts",
        "_due",
        "_halves",
        "_index",
        "_input",
        "_opening",
        "_out",
        "_reader",
        "_signature",
        "_signer",
        "_state",
        "_stop",
        "_text_bytes",
        "_their_index",
        "_tool_ids",
        "_unstopped",
        "at",
        "fault",
        "passed_bytes",
        "passed_events",
        "stop_reason",
        "usage",
        "usage_estimated",
    )

    cut_short = False
    passes_frames = False

    def __init__(self, call: Call, seal: ThinkingSeal, event_bytes_max: int) -> None:
        self._counts = Counts()
        self.at: At = BEGIN
        self.usage: Usage = self._counts.usage
        self.usage_estimated = False
        self.stop_reason = ""
        self.fault: Fault | None = None
        self.passed_bytes = 0
        self.passed_events = 0
        self._call = call
        self._calls = 0
        self._reader = EventReader(event_bytes_max)
        self._signer = ThinkingSigner(seal, call.caller.tenant_id, FAMILY, shown=True)
        self._state: State = FRESH
        self._out: list[bytes] = []
        self._halves = HalfCharacters()
        self._index = -1
        self._their_index = b""
        self._unstopped: set[bytes] = set()
        """Their indexes of blocks that were closed by us."""
        self._due = b""
        """How the block that is DUE begins."""
        self._opening = b""
        """How a delta of the open block begins."""
        self._signature = b""
        self._input = b""
        """Input that a call began with: it stands only if none is streamed."""
        self._tool_ids: set[str] = set()
        self._stop: dict[str, msgspec.Raw] = {}
        self._text_bytes = 0

    # ------------------------------------------------------------ the pipe

    def feed(self, chunk: bytes) -> bytes:
        """What may go on, given the next bytes of the provider."""
        if self._state is DONE:
            return b""
        for said in self._reader.feed(chunk):
            self._hear(said)
        if self._reader.is_too_large:
            self._give_up("one event of it is too large")
        return self._taken()

    def open(self) -> bytes:
        """A beginning of our own; theirs is swallowed when it comes."""
        if self._state is FRESH:
            self._start(ABSENT)
        return self._taken()

    def finish(self) -> bytes:
        """The bytes are over: whole if there was a reason to stop, else cut."""
        for said in self._reader.finish():
            data = said.data if isinstance(said, Named) else said
            # Half an event at the end is what a cut leaves; it says nothing.
            if data.strip() == _DONE or self._read(data) is not None:
                self._hear(said)
        if self._reader.is_document and self._state is not DONE:
            self._hear_document(self._reader.take_document())
        if self.said_all:
            self._end()
        elif self._state is not DONE:
            self._out.append(self.fail(_cut()))
        return self._taken()

    def fail(self, fault: Fault) -> bytes:
        """End the stream with `fault`; the open block is not closed (client-contract.md 8.3)."""
        assert self._state is not DONE, "a finished stream cannot fail"
        self.at = REFUSED if self._state is FRESH else FAILED
        self._state = DONE
        self.fault = fault
        return error_event(fault, self._call.arrival.request_id)

    def estimate_usage(self) -> None:
        """The stream was left early: let input and output count at least for what went by."""
        if self.at is not OPEN and self.at is not FAILED:
            return
        usage = self.usage
        estimate = self._text_bytes // BYTES_PER_TOKEN
        if estimate > usage.output_tokens:
            usage.output_tokens = estimate
            self.usage_estimated = True
        if not (usage.input_tokens or usage.cache_read_tokens):
            usage.input_tokens = self._call.input_tokens
            self.usage_estimated = True

    @property
    def said_all(self) -> bool:
        """Has the model said why it stopped?"""
        return bool(self.stop_reason) and self._state is not DONE

    @property
    def held_bytes(self) -> int:
        """Of an event that is not whole, of thinking that is not signed."""
        return len(self._reader.held) + self._signer.held_bytes + len(self._input)

    def _taken(self) -> bytes:
        out, self._out = self._out, []
        return out[0] if len(out) == 1 else b"".join(out)

    # ------------------------------------------------------------ what they say

    def _hear(self, said: bytes | Named) -> None:
        if self._state is DONE:
            return
        name, data = (said.name, said.data) if isinstance(said, Named) else (b"", said)
        if data.strip() == _DONE:
            self._hear_done()
            return
        if name == b"error":
            self._hear_error(data)
            return
        event = self._read(data)
        if event is None:
            self._give_up("an event of it is no JSON")
            return
        kind = event.type or name.decode("ascii", "replace") or _kind_of(event)
        if given(event.error) or kind.endswith("error"):
            self._hear_error(data)
            return
        try:
            self._hear_event(kind, event)
        except UNREADABLE:
            self._give_up(f"a {kind[:40]} of it cannot be read")

    def _read(self, data: bytes) -> TheirEvent | None:
        try:
            return read_event(data)
        except UNREADABLE:
            pass  # half a character, perhaps
        try:
            return read_event(self._halves.mended(data))
        except UNREADABLE:
            return None

    def _hear_event(self, kind: str, event: TheirEvent) -> None:
        """Types that are not known are left out."""
        if kind == "content_block_delta":
            self._hear_delta(event)
        elif kind == "content_block_start":
            self._hear_block(event)
        elif kind == "content_block_stop":
            # The stop of another block says nothing of this one.
            if not self._their_index or _index(event) in (b"", self._their_index):
                self._close()
        elif kind == "message_start":
            self._hear_start(event)
        elif kind == "message_delta":
            self._hear_stop(event)
        elif kind == "message_stop":
            self._hear_end()
        elif kind == "ping" and self.at is OPEN:
            self._out.append(events.PING)

    def _hear_start(self, event: TheirEvent) -> None:
        if self._index >= 0:
            self._give_up("it began a second message")
        elif self._state is FRESH:
            self._start(event.message)
        elif given(event.message):
            self._counts.merge(read_fields(event.message).get("usage", ABSENT))

    def _hear_stop(self, event: TheirEvent) -> None:
        """Why it stopped and what it cost are told at the end, in one piece (D5)."""
        if given(event.delta):
            told = read_fields(event.delta)
            self._stop.update({key: raw for key, raw in told.items() if given(raw)})
            self._stop.pop("type", None)
            self._counts.merge(told.get("usage", ABSENT))
            self._stop.pop("usage", None)
        if given(event.stop_reason):
            self._stop["stop_reason"] = event.stop_reason
        self._counts.merge(event.usage)
        if self._state is FRESH:
            self._start(ABSENT)
        reason = text_of(self._stop.pop("stop_reason", ABSENT))
        if reason:
            self._close()
            self.stop_reason = reason

    def _hear_end(self) -> None:
        if self._state is FRESH:
            self._give_up("it ended before it began")
        else:
            self._end()

    def _hear_done(self) -> None:
        """OpenAI's end, from servers that speak both. It stands for `message_stop` if something
        was said and no call is left hanging (translation.md 2.3)."""
        if self.stop_reason or (self._index >= 0 and self._state is not CALL):
            self._end()

    def _hear_error(self, data: bytes) -> None:
        self._out.append(self.fail(read_chat_error(data, status=None, call=self._call)))

    def _hear_document(self, document: bytes) -> None:
        """A whole message where a stream was asked for: told as one."""
        try:
            message = read_fields(document)
            blocks = read_list(message.pop("content", ABSENT) or b"null")
        except UNREADABLE:
            self._hear_error(document)
            return
        if self._state is FRESH:
            self._start(msgspec.Raw(msgspec.json.encode(message)))
        for block in blocks:
            if self._state is not DONE:
                self._hear_event("content_block_start", TheirEvent(content_block=block))
                self._close()
        if self._state is not DONE:
            told = {key: message[key] for key in ("stop_reason", "stop_sequence") if key in message}
            delta = msgspec.Raw(msgspec.json.encode(told))
            self._hear_stop(TheirEvent(delta=delta, usage=message.get("usage", ABSENT)))
            self.stop_reason = self.stop_reason or "end_turn"

    # ------------------------------------------------------------ blocks

    def _hear_block(self, event: TheirEvent) -> None:
        self._leave_block()
        if self._state is FRESH:
            self._start(ABSENT)
        self._their_index = _index(event)
        self._unstopped.discard(self._their_index)
        if not given(event.content_block):
            return  # the first delta will say what it is
        block = read_block(event.content_block)
        if block.type == "text":
            is_bare = not words_of(block.text)
            self._due = one_line(event.content_block) if is_bare and block.text else b""
            self._state = DUE
            self._text(words_of(block.text))
        elif block.type == "thinking":
            self._open(THINKING, events.THINKING_BLOCK)
            self._thinking(words_of(block.thinking))
            self._signature = words_of(block.signature)
        elif block.type in CALLS:
            self._hear_call(event.content_block, block)
        elif block.type:
            self._open(OTHER, one_line(event.content_block))

    def _hear_call(self, raw: msgspec.Raw, block: TheirBlock) -> None:
        if not block.name:
            self._give_up("it calls a tool without a name")
            return
        call_id = block.id or ""
        if not call_id or call_id in self._tool_ids:
            call_id = made_id(self._message_id, len(self._tool_ids))
        self._tool_ids.add(call_id)
        self._calls += block.type == "tool_use"
        fields = read_fields(raw)
        fields["id"] = msgspec.Raw(msgspec.json.encode(call_id))
        fields["input"] = msgspec.Raw(b"{}")
        self._open(CALL, msgspec.json.encode(fields))
        given_input = bytes(block.input) if given(block.input) else b"{}"
        self._input = b"" if given_input == b"{}" else given_input

    def _hear_delta(self, event: TheirEvent) -> None:
        if not given(event.delta):
            return
        delta = read_block(event.delta)
        kind = delta.type or _delta_kind_of(delta)
        if self._state is OTHER:
            self._out.append(b"%b%b}\n\n" % (self._opening, one_line(event.delta)))
        elif kind == "text_delta":
            self._text(words_of(delta.text))
        elif kind == "thinking_delta":
            self._thinking(words_of(delta.thinking))
        elif kind == "input_json_delta":
            self._arguments(event, delta.partial_json)
        elif kind == "signature_delta" and self._state is THINKING:
            self._signature = words_of(delta.signature) or self._signature
        elif kind == "citations_delta" and self._state in (DUE, TEXT):
            self._into_text()
            self._out.append(b"%b%b}\n\n" % (self._opening, one_line(event.delta)))

    def _text(self, words: bytes) -> None:
        if not words:
            return
        self._into_text()
        self._text_bytes += len(words)
        self._out.append(b"%b%b%b%b" % (self._opening, events.TEXT, words, events.DELTA_CLOSE))

    def _into_text(self) -> None:
        if self._state is TEXT:
            return
        begun = events.TEXT_BLOCK
        if self._state is DUE:
            begun, self._due = self._due or begun, b""
        else:
            self._leave_block()
        self._open(TEXT, begun)

    def _thinking(self, words: bytes) -> None:
        if not words:
            return
        if self._state is not THINKING:
            self._leave_block()
            self._open(THINKING, events.THINKING_BLOCK)
        self._signer.add(words)
        self._text_bytes += len(words)
        self._out.append(b"%b%b%b%b" % (self._opening, events.THINKING, words, events.DELTA_CLOSE))

    def _arguments(self, event: TheirEvent, given_json: msgspec.Raw) -> None:
        words = words_of(given_json)
        if bytes(given_json)[:1] == b"{":
            words = events.escaped(one_line(given_json).decode())  # an object, not its text
        if not words:
            return
        index = _index(event)
        is_stray = index != self._their_index and index in self._unstopped
        if self._state is not CALL or is_stray:
            self._give_up("it went on with a call that is closed")
            return
        self._input = b""
        self._text_bytes += len(words)
        self._out.append(b"%b%b%b%b" % (self._opening, events.ARGUMENTS, words, events.DELTA_CLOSE))

    # ------------------------------------------------------------ what we say

    @property
    def _message_id(self) -> str:
        call = self._call
        if call.message_id:
            return call.message_id
        digest = hashlib.sha256(call.arrival.request_id.encode()).hexdigest()
        return f"msg_gw_{digest[:_ID_CHARS]}"

    def _start(self, message: msgspec.Raw) -> None:
        fields = read_fields(message) if given(message) else {}
        self._counts.merge(fields.get("usage", ABSENT))
        theirs = fields.get("id", ABSENT)
        told = {
            "id": theirs if words_of(theirs) else _raw(self._message_id),
            "type": _raw("message"),
            "role": _raw("assistant"),
            "model": _raw(self._call.model.id),
            "content": msgspec.Raw(b"[]"),
            "stop_reason": msgspec.Raw(b"null"),
            "stop_sequence": msgspec.Raw(b"null"),
            "usage": msgspec.Raw(self._usage_document(is_final=False)),
        }
        others = {key: one_line(raw) for key, raw in fields.items() if key not in told}
        written = msgspec.json.encode(told | {key: msgspec.Raw(raw) for key, raw in others.items()})
        self._out.append(
            b'event: message_start\ndata: {"type":"message_start","message":%b}\n\n' % written
        )
        self._state = BETWEEN
        self.at = OPEN

    def _open(self, state: State, block: bytes) -> None:
        if self._state is FRESH:
            self._start(ABSENT)
        self._index += 1
        self._state = state
        self._signature = self._input = b""
        self._opening = events.delta_opening(self._index, b"")
        self._out.append(events.block_start(self._index, block))

    def _leave_block(self) -> None:
        """Close a block that they did not stop."""
        if self._state in (TEXT, THINKING, CALL, OTHER):
            self._unstopped.add(self._their_index)
        self._close()

    def _close(self) -> None:
        state = self._state
        if state in (FRESH, BETWEEN, DONE):
            return
        self._state = BETWEEN
        if state is DUE:
            return
        if state is THINKING:
            self._tell(events.SIGNATURE, self._signature or signed(self._signer))
            self._signer.words.clear()
        elif state is CALL and self._input:
            self._tell(events.ARGUMENTS, events.escaped(one_line(self._input).decode()))
        self._out.append(events.block_stop(self._index))

    def _tell(self, kind: bytes, words: bytes) -> None:
        self._out.append(b"%b%b%b%b" % (self._opening, kind, words, events.DELTA_CLOSE))

    def _end(self) -> None:
        self._close()
        self.stop_reason = stop_reason(self.stop_reason, calls=self._calls)
        told = {
            "stop_reason": _raw(self.stop_reason),
            "stop_sequence": self._stop.pop("stop_sequence", msgspec.Raw(b"null")),
        }
        delta = msgspec.json.encode(told | self._stop)[1:-1]
        self._out.append(events.message_delta(one_line(delta), self._usage_document(is_final=True)))
        self._out.append(events.MESSAGE_STOP)
        self._state = DONE
        self.at = WHOLE

    def _usage_document(self, *, is_final: bool) -> bytes:
        document = self._counts.document(
            input_tokens=self._call.input_tokens,
            output_bytes=self._text_bytes,
            is_final=is_final,
        )
        self.usage_estimated = self._counts.estimated
        return document

    def _give_up(self, what: str) -> None:
        if self._state is not DONE:
            self._out.append(self.fail(_broken(what)))


def _raw(text: str) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(text))


def _index(event: TheirEvent) -> bytes:
    return bytes(event.index)[:_INDEX_BYTES_MAX] if given(event.index) else b""


def _kind_of(event: TheirEvent) -> str:
    """What an event is that neither has a name nor a type."""
    if given(event.content_block):
        return "content_block_start"
    if given(event.message):
        return "message_start"
    if given(event.delta) and given(event.index):
        return "content_block_delta"
    return "message_delta" if given(event.delta) or given(event.usage) else ""


def _delta_kind_of(delta: TheirBlock) -> str:
    for field, kind in (
        (delta.text, "text_delta"),
        (delta.thinking, "thinking_delta"),
        (delta.partial_json, "input_json_delta"),
        (delta.signature, "signature_delta"),
    ):
        if given(field):
            return kind
    return ""


def _broken(what: str) -> Fault:
    return Fault(
        Kind.UPSTREAM_BROKEN,
        "The model provider sent a stream that cannot be read. Try again.",
        detail=f"the stream is broken: {what}",
        source=Source.UPSTREAM,
    )


def _cut() -> Fault:
    return Fault(
        Kind.UPSTREAM_BROKEN,
        "The model provider ended the stream before the message was complete. Try again.",
        source=Source.UPSTREAM,
    )
