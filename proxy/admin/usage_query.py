"""What every question about usage has in common: which stretch of time, whose rows, and figures as
they are answered (domain.md 11).

Own rows for everyone, those of the tenant with `usage.view`, all with `msp.view`; what is outside
is refused and not answered with nothing, so that nobody takes a wrong filter for a free month.
"""

import datetime as dt
from typing import Annotated, Any, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from proxy.admin.endpoint import Asked, Limit, Offset, bad, may
from proxy.domain.caller import Caller
from proxy.domain.fault import Fault, Kind
from proxy.domain.permissions import MEANINGS, MSP_VIEW, VIEW_USAGE
from proxy.domain.sums import Sums, Within
from proxy.ledger.credits import MICRO_PER_CREDIT
from proxy.ledger.report import period
from proxy.ledger.support_record import moment

ZONE_CHARS_MAX = 64
_FIELDS = ("start_date", "end_date")

Name = Annotated[str, Meta(min_length=1, max_length=200)]
Day = Annotated[str, Meta(max_length=64, examples=["2026-11-01", "2026-11-01T12:00:00Z"])]

_Row = TypeVar("_Row")


class UsageQuery(msgspec.Struct, frozen=True):
    """`start_date` and `end_date` (exclusive) are ISO dates or date-times, of `timezone` where they
    name no zone; without them it is the current month. `timezone` is an IANA name; without it, the
    zone whose months allowances are for."""

    start_date: Day | None = None
    end_date: Day | None = None
    tenant_id: Name | None = None
    user_id: Name | None = None
    model: Name | None = None
    timezone: Annotated[str, Meta(max_length=ZONE_CHARS_MAX)] | None = None


class PagedQuery(UsageQuery, frozen=True):
    """A question whose answer may be long."""

    limit: Limit = 100
    offset: Offset = 0


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Sums. `credits` are `credits_in`, `credits_out` and `credits_actions` together, and plain
    numbers; `errors` are requests that did not end well for another reason than the client's
    leaving."""

    requests: int
    errors: int
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


class Spanned(msgspec.Struct, frozen=True, kw_only=True):
    """An answer about a stretch of time, from `start` up to before `end`."""

    start: str
    end: str
    timezone: str


def credits(micro: int) -> float:
    """Micro-credits as the API says them."""
    # The float nearest to it, which is written with six decimals at most.
    return micro / MICRO_PER_CREDIT


def optional_credits(micro: int | None) -> float | None:
    """As `credits`; None stays what it is."""
    return None if micro is None else credits(micro)


def figures(sums: Sums) -> dict[str, Any]:
    """The fields of `Figures`."""
    told: dict[str, Any] = sums._asdict()
    for name in ("credits_in", "credits_out", "credits_actions"):
        told[name] = credits(told[name])
    told["credits"] = credits(sums.credits)
    return told


class Zone(NamedTuple):
    """A time zone by the name it was asked for."""

    name: str
    clock: dt.tzinfo


def zone_named(name: str) -> Zone:
    """The zone of an IANA name. Raises Fault."""
    if name == "UTC":
        return Zone(name, dt.UTC)  # there even where the system has no time zones installed
    try:
        return Zone(name, ZoneInfo(name))
    # A key that is unknown; one that is no plain path; one that is a folder or no zone's file.
    except (KeyError, ValueError, OSError):
        raise bad(
            "timezone", "There is no such time zone.", "Use an IANA name such as Europe/Berlin."
        ) from None


def zone_of(query: UsageQuery, house: Zone) -> Zone:
    """The zone that is asked for. Raises Fault."""
    return house if query.timezone is None else zone_named(query.timezone)


def spanned(within: Within, zone: Zone) -> dict[str, Any]:
    """The fields of `Spanned`."""
    return {"start": moment(within.start_ms), "end": moment(within.end_ms), "timezone": zone.name}


def within(asked: Asked[Any, Any], zone: Zone) -> Within:
    """The rows that are asked for. Raises Fault: 403 for those the caller may not see, 400 for a
    stretch of time that makes no sense."""
    query: UsageQuery = asked.query
    tenant_id, user_id = visible(asked.caller, query.tenant_id, query.user_id)
    now = dt.datetime.fromtimestamp(asked.now_ms // 1000, dt.UTC)
    span = period(query.start_date, query.end_date, now, zone.clock, fields=_FIELDS)
    return Within(span.start_ms, span.end_ms, tenant_id, user_id, query.model)


def visible(
    caller: Caller, tenant_id: str | None, user_id: str | None
) -> tuple[str | None, str | None]:
    """Tenant and user to look at, None for all. Raises Fault FORBIDDEN."""
    if may(caller, MSP_VIEW):
        return tenant_id, user_id
    if tenant_id not in (None, caller.tenant_id):
        raise _outside("tenant_id", "of other tenants", MSP_VIEW)
    if may(caller, VIEW_USAGE):
        return caller.tenant_id, user_id
    if user_id not in (None, caller.user_id):
        raise _outside("user_id", "of other users", VIEW_USAGE)
    return caller.tenant_id, caller.user_id


def page(rows: list[_Row], limit: int) -> tuple[list[_Row], bool]:
    """Rows of which one more was read than wanted, and whether there are more."""
    return rows[:limit], len(rows) > limit


def _outside(field: str, whose: str, permission: str) -> Fault:
    return Fault(
        Kind.FORBIDDEN,
        f"{field}: To see the usage {whose} you need the permission"
        f' "{MEANINGS[permission]}" ({permission}).',
        hint=f"Leave {field} out to see what is yours, or ask your administrator.",
        retry=False,
        reason="outside_scope",
    )
