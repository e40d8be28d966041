"""`/v1/usage/events`: the rows of the ledger themselves, as JSON in pages or as CSV in one flow.

A page begins behind the last row of the page before, whatever arrived meanwhile. CSV is read and
written page by page: a file of millions of rows never lies in memory, and a slow reader only slows
itself. Never content: the ledger holds none (domain.md 10).
"""

import asyncio
import csv
import io
import re
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from operator import attrgetter
from typing import Annotated, Any, Protocol, cast

import msgspec
from msgspec import Meta

from proxy.admin.endpoint import AnyEndpoint, Asked, Endpoint, Limit, NoBody, Offset, Text, bad
from proxy.admin.usage_query import (
    Spanned,
    UsageQuery,
    credits,
    page,
    spanned,
    within,
    zone_named,
    zone_of,
)
from proxy.domain.entry import Entry
from proxy.domain.sums import Within
from proxy.ledger.credits import MICRO_PER_CREDIT
from proxy.ledger.support_record import moment

CSV_PAGE = 500
"""Rows read at a time."""
PIECE = 50
"""Rows made ready at a time, about a millisecond of work: streams of this process run meanwhile."""
JSON_ROWS = 100
_CURSOR = re.compile(r"(\d{1,15})\.([!-~]{1,200})", re.ASCII)
# What a spreadsheet would take for a formula, also behind white space it drops.
_FORMULA = frozenset("=+-@\t\r\n")
_FILE = (("Content-Disposition", 'attachment; filename="usage-events.csv"'),)


class EventStore(Protocol):
    """Where the rows are. Implemented by `storage/usage.py`."""

    async def events(
        self,
        within: Within,
        limit: int,
        /,
        *,
        before: tuple[int, str] | None = None,
        request_id: str | None = None,
        offset: int = 0,
    ) -> list[Entry]:
        """Rows, newest first; `before`: start and event id of the last row that was read."""


class EventQuery(UsageQuery, frozen=True):
    """`cursor` is the `next_cursor` of the page before. Without a limit a page has 100 rows, and
    CSV has all."""

    request_id: Annotated[str, Meta(min_length=1, max_length=128)] | None = None
    cursor: Annotated[str, Meta(min_length=1, max_length=220)] | None = None
    limit: Limit | None = None
    offset: Offset = 0


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One generation that ended. Null: not known. `usage_estimated`: the provider told no usage,
    the tokens are an estimate. CSV has these columns in this order; new ones come last."""

    event_id: str
    request_id: str
    started_at: str
    ended_at: str
    tenant_id: str
    user_id: str
    role: str
    key_id: str
    surface: str
    requested_model: str
    model: str
    resolved_via: str
    streamed: bool
    client: str | None
    user_agent: str | None
    session_id: str | None
    outcome: str
    status: int
    error_type: str | None
    stop_reason: str | None
    input_tokens: int
    output_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    cache_read_tokens: int
    thinking_tokens: int
    web_searches: int
    credits: float
    credits_in: float
    credits_out: float
    credits_actions: float
    provider: str | None
    provider_request_id: str | None
    first_byte_ms: int | None
    total_ms: int
    attempts: int
    usage_estimated: bool


class Events(Spanned, frozen=True, kw_only=True):
    """Newest first. No `next_cursor`: there are no more."""

    data: list[Event]
    next_cursor: str | None


class UsageEvents:
    """The handler. `zone` names the one whose months allowances are for."""

    def __init__(self, store: EventStore, zone: str) -> None:
        self._store = store
        self._zone = zone_named(zone)

    def endpoints(self) -> list[AnyEndpoint]:
        """The row of the table."""
        return [
            Endpoint(
                method="GET",
                path="/v1/usage/events",
                summary="The rows of the ledger, newest first; all of them with Accept: text/csv",
                handler=self._read,
                reply=Events,
                query=EventQuery,
                body=NoBody,
                also=("text/csv",),
                tag="usage",
            )
        ]

    async def _read(self, asked: Asked[EventQuery, None]) -> Events | Text:
        query, zone = asked.query, zone_of(asked.query, self._zone)
        meant = within(asked, zone)
        before = None if query.cursor is None else _place(query.cursor)
        if "text/csv" in asked.accept:
            lines = _Lines(self._store, meant, query, before)
            # The first rows are read here, where a failure is still a plain refusal.
            await lines.look()
            # aiohttp writes what comes from an iterator as it comes.
            return Text(cast(bytes, lines), "text/csv; charset=utf-8", _FILE)
        limit = JSON_ROWS if query.limit is None else query.limit
        found = await self._store.events(
            meant, limit + 1, before=before, request_id=query.request_id, offset=query.offset
        )
        rows, more = page(found, limit)
        return Events(
            **spanned(meant, zone),
            data=await _events(rows),
            next_cursor=_cursor(rows[-1]) if more else None,
        )


class _Lines(AsyncIterator[bytes]):
    """CSV in pieces: the names, then page after page."""

    def __init__(
        self, store: EventStore, meant: Within, query: EventQuery, before: tuple[int, str] | None
    ) -> None:
        self._store = store
        self._meant = meant
        self._request_id = query.request_id
        self._left = query.limit
        self._offset = query.offset
        self._before = before
        self._rows: list[Entry] = []
        self._place = 0
        self._is_over = False
        self._begun = False

    async def look(self) -> None:
        """Read the next page."""
        self._place = 0
        limit = CSV_PAGE if self._left is None else min(CSV_PAGE, self._left)
        self._rows = await self._store.events(
            self._meant,
            limit,
            before=self._before,
            request_id=self._request_id,
            offset=self._offset,
        )
        self._offset = 0
        if self._rows:
            self._before = (self._rows[-1].started_at, self._rows[-1].event_id)
        if self._left is not None:
            self._left -= len(self._rows)
        self._is_over = len(self._rows) < limit or self._left == 0

    async def __anext__(self) -> bytes:
        if not self._begun:
            self._begun = True
            return _csv([Event.__struct_fields__])
        if self._place >= len(self._rows):
            if self._is_over:
                raise StopAsyncIteration
            await self.look()
            if not self._rows:
                raise StopAsyncIteration
        rows = self._rows[self._place : self._place + PIECE]
        self._place += PIECE
        # Writing does not wait where there is room: others would not get their turn.
        await asyncio.sleep(0)
        return _csv(map(_cells, rows))


async def _events(rows: Sequence[Entry]) -> list[Event]:
    events: list[Event] = []
    for start in range(0, len(rows), PIECE):
        events += [Event(**_fields(row)) for row in rows[start : start + PIECE]]
        await asyncio.sleep(0)
    return events


def _fields(row: Entry) -> dict[str, Any]:
    fields = dict(zip(Event.__struct_fields__, _values(row), strict=True))
    fields["outcome"] = row.outcome.value
    for name in _MOMENTS:
        fields[name] = moment(fields[name])
    for name in _CREDITS:
        fields[name] = credits(fields[name])
    for name in _UNKNOWN_IF_EMPTY:
        fields[name] = fields[name] or None
    return fields


def _cells(row: Entry) -> list[str]:
    return [said(value) for said, value in zip(_SAID, _values(row), strict=True)]


def defused(text: str) -> str:
    """Text that no spreadsheet runs: clients write into their user agents what they like."""
    # A program may strip what is blank in front, whatever it takes for blank.
    return "'" + text if text[:1] in _FORMULA or text.lstrip()[:1] in _FORMULA else text


def _decimal(micro: int) -> str:
    """Credits, exact."""
    whole, rest = divmod(micro, MICRO_PER_CREDIT)
    return f"{whole}.{rest:06}"


def _plain(value: object) -> str:
    return "" if value is None else str(value)


def _flag(value: bool) -> str:
    return "true" if value else "false"


_MOMENTS = ("started_at", "ended_at")
_CREDITS = ("credits", "credits_in", "credits_out", "credits_actions")
_UNKNOWN_IF_EMPTY = (
    *("client", "user_agent", "session_id", "error_type", "stop_reason"),
    *("provider", "provider_request_id"),
)
_values = attrgetter(*Event.__struct_fields__)


def _how_said(field: msgspec.structs.FieldInfo) -> Callable[[Any], str]:
    if field.name in _MOMENTS:
        return moment
    if field.name in _CREDITS:
        return _decimal
    if field.type is bool:
        return _flag
    return _plain if field.type in (int, int | None) else defused


_SAID = tuple([_how_said(field) for field in msgspec.structs.fields(Event)])
"""How the cell of each column is written."""


def _csv(rows: Iterable[Sequence[str]]) -> bytes:
    sheet = io.StringIO()
    csv.writer(sheet, lineterminator="\r\n").writerows(rows)
    return sheet.getvalue().encode("utf-8", "replace")


def _cursor(row: Entry) -> str:
    return f"{row.started_at}.{row.event_id}"


def _place(cursor: str) -> tuple[int, str]:
    read = _CURSOR.fullmatch(cursor)
    if read is None:
        raise bad("cursor", "It is none of ours.", "Take next_cursor of the page before.")
    return int(read[1]), read[2]
