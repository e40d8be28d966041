"""What Firecrawl answers, as pages or as the word for why there are none (translation.md 9.5).

Nothing in it is trusted: neither its shape, nor its size, nor the addresses and texts of pages.
"""

import datetime as dt
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from proxy.web_search.addresses import split_public
from proxy.web_search.domains import is_wanted
from proxy.web_search.firecrawl import LIMIT_MAX, SearchOptions
from proxy.web_search.hit import Failed, Found, Hit, Outcome
from proxy.web_search.prose import cut_at_word
from proxy.web_search.tool import SearchTool
from proxy.wire.retry_after import read_retry_after

REPLY_BYTES_MAX = 8_388_608
"""Whoever reads a reply stops here."""
HIT_CHARS_MAX = 2_000
ALL_CHARS_MAX = 12_000
_WORTH_CHARS = 40
"""A shorter extract says nothing."""
_TITLE_CHARS_MAX = 300
_AGE_CHARS_MAX = 64
_WAIT_S_MAX = 5
_CREDITS_MAX = 1_000_000
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u2028\u2029]")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August"),
    *("September", "October", "November", "December"),
)

NO_ANSWER = Failed("unavailable", retry_after_s=0.0)
"""No connection, none in time, or one that broke: once more, if time is left."""


def read_search_reply(
    status: int,
    headers: Mapping[bytes, bytes],
    body: bytes,
    tool: SearchTool,
    options: SearchOptions,
    *,
    now_s: float,
) -> Outcome:
    """`headers` in lower case; `now_s` is Unix seconds."""
    if status != 200:
        return _refused(status, headers, now_s)
    if len(body) > REPLY_BYTES_MAX:
        return Failed("unavailable")
    try:
        whole = msgspec.json.decode(body)
    except _UNREADABLE:
        return NO_ANSWER
    if not isinstance(whole, dict) or whole.get("success") is False:
        return NO_ANSWER
    data = whole.get("data")
    if not isinstance(data, dict | list):
        return NO_ANSWER
    most = max(1, min(options.limit, LIMIT_MAX))
    return Found(_hits(data, tool, most), _credits(whole.get("creditsUsed")))


def _refused(status: int, headers: Mapping[bytes, bytes], now_s: float) -> Failed:
    if status == 400:
        return Failed("invalid_tool_input")
    if status == 413:
        return Failed("request_too_large")
    if status == 429:
        wait = read_retry_after(headers.get(b"retry-after"), now_s)
        wait_s = 1.0 if wait is None else float(wait)
        return Failed("too_many_requests", wait_s if wait_s <= _WAIT_S_MAX else None)
    if status == 408 or status >= 500:
        return NO_ANSWER
    # The key, the account or the address is wrong.
    return Failed("unavailable", alert=True)


def _credits(said: object) -> int:
    if isinstance(said, bool) or not isinstance(said, int | float) or not math.isfinite(said):
        return 0
    return max(0, min(math.ceil(said), _CREDITS_MAX))


def _hits(data: dict[str, Any] | list[Any], tool: SearchTool, most: int) -> tuple[Hit, ...]:
    hits: dict[str, Hit] = {}
    left = ALL_CHARS_MAX
    for item in _items(data):
        if len(hits) >= most:
            break
        hit = _hit(item, tool, min(left, HIT_CHARS_MAX) if left >= _WORTH_CHARS else 0)
        if hit is not None and hit.url not in hits:
            hits[hit.url] = hit
            left -= len(hit.text)
    return tuple(hits.values())


def _items(data: dict[str, Any] | list[Any]) -> Iterator[dict[str, Any]]:
    """Version 2 sorts by source, version 1 gives one flat list."""
    lists = [data] if isinstance(data, list) else [data.get("web"), data.get("news")]
    for items in lists:
        if isinstance(items, list):
            yield from [item for item in items if isinstance(item, dict)]


def _hit(item: dict[str, Any], tool: SearchTool, most: int) -> Hit | None:
    url = _text(item, "url").strip()
    parts = split_public(url)
    if parts is None or not is_wanted(parts, tool.allowed, tool.blocked):
        return None
    title = " ".join(_clean(_text(item, "title")).split())
    return Hit(
        url,
        cut_at_word(title, _TITLE_CHARS_MAX),
        cut_at_word(_clean(_extract(item)).strip(), most),
        _age(item),
    )


def _extract(item: dict[str, Any]) -> str:
    metadata = item.get("metadata")
    status = metadata.get("statusCode") if isinstance(metadata, dict) else None
    page_is_bad = isinstance(status, int) and status >= 400
    page = "" if page_is_bad else _text(item, "markdown")
    return page or _text(item, "description") or _text(item, "snippet")


def _text(item: dict[str, Any], name: str) -> str:
    value = item.get(name)
    return value if isinstance(value, str) else ""


def _clean(text: str) -> str:
    # A page must not put on the marks that number the results.
    return _CONTROL.sub(" ", text).replace("[[", "[ [")


def _age(item: dict[str, Any]) -> str | None:
    metadata = item.get("metadata")
    for place in (item, metadata):
        if not isinstance(place, dict):
            continue
        for name in ("date", "publishedTime", "publishedDate"):
            if said := " ".join(_clean(_text(place, name)).split()):
                return _date(said) or cut_at_word(said, _AGE_CHARS_MAX)
    return None


def _date(said: str) -> str | None:
    """A date of ISO 8601 as Anthropic writes it: November 3, 2026."""
    try:
        day = dt.datetime.fromisoformat(said)
    except ValueError:
        return None
    return f"{_MONTHS[day.month - 1]} {day.day}, {day.year}"
