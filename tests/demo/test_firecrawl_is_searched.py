"""The gateway's own carrier and reader search at the demo: both sides speak the same Firecrawl."""

import time
from collections.abc import AsyncIterator
from typing import Any, Literal

import pytest

from proxy.catalog.cupboard import Cupboard
from proxy.upstream.firecrawl_search import FirecrawlAccount, FirecrawlCall
from proxy.upstream.search_carrier import SearchCarrier, Searched, SearchLimits, Way
from proxy.upstream.side_calls import SideCalls, SideLimits
from proxy.web_search.domains import Domain
from proxy.web_search.firecrawl import SearchOptions
from proxy.web_search.hit import Failed, Found
from proxy.web_search.tool import Location, SearchTool
from tests.demo.conftest import KEY

TYPE = "web_search_20250305"


class Searcher:
    """Searches at the demo, as the gateway will."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.waits: list[float] = []
        limits = SideLimits(
            connect_timeout_s=2.0, idle_connection_timeout_s=30.0, trust_env_proxies=False
        )
        self.calls = SideCalls(limits, configured=[base_url])
        kept: Cupboard[Found] = Cupboard(entries_max=100, ttl_s=30.0)
        self.service = SearchCarrier(
            self.calls, SearchLimits(), memory=kept, clock=time.monotonic, sleep=self.sleep
        )

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    async def search(
        self, query: str, *, key: str = KEY, tool: SearchTool | None = None, **options: Any
    ) -> Searched:
        account = FirecrawlAccount(self.base_url, key, SearchOptions(**options), wall=time.time)
        call = account.call(query, tool or SearchTool(0, TYPE))
        assert isinstance(call, FirecrawlCall)
        return await self.service.for_request().search(call, 20.0)


@pytest.fixture
async def searcher(demo: Any) -> AsyncIterator[Searcher]:
    made = Searcher(str(demo.make_url("/")))
    yield made
    await made.calls.close()


def found(searched: Searched) -> Found:
    assert isinstance(searched.outcome, Found), searched
    return searched.outcome


@pytest.mark.parametrize("version", ["v2", "v1"])
async def test_a_search_finds_pages(searcher: Searcher, version: Literal["v1", "v2"]) -> None:
    searched = await searcher.search("tide tables", version=version)
    hits = found(searched).hits
    assert len(hits) == 5
    assert all("tide tables" in hit.title and hit.text for hit in hits)
    assert [hit.age is None for hit in hits] == [False, False, False, True, False]
    assert searched.credits == (2 if version == "v2" else 0)
    assert (await searcher.search("tide tables", version=version)).way is Way.CACHED


@pytest.mark.parametrize("version", ["v2", "v1"])
@pytest.mark.parametrize("deep", [False, True])
async def test_every_option_is_taken(
    searcher: Searcher, version: Literal["v1", "v2"], deep: bool
) -> None:
    place = Location(city="Cork", region="Munster", country="IE")
    for lists in (
        {"allowed": (Domain("a.example.org"), Domain("b.example.org", "/tides"))},
        {"blocked": (Domain("example.org"), Domain("example.com", "/none"))},
    ):
        tool = SearchTool(0, TYPE, location=place, **lists)  # type: ignore[arg-type]
        hits = found(
            await searcher.search(
                "tides", tool=tool, version=version, deep=deep, limit=10, news=version == "v2"
            )
        ).hits
        hosts = {hit.url.split("/")[2] for hit in hits}
        if "allowed" in lists:
            assert hosts == {"a.example.org", "b.example.org"}
        else:
            assert hosts
            assert not any(host.endswith("example.org") for host in hosts)


@pytest.mark.parametrize(
    ("query", "code", "retried", "waits"),
    [
        ("ERROR 400", "invalid_tool_input", 0, []),
        ("ERROR 402", "unavailable", 0, []),
        ("ERROR 403", "unavailable", 0, []),
        ("ERROR 408", "unavailable", 1, []),
        ("ERROR 429", "too_many_requests", 1, [1.0]),
        ("ERROR 429 RETRY 54", "too_many_requests", 0, []),
        ("ERROR 500", "unavailable", 1, []),
        ("UNSUCCESSFUL", "unavailable", 1, []),
        ("MALFORMED", "unavailable", 1, []),
        ("HTML", "unavailable", 1, []),
        ("HUGE 10", "unavailable", 0, []),
        ("BREAK", "unavailable", 1, []),
    ],
)
async def test_trouble_becomes_its_word(
    searcher: Searcher, query: str, code: str, retried: int, waits: list[float]
) -> None:
    searched = await searcher.search(f"tides {query}")
    assert isinstance(searched.outcome, Failed)
    assert (searched.outcome.code, searched.credits) == (code, 0)
    assert (searcher.service.counts.retried, searcher.waits) == (retried, waits)


@pytest.mark.parametrize("query", ["ERROR 429 RETRY 2 ONCE", "ERROR 503 ONCE", "BREAK ONCE"])
async def test_trouble_that_passes_is_not_seen(searcher: Searcher, query: str) -> None:
    assert len(found(await searcher.search(f"tides {query}")).hits) == 5
    assert searcher.service.counts.retried == 1


async def test_a_wrong_key_is_the_operators_trouble(searcher: Searcher) -> None:
    searched = await searcher.search("tides", key="wrong")
    assert searched.outcome == Failed("unavailable", alert=True)
    assert "401" in searcher.service.trouble


async def test_odd_pages_do_not_get_through(searcher: Searcher) -> None:
    assert found(await searcher.search("tides NOTHING")).hits == ()
    urls = [hit.url for hit in found(await searcher.search("tides PRIVATE", limit=10)).hits]
    assert urls
    assert all(url.startswith("https://") and ".example." in url for url in urls)
    urls = [hit.url for hit in found(await searcher.search("tides TWICE")).hits]
    assert len(urls) == len(set(urls)) == 5
    assert "[[1]]" not in found(await searcher.search("tides INJECT")).hits[0].text
