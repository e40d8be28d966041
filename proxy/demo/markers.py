"""The words a person writes into a prompt to direct the demo model.

    CALL:<Tool>:<json object> END   call that tool; two of them are two parallel calls
    THINK                           think first, where thinking is on
    ERROR <status>[:<code>]         refuse with that HTTP status, and that kind of error
    ERRORMID, BREAK, TRUNCATE       fail midway: with an error event, by cutting the connection, by
                                    ending a stream in good order before its end
    SLOW <s>, PAUSE <s>             silence before the first byte, in the middle
    LONG <n>                        answer with n words
    WINDOW <n>                      have a context window of n tokens
    CACHED <n>                      say that n tokens of the prompt came from the cache (chat wire)
    INTERLEAVE                      send the pieces of parallel calls turn by turn (chat wire)

Pure. What stands between <system-reminder> tags was put there by a client, not by a person, and
directs nothing; neither do words inside the arguments of a CALL.
"""

import re
from dataclasses import dataclass

from proxy.demo.loose_json import parsed

CALLS_MAX = 16
SILENCE_MAX_S = 600.0
WORDS_MAX = 100_000
TOKENS_MAX = 100_000_000

_REMINDER = re.compile(r"<system-reminder>.*?</system-reminder>", re.DOTALL)
_CALL = re.compile(r"CALL:([A-Za-z0-9_.-]{1,128}):(?=\{)")
_CALL_END = re.compile(r"\s*END\b")
_THINK = re.compile(r"\bTHINK\b")
_ERROR = re.compile(r"\bERROR ([45]\d\d)\b(?::([A-Za-z_]{1,64}))?")
_ERROR_MIDWAY = re.compile(r"\bERRORMID\b")
_BREAK = re.compile(r"\bBREAK\b")
_TRUNCATE = re.compile(r"\bTRUNCATE\b")
_SLOW = re.compile(r"\bSLOW (\d+(?:\.\d+)?)")
_PAUSE = re.compile(r"\bPAUSE (\d+(?:\.\d+)?)")
_LONG = re.compile(r"\bLONG (\d+)\b")
_WINDOW = re.compile(r"\bWINDOW (\d+)\b")
_CACHED = re.compile(r"\bCACHED (\d+)\b")
_INTERLEAVE = re.compile(r"\bINTERLEAVE\b")
_ALL = (
    _THINK,
    _ERROR,
    _ERROR_MIDWAY,
    _BREAK,
    _TRUNCATE,
    _SLOW,
    _PAUSE,
    _LONG,
    _WINDOW,
    _CACHED,
    _INTERLEAVE,
)
_SEARCH = re.compile(r"\s*Perform a web search for the query:[ \t]*([^\n]+)")
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
    error_code: str = ""
    error_midway: bool = False
    cut_midway: bool = False
    end_midway: bool = False
    silence_first_s: float = 0.0
    silence_middle_s: float = 0.0
    words: int | None = None
    window: int | None = None
    cached: int = 0
    interleave: bool = False


def read_markers(written: str) -> Markers:
    """Find the directions in a user's text."""
    own = _REMINDER.sub(" ", written)
    calls, rest = _take_calls(own)
    error = _ERROR.search(rest)
    return Markers(
        calls=calls,
        words_before_call=bool(calls and _without_markers(own.partition("CALL:")[0]).strip()),
        think=_THINK.search(rest) is not None,
        error_status=int(error[1]) if error else None,
        error_code=(error[2] or "") if error else "",
        error_midway=_ERROR_MIDWAY.search(rest) is not None,
        cut_midway=_BREAK.search(rest) is not None,
        end_midway=_TRUNCATE.search(rest) is not None,
        silence_first_s=_seconds(_SLOW, rest),
        silence_middle_s=_seconds(_PAUSE, rest),
        words=_number(_LONG, rest, WORDS_MAX),
        window=_number(_WINDOW, rest, TOKENS_MAX),
        cached=_number(_CACHED, rest, TOKENS_MAX) or 0,
        interleave=_INTERLEAVE.search(rest) is not None,
    )


def asked_search(written: str) -> str:
    """What Claude Code wants searched in the side request of its WebSearch tool; empty if this is
    none. Every real model answers it with a search."""
    asked = _SEARCH.match(_REMINDER.sub(" ", written))
    return asked[1].strip() if asked else ""


def _without_markers(written: str) -> str:
    for pattern in _ALL:
        written = pattern.sub("", written)
    return written


def _number(pattern: re.Pattern[str], written: str, most: int) -> int | None:
    found = pattern.search(written)
    return min(int(found[1][:9]), most) if found else None


def _seconds(pattern: re.Pattern[str], written: str) -> float:
    found = pattern.search(written)
    return min(float(found[1]), SILENCE_MAX_S) if found else 0.0


def _take_calls(written: str) -> tuple[tuple[Call, ...], str]:
    """The calls, and the text without them. A call with broken arguments stays ordinary text."""
    calls: list[Call] = []
    rest: list[str] = []
    at = 0
    while len(calls) < CALLS_MAX and (start := _CALL.search(written, at)):
        end = object_end(written, start.end())
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


def object_end(written: str, start: int) -> int:
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
