"""One answer of a chat server, said through the one writer (translation.md 3.2-3.4): the machine
that streams and whole replies both run through, so that they cannot disagree.

Owns: which field of a chunk means what, in what order they are said, and what the end is called.
Refuses to know: how chunks arrive, and what becomes of the message.
"""

import msgspec

from proxy.domain.call import Call
from proxy.domain.dialect import Dialect
from proxy.domain.usage import Usage
from proxy.stream.broken import broken
from proxy.stream.chat_count import ChatCount
from proxy.stream.chat_words import ChatWords
from proxy.stream.finish import Finish, read_finish, stop_reason
from proxy.stream.message_writer import FRESH, TEXT, MessageWriter, Sink
from proxy.stream.thinking_signer import ThinkingSigner
from proxy.stream.tool_slots import ToolSlots
from proxy.wire.chat import (
    NOTHING,
    Choice,
    Chunk,
    Delta,
    Function,
    complains,
    is_said,
    parts_of,
    read_details,
)
from proxy.wire.chat_fault import read_chat_error
from proxy.wire.events import stop_fields, usage_document
from proxy.wire.seal import ThinkingSeal

EXPLANATION_CHARS_MAX = 4096
_NULL_BYTES = 4
_LEAKED_INDEX = 1 << 30
"""Where leaked calls stand among the others: behind them."""


class ChatTurn:
    """One message in the making. `streams`: does the client see it grow?"""

    __slots__ = (
        "_call",
        "_explanation",
        "_native_stop",
        "_reads_native_stop",
        "_streams",
        "_wants_details",
        "count",
        "finish",
        "signer",
        "slots",
        "stop_reason",
        "words",
        "writer",
    )

    def __init__(
        self,
        call: Call,
        dialect: Dialect,
        seal: ThinkingSeal,
        sink: Sink,
        usage: Usage,
        *,
        streams: bool,
    ) -> None:
        self._call = call
        self._streams = streams
        self._reads_native_stop = dialect.stop == "native"
        self._wants_details = dialect.reasoning == "openrouter"
        self._native_stop = ""
        self._explanation: str | None = None
        self.signer = ThinkingSigner(
            seal,
            call.caller.tenant_id,
            dialect.reasoning_family,
            shown=call.expected.thinking == "shown",
        )
        self.writer = MessageWriter(sink, self.signer, usage)
        self.slots = ToolSlots(
            self.writer,
            call.expected,
            call.message_id,
            dialect,
            clear=self._clear,
            streams=streams,
        )
        self.words = ChatWords(call, dialect, self.writer, self.signer, self.slots)
        self.count = ChatCount(usage, call.input_tokens)
        self.finish: Finish | None = None
        """What the provider said its end was; then only usage may follow."""
        self.stop_reason = ""
        """As the client was told, once the message has ended."""

    @property
    def is_cut(self) -> bool:
        """Was a stop sequence met that only we look for?"""
        return self.words.matched != ""

    def keep_calls(self) -> None:
        """The whole answer is here at once: no call goes out before it is known to be whole."""
        self._streams = self.slots.streams = False

    @property
    def is_mere_text(self) -> bool:
        """Is text all that is open: may the provider's `[DONE]` stand for a reason to finish?"""
        return self.writer.state is TEXT and not self.slots.any

    @property
    def may_hold(self) -> bool:
        """May anything be kept back at all? Words that nothing looks into never are."""
        return self.writer.state is not TEXT or self.slots.any or not self.words.plain_text

    @property
    def held_bytes(self) -> int:
        """What is kept back, about."""
        return self.slots.held_bytes + self.signer.held_bytes + self.words.held_bytes

    def take(self, chunk: Chunk, data: bytes) -> None:
        """One chunk, or a whole reply. Raises Fault when it is an error or cannot be believed."""
        choices = chunk.choices
        choice = choices[0] if choices else None
        if choice is None or choice.index or chunk.error is not NOTHING or not _is_usual(chunk):
            choice = self._take_unusual(chunk, choice, data)
        elif choice.usage is not NOTHING and is_said(choice.usage):
            self.count.take(choice.usage)
        if choice is None or self.finish is not None or self.words.matched:
            return
        if self.writer.state is FRESH:
            self.writer.start()
        if choice.delta is not None:
            self._take_delta(choice.delta, chunk.is_loose, is_whole=False)
        elif choice.message is not None:
            self._take_delta(choice.message, chunk.is_loose, is_whole=True)
        if choice.finish_reason is not None:
            finish = read_finish(choice.finish_reason)
            if finish is not None:
                if self._reads_native_stop and isinstance(choice.stop_reason, str):
                    self._native_stop = choice.stop_reason
                self.conclude(finish)

    def conclude(self, finish: Finish) -> None:
        """The model has finished: what waited goes out. Raises Fault where the end is an error or
        a call is not to be run."""
        self.finish = finish
        if self.words.matched:
            # Whatever it was about to say stands behind the end.
            self.writer.close()
            return
        if finish is Finish.FAILED:
            raise broken("broke off its answer", repeat=not self._streams)
        cut_off = finish is Finish.LENGTH or finish is Finish.REFUSED
        self.slots.finish(cut_off=cut_off)
        leaked = self.words.leaked(cut_off=cut_off)
        if leaked is None:
            raise broken("leaked tool calls that cannot be read", repeat=not self._streams)
        if leaked and not self.is_cut:
            for at, call in enumerate(leaked):
                given = msgspec.json.encode(call.arguments)
                self.slots.feed(_LEAKED_INDEX + at, call.id, call.name, given)
            self.slots.finish(cut_off=cut_off)
        if self.writer.index < 0 and not cut_off and not self.is_cut:
            self.words.confess()
        self.writer.close()

    def end(self) -> None:
        """The message is whole, and its usage as well known as it will be."""
        self.count.settle()
        sequence: str | None = None
        finish = self.finish or Finish.DONE
        reason = stop_reason(finish, has_calls=self.writer.calls > 0)
        if self.is_cut:
            reason, sequence = "stop_sequence", self.words.matched
        elif reason == "end_turn" and self._explanation is not None:
            reason = "refusal"
        elif reason == "end_turn" and self._native_stop:
            reason, sequence = "stop_sequence", self._native_stop
        elif reason == "max_tokens" and self.count.fills(self._call.model.context_window):
            reason = "model_context_window_exceeded"
        self.stop_reason = reason
        self.writer.end(
            stop_fields(reason, sequence, self._explanation),
            usage_document(self.count.usage, self.count.service_tier),
        )

    def let_go(self) -> None:
        """Nothing more can be said, and nothing is kept."""
        self.writer.abandon()
        self.signer.forget()
        self.slots.forget()
        self.words.forget()

    def _clear(self) -> bool:
        return self.words.clear()

    def _take_unusual(self, chunk: Chunk, choice: Choice | None, data: bytes) -> Choice | None:
        """Everything but words: errors, usage, several choices or none. The choice that counts."""
        if is_said(chunk.error):
            raise read_chat_error(bytes(chunk.error), status=None, call=self._call)
        if choice is not None and choice.index:
            choice = _first(chunk.choices or [])
        self.count.tier(chunk.service_tier)
        raws = [chunk.usage]
        if chunk.x_groq is not None:
            raws.append(chunk.x_groq.usage)
        if choice is not None:
            raws.append(choice.usage)
        for raw in raws:
            if is_said(raw):
                self.count.take(raw)
                self.writer.start()
                return choice
        if not chunk.choices and complains(data):
            raise read_chat_error(data, status=None, call=self._call)
        return choice

    def _take_delta(self, delta: Delta, is_loose: bool, *, is_whole: bool) -> None:
        thinking = delta.reasoning_content or delta.reasoning
        details = b""
        if delta.reasoning_details is not NOTHING and is_said(delta.reasoning_details):
            text, details = read_details(delta.reasoning_details)
            thinking = thinking or text
        if thinking and isinstance(thinking, str):
            self._think(thinking, is_loose)
        if details and self._wants_details:
            self.words.detail(details)
        if delta.content:
            self._take_content(delta.content, is_loose)
        if delta.refusal and isinstance(delta.refusal, str):
            said = (self._explanation or "") + delta.refusal
            self._explanation = said.encode("utf-8", "replace").decode()[:EXPLANATION_CHARS_MAX]
            self._speak(delta.refusal, is_loose)
        if delta.tool_calls:
            for at, call in enumerate(delta.tool_calls):
                if call is not None and not self.words.matched:
                    self._feed(at if is_whole else call.index, call.id, call.function)
        elif delta.function_call is not None:
            self._feed(0, None, delta.function_call)

    def _take_content(self, content: object, is_loose: bool) -> None:
        if isinstance(content, str):
            self._speak(content, is_loose)
        elif isinstance(content, list):
            for is_thinking, text in parts_of(content):
                if is_thinking:
                    self._think(text, is_loose)
                else:
                    self._speak(text, is_loose)

    def _speak(self, text: str, is_loose: bool) -> None:
        self.count.said.add(text)
        self.words.speak(text, is_loose=is_loose)

    def _think(self, text: str, is_loose: bool) -> None:
        self.count.said.add(text)
        self.words.think(text, is_loose=is_loose)

    def _feed(self, index: object, call_id: object, function: Function | None) -> None:
        if function is None:
            function = Function()
        arguments = bytes(function.arguments)
        self.count.said.add(arguments.decode("utf-8", "replace"))
        self.slots.feed(index, call_id, function.name, arguments)


def _is_usual(chunk: Chunk) -> bool:
    """Does a chunk with a choice say nothing beside it?"""
    return len(chunk.usage) <= _NULL_BYTES and chunk.x_groq is None and chunk.service_tier is None


def _first(choices: list[Choice]) -> Choice | None:
    """The first answer; we asked for one."""
    for choice in choices:
        if choice.index is None or choice.index == 0:
            return choice
    return None
