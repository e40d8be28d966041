import datetime as dt

from proxy.storage.entries import Entries
from tests.admin.people_floor import People, used


def path(people: People, tenant: str = "acme") -> str:
    return f"/v1/admin/tenants/{people.id(tenant)}/usage"


async def test_the_month_of_a_tenant_is_allowance_and_sums(people: People) -> None:
    now = people.operator().at
    rows = [
        used(people.known, "acme.target", now, 1_500_000, 1),
        used(people.known, "acme.general_user", now, 250_000, 2),
        used(people.known, "acme.target", now - 40 * 86_400_000, 9_000_000, 3),
        used(people.known, "beta.target", now, 7_000_000, 4),
    ]
    await Entries(people.database).insert(rows)
    found = await people.done("acme.client_admin", "GET", path(people))
    assert (found["credits"], found["total_credits_used"]) == (1.75, 1.75)
    assert (found["total_credit_limit"], found["requests"]) == (105.0, 3)
    assert (found["user_count"], found["active_users"]) == (5, 2)
    start, end = (dt.datetime.fromisoformat(found[name]) for name in ("start", "end"))
    assert start <= dt.datetime.fromtimestamp(now / 1000, dt.UTC) < end
    assert (start.day, end.day) == (1, 1)
    assert found == await people.done("msp.msp_helpdesk", "GET", path(people))


async def test_it_needs_the_right_to_see_usage(people: People) -> None:
    message = await people.refused(403, "acme.general_user", "GET", path(people))
    assert "usage.view" in message
    await people.refused(404, "acme.client_admin", "GET", path(people, "beta"))
