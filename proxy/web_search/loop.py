"""The loop of searches within one request (translation.md 9.3), without any IO: told what happens,
it orders what is to be done.

Owns how often is searched, at once and in all, what becomes of calls that cannot be searched for,
and when the message ends. Refuses to know how a model or a search service is asked, and what time
it is: `now_s` is any clock that does not go back. One state variable:

                begin           called        found             round_ended       pause
    FRESH       ask: ROUND      -             -                 -                 -
                or OPENING
    OPENING     -               -             the last one:     -                 -
                                              ask: ROUND
    ROUND       -               show, search  kept              end: ENDED, ask:  end: ENDED
                                                                ROUND, SETTLING
    SETTLING    -               -             show; the last:   -                 end: ENDED
                                              ask: ROUND, end
    ENDED       -               -             -                 -                 -
"""

from collections import deque
from collections.abc import Sequence
from enum import Enum

import msgspec

from proxy.web_search.hit import ErrorCode, Found, Outcome, Sources
from proxy.web_search.orders import Answered, Ask, End, Order, Search, ShowCall, ShowResult
from proxy.web_search.query import Query, is_whole, read_query
from proxy.web_search.result_blocks import Answer
from proxy.web_search.search_ids import search_id

_GOES_ON = ("tool_use", "end_turn", "pause_turn")
"""Reasons after which a model is asked again; others (its tokens, its refusal) are final."""
PAUSED = "pause_turn"


class State(Enum):
    """What may come next."""

    FRESH = "fresh"
    OPENING = "opening"
    """Searches left over from the conversation run before the model is asked."""
    ROUND = "round"
    """The model speaks."""
    SETTLING = "settling"
    """It has spoken, and searches are still out."""
    ENDED = "ended"


FRESH, OPENING, ROUND, SETTLING, ENDED = State


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """How much is searched. `deadline_s` is an instant of the clock that is passed in."""

    deadline_s: float
    max_uses: int | None = None
    rounds_max: int = 10
    at_once_max: int = 4
    search_s: float = 20.0
    enabled: bool = True
    """Off, every call is answered with `unavailable`."""


class Dangling(msgspec.Struct, frozen=True):
    """A search that was asked for in the conversation and never made."""

    id: str
    arguments: bytes


class _Call(msgspec.Struct):
    id: str
    call_id: str
    query: Query
    outcome: Outcome | ErrorCode | None = None
    answer: Answer | None = None
    """Once it was shown."""


class SearchLoop:
    """One request. `forced` is the query where the client demands a search and the model may not
    make one; `has_client_tools`: the model may call others, too."""

    def __init__(
        self,
        message_id: str,
        bounds: Bounds,
        sources: Sources,
        *,
        forced: Query | None = None,
        has_client_tools: bool = False,
    ) -> None:
        self.state: State = FRESH
        self.searches = 0
        """How many worked: what `web_search_requests` says."""
        self.has_searched = False
        """Was one asked for, whatever became of it?"""
        self.credits = 0
        """What the search service asks for them."""
        self.uses = 0
        """How many were made, counted against `max_uses`."""
        self.rounds = 0
        self._message_id = message_id
        self._bounds = bounds
        self._sources = sources
        self._forced = forced
        self._has_client_tools = has_client_tools
        self._calls: list[_Call] = []
        self._waiting: deque[_Call] = deque()
        self._running: dict[str, _Call] = {}
        self._ids = 0
        self._bars_calls = False
        self._final: str | None = None

    # ------------------------------------------------------------ what happens

    def begin(self, dangling: Sequence[Dangling], now_s: float) -> list[Order]:
        """The request starts, with what an earlier one left over."""
        assert self.state is FRESH
        self.state = OPENING
        orders: list[Order] = []
        for left in dangling:
            query = read_query(left.arguments)
            orders += self._accept(_Call(left.id, "", query), now_s)
        return orders + self._settle(now_s)

    def called(
        self, call_id: str, arguments: bytes, now_s: float, *, cut_off: bool = False
    ) -> list[Order]:
        """The model called the search tool, and the arguments are over. `cut_off`: because its
        tokens were; then half a call is none."""
        if self.state is not ROUND or (cut_off and not is_whole(arguments)):
            return []
        return self._call(call_id, read_query(arguments), now_s)

    def found(self, search: str, outcome: Outcome, now_s: float) -> list[Order]:
        """A search is over, also one that was given up."""
        call = self._running.pop(search, None)
        if call is None:
            return []
        call.outcome = outcome
        if isinstance(outcome, Found):
            self.searches += 1
            self.credits += outcome.credits
        orders = self._start(now_s)
        if self.state is OPENING or self.state is SETTLING:
            orders += self._settle(now_s)
        return orders

    def round_ended(
        self, stop_reason: str, now_s: float, *, client_calls: bool = False
    ) -> list[Order]:
        """The model has spoken; `stop_reason` is why, in Anthropic's words. `client_calls`: it
        called tools of the client, too."""
        if self.state is not ROUND:
            return []
        orders: list[Order] = []
        may_go_on = stop_reason in _GOES_ON
        if self._forced is not None and not self._calls and may_go_on and not client_calls:
            orders = self._call("", self._forced, now_s)
        self._forced = None
        if not self._calls:
            self.state = ENDED
            if stop_reason == "tool_use" and not client_calls:
                stop_reason = "end_turn"
            return [End(stop_reason)]
        self._final = stop_reason if not may_go_on else "tool_use" if client_calls else None
        self.state = SETTLING
        return orders + self._settle(now_s)

    def pause(self) -> list[Order]:
        """No further round is to be begun (a limit was crossed): the client may go on later."""
        if self.state is not ROUND and self.state is not SETTLING:
            return []
        self.state = ENDED
        self._waiting.clear()  # nobody waits for what would be found
        return [End(PAUSED)]

    def failed(self) -> None:
        """The model or the client is gone: nothing more is wanted."""
        self.state = ENDED
        self._running.clear()
        self._waiting.clear()

    # ------------------------------------------------------------ calls

    def _call(self, call_id: str, query: Query, now_s: float) -> list[Order]:
        call = _Call(search_id(self._message_id, self._ids, call_id), call_id, query)
        self._ids += 1
        return [ShowCall(call.id, query.arguments), *self._accept(call, now_s)]

    def _accept(self, call: _Call, now_s: float) -> list[Order]:
        self._calls.append(call)
        self.has_searched = True
        most = self._bounds.max_uses
        if not self._bounds.enabled:
            call.outcome = "unavailable"
            self._bars_calls = True
        elif call.query.error is not None:
            call.outcome = call.query.error
        elif most is not None and self.uses >= most:
            call.outcome = "max_uses_exceeded"
            self._bars_calls = True
        else:
            self.uses += 1
            self._waiting.append(call)
            return self._start(now_s)
        return []

    def _start(self, now_s: float) -> list[Order]:
        orders: list[Order] = []
        while self._waiting and len(self._running) < self._bounds.at_once_max:
            call = self._waiting.popleft()
            timeout_s = min(self._bounds.search_s, self._bounds.deadline_s - now_s)
            if timeout_s <= 0:
                call.outcome = "unavailable"
                self.uses -= 1  # it was never made
                continue
            self._running[call.id] = call
            orders.append(Search(call.id, call.query.text, timeout_s))
        return orders

    # ------------------------------------------------------------ answers

    def _settle(self, now_s: float) -> list[Order]:
        """Answers in the order of the calls, then what follows them."""
        orders: list[Order] = []
        for call in self._calls:
            if call.outcome is None:
                return orders
            if call.answer is None:
                call.answer = self._answer(call.outcome)
                orders.append(ShowResult(call.id, call.answer))
        return [*orders, self._go_on(now_s)]

    def _answer(self, outcome: Outcome | ErrorCode) -> Answer:
        if isinstance(outcome, str):
            return outcome
        if isinstance(outcome, Found):
            return self._sources.number(outcome.hits)
        return outcome.code

    def _go_on(self, now_s: float) -> Order:
        opening = self.state is OPENING
        if self._final is not None:
            self.state = ENDED
            return End(self._final)
        if not opening and (
            self.rounds >= self._bounds.rounds_max or now_s >= self._bounds.deadline_s
        ):
            self.state = ENDED
            return End(PAUSED)
        answered = tuple(
            Answered(call.id, call.query, call.answer)
            for call in self._calls
            if call.answer is not None
        )
        self._calls = []
        self.rounds += 1
        self.state = ROUND
        if opening:
            return Ask(answered, "asked")
        # Without calls allowed the client's own tools would be out of reach, too.
        barred = self._bars_calls and not self._has_client_tools
        return Ask(answered, "none" if barred else "auto")
