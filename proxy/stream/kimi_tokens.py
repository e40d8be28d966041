"""Calls that leak into the text as the tokens Kimi writes them with (translation.md 3.5).

    <|tool_calls_section_begin|><|tool_call_begin|>functions.NAME:0<|tool_call_argument_begin|>{…}
    <|tool_call_end|>…<|tool_calls_section_end|>

Servers with a parser that missed them pass them on as an answer. From the first such token on all
is kept to the end and read as calls.
"""

import re

import msgspec

MARK = "<|tool_call"
_BEGIN = "<|tool_call_begin|>"
_ARGUMENTS = "<|tool_call_argument_begin|>"
_ENDS = ("<|tool_call_end|>", "<|tool_calls_section_end|>")
_TOKEN = re.compile(r"<\|[a-z_]+\|>")
_ID = re.compile(r"(?:functions\.)?(.+?)(?::\d+)?", re.DOTALL)


class LeakedCall(msgspec.Struct, frozen=True):
    """A call found in text."""

    id: str
    name: str
    arguments: str


class KimiTokens:
    """Text in, text without leaked calls out."""

    __slots__ = ("_held", "has_leaked", "held_bytes")

    def __init__(self) -> None:
        self._held: list[str] = []
        self.has_leaked = False
        self.held_bytes = 0
        """What is kept back of leaked calls, in characters."""

    def feed(self, text: str) -> str:
        """What may go on now."""
        if self.has_leaked:
            self._held.append(text)
            self.held_bytes += len(text)
            return ""
        if self._held:
            text = self._held.pop() + text
        at = text.find(MARK)
        if at >= 0:
            self.has_leaked = True
            self._held.append(text[at:])
            self.held_bytes = len(text) - at
            return text[:at]
        at = text.rfind("<", max(0, len(text) - len(MARK)))
        if at >= 0 and MARK.startswith(text[at:]):
            self._held.append(text[at:])
            return text[:at]
        return text

    def flush(self) -> str:
        """The text is over: what only might have begun a token is text."""
        return "" if self.has_leaked or not self._held else self._held.pop()

    def calls(self, *, cut_off: bool) -> list[LeakedCall] | None:
        """The calls that were kept, None when they cannot be read. `cut_off`: the last may be half
        of one."""
        held = "".join(self._held)
        self._held.clear()
        self.held_bytes = 0
        beside, *begun = held.split(_BEGIN)
        rest = [beside]
        found: list[LeakedCall] = []
        for call in begun:
            call_id, mark, given = call.partition(_ARGUMENTS)
            if not mark or "<" in call_id:
                rest.append(call)
                continue
            name = _ID.fullmatch(call_id.strip())
            if name is None:
                return None
            end = min([at for at in map(given.find, _ENDS) if at >= 0], default=len(given))
            found.append(LeakedCall(call_id.strip(), name[1], given[:end].strip()))
            rest.append(given[end:])
        is_clean = not _TOKEN.sub("", "".join(rest)).strip()
        return found if cut_off or (found and is_clean) else None
