"""What the demo model says: a pure function of what it was asked.

An `Ask` is a request without its wire; `answer` turns it into a `Reply` (blocks, cut into the
pieces they are streamed in) or a `Refusal`. The last user text decides, by its markers
(`markers.py`). Nothing here knows a wire, a clock or a socket. One word is one output token.

Rules: an answer is cut at the first stop sequence, then at `tokens_max` words. Tool calls are
never cut, so that their arguments are always whole JSON.
"""

import base64
import re
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

import msgspec

from proxy.demo.markers import Call, Markers, asked_search, read_markers
from proxy.demo.refusal import Refusal
from proxy.demo.schema_fill import fill

ORDINARY = (
    "Hello from the demo model! I am not a real language model, only a small program that "
    "answers the way one would. Every word you see arrived as its own event, so your connection "
    "streams as it should. Have a pleasant day!"
)
THOUGHT = "The user wants to see me think. This is the demo model, so one short thought will do."
BEFORE_CALL = "Calling a tool."
AFTER_RESULT = "That is all the demo model needed to know."
QUOTED_CHARS_MAX = 200
SEARCH_TOOL = "web_search"

_WORD = re.compile(r"\s*\S+(?:\s+\Z)?")
_ARGUMENT_PIECE_CHARS = 12
_ARGUMENT_PIECES_MAX = 64


class Thinking(Enum):
    """Whether thinking was asked for, and whether its text is shown."""

    OFF = "off"
    SHOWN = "shown"
    OMITTED = "omitted"


class Stop(Enum):
    """Why the model ended its turn, in Anthropic's words."""

    END_TURN = "end_turn"
    MAX_TOKENS = "max_tokens"
    STOP_SEQUENCE = "stop_sequence"
    TOOL_USE = "tool_use"


class Ending(Enum):
    """How the stream ends: as it should, with an error event, by a cut connection, or in good order
    but too early."""

    WHOLE = "whole"
    ERROR = "error"
    CUT = "cut"
    SHORT = "short"


@dataclass(frozen=True, slots=True)
class ForcedTool:
    """A tool the client insists on."""

    name: str
    schema: object


@dataclass(frozen=True, slots=True)
class Page:
    """A search result that may be cited; `number` is its place among all of the request, from 0."""

    number: int
    source: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Ask:
    """What a request comes down to. `tokens_max` None is no limit; `schema` None is free text;
    `only_tool` is the name of the tool where there is one."""

    text: str = ""
    tool_results: tuple[str, ...] = ()
    pages: tuple[Page, ...] = ()
    thinking: Thinking = Thinking.OFF
    tokens_max: int | None = None
    stop_sequences: tuple[str, ...] = ()
    schema: object = None
    has_tools: bool = False
    only_tool: str = ""
    tools_allowed: bool = True
    parallel_tools: bool = True
    forced_tool: ForcedTool | None = None
    thinks_unasked: bool = False


class Overflow(NamedTuple):
    """A prompt, with what is wanted as answer, that the window does not hold. All in tokens."""

    prompt: int
    wanted: int
    window: int

    @property
    def prompt_fits(self) -> bool:
        """Only prompt and answer together are too much."""
        return self.prompt <= self.window


@dataclass(frozen=True, slots=True)
class ThinkingBlock:
    """A thought and its seal; no pieces when its text is omitted."""

    pieces: tuple[str, ...]
    signature: str


@dataclass(frozen=True, slots=True)
class TextBlock:
    """Text, a word a piece, and the pages it cites."""

    pieces: tuple[str, ...]
    citations: tuple[Page, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolBlock:
    """A tool call; the pieces make the JSON text of its arguments."""

    name: str
    pieces: tuple[str, ...]


Block = ThinkingBlock | TextBlock | ToolBlock


@dataclass(frozen=True, slots=True)
class Reply:
    """All the model will say, and how it will be performed."""

    blocks: tuple[Block, ...]
    stop: Stop
    stop_sequence: str | None = None
    output_tokens: int = 0
    thinking_tokens: int = 0
    silence_first_s: float = 0.0
    silence_middle_s: float = 0.0
    ending: Ending = Ending.WHOLE
    cached_tokens: int = 0
    interleaved: bool = False
    pieces_count: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pieces_count", sum(len(block.pieces) for block in self.blocks))


def answer(ask: Ask) -> Reply | Refusal:
    """The demo model's answer."""
    markers = read_markers(ask.text)
    if markers.error_status is not None:
        return Refusal(
            markers.error_status,
            silence_first_s=markers.silence_first_s,
            code=markers.error_code,
        )
    thinking, thinking_tokens = _thinking(ask, markers)
    said, stop, stop_sequence = _said(ask, markers, thinking_tokens)
    return Reply(
        blocks=(*thinking, *said),
        stop=stop,
        stop_sequence=stop_sequence,
        output_tokens=thinking_tokens + sum(len(block.pieces) for block in said),
        thinking_tokens=thinking_tokens,
        silence_first_s=markers.silence_first_s,
        silence_middle_s=markers.silence_middle_s,
        ending=_ending(markers),
        cached_tokens=markers.cached,
        interleaved=markers.interleave,
    )


def overflow(ask: Ask, input_tokens: int) -> Overflow | None:
    """What does not fit into the window that a marker asks for."""
    window = read_markers(ask.text).window
    if window is None or input_tokens + (ask.tokens_max or 0) <= window:
        return None
    return Overflow(input_tokens, ask.tokens_max or 0, window)


def words_of(said: str) -> tuple[str, ...]:
    """The pieces a text is streamed in; joined they are the text again."""
    return tuple(_WORD.findall(said))


def _ending(markers: Markers) -> Ending:
    if markers.cut_midway:
        return Ending.CUT
    if markers.end_midway:
        return Ending.SHORT
    return Ending.ERROR if markers.error_midway else Ending.WHOLE


def _thinking(ask: Ask, markers: Markers) -> tuple[tuple[ThinkingBlock, ...], int]:
    """The thinking blocks and what they cost: hidden thoughts are paid for like shown ones."""
    if ask.thinking is Thinking.OFF or not (markers.think or ask.thinks_unasked):
        return (), 0
    pieces = words_of(THOUGHT)[: ask.tokens_max]
    if not pieces:
        return (), 0
    seal = base64.b64encode(b"demo thought: " + "".join(pieces).encode()).decode()
    shown = pieces if ask.thinking is Thinking.SHOWN else ()
    return (ThinkingBlock(shown, seal),), len(pieces)


def _said(
    ask: Ask, markers: Markers, thinking_tokens: int
) -> tuple[tuple[Block, ...], Stop, str | None]:
    calls = _calls(ask, markers)
    if calls:
        before = (TextBlock(words_of(BEFORE_CALL)),) if markers.words_before_call else ()
        tools = tuple(ToolBlock(call.name, _argument_pieces(call.input_json)) for call in calls)
        return (*before, *tools), Stop.TOOL_USE, None
    whole = _text(ask, markers)
    text, matched = _cut_at_stop(whole, ask.stop_sequences)
    words = words_of(text)
    limit = None if ask.tokens_max is None else max(0, ask.tokens_max - thinking_tokens)
    blocks = _cited(words[:limit], ask, whole)
    if limit is not None and len(words) > limit:
        return blocks, Stop.MAX_TOKENS, None
    return blocks, Stop.STOP_SEQUENCE if matched else Stop.END_TURN, matched


def _calls(ask: Ask, markers: Markers) -> tuple[Call, ...]:
    if not ask.tools_allowed:
        return ()
    # A request for JSON that lists no tools is a side request of a client (Claude Code's session
    # title) which only quotes the user's CALL.
    if markers.calls and (ask.schema is None or ask.has_tools):
        return markers.calls if ask.parallel_tools else markers.calls[:1]
    query = asked_search(ask.text)
    if query and ask.only_tool == SEARCH_TOOL and not ask.tool_results:
        return (Call(SEARCH_TOOL, msgspec.json.encode({"query": query}).decode()),)
    if ask.forced_tool and not ask.tool_results:
        filled = fill(ask.forced_tool.schema)
        return (Call(ask.forced_tool.name, msgspec.json.encode(filled).decode()),)
    return ()


def _cited(words: tuple[str, ...], ask: Ask, whole: str) -> tuple[TextBlock, ...]:
    """The words as blocks: what a tool found is quoted in one of its own, which cites."""
    quoted = len(words_of(whole.removesuffix(AFTER_RESULT).rstrip())) if ask.pages else 0
    blocks = TextBlock(words[:quoted], ask.pages[:1]), TextBlock(words[quoted:])
    return tuple(block for block in blocks if block.pieces)


def _text(ask: Ask, markers: Markers) -> str:
    if ask.schema is not None:
        return msgspec.json.encode(fill(ask.schema)).decode()
    if markers.words is not None:
        return " ".join(f"word{number}" for number in range(1, markers.words + 1))
    if ask.tool_results:
        quotes = [
            f"The tool answered: {result[:QUOTED_CHARS_MAX].strip() or '(nothing)'}"
            for result in ask.tool_results
        ]
        return "\n".join((*quotes, AFTER_RESULT))
    return ORDINARY


def _cut_at_stop(text: str, sequences: tuple[str, ...]) -> tuple[str, str | None]:
    """The text before the first stop sequence, and which one it was."""
    hits = [(text.find(sequence), sequence) for sequence in sequences if sequence in text]
    if not hits:
        return text, None
    at, matched = min(hits)
    return text[:at], matched


def _argument_pieces(input_json: str) -> tuple[str, ...]:
    """Arguments as they are streamed: an empty piece first, as the real provider does."""
    size = max(_ARGUMENT_PIECE_CHARS, len(input_json) // _ARGUMENT_PIECES_MAX)
    starts = range(0, len(input_json), size)
    return ("", *(input_json[start : start + size] for start in starts))
