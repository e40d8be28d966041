"""How long a refused client should wait, as providers say it: numbers, dates, durations, instants.

Owns every spelling of a wait that is met in headers. Refuses to know: which status it came with.
"""

import datetime as dt
import email.utils
import math
import re
from collections.abc import Mapping

_DURATION = re.compile(
    r"(?=\d)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?"
)
"""`1s`, `6m0s`, `7.66s`, `20ms`, `1h2m`: Go's way, which OpenAI, Groq and Google took over."""
_UNITS_S = (86_400.0, 3600.0, 60.0, 1.0, 0.001)
_EPOCH_S = 1e9
_EPOCH_MS = 1e12
"""Numbers from here on are instants: nobody asks for a wait of thirty years."""
_LIMIT = re.compile(rb"(?:x|anthropic)-ratelimit-(?:reset(?P<of>-[a-z-]+)?|[a-z-]+-reset)")


def read_retry_after(value: bytes | None, now_s: float) -> int | None:
    """Seconds to wait: a number (rounded up) or an HTTP date; None when absent or unreadable."""
    if value is None:
        return None
    text = value.decode("ascii", "replace").strip()
    try:
        return max(0, math.ceil(float(text)))
    except (ValueError, OverflowError):
        pass  # not a number: a date, perhaps
    try:
        when = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return _until(when, now_s)


def read_wait(text: str, now_s: float) -> int | None:
    """Seconds until a limit is lifted: a duration, seconds, an instant (Unix seconds or
    milliseconds, RFC 3339); None when unreadable."""
    text = text.strip()
    if (seconds := _duration_s(text)) is not None:
        return math.ceil(seconds)
    try:
        number = float(text)
        if number >= _EPOCH_S:
            number = (number / 1000 if number >= _EPOCH_MS else number) - now_s
        return max(0, math.ceil(number))
    except (ValueError, OverflowError):
        pass  # not a number: an instant, perhaps
    try:
        return _until(dt.datetime.fromisoformat(text), now_s)
    except (ValueError, OverflowError):
        return None


def wait_of(headers: Mapping[bytes, bytes], now_s: float) -> int | None:
    """What the headers of a refusal say about when to come again: `retry-after` if there is one,
    else when a limit that is used up is filled again (translation.md 7.1). Names in lower case."""
    if (milliseconds := headers.get(b"retry-after-ms")) is not None:
        wait = read_wait(milliseconds.decode("ascii", "replace") + "ms", now_s)
        if wait is not None:
            return wait
    if (wait := read_retry_after(headers.get(b"retry-after"), now_s)) is not None:
        return wait
    used_up: list[int] = []
    others: list[int] = []
    for name, value in headers.items():
        if _LIMIT.fullmatch(name) is None:
            continue
        wait = read_wait(value.decode("ascii", "replace"), now_s)
        if wait is not None:
            is_used_up = headers.get(name.replace(b"reset", b"remaining"), b"").strip() == b"0"
            (used_up if is_used_up else others).append(wait)
    if used_up:
        return max(used_up)
    # None admits to be used up: whoever comes too early is only told again.
    return min(others, default=None)


def _duration_s(text: str) -> float | None:
    match = _DURATION.fullmatch(text)
    if match is None:
        return None
    parts = [float(part or 0) for part in match.groups()]
    return sum([part * unit for part, unit in zip(parts, _UNITS_S, strict=True)])


def _until(when: dt.datetime, now_s: float) -> int:
    if when.tzinfo is None:
        when = when.replace(tzinfo=dt.UTC)  # else the machine's own zone would be taken
    return max(0, math.ceil(when.timestamp() - now_s))
