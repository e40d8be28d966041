"""What a search brings: pages found, or the word for why there are none.

Owns the numbers that stand for pages in a conversation: `[[3]]` is the third page anybody told the
model of, whichever search brought it. Refuses to know where pages come from.
"""

from collections.abc import Iterable
from typing import Literal

import msgspec

ErrorCode = Literal[
    "invalid_tool_input",
    "unavailable",
    "max_uses_exceeded",
    "too_many_requests",
    "query_too_long",
    "request_too_large",
]
"""`error_code` of a `web_search_tool_result_error` (client-contract.md 10)."""
ERROR_CODES: tuple[str, ...] = ErrorCode.__args__  # type: ignore[attr-defined]


class Hit(msgspec.Struct, frozen=True, gc=False):
    """One page. `text` is its extract, `age` words for when it was written; `number` is 0 until
    the model is told of it."""

    url: str
    title: str
    text: str = ""
    age: str | None = None
    number: int = 0


class Found(msgspec.Struct, frozen=True):
    """A search that worked, also one that found nothing. `credits` are the search service's own."""

    hits: tuple[Hit, ...]
    credits: int = 0


class Failed(msgspec.Struct, frozen=True):
    """A search that did not. `retry_after_s` is None where another try is of no use; one more is
    all that is worth it. `alert`: the operator has to mend it."""

    code: ErrorCode
    retry_after_s: float | None = None
    alert: bool = False


Outcome = Found | Failed


class Sources:
    """The pages a conversation knows, by number."""

    __slots__ = ("_by_number", "_by_url", "_last")

    def __init__(self) -> None:
        self._by_number: dict[int, Hit] = {}
        self._by_url: dict[str, Hit] = {}
        self._last = 0

    def number(self, hits: Iterable[Hit]) -> tuple[Hit, ...]:
        """The hits with the next numbers, which go on behind all that are known."""
        numbered: list[Hit] = []
        for hit in hits:
            numbered.append(msgspec.structs.replace(hit, number=self._last + 1))
            self.note(numbered[-1])
        return tuple(numbered)

    def note(self, hit: Hit) -> None:
        """A page that has its number from an earlier request; one that somebody else found has
        none, and only its address is known."""
        if hit.number:
            self._by_number[hit.number] = hit
        elif hit.url in self._by_url:
            return
        self._by_url[hit.url] = hit
        self._last = max(self._last, hit.number)

    def get(self, number: int) -> Hit | None:
        """The page of this number."""
        return self._by_number.get(number)

    def at(self, url: str) -> Hit | None:
        """The page at this address."""
        return self._by_url.get(url)
