"""Rates by date: what is in effect when, and that the past stays as it was."""

import pytest

from proxy.domain.fault import Fault, Kind
from proxy.domain.model import Rates
from proxy.domain.people import Actor, DatedRates
from proxy.storage.audit import Audit
from proxy.storage.changes import Changes
from proxy.storage.database import Database
from proxy.storage.rates import RateSheet

BY = Actor("user_root", "root@example.com", 1_000)
OLD, NEW, NEXT = [Rates(input=n, output=5 * n, cache_read=n // 10) for n in (100, 200, 300)]


async def test_rates_count_from_their_moment_until_the_next(database: Database) -> None:
    sheet = RateSheet(database)
    assert await sheet.current(1_000) == {}
    await sheet.set("m", OLD, BY)
    await sheet.set("m", NEXT, BY, effective_from=3_000)
    await sheet.set("m", NEW, BY, effective_from=2_000)
    await sheet.set("other", OLD, BY, effective_from=2_500)
    moments = (999, 1_000, 1_999, 2_000, 2_999, 3_000)
    assert [(await sheet.current(at)).get("m") for at in moments] == [
        None,
        OLD,
        OLD,
        NEW,
        NEW,
        NEXT,
    ]
    assert await sheet.current(2_500) == {"m": NEW, "other": OLD}
    assert [await sheet.next_change(at) for at in (0, 1_000, 2_000, 2_500, 3_000)] == [
        1_000,
        2_000,
        2_500,
        3_000,
        None,
    ]


async def test_the_past_is_never_priced_again(database: Database) -> None:
    sheet = RateSheet(database)
    await sheet.set("m", OLD, BY)
    later = Actor.operator(1_500)
    with pytest.raises(Fault) as refused:
        await sheet.set("m", NEW, later, effective_from=1_499)
    assert refused.value.kind is Kind.BAD_REQUEST
    assert refused.value.message.startswith("effective_from: ")
    with pytest.raises(Fault) as refused:
        await sheet.withdraw("m", 1_000, later)
    assert refused.value.kind is Kind.CONFLICT
    assert await sheet.page() == [DatedRates("m", 1_000, OLD, 1_000)]


async def test_rates_still_to_come_can_be_corrected_and_withdrawn(database: Database) -> None:
    sheet = RateSheet(database)
    await sheet.set("m", NEW, BY, effective_from=2_000)
    corrected = await sheet.set("m", NEXT, Actor.operator(1_200), effective_from=2_000)
    assert await sheet.page() == [corrected]
    assert corrected == DatedRates("m", 2_000, NEXT, 1_200)
    await sheet.withdraw("m", 2_000, BY)
    assert await sheet.page() == []
    with pytest.raises(Fault) as refused:
        await sheet.withdraw("m", 2_000, BY)
    assert refused.value.kind is Kind.NOT_FOUND


async def test_pages_are_by_model_newest_first(database: Database) -> None:
    sheet = RateSheet(database)
    for model, moment in (("b", 1_000), ("a", 1_000), ("a", 2_000)):
        await sheet.set(model, OLD, BY, effective_from=moment)
    rows = [(row.model_id, row.effective_from) for row in await sheet.page()]
    assert rows == [("a", 2_000), ("a", 1_000), ("b", 1_000)]
    assert [row.effective_from for row in await sheet.page("a", 1, 1)] == [1_000]


async def test_a_change_of_rates_is_one_of_the_catalogue_and_in_the_audit(
    database: Database,
) -> None:
    sheet = RateSheet(database)
    before = await Changes(database).versions()
    await sheet.set("m", OLD, BY)
    await sheet.set("m", NEW, BY, effective_from=2_000)
    assert await Changes(database).versions() == before | {"models": before["models"] + 2}
    lines = [line for line in await Audit(database).page() if line.before is not None]
    assert [(line.action, line.target, line.before["input"]) for line in lines] == [
        ("rates.set", "m", 100)
    ]
    assert lines[0].after["rates"]["input"] == 200


@pytest.mark.parametrize("rates", [Rates(input=-1), Rates(cache_read=2**53 + 1)])
async def test_rates_are_amounts(database: Database, rates: Rates) -> None:
    with pytest.raises(Fault) as refused:
        await RateSheet(database).set("m", rates, BY)
    assert refused.value.kind is Kind.BAD_REQUEST
    assert refused.value.message.startswith("rates.")
