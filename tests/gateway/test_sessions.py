"""Which deployment has a session's prompts: remembered where it moved, and bounded."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from proxy.domain.call import Call
from proxy.domain.fault import Fault, Kind, Source
from proxy.domain.headers import Headers
from proxy.gateway.means import Route
from proxy.gateway.sessions import CACHE_LIFE_S, Sessions
from proxy.wire.body import read_body
from tests.providers.test_anthropic import make_call

BODY = read_body(
    b'{"model":"m","messages":[{"role":"user","content":"x"}]}', needs_max_tokens=False
)


@dataclass
class Clock:
    now_s: float = 1000.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Desk:
    """The memory, three deployments and a clock."""

    clock: Clock = field(default_factory=Clock)
    sessions: Sessions = field(init=False)
    routes: list[Route] = field(init=False)

    def __post_init__(self) -> None:
        self.sessions = Sessions(self.clock, sessions_max=3)
        self.routes = [_route("a", "m"), _route("b", "m"), _route("b", "m@2")]

    def order(self, session: str) -> list[int]:
        found = self.sessions.ordered(call_of(session), BODY, self.routes)
        return [self.routes.index(route) for route in found]

    def served(self, session: str, number: int) -> None:
        call = call_of(session)
        self.sessions.ordered(call, BODY, self.routes)
        self.sessions.served(call, self.routes[number])


def _route(name: str, model: str) -> Route:
    provider: Any = SimpleNamespace(name=name)
    pool: Any = None
    return Route(provider, pool, model)


def call_of(session: str) -> Call:
    headers = {b"x-claude-code-session-id": session.encode()} if session else {}
    return make_call(Headers(headers))


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_without_a_session_the_configured_order_stands(desk: Desk) -> None:
    call = call_of("")
    assert desk.sessions.ordered(call, BODY, desk.routes) == desk.routes
    assert call.session == ""


def test_a_session_stays_where_it_began_though_others_are_less_busy(desk: Desk) -> None:
    desk.served("s", 0)
    desk.routes[0].standing.begun(0.0)
    assert desk.order("s") == [0, 1, 2] and desk.order("t") == [1, 2, 0]


def test_a_session_leaves_a_deployment_that_is_out(desk: Desk) -> None:
    desk.served("s", 0)
    trouble = Fault(Kind.UPSTREAM_BROKEN, "no", source=Source.UPSTREAM)
    for _ in range(5):
        desk.routes[0].standing.failed(trouble, desk.clock.now_s)
    assert desk.order("s") == [1, 2, 0]


def test_who_moved_is_asked_there_first_and_then_in_order(desk: Desk) -> None:
    desk.served("s", 2)
    assert desk.order("s") == [2, 0, 1]
    assert desk.order("t") == [0, 1, 2]
    desk.served("s", 1)
    assert desk.order("s") == [1, 0, 2]


def test_each_answer_keeps_the_memory_alive_and_silence_ends_it(desk: Desk) -> None:
    desk.served("s", 1)
    for _ in range(3):
        desk.clock.now_s += CACHE_LIFE_S - 1
        assert desk.order("s") == [1, 0, 2]
        desk.served("s", 1)
    desk.clock.now_s += CACHE_LIFE_S + 1
    assert desk.order("s") == [0, 1, 2]
    assert len(desk.sessions) == 0


def test_the_longest_unused_leaves_first(desk: Desk) -> None:
    for session in "stu":
        desk.served(session, 1)
    desk.served("s", 1)
    desk.served("v", 1)
    assert len(desk.sessions) == 3
    assert desk.order("s") == desk.order("v") == [1, 0, 2]
    assert desk.order("t") == [0, 1, 2]


def test_a_deployment_that_is_gone_after_a_reload_is_not_missed(desk: Desk) -> None:
    desk.served("s", 1)
    desk.routes = [_route("a", "m"), _route("c", "m")]
    assert desk.order("s") == [0, 1]
    desk.routes = [_route("a", "m"), _route("b", "m")]
    assert desk.order("s") == [1, 0], "a reload makes all deployments anew"
