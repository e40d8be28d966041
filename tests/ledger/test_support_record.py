"""What support may see, and who may see it."""

from collections.abc import Callable

import msgspec
import pytest

from proxy.domain.caller import Caller
from proxy.domain.entry import Entry, Outcome
from proxy.domain.refusal import Refusal
from proxy.ledger.support_record import moment, records_of

MakeEntry = Callable[..., Entry]
MakeRefusal = Callable[..., Refusal]


class Records:
    def __init__(self, *rows: Entry | Refusal) -> None:
        self.rows = rows

    async def by_request_id(self, request_id: str) -> list[Entry]:
        return [row for row in self.rows if isinstance(row, Entry) and row.request_id == request_id]

    async def refusals_by_request_id(self, request_id: str) -> list[Refusal]:
        return [
            row for row in self.rows if isinstance(row, Refusal) and row.request_id == request_id
        ]


def caller(user: str = "user_1", tenant: str = "tenant_1", *permissions: str) -> Caller:
    return Caller(
        *("key_9", user, "ann@example.com", tenant, "Acme", "a_role"),
        permissions=frozenset(permissions),
    )


async def test_a_generation_is_told_with_every_field(entry: MakeEntry) -> None:
    row = entry(
        "evt_1",
        streamed=True,
        client="Claude Code",
        outcome=Outcome.PARTIAL,
        error_type="overloaded_error",
        stop_reason="end_turn",
        first_byte_ms=12,
        total_ms=1_000,
        attempts=2,
        provider="main",
        provider_request_id="req_up",
        credits_in=1_500_000,
        credits_out=2_625_000,
        usage_estimated=True,
    )
    (record,) = await records_of(Records(row), "req_evt_1")
    assert msgspec.to_builtins(record) == {
        "type": "generation",
        "request_id": "req_evt_1",
        "event_id": "evt_1",
        "started_at": "2026-09-21T14:13:20.000Z",
        "ended_at": "2026-09-21T14:13:21.000Z",
        "requested_model": "sonnet",
        "model": "claude-sonnet-5",
        "resolved_via": "alias",
        "streamed": True,
        "surface": "anthropic_gateway",
        "client": "Claude Code",
        "user_agent": None,
        "session_id": None,
        "outcome": "partial",
        "status": 200,
        "error_type": "overloaded_error",
        "stop_reason": "end_turn",
        "first_byte_ms": 12,
        "total_ms": 1_000,
        "attempts": 2,
        "provider": "main",
        "provider_request_id": "req_up",
        "usage": {
            "input_tokens": 7,
            "output_tokens": 0,
            "cache_write_5m_tokens": 0,
            "cache_write_1h_tokens": 0,
            "cache_read_tokens": 0,
            "thinking_tokens": 0,
            "web_searches": 0,
        },
        "usage_estimated": True,
        "credits": {"in": 1.5, "out": 2.625, "actions": 0.0, "total": 4.125},
        "tenant_id": "tenant_1",
        "user_id": "user_1",
        "role": "general_user",
        "key_id": "key_1",
    }


async def test_a_refusal_is_told_with_its_reason(refusal: MakeRefusal) -> None:
    (record,) = await records_of(Records(refusal("req_1", reason="model_limited")), "req_1")
    assert msgspec.to_builtins(record) == {
        "type": "refusal",
        "request_id": "req_1",
        "at": "2026-09-21T14:13:20.000Z",
        "requested_model": "gpt-9",
        "status": 404,
        "error_type": "not_found_error",
        "reason": "model_limited",
        "client": "curl",
        "path": "/v1/anthropic/messages",
        "tenant_id": "tenant_1",
        "user_id": "user_1",
        "key_id": "key_1",
    }


async def test_all_records_of_an_id_come_oldest_first(
    entry: MakeEntry, refusal: MakeRefusal
) -> None:
    store = Records(
        entry("evt_3", request_id="req_1", started_at=30),
        entry("evt_1", request_id="req_1", started_at=10),
        refusal("req_1", at=20),
        entry("evt_other", request_id="req_2", started_at=15),
    )
    records = await records_of(store, "req_1")
    assert [getattr(record, "event_id", "refusal") for record in records] == [
        "evt_1",
        "refusal",
        "evt_3",
    ]


@pytest.mark.parametrize(
    ("asking", "seen"),
    [
        (None, True),
        (caller(), True),
        (caller(user="user_2"), False),
        (caller("user_2", "tenant_1", "usage.view"), True),
        (caller("user_2", "tenant_1", "gateway.use", "keys.create"), False),
        (caller("user_2", "tenant_2", "usage.view"), False),
        (caller("user_2", "tenant_2", "msp.view"), True),
        (caller(tenant="tenant_2"), False),
    ],
    ids=[
        *("operator", "owner", "colleague", "admin", "other colleague", "foreign admin"),
        *("the MSP", "same id elsewhere"),
    ],
)
async def test_who_sees_a_record(
    entry: MakeEntry, refusal: MakeRefusal, asking: Caller | None, seen: bool
) -> None:
    store = Records(entry("evt_1", request_id="req_1"), refusal("req_1"))
    assert len(await records_of(store, "req_1", asking)) == (2 if seen else 0)


async def test_a_refusal_of_nobody_is_not_for_tenants(refusal: MakeRefusal) -> None:
    nobody = msgspec.structs.replace(refusal("req_1"), tenant_id="", user_id="", key_id="")
    assert len(await records_of(Records(nobody), "req_1")) == 1
    assert (
        await records_of(Records(nobody), "req_1", caller("user_1", "tenant_1", "usage.view")) == []
    )


@pytest.mark.parametrize(
    ("at_ms", "text"),
    [(0, "1970-01-01T00:00:00.000Z"), (1_790_000_000_007, "2026-09-21T14:13:20.007Z")],
)
def test_moments_are_written_in_utc_to_the_millisecond(at_ms: int, text: str) -> None:
    assert moment(at_ms) == text
