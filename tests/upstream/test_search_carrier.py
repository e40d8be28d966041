"""Searches on real sockets: every row of translation.md 9.5, the queue, and answers that are
shared."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from proxy.catalog.cupboard import Cupboard
from proxy.upstream.firecrawl_search import FirecrawlAccount, FirecrawlCall
from proxy.upstream.search_carrier import (
    RETRY_NEEDS_S,
    RequestSearches,
    SearchCarrier,
    SearchCounts,
    Searched,
    SearchLimits,
    Way,
    wait_before_retry,
)
from proxy.upstream.side_calls import SideCalls, SideLimits
from proxy.web_search.domains import Domain
from proxy.web_search.firecrawl import SearchOptions
from proxy.web_search.hit import Failed, Found
from proxy.web_search.tool import SearchTool
from tests.kit.rude_firecrawl import (
    RESET,
    STALL,
    RudeFirecrawl,
    Step,
    cut_short,
    dribbled,
    found,
    html,
    huge,
    page,
    redirect,
    refused,
    rude_firecrawl,
    said,
)

KEY = "fc-not-to-be-seen"
TOOL = SearchTool(0, "web_search_20250305")
SIDE = SideLimits(connect_timeout_s=2.0, idle_connection_timeout_s=30.0, trust_env_proxies=False)
LIMITS = SearchLimits(timeout_s=5.0)


@pytest.fixture(scope="module")
def firecrawl() -> Iterator[RudeFirecrawl]:
    with rude_firecrawl() as service:
        yield service


class Stand:
    """A service in front of the rude server, with what a test wants to know."""

    def __init__(
        self,
        firecrawl: RudeFirecrawl,
        limits: SearchLimits = LIMITS,
        *,
        memory: Cupboard[Found] | None = None,
        options: SearchOptions | None = None,
    ) -> None:
        self.waits: list[float] = []
        self.clock_s = 1000.0
        self.calls = SideCalls(SIDE, configured=[firecrawl.url])
        self.service = SearchCarrier(
            self.calls, limits, memory=memory, clock=lambda: self.clock_s, sleep=self.sleep
        )
        self.account = FirecrawlAccount(
            firecrawl.url, KEY, options or SearchOptions(), wall=time.time
        )
        self._firecrawl = firecrawl
        self._asked_before = len(firecrawl.asked)

    async def sleep(self, seconds: float) -> None:
        """Long waits cost no time here."""
        self.waits.append(seconds)
        self.clock_s += seconds

    def call(self, query: str, tool: SearchTool = TOOL) -> FirecrawlCall:
        call = self.account.call(query, tool)
        assert isinstance(call, FirecrawlCall)
        return call

    async def search(
        self,
        query: str,
        within_s: float = 20.0,
        seat: RequestSearches | None = None,
        tool: SearchTool = TOOL,
    ) -> Searched:
        seat = seat or self.service.for_request()
        return await seat.search(self.call(query, tool), within_s)

    @property
    def asked(self) -> int:
        """Requests that arrived since the beginning."""
        return len(self._firecrawl.asked) - self._asked_before

    async def until_asked(self, count: int) -> None:
        async with asyncio.timeout(5):
            while self.asked < count:  # noqa: ASYNC110 - the server has a loop of its own
                await asyncio.sleep(0.005)


Standing = Callable[..., Stand]


@pytest.fixture
async def stand(firecrawl: RudeFirecrawl) -> AsyncIterator[Standing]:
    made: list[Stand] = []

    def make(*arguments: Any, **more: Any) -> Stand:
        made.append(Stand(firecrawl, *arguments, **more))
        return made[-1]

    yield make
    for each in made:
        await each.calls.close()


def cue_of(firecrawl: RudeFirecrawl, *answers: list[Step]) -> str:
    """A query that is answered with these, one after the other."""
    play = firecrawl.play()
    for answer in answers:
        play.perform_all(*answer)
    return play.cue


def urls(searched: Searched) -> list[str]:
    assert isinstance(searched.outcome, Found), searched
    return [hit.url for hit in searched.outcome.hits]


def code(searched: Searched) -> str:
    assert isinstance(searched.outcome, Failed), searched
    return searched.outcome.code


async def test_a_search_and_what_it_counts(firecrawl: RudeFirecrawl, stand: Standing) -> None:
    standing = stand()
    searched = await standing.search("tide tables")
    assert searched.way is Way.CALLED
    assert searched.credits == 2
    assert urls(searched) == [
        "https://site1.example.org/tide-tables",
        "https://site2.example.org/tide-tables",
    ]
    asked = firecrawl.asked[-1]
    assert (asked.method, asked.path) == ("POST", "/v2/search")
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.headers["content-type"] == "application/json"
    assert firecrawl.bodies()[-1] == {
        "query": "tide tables",
        "limit": 5,
        "timeout": 15000,
        "sources": ["web"],
    }
    assert standing.service.counts == SearchCounts(outcomes={"found": 1}, credits=2)
    assert standing.service.under_way == 0


async def test_a_service_of_ones_own_is_asked_its_own_way(
    firecrawl: RudeFirecrawl, stand: Standing
) -> None:
    standing = stand(options=SearchOptions(version="v1"))
    assert len(urls(await standing.search("tide tables"))) == 2
    assert firecrawl.asked[-1].path == "/v1/search"


# ------------------------------------------------------------------ rows of 9.5

GOOD = found(page(1))
ONCE_MORE = [
    # what is answered first, how long is waited
    (refused(408), []),
    (refused(500), []),
    (refused(502), []),
    (html(503), []),
    (refused(429, "retry-after: 3"), [3.0]),
    (refused(429, "retry-after: 5"), [5.0]),
    (refused(429), [1.0]),
    (said(b'{"success":false,"error":"no"}'), []),
    (said(b'{"success":tr'), []),
    (said(b"[1,2]"), []),
    (html(), []),
    ([RESET], []),
    (cut_short(), []),
]
ONCE_MORE_IDS = [
    *("408", "500", "502", "503", "429 in 3 s", "429 in 5 s", "429", "success false", "torn"),
    *("other JSON", "HTML", "reset", "cut short"),
]


@pytest.mark.parametrize(("first", "waits"), ONCE_MORE, ids=ONCE_MORE_IDS)
async def test_what_may_be_better_the_next_time_is_tried_once_more(
    firecrawl: RudeFirecrawl, stand: Standing, first: list[Step], waits: list[float]
) -> None:
    standing = stand()
    searched = await standing.search(cue_of(firecrawl, first, GOOD))
    assert urls(searched) == ["https://site1.example.org/tides"]
    assert (standing.asked, standing.waits) == (2, waits)
    assert standing.service.counts == SearchCounts({"found": 1}, retried=1, credits=2)


@pytest.mark.parametrize(("first", "waits"), ONCE_MORE, ids=ONCE_MORE_IDS)
async def test_but_never_twice(
    firecrawl: RudeFirecrawl, stand: Standing, first: list[Step], waits: list[float]
) -> None:
    standing = stand()
    expected = "too_many_requests" if waits else "unavailable"
    assert code(await standing.search(cue_of(firecrawl, first, first, GOOD))) == expected
    assert (standing.asked, standing.waits) == (2, waits)
    assert standing.service.counts == SearchCounts({expected: 1}, retried=1)
    assert standing.service.trouble == ""


@pytest.mark.parametrize(
    ("first", "expected", "trouble"),
    [
        (refused(400), "invalid_tool_input", ""),
        (refused(401), "unavailable", "it does not know the key (web_search.api_key)"),
        (refused(402), "unavailable", "its credits are used up"),
        (refused(403), "unavailable", "the key may not search"),
        (html(404), "unavailable", "there is no search at that address (web_search.base_url)"),
        (redirect("http://127.0.0.1:9/"), "unavailable", "it has to be looked after"),
        (refused(413), "request_too_large", ""),
        (refused(429, "retry-after: 6"), "too_many_requests", ""),
        (refused(429, "retry-after: Fri, 31 Dec 2100 23:59:59 GMT"), "too_many_requests", ""),
        (huge(10_000_000), "unavailable", ""),
    ],
    ids=["400", "401", "402", "403", "404", "307", "413", "429 in 6 s", "429 in 2100", "huge"],
)
async def test_what_will_not_be_better_is_not_tried_again(
    firecrawl: RudeFirecrawl, stand: Standing, first: list[Step], expected: str, trouble: str
) -> None:
    standing = stand()
    assert code(await standing.search(cue_of(firecrawl, first, GOOD))) == expected
    assert (standing.asked, standing.waits) == (1, [])
    assert standing.service.counts == SearchCounts({expected: 1})
    assert standing.service.trouble.partition(": ")[2] == trouble


async def test_nobody_listens(stand: Standing) -> None:
    with rude_firecrawl() as gone:
        pass
    standing = Stand(gone)
    assert code(await standing.search("tides")) == "unavailable"
    assert standing.service.counts.retried == 1
    await standing.calls.close()


async def test_an_answer_that_comes_slowly_but_in_time(
    firecrawl: RudeFirecrawl, stand: Standing
) -> None:
    cue = cue_of(firecrawl, dribbled(page(1), page(2)))
    assert len(urls(await stand().search(cue))) == 2


async def test_silence_is_left_and_tried_once_more(
    firecrawl: RudeFirecrawl, stand: Standing
) -> None:
    standing = stand(SearchLimits(timeout_s=0.1))
    cue = cue_of(firecrawl, [STALL], GOOD)
    assert len(urls(await standing.search(cue))) == 1
    assert standing.asked == 2


async def test_no_second_try_without_time_for_it(firecrawl: RudeFirecrawl, stand: Standing) -> None:
    for answer, within_s in (
        (refused(500), RETRY_NEEDS_S - 0.1),
        (refused(429, "retry-after: 4"), RETRY_NEEDS_S + 3.9),
    ):
        standing = stand()
        cue = cue_of(firecrawl, answer, GOOD)
        code(await standing.search(cue, within_s))
        assert (standing.asked, standing.waits) == (1, [])


async def test_the_whole_search_ends_when_its_time_does(
    firecrawl: RudeFirecrawl, stand: Standing
) -> None:
    standing = stand()
    play = firecrawl.play()
    play.perform_all(STALL)
    assert code(await standing.search(play.cue, 0.1)) == "unavailable"
    assert standing.service.under_way == 0
    assert await asyncio.to_thread(play.wait_gone, 5.0)
    assert code(await standing.search("no time at all", 0.0)) == "unavailable"
    assert standing.service.counts.outcomes == {"unavailable": 2}


@pytest.mark.parametrize(
    ("retry_after_s", "left_s", "expected"),
    [
        (None, 100.0, None),
        (0.0, 2.0, 0.0),
        (0.0, 1.9, None),
        (3.0, 5.0, 3.0),
        (3.0, 4.9, None),
        (5.0, 7.0, 5.0),
        (5.1, 100.0, None),
        (-1.0, 100.0, 0.0),
    ],
)
def test_how_long_the_one_other_try_is_waited_for(
    retry_after_s: float | None, left_s: float, expected: float | None
) -> None:
    assert wait_before_retry(Failed("unavailable", retry_after_s), left_s) == expected


# ------------------------------------------------------------------ the operator


async def test_the_operator_is_told_once_until_it_works_again(
    firecrawl: RudeFirecrawl, stand: Standing, caplog: pytest.LogCaptureFixture
) -> None:
    standing = stand()
    secret = "query-about-somebody"
    for _ in range(3):
        await standing.search(f"{secret} {cue_of(firecrawl, refused(402))}")
    assert standing.service.trouble == "the search service answers 402: its credits are used up"
    told = [each for each in caplog.records if each.levelname == "ERROR"]
    assert [each.getMessage() for each in told] == [standing.service.trouble]
    await standing.search("tides")
    assert standing.service.trouble == ""
    await standing.search(cue_of(firecrawl, refused(500, error=secret), [RESET]))
    assert KEY not in caplog.text
    assert secret not in caplog.text


async def test_an_address_that_is_not_the_operators_is_trouble_too(
    firecrawl: RudeFirecrawl,
) -> None:
    standing = Stand(firecrawl)
    standing.account = FirecrawlAccount("http://127.0.0.1:9", KEY, SearchOptions(), wall=time.time)
    assert code(await standing.search("tides")) == "unavailable"
    assert "not on the public internet" in standing.service.trouble
    assert standing.service.counts.retried == 0


# ------------------------------------------------------------------ the queue


async def test_a_request_has_four_at_a_time(firecrawl: RudeFirecrawl, stand: Standing) -> None:
    standing = stand()
    seat = standing.service.for_request()
    plays = [firecrawl.play() for _ in range(6)]
    tasks = [asyncio.create_task(standing.search(play.cue, seat=seat)) for play in plays]
    await standing.until_asked(4)
    await asyncio.sleep(0.05)
    assert standing.asked == 4
    other = await standing.search("of another request")
    assert isinstance(other.outcome, Found)
    for play in plays:
        play.perform_all(*GOOD)
    assert [len(urls(each)) for each in await asyncio.gather(*tasks)] == [1] * 6
    assert standing.asked == 7


async def test_all_requests_share_the_places_of_the_process(
    firecrawl: RudeFirecrawl, stand: Standing
) -> None:
    standing = stand(SearchLimits(concurrent_max=2))
    plays = [firecrawl.play() for _ in range(4)]
    tasks = [asyncio.create_task(standing.search(play.cue)) for play in plays]
    await standing.until_asked(2)
    await asyncio.sleep(0.05)
    assert (standing.asked, standing.service.under_way) == (2, 4)
    # Whoever waits has its own time; whoever leaves gives its place.
    assert code(await standing.search("no place in time", 0.05)) == "unavailable"
    assert standing.asked == 2
    tasks[0].cancel()
    await standing.until_asked(3)
    for play in plays:
        play.perform_all(*GOOD)
    assert [len(urls(await each)) for each in tasks[1:]] == [1] * 3


async def test_the_wait_for_ones_own_turn_is_part_of_the_time(
    firecrawl: RudeFirecrawl, stand: Standing
) -> None:
    standing = stand(SearchLimits(per_request_max=1))
    seat = standing.service.for_request()
    play = firecrawl.play()
    first = asyncio.create_task(standing.search(play.cue, seat=seat))
    await standing.until_asked(1)
    assert code(await standing.search("another", 0.05, seat)) == "unavailable"
    play.perform_all(*GOOD)
    assert len(urls(await first)) == 1


async def test_cancelling_a_search_closes_its_connection(
    firecrawl: RudeFirecrawl, stand: Standing
) -> None:
    standing = stand()
    play = firecrawl.play()
    task = asyncio.create_task(standing.search(play.cue))
    await standing.until_asked(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(play.wait_gone, 5.0)
    assert standing.service.under_way == 0
    assert standing.service.counts == SearchCounts()


# ------------------------------------------------------------------ answers that are shared


def memory(entries_max: int = 10, ttl_s: float = 30.0) -> Cupboard[Found]:
    return Cupboard(entries_max=entries_max, ttl_s=ttl_s)


async def test_what_was_just_found_is_not_asked_for_again(stand: Standing) -> None:
    standing = stand(memory=memory())
    first = await standing.search("tide tables")
    again = await standing.search("tide tables")
    assert (again.way, again.credits) == (Way.CACHED, 0)
    assert again.outcome == first.outcome
    assert standing.asked == 1
    assert standing.service.counts == SearchCounts({"found": 2}, cached=1, credits=2)


async def test_another_query_or_option_is_another_search(stand: Standing) -> None:
    standing = stand(memory=memory())
    blocked = SearchTool(0, TOOL.type, blocked=(Domain("site1.example.org"),))
    by_path = SearchTool(0, TOOL.type, blocked=(Domain("site1.example.org", "/tide-tables"),))
    assert len(urls(await standing.search("tide tables"))) == 2
    assert len(urls(await standing.search("tide table"))) == 2
    assert len(urls(await standing.search("tide tables", tool=blocked))) == 1
    # The same bytes are sent as for the first, the reply is read otherwise.
    assert len(urls(await standing.search("tide tables", tool=by_path))) == 1
    assert standing.asked == 4


async def test_what_is_kept_is_bounded_in_number_and_age(stand: Standing) -> None:
    standing = stand(memory=memory(entries_max=2))
    for query in ("a", "b", "c"):
        await standing.search(query)
    assert (await standing.search("c")).way is Way.CACHED
    assert (await standing.search("a")).way is Way.CALLED
    short = stand(memory=memory(ttl_s=0.05))
    await short.search("a")
    assert (await short.search("a")).way is Way.CACHED
    await asyncio.sleep(0.1)
    assert (await short.search("a")).way is Way.CALLED


async def test_failures_are_not_kept(firecrawl: RudeFirecrawl, stand: Standing) -> None:
    standing = stand(memory=memory())
    cue = cue_of(firecrawl, refused(402), GOOD)
    assert code(await standing.search(cue)) == "unavailable"
    assert len(urls(await standing.search(cue))) == 1


async def test_the_same_search_under_way_is_asked_for_once(
    firecrawl: RudeFirecrawl, stand: Standing
) -> None:
    for kept in (None, memory()):
        standing = stand(memory=kept)
        play = firecrawl.play()
        tasks = [asyncio.create_task(standing.search(play.cue)) for _ in range(5)]
        await standing.until_asked(1)
        play.perform_all(*found(page(1), creditsUsed=3))
        searched = await asyncio.gather(*tasks)
        assert sorted(each.way.value for each in searched) == ["called", *["shared"] * 4]
        assert sum(each.credits for each in searched) == 3
        assert len({tuple(urls(each)) for each in searched}) == 1
        assert standing.asked == 1
        assert standing.service.counts == SearchCounts({"found": 5}, shared=4, credits=3)


async def test_one_request_may_ask_the_same_more_often_than_it_has_turns(
    firecrawl: RudeFirecrawl, stand: Standing
) -> None:
    standing = stand(memory=memory())
    seat = standing.service.for_request()
    play = firecrawl.play()
    tasks = [asyncio.create_task(standing.search(play.cue, seat=seat)) for _ in range(9)]
    await standing.until_asked(1)
    play.perform_all(*GOOD)
    assert [len(urls(each)) for each in await asyncio.gather(*tasks)] == [1] * 9
    assert standing.asked == 1


async def test_a_failure_is_shared_by_those_who_waited(
    firecrawl: RudeFirecrawl, stand: Standing
) -> None:
    standing = stand()
    play = firecrawl.play()
    tasks = [asyncio.create_task(standing.search(play.cue)) for _ in range(3)]
    await standing.until_asked(1)
    play.perform_all(*refused(400))
    assert [code(each) for each in await asyncio.gather(*tasks)] == ["invalid_tool_input"] * 3
    assert standing.asked == 1


@pytest.mark.parametrize("leaves", ["cancelled", "out of time"])
async def test_when_the_one_who_asks_leaves_another_begins_anew(
    firecrawl: RudeFirecrawl, stand: Standing, leaves: str
) -> None:
    standing = stand()
    play = firecrawl.play()
    within_s = 0.15 if leaves == "out of time" else 20.0
    first = asyncio.create_task(standing.search(play.cue, within_s))
    await standing.until_asked(1)
    others = [asyncio.create_task(standing.search(play.cue)) for _ in range(2)]
    await asyncio.sleep(0.02)
    if leaves == "cancelled":
        first.cancel()
    await standing.until_asked(2)
    play.perform_all(*GOOD)
    searched = await asyncio.gather(*others)
    assert sorted(each.way.value for each in searched) == ["called", "shared"]
    assert standing.asked == 2
    assert standing.service.under_way == 0
    if leaves == "out of time":
        assert code(await first) == "unavailable"


async def test_one_of_those_who_wait_may_leave(firecrawl: RudeFirecrawl, stand: Standing) -> None:
    standing = stand()
    play = firecrawl.play()
    tasks = [asyncio.create_task(standing.search(play.cue)) for _ in range(3)]
    await standing.until_asked(1)
    tasks[1].cancel()
    await asyncio.sleep(0.02)
    play.perform_all(*GOOD)
    assert len(urls(await tasks[0])) == 1
    assert len(urls(await tasks[2])) == 1
    assert standing.asked == 1
