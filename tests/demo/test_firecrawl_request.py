"""What the demo's Firecrawl takes, and what it refuses as the real one does."""

import json
from typing import Any

import pytest

from proxy.demo.firecrawl_request import Search, Version, read_search
from proxy.demo.refusal import RefusedError


def read(version: Version = "v2", **asked: Any) -> Search:
    return read_search(json.dumps(asked).encode(), version)


def test_a_plain_search() -> None:
    assert read(query="tide tables") == Search("tide tables", "tide tables", 5)


def test_everything_a_gateway_may_send() -> None:
    search = read(
        query="tides",
        limit=10,
        timeout=15000,
        sources=["web", {"type": "news"}],
        includeDomains=["Example.org", "a.example.com"],
        location="Cork, Ireland",
        country="IE",
        scrapeOptions={"formats": ["markdown"], "onlyMainContent": True, "maxAge": 1},
    )
    assert search == Search(
        "tides", "tides", 10, included=("example.org", "a.example.com"), news=True, scrape=True
    )
    assert read(query="q", excludeDomains=["example.org"]).excluded == ("example.org",)


def test_version_1_reads_the_operators_of_search_engines() -> None:
    search = read("v1", query="tides site:example.org OR site:b.example -site:c.example", limit=3)
    assert (search.included, search.excluded) == (("example.org", "b.example"), ("c.example",))
    assert search.words.split() == ["tides", "OR"]


@pytest.mark.parametrize(
    ("version", "asked", "words"),
    [
        ("v2", {}, "query: Required"),
        ("v2", {"query": "  "}, "query: Required"),
        ("v2", {"query": 7}, "query: Required"),
        ("v2", {"query": "x" * 501}, "at most 500"),
        ("v2", {"query": "q", "limit": 0}, "limit"),
        ("v2", {"query": "q", "limit": 101}, "limit"),
        ("v2", {"query": "q", "limit": True}, "limit"),
        ("v2", {"query": "q", "timeout": 0}, "timeout"),
        ("v2", {"query": "q", "sources": ["books"]}, "sources"),
        ("v2", {"query": "q", "includeDomains": "example.org"}, "includeDomains"),
        ("v2", {"query": "q", "includeDomains": ["https://example.org"]}, "without a scheme"),
        ("v2", {"query": "q", "excludeDomains": ["example.org/a"]}, "without a scheme"),
        ("v2", {"query": "q", "includeDomains": ["a.b"], "excludeDomains": ["c.d"]}, "both"),
        ("v2", {"query": "q", "max_results": 3}, "Unrecognized key in body: max_results"),
        ("v1", {"query": "q", "sources": ["web"]}, "Unrecognized key in body: sources"),
        ("v1", {"query": "q", "includeDomains": ["a.b"]}, "Unrecognized key"),
    ],
)
def test_what_is_refused(version: Version, asked: dict[str, Any], words: str) -> None:
    with pytest.raises(RefusedError) as caught:
        read_search(json.dumps(asked).encode(), version)
    assert caught.value.refusal.status == 400
    assert words in caught.value.refusal.words


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"query"', b"\xff"])
def test_what_is_no_object(body: bytes) -> None:
    with pytest.raises(RefusedError) as caught:
        read_search(body, "v2")
    assert caught.value.refusal.status == 400
