"""What is under way is read off the wheel: the oldest, of everybody or of one tenant."""

from proxy.domain.call import Call
from proxy.domain.caller import Caller
from proxy.domain.in_flight import ROWS_MAX
from proxy.gateway.in_flight import in_flight
from proxy.gateway.relay import Relay
from proxy.gateway.wheel import Wheel
from tests.gateway.edges import CALLER, Scene
from tests.kit.journey import BLOCK, START


class Carried(Scene):
    """A call of somebody of a tenant."""

    def __init__(self, number: int, tenant_id: str, now_s: float) -> None:
        super().__init__(now_s=now_s, deployments=2)
        arrival = self.call.arrival
        arrival.request_id = f"req_{number}"
        caller: Caller = CALLER.but(tenant_id=tenant_id)
        self.relay._call = Call(arrival, caller, self.call.model, "haiku", "alias", True)


def wheel_of(*relays: Relay) -> Wheel:
    wheel = Wheel(lambda: 0.0)
    for relay in relays:
        wheel.watch(relay)
    return wheel


def test_the_oldest_come_first_and_say_where_they_stand() -> None:
    young, old = Carried(1, "t", 20.0), Carried(2, "t", 10.0)
    old.wire.head()
    old.wire.body(START + BLOCK)
    seen = in_flight(wheel_of(young.relay, old.relay), 30.0, worker="w3")
    assert seen.count == 2
    assert [(row.request_id, row.age_s, row.stage) for row in seen.rows] == [
        ("req_2", 20.0, "streaming"),
        ("req_1", 10.0, "asked"),
    ]
    first = seen.rows[0]
    assert (first.worker, first.provider, first.attempts) == ("w3", "provider0", 1)
    assert (first.email, first.asked, first.streamed) == (CALLER.email, "haiku", True)


def test_of_a_tenant_only_its_own_are_seen_and_counted() -> None:
    relays = [Carried(number, "st"[number % 2], 1.0).relay for number in range(6)]
    for tenant in "st":
        seen = in_flight(wheel_of(*relays), 2.0, tenant)
        assert seen.count == 3
        assert {row.tenant_id for row in seen.rows} == {tenant}
    assert in_flight(wheel_of(*relays), 2.0, "nobody").rows == []


def test_of_very_many_the_oldest_are_shown_and_all_are_counted() -> None:
    relays = [Carried(number, "t", float(number)).relay for number in range(ROWS_MAX + 20)]
    seen = in_flight(wheel_of(*reversed(relays)), 1000.0)
    assert seen.count == ROWS_MAX + 20
    assert [row.request_id for row in seen.rows] == [f"req_{each}" for each in range(ROWS_MAX)]


def test_what_else_is_watched_is_no_request() -> None:
    class Clockwork:
        def tick(self, now_s: float) -> None: ...

    wheel = wheel_of(Carried(1, "t", 1.0).relay)
    wheel.watch(Clockwork())
    assert in_flight(wheel, 2.0).count == 1
