import pytest

from proxy.admin.newcomers import Newcomer, add
from proxy.domain.fault import Fault, Kind
from tests.admin.people_floor import People


async def test_a_storage_in_trouble_is_nobodys_own_failure(people: People) -> None:
    await people.database.run([("ALTER TABLE audit RENAME TO audit_away", ())])
    with pytest.raises(Fault) as refused:
        await add(
            [Newcomer("a@acme.example")],
            people.users,
            people.id("acme"),
            people.operator(),
            "Invited",
        )
    assert refused.value.kind is Kind.UNAVAILABLE


async def test_each_has_an_outcome_in_the_order_they_were_given(people: People) -> None:
    wanted = ["a@acme.example", "acme.target@acme.example", "b@acme.example"]
    added, outcomes = await add(
        [Newcomer(email) for email in wanted],
        people.users,
        people.id("acme"),
        people.operator(),
        "Active",
    )
    assert [user.email for user in added] == ["a@acme.example", "b@acme.example"]
    assert [user.status for user in added] == ["Active", "Active"]
    assert [outcome.email for outcome in outcomes] == wanted
    assert [outcome.status for outcome in outcomes] == ["created", "failed", "created"]
    assert [outcome.id for outcome in outcomes] == [added[0].id, None, added[1].id]
