"""The words a person writes into a prompt to direct the demo model.

    CALL:<Tool>:<json object> END   call that tool; two of them are two parallel calls
    THINK                           think first, where thinking is on
    ERROR <status>                  refuse with that HTTP status
    ERRORMID, BREAK                 fail midway: with an error event, by cutting the connection
    SLOW <s>, PAUSE <s>             silence before the first byte, in the middle
    LONG <n>                        answer with n words

Pure. What stands between <system-reminder> tags was put there by a client, not by a person, and
directs nothing; neither do words inside the arguments of a CALL.
"""

import re
from dataclasses import dataclass

from proxy.demo.loose_json import parsed

CALLS_MAX = 16
SILENCE_MAX_S = 600.0
WORDS_MAX = 100_000

_REMINDER = re.compile(r"<system-reminder>.*?</system-reminder>", re.DOTALL)
_CALL = re.compile(r"CALL:([A-Za-z0-9_.-]{1,128}):(?=\{)")
_CALL_END = re.compile(r"\s*END\b")
_THINK = re.compile(r"\bTHINK\b")
_ERROR = re.compile(r"\bERROR ([45]\d\d)\b")
_ERROR_MIDWAY = re.compile(r"\bERRORMID\b")
_BREAK = re.compile(r"\bBREAK\b")
_SLOW = re.compile(r"\bSLOW (\d+(?:\.\d+)?)")
_PAUSE = re.compile(r"\bPAUSE (\d+(?:\.\d+)?)")
_LONG = re.compile(r"\bLONG (\d+)\b")
# Only what decides where a JSON object ends.
_STRUCTURE = re.compile(r'"(?:[^"\\]|\\.)*"|[{}]', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call asked for; the arguments are kept as they were written."""

    name: str
    input_json: str


@dataclass(frozen=True, slots=True)
class Markers:
    """What the text directs."""

    calls: tuple[Call, ...] = ()
    words_before_call: bool = False
    think: bool = False
    error_status: int | None = None
    error_midway: bool = False
    cut_midway: bool = False
    silence_first_s: float = 0.0
    silence_middle_s: float = 0.0
    words: int | None = None


def read_markers(written: str) -> Markers:
    """Find the directions in a user's text."""
    own = _REMINDER.sub(" ", written)
    calls, rest = _take_calls(own)
    error = _ERROR.search(rest)
    words = _LONG.search(rest)
    return Markers(
        calls=calls,
        words_before_call=bool(calls and _without_markers(own.partition("CALL:")[0]).strip()),
        think=_THINK.search(rest) is not None,
        error_status=int(error[1]) if error else None,
        error_midway=_ERROR_MIDWAY.search(rest) is not None,
        cut_midway=_BREAK.search(rest) is not None,
        silence_first_s=_seconds(_SLOW, rest),
        silence_middle_s=_seconds(_PAUSE, rest),
        words=min(int(words[1][:9]), WORDS_MAX) if words else None,
    )


def _without_markers(written: str) -> str:
    for pattern in (_THINK, _ERROR, _ERROR_MIDWAY, _BREAK, _SLOW, _PAUSE, _LONG):
        written = pattern.sub("", written)
    return written


def _seconds(pattern: re.Pattern[str], written: str) -> float:
    found = pattern.search(written)
    return min(float(found[1]), SILENCE_MAX_S) if found else 0.0


def _take_calls(written: str) -> tuple[tuple[Call, ...], str]:
    """The calls, and the text without them. A call with broken arguments stays ordinary text."""
    calls: list[Call] = []
    rest: list[str] = []
    at = 0
    while len(calls) < CALLS_MAX and (start := _CALL.search(written, at)):
        end = _object_end(written, start.end())
        closing = _CALL_END.match(written, end) if end else None
        arguments = written[start.end() : end]
        if closing is None or not _is_object(arguments):
            rest.append(written[at : start.end()])
            at = start.end()
            continue
        calls.append(Call(start[1], arguments))
        rest.append(written[at : start.start()])
        at = closing.end()
    rest.append(written[at:])
    return tuple(calls), " ".join(rest)


def _object_end(written: str, start: int) -> int:
    """Where the object that opens at `start` is closed; 0 if it never is."""
    depth = 0
    for found in _STRUCTURE.finditer(written, start):
        if found[0] == "{":
            depth += 1
        elif found[0] == "}":
            depth -= 1
            if depth == 0:
                return found.end()
    return 0


def _is_object(written: str) -> bool:
    try:
        return isinstance(parsed(written), dict)
    except ValueError:
        return False
