"""What support may see of a request: rows and refusals as documents, never content.

One wording for the API and the command line. Times are ISO 8601 in UTC, credits are plain numbers;
what is not known is null, so that every document has every field (domain.md 18).
"""

import datetime as dt
from typing import Protocol

import msgspec

from proxy.domain.caller import Caller
from proxy.domain.entry import Entry
from proxy.domain.permissions import MSP_VIEW, VIEW_USAGE
from proxy.domain.refusal import Refusal
from proxy.ledger.credits import MICRO_PER_CREDIT


class RecordStore(Protocol):
    """Where the records of a request id are. Clients repeat ids, so there may be several."""

    async def by_request_id(self, request_id: str, /) -> list[Entry]:
        """Rows of the ledger."""

    async def refusals_by_request_id(self, request_id: str, /) -> list[Refusal]:
        """Records of refused requests."""


class Tokens(msgspec.Struct, frozen=True):
    """Token classes and searches, as the ledger names them."""

    input_tokens: int
    output_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    cache_read_tokens: int
    thinking_tokens: int
    web_searches: int


class Credits(msgspec.Struct, frozen=True, rename={"in_": "in"}):
    """What it cost."""

    in_: float
    out: float
    actions: float
    total: float


class Generation(msgspec.Struct, frozen=True, tag="generation", tag_field="type"):
    """A request that reached a provider."""

    request_id: str
    event_id: str
    started_at: str
    ended_at: str
    requested_model: str
    model: str
    resolved_via: str
    streamed: bool
    surface: str
    client: str | None
    user_agent: str | None
    session_id: str | None
    outcome: str
    status: int
    error_type: str | None
    stop_reason: str | None
    first_byte_ms: int | None
    total_ms: int
    attempts: int
    provider: str | None
    provider_request_id: str | None
    usage: Tokens
    usage_estimated: bool
    credits: Credits
    tenant_id: str
    user_id: str
    role: str
    key_id: str


class Refused(msgspec.Struct, frozen=True, tag="refusal", tag_field="type"):
    """A request that was turned away; `reason` says why, as `X-Hatz-Reason` did."""

    request_id: str
    at: str
    requested_model: str | None
    status: int
    error_type: str
    reason: str | None
    client: str | None
    path: str
    tenant_id: str | None
    user_id: str | None
    key_id: str | None


Record = Generation | Refused


async def records_of(
    store: RecordStore, request_id: str, caller: Caller | None = None
) -> list[Record]:
    """All records of a request id, oldest first; with a caller, those that are theirs to see."""
    rows = await store.by_request_id(request_id)
    refusals = await store.refusals_by_request_id(request_id)
    found: list[tuple[int, Record]] = []
    found += [(row.started_at, _generation(row)) for row in rows if _may_see(caller, row)]
    found += [(row.at, _refused(row)) for row in refusals if _may_see(caller, row)]
    return [record for _, record in sorted(found, key=lambda each: each[0])]


def _may_see(caller: Caller | None, row: Entry | Refusal) -> bool:
    """Everybody their own, who may view usage their tenant's, the MSP's people all."""
    if caller is None:
        return True
    if MSP_VIEW in caller.permissions:
        return True
    if row.tenant_id != caller.tenant_id:
        return False
    return row.user_id == caller.user_id or VIEW_USAGE in caller.permissions


def _generation(row: Entry) -> Generation:
    return Generation(
        request_id=row.request_id,
        event_id=row.event_id,
        started_at=moment(row.started_at),
        ended_at=moment(row.ended_at),
        requested_model=row.requested_model,
        model=row.model,
        resolved_via=row.resolved_via,
        streamed=row.streamed,
        surface=row.surface,
        client=row.client or None,
        user_agent=row.user_agent or None,
        session_id=row.session_id or None,
        outcome=row.outcome.value,
        status=row.status,
        error_type=row.error_type or None,
        stop_reason=row.stop_reason or None,
        first_byte_ms=row.first_byte_ms,
        total_ms=row.total_ms,
        attempts=row.attempts,
        provider=row.provider or None,
        provider_request_id=row.provider_request_id or None,
        usage=Tokens(
            row.input_tokens,
            row.output_tokens,
            row.cache_write_5m_tokens,
            row.cache_write_1h_tokens,
            row.cache_read_tokens,
            row.thinking_tokens,
            row.web_searches,
        ),
        usage_estimated=row.usage_estimated,
        credits=Credits(
            row.credits_in / MICRO_PER_CREDIT,
            row.credits_out / MICRO_PER_CREDIT,
            row.credits_actions / MICRO_PER_CREDIT,
            (row.credits_in + row.credits_out + row.credits_actions) / MICRO_PER_CREDIT,
        ),
        tenant_id=row.tenant_id,
        user_id=row.user_id,
        role=row.role,
        key_id=row.key_id,
    )


def _refused(row: Refusal) -> Refused:
    return Refused(
        request_id=row.request_id,
        at=moment(row.at),
        requested_model=row.requested_model or None,
        status=row.status,
        error_type=row.error_type,
        reason=row.reason or None,
        client=row.client or None,
        path=row.path,
        tenant_id=row.tenant_id or None,
        user_id=row.user_id or None,
        key_id=row.key_id or None,
    )


def moment(at_ms: int) -> str:
    """Unix milliseconds as ISO 8601 in UTC, e.g. 2026-11-22T08:09:10.123Z."""
    at = dt.datetime.fromtimestamp(at_ms // 1000, dt.UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03}Z"
