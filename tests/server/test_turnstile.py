"""How many requests are carried at a time, who waits, who is turned away."""

import logging

import pytest

from proxy.domain.call import Arrival, Errand
from proxy.domain.fault import Fault
from proxy.domain.headers import Headers
from proxy.server.turnstile import LATE_LOOKS_MAX, QUEUE_BYTES_MAX, ROOM_MIN, Room, Turnstile

LATE_S = 1.0


class Outlet:
    def __init__(self, stile: Turnstile) -> None:
        self.gone = False
        self.refusal: Fault | None = None
        self._stile = stile

    def refuse(self, fault: Fault) -> None:
        self.refusal = fault
        self.gone = True
        self._stile.left()


class Street:
    """A turnstile; the test is the door and the walk."""

    def __init__(self, in_flight_max: int = 20, queue_max: int = 3) -> None:
        self.now_s = 0.0
        self.begun: list[Outlet] = []
        self.over_at_once = False
        limits = Room(
            in_flight_max=in_flight_max, queue_max=queue_max, queue_wait_s=2.0, lag_max_s=0.25
        )
        self.stile = Turnstile(self, limits, lambda: self.now_s)

    def begin(self, arrival: Arrival, outlet: Outlet) -> None:
        self.begun.append(outlet)
        if self.over_at_once:
            self.stile.left()

    def comes(self, count: int = 1, body: bytes = b"{}") -> list[Outlet]:
        came = []
        for _ in range(count):
            arrival = Arrival(Errand.MESSAGE, "req", b"/", b"", Headers(), body, 0, 0.0)
            outlet = Outlet(self.stile)
            came.append(outlet)
            self.stile.in_flight += 1
            if self.stile.in_flight > self.stile.room:
                self.stile.wait(arrival, outlet)
            else:
                self.begin(arrival, outlet)
        return came

    def ends(self, count: int = 1) -> None:
        for _ in range(count):
            self.begun.pop(0)
            self.stile.left()

    def late(self, looks: int) -> None:
        for _ in range(looks):
            self.stile.looked(LATE_S)


def test_who_finds_room_is_let_in_at_once() -> None:
    street = Street()
    assert street.comes(20) == street.begun and street.stile.waiting == 0


def test_who_finds_none_waits_its_turn() -> None:
    street = Street()
    street.comes(20)
    first, second = street.comes(2)
    assert street.stile.waiting == 2 and first not in street.begun
    street.ends()
    assert street.begun[-1] is first
    street.ends()
    assert street.begun[-1] is second
    assert street.stile.in_flight == 20


def test_a_full_queue_turns_away_with_the_times_to_come_back() -> None:
    street = Street()
    street.comes(23)
    refused = street.comes(6)
    faults = [outlet.refusal for outlet in refused]
    assert {fault.status for fault in faults if fault} == {529}
    assert {fault.error_type for fault in faults if fault} == {"overloaded_error"}
    assert sorted([fault.retry_after_s for fault in faults if fault]) == [1, 1, 2, 2, 3, 3]
    assert street.stile.in_flight == 23 and street.stile.waiting == 3


def test_large_bodies_fill_the_queue_by_their_size() -> None:
    street = Street()
    street.comes(20)
    body = bytes(QUEUE_BYTES_MAX // 2 + 1)
    (fits,) = street.comes(body=body)
    (second,) = street.comes(body=body)
    (small,) = street.comes()
    assert fits.refusal is None and second.refusal is not None and small.refusal is None


def test_whoever_waits_too_long_is_turned_away() -> None:
    street = Street()
    street.comes(20)
    (early,) = street.comes()
    street.now_s = 1.0
    (late,) = street.comes()
    street.now_s = 2.0
    street.stile.looked(0.0)
    assert early.refusal is not None and early.refusal.status == 529
    assert late.refusal is None and street.stile.waiting == 1
    street.ends()
    assert street.begun[-1] is late


def test_whoever_leaves_while_it_waits_takes_nobodys_place() -> None:
    street = Street()
    street.comes(20)
    gone, stays = street.comes(2)
    gone.gone = True
    street.stile.left()  # the door says so
    assert street.begun[-1] is not gone
    assert street.stile.in_flight == 21
    street.ends()
    assert street.begun[-1] is stays and street.stile.in_flight == 20


def test_a_long_queue_of_short_requests_does_not_pile_up_calls() -> None:
    street = Street(in_flight_max=16, queue_max=5000)
    street.comes(16)
    street.comes(5000)
    street.over_at_once = True
    street.ends()
    assert street.stile.waiting == 0 and street.stile.in_flight == 15


def test_a_hiccup_of_the_loop_changes_nothing() -> None:
    street = Street(in_flight_max=1000)
    street.comes(100)
    street.late(LATE_LOOKS_MAX)
    street.stile.looked(0.0)
    street.late(LATE_LOOKS_MAX)
    assert street.stile.room == 1000


def test_a_loop_that_stays_late_carries_less_and_soon_more_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    street = Street(in_flight_max=10_000, queue_max=0)
    street.comes(1000)
    street.late(LATE_LOOKS_MAX + 1)
    assert street.stile.room == 800
    (refused,) = street.comes()
    assert refused.refusal is not None
    street.late(100)
    assert street.stile.room == ROOM_MIN, "never nothing"
    looks = 0
    while street.stile.room < 10_000:
        street.stile.looked(0.0)
        looks += 1
    assert looks == 10, "a second"
    assert [record.message.split(" ")[3] for record in caplog.records] == ["is", "is"]
    assert len(caplog.records) == 2, "one line when it begins, one when it is over"


def test_a_queue_of_none_turns_away_at_once() -> None:
    street = Street(queue_max=0)
    street.comes(20)
    (refused,) = street.comes()
    assert refused.refusal is not None
