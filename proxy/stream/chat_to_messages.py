"""Chat completions in, Anthropic's events out: the pipe of every translated stream (translation.md
3).

Owns: the bytes that come, the stream's one end and what it is called, and the short way past the
decoder. What is said is `chat_turn.py`'s, in which order it may be is `message_writer.py`'s.
Cut anywhere, the same bytes come out. A stream that was cut off ends in an error, never as a
message: half a call that looks whole is run by an agent (D4).
"""

from collections.abc import Callable
from typing import Final

from proxy.domain.call import Call
from proxy.domain.dialect import Dialect
from proxy.domain.fault import Fault, Kind, Source
from proxy.stream.broken import broken, cut_off
from proxy.stream.chat_turn import ChatTurn
from proxy.stream.finish import Finish
from proxy.stream.message_events import MessageEvents
from proxy.stream.message_writer import TEXT, THINKING
from proxy.stream.pipe import BEGIN, FAILED, OPEN, REFUSED, WHOLE, Pipe
from proxy.stream.plain_delta import PlainDelta, learn, said_alone, text_of, text_of_quoted
from proxy.wire.chat import Chunk, read_chunk
from proxy.wire.chat_fault import read_chat_error
from proxy.wire.events import DELTA_CLOSE, escaped
from proxy.wire.fault_body import error_event
from proxy.wire.seal import ThinkingSeal
from proxy.wire.sse import EventReader, Named

JOINED_BYTES_MAX: Final = 65_536
"""What was held of an event is joined with a read for the short way only up to this size."""
MANY_BYTES: Final = 1024
"""From here on a read is likely to hold several events."""
DETOURS_MAX: Final = 6
"""So many events of a read are looked at alone."""
LESSONS_MAX: Final = 8
"""Shapes that are learned in vain before learning is given up: some providers vary every chunk."""
_DONE: Final = b"[DONE]"
_AFTER_QUOTE: Final = DELTA_CLOSE[1:]


class ChatToMessages(Pipe):
    """One streamed reply. `feed` gives what may go on now; after an end it gives nothing more."""

    __slots__ = (
        "_bytes_max",
        "_call",
        "_dialect",
        "_done",
        "_has_said_all",
        "_is_cut_short",
        "_lessons",
        "_plain",
        "_plain_opening",
        "_reader",
        "_said",
        "_sink",
        "_turn",
    )

    def __init__(
        self, call: Call, dialect: Dialect, seal: ThinkingSeal, event_bytes_max: int
    ) -> None:
        super().__init__()
        self._has_said_all = False
        self._is_cut_short = False
        self._call = call
        self._dialect = dialect
        self._bytes_max = event_bytes_max
        self._reader = EventReader(event_bytes_max)
        self._sink = MessageEvents(call.message_id, call.model.id)
        self._turn = ChatTurn(call, dialect, seal, self._sink, self.usage, streams=True)
        self._said = self._turn.count.said
        self._done = False
        self._plain: PlainDelta | None = None
        self._plain_opening = b""
        self._lessons = LESSONS_MAX

    @property
    def usage_estimated(self) -> bool:
        """Is `usage` ours, in part or whole?"""
        return self._turn.count.estimated

    @property
    def held_bytes(self) -> int:
        """Bytes kept back, and of the thinking that is to be signed."""
        return len(self._reader.held) + self._turn.held_bytes

    @property
    def said_all(self) -> bool:
        """Has the model said why it stopped?"""
        return self._has_said_all

    @property
    def cut_short(self) -> bool:
        """Was a stop sequence met that the provider does not know of?"""
        return self._is_cut_short

    @property
    def rewriter(self) -> Callable[[bytes], bytes | None] | None:
        """The short way for one event of the known shape, which most reads are."""
        return self._rewritten

    def feed(self, chunk: bytes) -> bytes:
        """What may go on, given the next bytes of the provider."""
        if self.at is not OPEN and self.at is not BEGIN:
            return b""
        out = self._rewritten(chunk)
        if out is not None:
            return out
        held = self._reader.held
        if self._plain is None:
            if len(chunk) < MANY_BYTES or not self._lessons:
                return self._feed_slowly(chunk)
        elif held:
            if len(held) > JOINED_BYTES_MAX:
                return self._feed_slowly(chunk)
            chunk = bytes(held) + chunk
            held.clear()
        return self._feed_fast(chunk)

    def _rewritten(self, chunk: bytes) -> bytes | None:
        """The delta for exactly one event of the known shape, which most reads are; else None."""
        plain = self._plain
        if plain is None or self._reader.held or len(chunk) > self._bytes_max:
            return None
        quoted = plain.quoted(chunk)
        text = text_of_quoted(quoted) if quoted else None
        if text is None or (plain.is_thinking and not self._keep_thought(quoted[1:-1])):
            return None
        self._said.add(text)
        self.tally.passed_events += 1
        return self._plain_opening + quoted[1:] + _AFTER_QUOTE

    def open(self) -> bytes:
        """`message_start`, if nothing was said yet."""
        if self.at is not BEGIN:
            return b""
        self._turn.writer.start()
        self.at = OPEN
        return self._sink.take()

    def finish(self) -> bytes:
        """The provider's bytes are over: closing events, or an error event when they were cut."""
        if self.at is not OPEN and self.at is not BEGIN:
            return b""
        try:
            if self._reader.is_document:
                self._take_document()
            else:
                self._take_last()
            self._end()
        except Fault as fault:
            if self._reader.is_document and self.at is BEGIN:
                self._sink.take()  # nobody has seen any of it: let the client have a clean status
            return self._taken() + self.fail(fault)
        return self._taken()

    def fail(self, fault: Fault) -> bytes:
        """End the stream with `fault`; the open block is not closed (client-contract.md 8.3)."""
        assert self.at is BEGIN or self.at is OPEN, "a finished stream cannot fail"
        self.at = FAILED if self.at is OPEN else REFUSED
        self.fault = fault
        self._over()
        return error_event(fault, self._call.arrival.request_id)

    def estimate_usage(self) -> None:
        """The stream was left early: let the output count at least for what went by."""
        if self.at is OPEN or self.at is FAILED:
            self._turn.count.settle_early()

    # ------------------------------------------------------------ event by event

    def _feed_slowly(self, read: bytes) -> bytes:
        reader = self._reader
        turn = self._turn
        self._plain = None
        data: bytes | Named = b""
        chunk: Chunk | None = None
        try:
            for data in reader.feed(read):
                chunk = self._take(data)
                if turn.finish is None and turn.words.matched:
                    self._is_cut_short = True
                if self._done or self._is_cut_short:
                    self._end()
                    return self._taken()
            if reader.is_too_large:
                raise _too_large(self._bytes_max)
        except Fault as fault:
            return self._taken() + self.fail(fault)
        may_learn = self._lessons and not self._has_said_all
        if may_learn and chunk is not None and isinstance(data, bytes):
            self._learn(chunk, data)
        return self._taken()

    def _taken(self) -> bytes:
        """What the writer has written. Once it has begun, so has the stream."""
        out = self._sink.take()
        if out and self.at is BEGIN:
            self.at = OPEN
        return out

    def _take(self, data: bytes | Named) -> Chunk | None:
        """One event; the chunk it was, if it was one. Raises Fault."""
        if isinstance(data, Named):
            if b"error" in data.name.lower():
                raise read_chat_error(data.data, status=None, call=self._call)
            data = data.data
        if data.startswith(_DONE):
            self._done = True
            return None
        chunk = read_chunk(data)
        if chunk is None:
            if data.strip():
                raise broken("sent an event that cannot be read")
            return None
        turn = self._turn
        turn.take(chunk, data)
        self._has_said_all = turn.finish is not None
        if turn.may_hold and turn.held_bytes > self._bytes_max:
            raise _too_large(self._bytes_max)
        return chunk

    def _take_last(self) -> None:
        """The event that had no end: it counts if it is whole all the same."""
        for data in self._reader.finish():
            said = data.data if isinstance(data, Named) else data
            if said.startswith(_DONE) or read_chunk(said) is not None:
                self._take(data)

    def _take_document(self) -> None:
        """A reply that is no stream: a completion, or the chunks of one, each on a line."""
        self._turn.keep_calls()
        whole = self._reader.take_document().strip()
        if read_chunk(whole) is not None:
            self._take(whole)
            self._done = True
            return
        for line in whole.split(b"\n"):
            if read_chunk(line) is None and line.strip() not in (b"", _DONE):
                raise broken("did not answer with a stream")
            self._take(line.strip())

    # ------------------------------------------------------------ the end

    def _end(self) -> None:
        """`[DONE]`, or nothing more comes, or a stop sequence was met. Raises Fault."""
        turn = self._turn
        if turn.finish is None and not self._is_cut_short:
            if not self._done or not turn.is_mere_text:
                raise cut_off()
            turn.conclude(Finish.DONE)
        if self._dialect.done_required and not self._done and not self._is_cut_short:
            raise cut_off()
        turn.end()
        self.stop_reason = turn.stop_reason
        self.at = WHOLE
        self._over()

    def _over(self) -> None:
        """Let go of all that is not needed any more."""
        self._has_said_all = False
        self._plain = None
        self._reader.held.clear()
        self._turn.let_go()

    # ------------------------------------------------------------ the short way

    def _feed_fast(self, read: bytes) -> bytes:
        """Events of the known shape are copied, others go the ordinary way: the first few of them
        alone, so that the rest of a large read may be copied all the same."""
        written: list[bytes] = []
        for _ in range(DETOURS_MAX):
            plain = self._plain
            if plain is not None:
                out, end = self._copy_words(plain, read)
                if end == len(read):
                    return b"".join(written) + out if written else out
                written.append(out)
                read = read[end:]
            border = read.find(b"\n\n") + 2
            if border < 2 or border == len(read):
                break
            written.append(self._feed_slowly(read[:border]))
            read = read[border:]
            if self.at is not OPEN and self.at is not BEGIN:
                return b"".join(written)
        written.append(self._feed_slowly(read))
        return b"".join(written)

    def _copy_words(self, plain: PlainDelta, read: bytes) -> tuple[bytes, int]:
        """The events of the known shape that `read` begins with as ours, and where they end."""
        parts, end = plain.parts(read)
        text = text_of(parts) if parts and end <= self._bytes_max else None
        if text is None:
            if len(parts) < 2:
                return b"", 0
            parts, end = plain.good(parts)
            text = text_of(parts) if parts and end <= self._bytes_max else None
            if text is None:
                return b"", 0
        if plain.is_thinking and not self._keep_thought(b"".join(parts)):
            return b"", 0
        self._said.add(text)
        self._lessons = LESSONS_MAX
        opening = self._plain_opening
        if len(parts) == 1:
            return opening + parts[0] + DELTA_CLOSE, end
        return opening + (DELTA_CLOSE + opening).join(parts) + DELTA_CLOSE, end

    def _keep_thought(self, words: bytes) -> bool:
        """For the signature; not beyond the cap, where the ordinary way knows what to say."""
        turn = self._turn
        signer = turn.signer
        if turn.slots.held_bytes + signer.held_bytes + len(words) > self._bytes_max:
            return False
        signer.words += words
        return True

    def _learn(self, chunk: Chunk, data: bytes) -> None:
        """Was the last event words alone, with nothing in their way? Then the next may well be
        like it."""
        turn = self._turn
        state = turn.writer.state
        is_thinking = state is THINKING
        if state is not TEXT and not is_thinking:
            return
        words = turn.words
        if not (words.plain_thinking if is_thinking else words.plain_text) or words.has_half:
            return
        said = said_alone(chunk, is_thinking=is_thinking)
        if said is not None:
            self._lessons -= 1
            self._plain = learn(data, escaped(said), is_thinking=is_thinking)
            self._plain_opening = self._sink.opening


def _too_large(bytes_max: int) -> Fault:
    return Fault(
        Kind.UPSTREAM_BROKEN,
        f"The model provider sent more than {bytes_max} bytes that have to be kept together.",
        source=Source.UPSTREAM,
    )
