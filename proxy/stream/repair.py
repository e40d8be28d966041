"""Anthropic's stream as imperfect servers write it in, a legal one out (translation.md 4.2).

For third-party "Anthropic-compatible" endpoints: events without names or without types, blocks
without a stop, indexes with gaps, thinking without a signature, usage in pieces or not at all.
Owns: what an event means, and whether the message is whole: it is when there was a reason to stop,
and else the stream was cut (D4). The order of what goes out is `repaired_writer.py`'s.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from proxy.domain.call import Call
from proxy.domain.fault import Fault
from proxy.stream.broken import cut_off, unreadable
from proxy.stream.pipe import BEGIN, FAILED, OPEN, REFUSED, WHOLE, Pipe
from proxy.stream.repaired_parts import (
    ABSENT,
    BYTES_PER_TOKEN,
    CALLS,
    UNREADABLE,
    TheirBlock,
    TheirEvent,
    given,
    one_line,
    read_block,
    read_event,
    read_fields,
    read_list,
    read_torn_event,
    text_of,
    words_of,
)
from proxy.stream.repaired_writer import (
    CALL,
    DONE,
    DUE,
    FRESH,
    HAS_WORDS,
    OTHER,
    TEXT,
    THINKING,
    RepairedWriter,
    State,
)
from proxy.stream.torn_text import TornText
from proxy.wire import events
from proxy.wire.chat_fault import read_chat_error
from proxy.wire.fault_body import error_event
from proxy.wire.seal import ThinkingSeal
from proxy.wire.sse import EventReader, Named

_DONE: Final = b"[DONE]"
_INDEX_BYTES_MAX: Final = 20
_TEXT_STATES: Final = frozenset((DUE, TEXT))
_THINKING_STATES: Final = frozenset((THINKING,))


class RepairedMessages(Pipe):
    """One streamed reply."""

    __slots__ = (
        "_call",
        "_is_estimated",
        "_reader",
        "_stop",
        "_their_index",
        "_torn",
        "_unstopped",
        "_writer",
    )

    def __init__(self, call: Call, seal: ThinkingSeal, event_bytes_max: int) -> None:
        super().__init__()
        self._writer = RepairedWriter(call, seal)
        self.usage = self._writer.counts.usage
        self._is_estimated = False
        self._call = call
        self._reader = EventReader(event_bytes_max)
        self._torn = TornText()
        self._their_index = b""
        self._unstopped: set[bytes] = set()
        """Their indexes of blocks that were closed by us."""
        self._stop: dict[str, msgspec.Raw] = {}

    # ------------------------------------------------------------ the pipe

    def feed(self, chunk: bytes) -> bytes:
        """What may go on, given the next bytes of the provider."""
        if self._writer.state is DONE:
            return b""
        for said in self._reader.feed(chunk):
            self._hear(said)
        if self._reader.is_too_large:
            self._give_up("one event of it is too large")
        return self._taken()

    def open(self) -> bytes:
        """A beginning of our own; theirs is swallowed when it comes."""
        self._writer.start()
        return self._taken()

    def finish(self) -> bytes:
        """The bytes are over: whole if there was a reason to stop, else cut."""
        for said in self._reader.finish():
            data = said.data if isinstance(said, Named) else said
            # Half an event at the end is what a cut leaves; it says nothing.
            if data.strip() == _DONE or read_torn_event(data, TornText()) is not None:
                self._hear(said)
        if self._reader.is_document and self._writer.state is not DONE:
            self._hear_document(self._reader.take_document())
        if self.said_all:
            self._end()
        elif self._writer.state is not DONE:
            self._writer.say(self.fail(cut_off()))
        return self._taken()

    def fail(self, fault: Fault) -> bytes:
        """End the stream with `fault`; the open block is not closed (client-contract.md 8.3)."""
        assert self._writer.state is not DONE, "a finished stream cannot fail"
        self.at = REFUSED if self._writer.state is FRESH else FAILED
        self._writer.abandon()
        self.fault = fault
        return error_event(fault, self._call.arrival.request_id)

    def estimate_usage(self) -> None:
        """The stream was left early: let input and output count at least for what went by."""
        if self.at is not OPEN and self.at is not FAILED:
            return
        usage = self.usage
        estimate = self._writer.text_bytes // BYTES_PER_TOKEN
        if estimate > usage.output_tokens:
            usage.output_tokens = estimate
            self._is_estimated = True
        if not (usage.input_tokens or usage.cache_read_tokens):
            usage.input_tokens = self._call.input_tokens
            self._is_estimated = True

    @property
    def usage_estimated(self) -> bool:
        """Is `usage` ours, in part or whole?"""
        return self._is_estimated

    @property
    def said_all(self) -> bool:
        """Has the model said why it stopped?"""
        return bool(self.stop_reason) and self._writer.state is not DONE

    @property
    def held_bytes(self) -> int:
        """Of an event that is not whole, of thinking that is not signed."""
        return len(self._reader.held) + self._writer.held_bytes

    def _taken(self) -> bytes:
        if self.at is BEGIN and self._writer.state is not FRESH:
            self.at = OPEN
        return self._writer.taken()

    # ------------------------------------------------------------ what they say

    def _hear(self, said: bytes | Named) -> None:
        if self._writer.state is DONE:
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
            return read_torn_event(data, self._torn)

    def _hear_event(self, kind: str, event: TheirEvent) -> None:
        """Types that are not known are left out."""
        if kind == "content_block_delta":
            self._hear_delta(event)
        elif kind == "content_block_start":
            self._hear_block(event)
        elif kind == "content_block_stop":
            # The stop of another block says nothing of this one.
            if not self._their_index or _index(event) in (b"", self._their_index):
                self._writer.close()
        elif kind == "message_start":
            self._hear_start(event)
        elif kind == "message_delta":
            self._hear_stop(event)
        elif kind == "message_stop":
            self._hear_end()
        elif kind == "ping" and self._writer.state is not FRESH:
            self._writer.say(events.PING)

    def _hear_start(self, event: TheirEvent) -> None:
        writer = self._writer
        if writer.index >= 0:
            self._give_up("it began a second message")
        elif writer.state is FRESH:
            writer.start(event.message)
        elif given(event.message):
            writer.counts.merge(read_fields(event.message).get("usage", ABSENT))

    def _hear_stop(self, event: TheirEvent) -> None:
        """Why it stopped and what it cost are told at the end, in one piece (D5)."""
        if given(event.delta):
            told = read_fields(event.delta)
            self._stop.update({key: raw for key, raw in told.items() if given(raw)})
            self._stop.pop("type", None)
            self._writer.counts.merge(told.get("usage", ABSENT))
            self._stop.pop("usage", None)
        if given(event.stop_reason):
            self._stop["stop_reason"] = event.stop_reason
        self._writer.counts.merge(event.usage)
        self._writer.start()
        reason = text_of(self._stop.pop("stop_reason", ABSENT))
        if reason:
            self._writer.close()
            self.stop_reason = reason

    def _hear_end(self) -> None:
        if self._writer.state is FRESH:
            self._give_up("it ended before it began")
        else:
            self._end()

    def _hear_done(self) -> None:
        """OpenAI's end, from servers that speak both. It stands for `message_stop` if something
        was said and no call is left hanging (translation.md 2.3)."""
        if self.stop_reason or (self._writer.index >= 0 and self._writer.state is not CALL):
            self._end()

    def _hear_error(self, data: bytes) -> None:
        self._writer.say(self.fail(read_chat_error(data, status=None, call=self._call)))

    def _hear_document(self, document: bytes) -> None:
        """A whole message where a stream was asked for: told as one."""
        try:
            message = read_fields(document)
            blocks = read_list(message.pop("content", ABSENT) or b"null")
        except UNREADABLE:
            self._hear_error(document)
            return
        self._writer.start(msgspec.Raw(msgspec.json.encode(message)))
        for block in blocks:
            if self._writer.state is not DONE:
                self._hear_event("content_block_start", TheirEvent(content_block=block))
                self._writer.close()
        if self._writer.state is not DONE:
            told = {key: message[key] for key in ("stop_reason", "stop_sequence") if key in message}
            delta = msgspec.Raw(msgspec.json.encode(told))
            self._hear_stop(TheirEvent(delta=delta, usage=message.get("usage", ABSENT)))
            self.stop_reason = self.stop_reason or "end_turn"

    # ------------------------------------------------------------ blocks

    def _hear_block(self, event: TheirEvent) -> None:
        writer = self._writer
        self._leave_block()
        writer.start()
        self._their_index = _index(event)
        self._unstopped.discard(self._their_index)
        if not given(event.content_block):
            return  # the first delta will say what it is
        block = read_block(event.content_block)
        if block.type == "text":
            words = words_of(block.text)
            writer.due(b"" if words or not block.text else one_line(event.content_block))
            writer.text(words)
        elif block.type == "thinking":
            writer.open_thinking(words_of(block.signature))
            writer.thinking(words_of(block.thinking))
        elif block.type in CALLS and not block.name:
            self._give_up("it calls a tool without a name")
        elif block.type in CALLS:
            writer.open_call(event.content_block, block)
        elif block.type:
            writer.open_other(event.content_block)

    def _hear_delta(self, event: TheirEvent) -> None:
        if not given(event.delta):
            return
        writer = self._writer
        delta = read_block(event.delta)
        kind = delta.type or _delta_kind_of(delta)
        if writer.state is OTHER:
            writer.pass_on(event.delta)
        elif kind == "text_delta":
            self._words(_TEXT_STATES, words_of(delta.text), writer.text)
        elif kind == "thinking_delta":
            self._words(_THINKING_STATES, words_of(delta.thinking), writer.thinking)
        elif kind == "input_json_delta":
            self._arguments(event, delta.partial_json)
        elif kind == "signature_delta":
            writer.sign(words_of(delta.signature))
        elif kind == "citations_delta":
            writer.cite(event.delta)

    def _words(
        self, states: frozenset[State], words: bytes, write: Callable[[bytes], None]
    ) -> None:
        """A delta of another kind than the open block ends that one, as far as we can see."""
        if words:
            if self._writer.state not in states:
                self._leave_block()
            write(words)

    def _arguments(self, event: TheirEvent, given_json: msgspec.Raw) -> None:
        words = words_of(given_json)
        if bytes(given_json)[:1] == b"{":
            words = events.escaped(one_line(given_json).decode())  # an object, not its text
        if not words:
            return
        index = _index(event)
        is_stray = index != self._their_index and index in self._unstopped
        if self._writer.state is not CALL or is_stray:
            self._give_up("it went on with a call that is closed")
            return
        self._writer.arguments(words)

    def _leave_block(self) -> None:
        """Close a block that they did not stop."""
        if self._writer.state in HAS_WORDS:
            self._unstopped.add(self._their_index)
        self._writer.close()

    def _end(self) -> None:
        self.stop_reason = self._writer.end(self.stop_reason, self._stop)
        self._is_estimated = self._writer.counts.estimated
        self.at = WHOLE

    def _give_up(self, what: str) -> None:
        if self._writer.state is not DONE:
            self._writer.say(self.fail(unreadable(what)))


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
