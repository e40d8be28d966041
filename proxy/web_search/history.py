"""A conversation with searches in it, told to a model that has no search of its own: each search
is a call of the custom tool, and its result the answer to it (translation.md 9.7).

Gives Anthropic's shape, which every provider's translation takes from there: in chat completions
it becomes `tool_calls` and tool messages. The bytes are those of the rounds in which the model
searched (`result_blocks.py`), so that prompt caches hit. Messages without searches keep theirs.
"""

from collections.abc import Mapping

import msgspec

from proxy.web_search.citing import Citing
from proxy.web_search.dangling import RESULT, is_search
from proxy.web_search.past_results import PastResults
from proxy.web_search.past_turn import Segment
from proxy.web_search.query import read_query
from proxy.web_search.result_blocks import Answer, answer_block, call_block
from proxy.web_search.search_ids import CallIds
from proxy.web_search.told import tell_titles
from proxy.wire.messages_request import (
    Block,
    Message,
    is_null,
    is_text,
    read_content,
    read_items,
    read_messages,
)

_MARKS = (b"web_search_", b"server_tool_use")
_LIST = msgspec.json.Decoder(list[msgspec.Raw])


class Retelling:
    """One request's history. Its results are read at once, so that pages found from now on get
    numbers behind theirs. `citing` as in `answer_block`; `off`: searching is switched off. Raises
    Fault 400 for tokens that were altered."""

    def __init__(
        self, messages: msgspec.Raw, past: PastResults, *, citing: Citing, off: bool = False
    ) -> None:
        self._whole = bytes(messages)
        self._past = past
        self._citing = citing
        self._off = off
        self._read = read_messages(messages) if _has_mark(self._whole) else []
        self._results: dict[str, tuple[Answer, bytes]] = {}
        self._left: Mapping[str, Answer] = {}
        self._called: set[str] = set()
        self.call_ids = CallIds()
        """What the model was told its searches are called."""
        self._written: list[bytes] = []
        self._due: list[bytes] = []
        """Answers that belong to the next message of the user."""
        for number, message in enumerate(self._read):
            if _is_told(message):
                self._note_results(message.content, f"messages.{number}.content")

    def retell(self, answers: Mapping[str, Answer] | None = None) -> bytes:
        """The messages anew, or as they are where nothing was searched. `answers` are those of
        searches that dangled, by their ids. Raises Fault 400 for citations that were altered."""
        if not self._read:
            return self._whole
        self._left = answers or {}
        self._written = []
        self._called = set()
        self.call_ids = CallIds()
        raws = _LIST.decode(self._whole)
        for number, (raw, message) in enumerate(zip(raws, self._read, strict=True)):
            self._retell_one(bytes(raw), message, f"messages.{number}.content")
        self._answer()
        return b"[%b]" % b",".join(self._written)

    # ------------------------------------------------------------ messages

    def _note_results(self, content: msgspec.Raw, where: str) -> None:
        for number, block in enumerate(read_content(content, where)):
            if block.type == RESULT and block.tool_use_id:
                answer = self._past.read(block, f"{where}.{number}.{RESULT}")
                self._results[block.tool_use_id] = (answer, bytes(block.cache_control))

    def _retell_one(self, raw: bytes, message: Message, where: str) -> None:
        if message.role == "user" and self._due:
            self._answer(before=message.content, where=where)
            return
        self._answer()
        if not _is_told(message):
            self._written.append(raw)
            return
        for segment in self._segments(message.content, where):
            self._answer()
            if not segment.is_empty:
                self._written.append(b'{"role":"assistant","content":%b}' % segment.content())
            self._due = segment.answers

    def _answer(self, *, before: msgspec.Raw | None = None, where: str = "") -> None:
        """The user's message with the answers that are due, in front of what the user says."""
        due, self._due = self._due, []
        if not due:
            return
        if before is not None and is_text(before):
            due = [*due, b'{"type":"text","text":%b}' % bytes(before)]
        elif before is not None and not is_null(before):
            due = [*due, *[bytes(item) for item in read_items(before, where)]]
        self._written.append(b'{"role":"user","content":[%b]}' % b",".join(due))

    # ------------------------------------------------------------ one message

    def _segments(self, content: msgspec.Raw, where: str) -> list[Segment]:
        raws = [bytes(item) for item in read_items(content, where)]
        blocks = read_content(content, where)
        segments = [Segment()]
        for number, (raw, block) in enumerate(zip(raws, blocks, strict=True)):
            segment = segments[-1]
            if block.type == RESULT:
                self._result(block, segment)
                continue
            if segment.is_answered and not _closes(blocks[number:], segment):
                segment = Segment()
                segments.append(segment)
            if is_search(block):
                self._search(block, segment)
            elif block.type == "text" and is_text(block.text):
                at = f"{where}.{number}"
                segment.add_text(raw, block, at, self._past, self._citing)
            else:
                segment.add(raw, block.type)
        return segments

    def _search(self, block: Block, segment: Segment) -> None:
        search = block.id or ""
        query = read_query(bytes(block.input))
        self._called.add(search)
        call_id = self.call_ids.of(search)
        segment.add(call_block(call_id, query.arguments, bytes(block.cache_control)), block.type)
        left = self._left.get(search, "unavailable")
        answer, cached = self._results.get(search, (left, b""))
        segment.answers.append(
            answer_block(
                call_id,
                query.text,
                answer,
                citing=self._citing,
                off=self._off,
                cache_control=cached,
            )
        )

    def _result(self, block: Block, segment: Segment) -> None:
        search = block.tool_use_id or ""
        if search in self._called:
            # Told with its call already. One that opens a message answers a call of an earlier one.
            segment.is_answered = not segment.is_empty
            return
        answer, _ = self._results.get(search, ((), b""))
        if not isinstance(answer, str):
            said = msgspec.json.encode(tell_titles("", answer))
            segment.add(b'{"type":"text","text":%b}' % said, "text")


def _is_told(message: Message) -> bool:
    """Is it a message of the assistant's with something of a search in it?"""
    content = message.content
    return message.role == "assistant" and not is_text(content) and _has_mark(bytes(content))


def _has_mark(content: bytes) -> bool:
    return any(mark in content for mark in _MARKS)


def _closes(rest: list[Block], segment: Segment) -> bool:
    """Are these calls of the client's tools that were made beside the search? A model that thinks
    would have thought again before it made them later."""
    return segment.has_thinking and all(block.type == "tool_use" for block in rest)
