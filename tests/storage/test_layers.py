"""Whatever is asked of whatever stretch of time comes to what its rows come to."""

from functools import partial
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.domain.entry import Entry, Outcome
from proxy.domain.sums import Within
from proxy.storage.database import Database
from proxy.storage.entries import Entries
from proxy.storage.kept_sums import DAY_MS, HOUR_MS, QUARTER_MS
from proxy.storage.usage import Usage
from tests.kit.patience import examples
from tests.storage.ledger_rows import FIRST, TABLES, entry, grouped, sums_of_rows

SPAN = 3 * DAY_MS

_rows = st.lists(
    st.fixed_dictionaries(
        {
            "started_at": st.integers(FIRST, FIRST + SPAN - 1),
            "tenant_id": st.sampled_from(["s", "t"]),
            "user_id": st.sampled_from(["u", "v"]),
            "model": st.sampled_from(["a", "b"]),
            "client": st.sampled_from(["", "curl"]),
            "outcome": st.sampled_from(list(Outcome)),
            "input_tokens": st.integers(0, 2**30),
        }
    ),
    max_size=12,
)
_moment = st.one_of(
    st.integers(FIRST, FIRST + SPAN),
    *[
        st.integers(0, SPAN // unit).map(lambda number, unit=unit: FIRST + number * unit)
        for unit in (QUARTER_MS, HOUR_MS, DAY_MS)
    ],
)
_within = st.builds(
    lambda span, *whose: Within(min(span), max(span), *whose),
    st.tuples(_moment, _moment),
    st.sampled_from([None, "t"]),
    st.sampled_from([None, "u"]),
    st.sampled_from([None, "a"]),
)


@settings(examples(40), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=_rows, within=_within)
async def test_whatever_is_asked_comes_to_what_its_rows_come_to(
    database: Database, rows: list[dict[str, Any]], within: Within
) -> None:
    await database.run([(f"DELETE FROM {table}", ()) for table in TABLES])
    entries = [entry(f"e{number}", **row) for number, row in enumerate(rows)]
    for start in range(0, len(entries), 5):  # a later batch adds to the sums of an earlier one
        await Entries(database).insert(entries[start : start + 5])
    await Entries(database).insert(entries[:3])  # a replay adds nothing
    meant = [
        each
        for each in entries
        if within.start_ms <= each.started_at < within.end_ms
        and within.tenant_id in (None, each.tenant_id)
        and within.user_id in (None, each.user_id)
        and within.model in (None, each.model)
    ]
    usage = Usage(database)
    total, people = await usage.total(within)
    assert total == sums_of_rows(meant)
    assert people == len({each.user_id for each in meant})
    assert {row.model: row.sums for row in await usage.by_model(within, 9)} == grouped(
        meant, lambda row: row.model
    )
    assert {row[:2]: row.sums for row in await usage.by_source(within, 9)} == grouped(
        meant, lambda row: (row.surface, row.client)
    )
    assert {row[:2]: row.sums for row in await usage.by_user(within, "2024-10", 9)} == grouped(
        meant, lambda row: (row.user_id, row.tenant_id)
    )
    for every_ms in (HOUR_MS, DAY_MS):
        # UTC, and zones that are whole hours, a half, and three quarters of one off.
        for zone_ms in (0, 2 * HOUR_MS, -HOUR_MS, 11 * HOUR_MS // 2, 23 * QUARTER_MS):
            told = dict(await usage.by_time(within, every_ms, zone_ms))
            assert told == grouped(meant, partial(number_of, every_ms, zone_ms))


def number_of(every_ms: int, zone_ms: int, row: Entry) -> int:
    return (row.started_at + zone_ms) // every_ms
