"""What a model says in words, on its way to the writer (translation.md 3.3, 3.5, 3.9).

    reader of tags -> [wait behind an open call] -> leaked calls -> stop sequences -> space that may
    be nothing -> writer

Every station keeps back a little; what it keeps goes out before another kind of block opens.
"""

from proxy.domain.call import Call
from proxy.domain.dialect import Dialect
from proxy.stream.kimi_tokens import KimiTokens, LeakedCall
from proxy.stream.message_writer import TEXT, THINKING, MessageWriter
from proxy.stream.stop_matcher import StopMatcher
from proxy.stream.think_tags import ThinkTags
from proxy.stream.thinking_signer import ThinkingSigner
from proxy.stream.tool_slots import ToolSlots
from proxy.stream.torn_text import TornText
from proxy.wire.events import escaped

SPACE_CHARS_MAX = 1024
"""So much space is held back at the beginning of a text: more is meant."""


UNSAID_CHARS_MAX = 65_536
"""So much of thinking that nobody asked for is kept until something else is said."""


class ChatWords:
    """Text and thinking of one message."""

    __slots__ = (
        "_held_chars",
        "_kimi_text",
        "_kimi_thought",
        "_signer",
        "_slots",
        "_space",
        "_stops",
        "_swallows",
        "_tags",
        "_torn",
        "_torn_thought",
        "_unsaid",
        "_unsaid_room",
        "_waiting",
        "_writer",
        "plain_text",
        "plain_thinking",
    )

    def __init__(
        self,
        call: Call,
        dialect: Dialect,
        writer: MessageWriter,
        signer: ThinkingSigner,
        slots: ToolSlots,
    ) -> None:
        expected = call.expected
        repairs = dialect.kimi_tool_repair
        self._writer = writer
        self._signer = signer
        self._slots = slots
        self._swallows = expected.thinking == "swallowed"
        self._tags: ThinkTags | None = None
        if dialect.think_tags:
            self._tags = ThinkTags(dialect.think_tags, implicit=dialect.think_implicit_open)
        self._kimi_text = KimiTokens() if repairs else None
        self._kimi_thought = KimiTokens() if repairs else None
        self._stops = StopMatcher(expected.stop_sequences) if expected.stop_sequences else None
        self._torn = TornText()
        self._torn_thought = TornText()
        self._space = ""
        self._unsaid: list[str] = []
        self._unsaid_room = UNSAID_CHARS_MAX if self._swallows else 0
        self._waiting: list[tuple[bool, str]] = []
        self._held_chars = 0
        self.plain_text = not (self._tags or self._kimi_text or self._stops)
        """Does nothing look into text, or into thinking, before it goes out?"""
        self.plain_thinking = not (self._tags or repairs) and expected.thinking == "shown"

    @property
    def matched(self) -> str:
        """The stop sequence that was met; the message ends before it."""
        return "" if self._stops is None else self._stops.matched

    @property
    def has_half(self) -> bool:
        """Is half a character waiting for the other?"""
        return self._torn.half != "" or self._torn_thought.half != ""

    @property
    def _is_free(self) -> bool:
        return not self._slots.any and not self._torn.half

    @property
    def held_bytes(self) -> int:
        """What is kept back, about."""
        held = self._held_chars
        if self._stops is not None:
            held += self._stops.held_bytes
        if self._kimi_text is not None and self._kimi_thought is not None:
            held += self._kimi_text.held_bytes + self._kimi_thought.held_bytes
        return held

    def speak(self, text: str, *, is_loose: bool) -> None:
        """Text as the provider says it; `is_loose` text may hold halves of characters."""
        if self._writer.state is TEXT and self.plain_text and not is_loose and self._is_free:
            self._writer.text(escaped(text))  # what most chunks come to
            return
        if is_loose or self._torn.half:
            text = self._torn.mend(text)
        if self._tags is None:
            self._pass_on(False, text)
        else:
            for is_thinking, piece in self._tags.feed(text):
                self._pass_on(is_thinking, piece)

    def think(self, text: str, *, is_loose: bool) -> None:
        """Thinking as the provider says it."""
        if is_loose or self._torn_thought.half:
            text = self._torn_thought.mend(text)
        if self._tags is not None:
            self._tags.thought_elsewhere()
        if not self._swallows or self._unsaid_room > 0 or self._kimi_thought is not None:
            self._pass_on(True, text)

    def detail(self, details: bytes) -> None:
        """What the provider wants back beside its thinking: it lies in the block's signature. Not
        while a call is open and not whole: then there is no place for it."""
        if not self._swallows and self._slots.make_way():
            self._drain()
            self._begin_thinking()
            self._writer.thinking(b"")
            self._signer.add_details(details)

    def clear(self) -> bool:
        """A call opens, or all is said: everything before it goes out. False when a stop sequence
        was in it: then nothing may follow."""
        self._drain()
        if self._tags is not None:
            for is_thinking, piece in self._tags.flush():
                self._emit(is_thinking, piece)
            self._tags.begin_again()
        self._end_thinking()
        self._end_text()
        return not self.matched

    def leaked(self, *, cut_off: bool) -> list[LeakedCall] | None:
        """Calls that were found in the words; None when some cannot be read."""
        found: list[LeakedCall] = []
        for kimi in (self._kimi_text, self._kimi_thought):
            if kimi is not None and kimi.has_leaked:
                calls = kimi.calls(cut_off=cut_off)
                if calls is None:
                    return None
                found += calls
        return found

    def confess(self) -> None:
        """The model has finished and said nothing but thinking, which nobody asked for: better that
        than an answer of nothing (translation.md 2.2)."""
        thought = "".join(self._unsaid)
        if thought:
            self._signer.shown = True
            self._writer.thinking(escaped(thought))

    def forget(self) -> None:
        """Nothing of what waits will be said."""
        self._waiting.clear()
        self._unsaid.clear()
        self._held_chars = 0
        self._kimi_text = self._kimi_thought = self._tags = None

    def _pass_on(self, is_thinking: bool, text: str) -> None:
        """To the writer, or behind a call that is open and not whole."""
        if self._slots.any:
            if not self._slots.make_way():
                self._waiting.append((is_thinking, text))
                self._held_chars += len(text)
                return
            self._drain()
        self._emit(is_thinking, text)

    def _drain(self) -> None:
        waiting = self._waiting
        if waiting:
            self._waiting = []
            self._held_chars = 0
            for is_thinking, text in waiting:
                self._emit(is_thinking, text)

    def _emit(self, is_thinking: bool, text: str) -> None:
        if is_thinking:
            if self._kimi_thought is not None:
                text = self._kimi_thought.feed(text)
            self._write_thinking(text)
            return
        if self._kimi_text is not None:
            text = self._kimi_text.feed(text)
        if self._stops is not None:
            text = self._stops.feed(text)
        self._write_text(text)

    def _write_text(self, text: str) -> None:
        if self._writer.state is not TEXT:
            if not text:
                return
            text = self._space + text
            self._space = ""
            if text.isspace() and len(text) <= SPACE_CHARS_MAX:
                # Kimi and GLM say a line end before they call: no block is made of it.
                self._space = text
                return
            self._end_thinking()
        if text:
            self._writer.text(escaped(text))

    def _write_thinking(self, text: str) -> None:
        if not text:
            return
        if self._swallows:
            self._keep(text)
            return
        self._begin_thinking()
        self._writer.thinking(escaped(text))

    def _keep(self, thought: str) -> None:
        """In case that nothing else is said."""
        if self._writer.index >= 0:
            self._unsaid.clear()
            self._unsaid_room = 0
        elif self._unsaid_room > 0:
            self._unsaid.append(thought[: self._unsaid_room])
            self._unsaid_room -= len(thought)

    def _begin_thinking(self) -> None:
        if self._writer.state is not THINKING:
            self._end_text()

    def _end_thinking(self) -> None:
        """Another block begins: what was kept back of the thinking goes out."""
        if self._torn_thought.half:
            self._emit(True, self._torn_thought.rest())
        if self._kimi_thought is not None:
            self._write_thinking(self._kimi_thought.flush())

    def _end_text(self) -> None:
        """The same of the text; space alone does not go out."""
        if self._torn.half:
            self._emit(False, self._torn.rest())
        if self._kimi_text is not None:
            text = self._kimi_text.flush()
            self._write_text(text if self._stops is None else self._stops.feed(text))
        if self._stops is not None:
            self._write_text(self._stops.flush())
        self._space = ""
