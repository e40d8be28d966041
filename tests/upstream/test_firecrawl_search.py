"""A search joined to its account: where to, as whom, and what makes two of them the same."""

from proxy.upstream.firecrawl_search import FirecrawlAccount, FirecrawlCall
from proxy.web_search.domains import Domain
from proxy.web_search.firecrawl import SearchOptions
from proxy.web_search.hit import Failed, Found, Hit
from proxy.web_search.tool import SearchTool

KEY = "fc-not-to-be-seen"
TOOL = SearchTool(0, "web_search_20250305")
REPLY = b'{"success":true,"data":{"web":[{"url":"https://a.example.org/b/c","title":"T"}]}}'


def account(base_url: str = "http://fc", key: str = KEY, now_s: float = 0.0) -> FirecrawlAccount:
    return FirecrawlAccount(base_url, key, SearchOptions(), wall=lambda: now_s)


def call(of: FirecrawlAccount, query: str = "tides", tool: SearchTool = TOOL) -> FirecrawlCall:
    made = of.call(query, tool)
    assert isinstance(made, FirecrawlCall)
    return made


def test_the_key_goes_into_one_header_and_nowhere_else() -> None:
    made = call(account())
    assert made.headers == {
        "authorization": f"Bearer {KEY}",
        "content-type": "application/json",
        "accept": "application/json",
    }
    assert KEY.encode() not in made.body
    for shown in (repr(account()), repr(made), repr(made.key)):
        assert KEY not in shown


def test_a_service_of_ones_own_may_want_no_key() -> None:
    assert "authorization" not in call(account(key="")).headers


def test_the_path_goes_behind_the_base_urls_own() -> None:
    for base_url in ("https://fc.internal:3002/firecrawl", "https://fc.internal:3002/firecrawl/"):
        assert call(account(base_url)).url == "https://fc.internal:3002/firecrawl/v2/search"


def test_what_is_not_worth_sending_is_told_at_once() -> None:
    many = SearchTool(0, TOOL.type, allowed=(Domain("a.example"),) * 101)
    assert account().call("tides", many) == Failed("request_too_large")


def test_two_searches_are_the_same_if_their_outcomes_are() -> None:
    of = account()
    by_path = SearchTool(0, TOOL.type, blocked=(Domain("a.example.org", "/b"),))
    used_up = SearchTool(3, "web_search_20260209", max_uses=1)
    assert call(of).key == call(of).key
    assert call(of).key == call(of, tool=used_up).key
    assert call(of).key != call(of, "tide").key
    assert call(of).body == call(of, tool=by_path).body
    assert call(of).key != call(of, tool=by_path).key
    assert len({call(of).key, call(of, tool=by_path).key}) == 2


def test_a_reply_is_read_as_the_tool_asks_and_by_the_accounts_clock() -> None:
    of = account(now_s=1_000_000.0)
    found = call(of).read(200, {}, REPLY)
    assert found == Found((Hit("https://a.example.org/b/c", "T"),))
    by_path = SearchTool(0, TOOL.type, blocked=(Domain("a.example.org", "/b"),))
    assert call(of, tool=by_path).read(200, {}, REPLY) == Found(())
    in_3_s = {b"retry-after": b"Mon, 12 Jan 1970 13:46:43 GMT"}
    assert call(of).read(429, in_3_s, b"") == Failed("too_many_requests", 3.0)
