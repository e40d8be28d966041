import datetime as dt

from proxy.admin.allowance import Allowances
from proxy.domain.people import Tenant
from proxy.limits.window import Months
from proxy.storage.entries import Entries
from proxy.storage.month_use import MonthUse
from tests.admin.people_floor import CREDIT, People, used


def allowances(people: People, zone: str = "UTC") -> Allowances:
    return Allowances(people.packages, MonthUse(people.database), Months(zone))


async def tenant(people: People, name: str = "acme") -> Tenant:
    found = await people.tenants.get(people.id(name))
    assert found is not None
    return found


async def test_use_is_of_the_month_and_limits_are_of_package_and_packs(people: People) -> None:
    now = people.operator().at
    await Entries(people.database).insert([used(people.known, "acme.target", now, 2_500_000, 1)])
    acme, beta = await tenant(people), await tenant(people, "beta")
    found = await allowances(people).of([acme, beta], now)
    assert (found[acme.id].used, found[acme.id].limit) == (2.5, 105.0)
    assert (found[beta.id].used, found[beta.id].limit) == (0.0, 105.0)
    later = await allowances(people).of([acme], now + 40 * 86_400_000)
    assert later[acme.id].used == 0.0


async def test_a_pack_counts_in_every_month_it_touches(people: People) -> None:
    begins = dt.datetime(2030, 3, 31, 23, tzinfo=dt.UTC)
    ends = dt.datetime(2030, 5, 1, tzinfo=dt.UTC)
    await people.packs.add(
        people.id("acme"),
        people.operator(),
        name="Spring",
        credits=CREDIT,
        valid_from=int(begins.timestamp() * 1000),
        valid_until=int(ends.timestamp() * 1000),
    )
    acme = await tenant(people)
    for month, limit in ((2, 105.0), (3, 106.0), (4, 106.0), (5, 105.0)):
        now_ms = int(dt.datetime(2030, month, 15, tzinfo=dt.UTC).timestamp() * 1000)
        standing = (await allowances(people).of([acme], now_ms))[acme.id]
        assert standing.limit == limit
        assert ("Spring" in [pack.name for pack in standing.packs]) == (limit == 106.0)


async def test_without_a_package_there_is_no_limit_whatever_the_packs(people: People) -> None:
    free = await people.tenants.change(people.id("acme"), people.operator(), package_id=None)
    standing = (await allowances(people).of([free], people.operator().at))[free.id]
    assert standing.limit is None
    assert [pack.name for pack in standing.packs] == ["Extra"]


def test_the_next_month_begins_in_the_zone_of_the_installation(people: People) -> None:
    now_ms = int(dt.datetime(2030, 1, 31, 23, 30, tzinfo=dt.UTC).timestamp() * 1000)
    assert allowances(people).next_month_ms(now_ms) == now_ms + 30 * 60_000
    berlin = allowances(people, "Europe/Berlin").next_month_ms(now_ms)
    assert dt.datetime.fromtimestamp(berlin / 1000, dt.UTC) == dt.datetime(
        2030, 2, 28, 23, tzinfo=dt.UTC
    )
