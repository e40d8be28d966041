"""The writer of a repaired message: whatever is said through it, one legal stream comes out.

Beside `message_writer.py`, which makes every word of a message, this one passes on what servers say
of it: blocks of any kind, their own ids, usage with fields we do not know. One state variable:

                 block         text        thinking    arguments   close       end
    FRESH        start,open    start,open  start,open  nothing     nothing     start,end
    BETWEEN      open          open        open        nothing     nothing     end
    DUE          drop,open     open        drop,open   nothing     drop        drop,end
    TEXT         close,open    δ           close,open  nothing     close       close,end
    THINKING     close,open    close,open  δ           nothing     close       close,end
    CALL         close,open    close,open  close,open  δ           close       close,end
    OTHER        close,open    close,open  close,open  nothing     close       close,end
    DONE         nothing

DUE is a block of text of which nothing has come: clients cannot send an empty one back (trap 13).
Arguments and text are never decoded.
"""

import hashlib
import re
from enum import Enum

import msgspec

from proxy.domain.call import Call
from proxy.stream.repaired_parts import (
    ABSENT,
    Counts,
    TheirBlock,
    given,
    object_of,
    one_line,
    read_fields,
    signed,
    stop_reason,
    words_of,
)
from proxy.stream.thinking_signer import ThinkingSigner
from proxy.stream.tool_ids import made_id
from proxy.wire import events
from proxy.wire.seal import ThinkingSeal

FAMILY = "compat"
"""In signatures of thinking that such a server did not sign itself."""
_ID_CHARS = 22
_NULL = msgspec.Raw(b"null")
_EMPTY = b"{}"
_BLANK = re.compile(rb"(?: |\\[nrt]|\\u00(?:20|0[9aAdD]))+")
"""White space, as it stands inside a JSON string."""


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
HAS_WORDS = frozenset((TEXT, THINKING, CALL, OTHER))
"""A block is open that the client has seen."""


class RepairedWriter:
    """One message. What it says is gathered until `taken`."""

    __slots__ = (
        "_call",
        "_calls",
        "_due",
        "_input",
        "_input_bytes",
        "_opening",
        "_out",
        "_signature",
        "_signer",
        "_tool_ids",
        "counts",
        "index",
        "state",
        "text_bytes",
    )

    def __init__(self, call: Call, seal: ThinkingSeal) -> None:
        self.state: State = FRESH
        self.index = -1
        """Of the last block that was opened."""
        self.counts = Counts()
        self.text_bytes = 0
        """Of text, thinking and arguments that went by."""
        self._call = call
        self._calls = 0
        self._out: list[bytes] = []
        self._signer = ThinkingSigner(seal, call.caller.tenant_id, FAMILY, shown=True)
        self._due = b""
        """How the block that is DUE begins."""
        self._opening = b""
        """How a delta of the open block begins."""
        self._signature = b""
        self._input = b""
        """Input that a call began with: it stands only if none is streamed."""
        self._input_bytes = 0
        """Of the open call's input that went by."""
        self._tool_ids: set[str] = set()

    @property
    def held_bytes(self) -> int:
        """Of thinking that is not signed, of input that may yet stand."""
        return self._signer.held_bytes + len(self._input)

    def taken(self) -> bytes:
        """All that was said since the last time."""
        out, self._out = self._out, []
        return out[0] if len(out) == 1 else b"".join(out)

    def say(self, event: bytes) -> None:
        """A whole event that belongs to no block."""
        self._out.append(event)

    def start(self, message: msgspec.Raw = ABSENT) -> None:
        """The beginning, unless it is over already: theirs, with what it lacks."""
        if self.state is not FRESH:
            return
        fields = read_fields(message) if given(message) else {}
        self.counts.merge(fields.pop("usage", ABSENT))
        theirs = fields.get("id", ABSENT)
        told = {
            "id": theirs if words_of(theirs) else _raw(self._message_id),
            "type": _raw("message"),
            "role": _raw("assistant"),
            "model": _raw(self._call.model.id),
            "content": msgspec.Raw(b"[]"),
            "stop_reason": _NULL,
            "stop_sequence": _NULL,
            "usage": msgspec.Raw(self._usage_document(is_final=False)),
        }
        others = {key: raw for key, raw in fields.items() if key not in told}
        self._out.append(
            b'event: message_start\ndata: {"type":"message_start","message":%b}\n\n'
            % object_of(told | others)
        )
        self.state = BETWEEN

    # ------------------------------------------------------------ blocks

    def due(self, block: bytes) -> None:
        """A block of text will come, which begins like this."""
        self.start()
        self.close()
        self._due = block
        self.state = DUE

    def open_thinking(self, signature: bytes) -> None:
        """A block of thinking, and its signature if that is known already."""
        self._open(THINKING, events.THINKING_BLOCK)
        self._signature = signature

    def open_call(self, raw: msgspec.Raw, block: TheirBlock) -> None:
        """A call; `block` is what `raw` says. It gets an id if it has none, or one of another."""
        call_id = block.id or ""
        if not call_id or call_id in self._tool_ids:
            call_id = made_id(self._message_id, len(self._tool_ids))
        self._tool_ids.add(call_id)
        self._calls += block.type == "tool_use"
        fields = read_fields(raw)
        fields["id"] = _raw(call_id)
        fields["input"] = msgspec.Raw(_EMPTY)
        self._open(CALL, object_of(fields))
        theirs = one_line(block.input) if given(block.input) else _EMPTY
        self._input = b"" if theirs == _EMPTY else theirs

    def open_other(self, raw: msgspec.Raw) -> None:
        """A block of a kind that has nothing to repair."""
        self._open(OTHER, one_line(raw))

    def text(self, words: bytes) -> None:
        """More text, as it stands inside a JSON string."""
        if words:
            self._into_text()
            self._tell(events.TEXT, words)

    def thinking(self, words: bytes) -> None:
        """More thinking, as it stands inside a JSON string."""
        if words:
            if self.state is not THINKING:
                self._open(THINKING, events.THINKING_BLOCK)
            self._signer.add(words)
            self._tell(events.THINKING, words)

    def sign(self, signature: bytes) -> None:
        """The signature of the open thinking."""
        if self.state is THINKING and signature:
            self._signature = signature

    def arguments(self, words: bytes) -> None:
        """More of the open call's input, as it stands inside a JSON string. Clients read it after
        every piece, and the Python SDK raises where that is nothing but blanks."""
        if self.state is CALL and words and (self._input_bytes or not _BLANK.fullmatch(words)):
            self._input = b""
            self._input_bytes += len(words)
            self._tell(events.ARGUMENTS, words)

    def cite(self, delta: msgspec.Raw) -> None:
        """A citation in the text."""
        if self.state is DUE or self.state is TEXT:
            self._into_text()
            self.pass_on(delta)

    def pass_on(self, delta: msgspec.Raw) -> None:
        """A delta of the open block as it is."""
        self._out.append(b"%b%b}\n\n" % (self._opening, one_line(delta)))

    def close(self) -> None:
        """No block is open, whatever came before."""
        state = self.state
        if state is FRESH or state is BETWEEN or state is DONE:
            return
        self.state = BETWEEN
        if state is DUE:
            return
        if state is THINKING:
            self._add(events.SIGNATURE, self._signature or signed(self._signer))
            self._signer.words.clear()
        elif state is CALL and self._input:
            self._tell(events.ARGUMENTS, events.escaped(self._input.decode()))
            self._input = b""
        self._out.append(events.block_stop(self.index))

    # ------------------------------------------------------------ the end

    def end(self, reason: str, others: dict[str, msgspec.Raw]) -> str:
        """The message is whole. `others` are further fields of its last delta. Gives the reason
        that the client is told."""
        self.start()
        self.close()
        reason = stop_reason(reason, calls=self._calls)
        told = {"stop_reason": _raw(reason), "stop_sequence": _NULL} | others
        delta = object_of(told | {"stop_reason": _raw(reason)})
        usage = self._usage_document(is_final=True)
        self._out.append(events.message_delta(delta[1:-1], usage))
        self._out.append(events.MESSAGE_STOP)
        self.state = DONE
        return reason

    def abandon(self) -> None:
        """An error ends it: nothing may follow, the open block stays open."""
        self.state = DONE

    def _open(self, state: State, block: bytes) -> None:
        self.start()
        self.close()
        self.index += 1
        self.state = state
        self._signature = self._input = b""
        self._input_bytes = 0
        self._opening = events.delta_opening(self.index, b"")
        self._out.append(events.block_start(self.index, block))

    def _into_text(self) -> None:
        if self.state is TEXT:
            return
        begun = self._due if self.state is DUE else b""
        self._open(TEXT, begun or events.TEXT_BLOCK)

    def _tell(self, kind: bytes, words: bytes) -> None:
        self.text_bytes += len(words)
        self._add(kind, words)

    def _add(self, kind: bytes, words: bytes) -> None:
        self._out.append(b"%b%b%b%b" % (self._opening, kind, words, events.DELTA_CLOSE))

    @property
    def _message_id(self) -> str:
        call = self._call
        if call.message_id:
            return call.message_id
        digest = hashlib.sha256(call.arrival.request_id.encode()).hexdigest()
        return f"msg_gw_{digest[:_ID_CHARS]}"

    def _usage_document(self, *, is_final: bool) -> bytes:
        return self.counts.document(
            input_tokens=self._call.input_tokens,
            output_bytes=self.text_bytes,
            is_final=is_final,
        )


def _raw(text: str) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(text))
