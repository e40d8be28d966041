"""A search as the demo's Firecrawl reads it, hosted (v2) or run by oneself (v1).

It refuses what the real one refuses, unknown fields above all: version 1 knows no lists of domains
and no sources. Pure.
"""

import re
from dataclasses import dataclass
from typing import Literal

from proxy.demo.loose_json import listing, mapping, parsed
from proxy.demo.refusal import Refusal, RefusedError

Version = Literal["v1", "v2"]

QUERY_CHARS_MAX = 500
LIMIT = 5
LIMIT_MAX = 100
_HOSTNAME = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+")
_SOURCES = frozenset({"web", "news", "images"})
_V1_FIELDS = frozenset(
    {
        *("query", "limit", "tbs", "filter", "lang", "country", "location", "origin", "timeout"),
        *("ignoreInvalidURLs", "scrapeOptions", "integration"),
    }
)
_V2_FIELDS = _V1_FIELDS | {
    *("sources", "categories", "includeDomains", "excludeDomains", "highlights", "enterprise"),
}
_SITE = re.compile(r"(-?)site:([^\s()]+)")
"""The operators of search engines, which stand for the lists in version 1."""


@dataclass(frozen=True, slots=True)
class Search:
    """What is searched for. `included` and `excluded` are hostnames; `words` is the query without
    its `site:` operators."""

    query: str
    words: str
    limit: int
    included: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    news: bool = False
    scrape: bool = False


def read_search(body: bytes, version: Version) -> Search:
    """Raises RefusedError as the real one would: 400 with what is wrong."""
    try:
        asked = parsed(body)
    except ValueError:
        raise _bad("Bad request, malformed JSON") from None
    if not isinstance(asked, dict):
        raise _bad("Expected object")
    known = _V1_FIELDS if version == "v1" else _V2_FIELDS
    for name in asked:
        if name not in known:
            raise _bad(
                f"Unrecognized key in body: {name} -- please review the {version} API "
                "documentation for request body changes"
            )
    query = asked.get("query")
    if not isinstance(query, str) or not query.strip():
        raise _bad("query: Required")
    if len(query) > QUERY_CHARS_MAX and version == "v2":
        raise _bad(f"query: String must contain at most {QUERY_CHARS_MAX} character(s)")
    included = _domains(asked, "includeDomains")
    excluded = _domains(asked, "excludeDomains")
    if included and excluded:
        raise _bad("includeDomains and excludeDomains cannot both be specified")
    sources = _sources(asked)
    sites = _SITE.findall(query)
    return Search(
        query=query,
        words=_SITE.sub(" ", query),
        limit=_limit(asked),
        included=included + tuple(host for minus, host in sites if not minus),
        excluded=excluded + tuple(host for minus, host in sites if minus),
        news="news" in sources,
        scrape=bool(listing(mapping(asked.get("scrapeOptions")).get("formats"))),
    )


def _limit(asked: dict[str, object]) -> int:
    limit = asked.get("limit", LIMIT)
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= LIMIT_MAX:
        raise _bad(f"limit: expected an integer from 1 to {LIMIT_MAX}")
    timeout = asked.get("timeout", 1)
    if not isinstance(timeout, int) or isinstance(timeout, bool) or timeout < 1:
        raise _bad("timeout: expected a positive integer")
    return limit


def _domains(asked: dict[str, object], name: str) -> tuple[str, ...]:
    given = asked.get(name, [])
    if not isinstance(given, list):
        raise _bad(f"{name}: Expected array")
    for host in given:
        if not isinstance(host, str) or _HOSTNAME.fullmatch(host) is None:
            raise _bad(f"{name}: Must be a valid domain without a scheme or path")
    return tuple(host.lower() for host in given)


def _sources(asked: dict[str, object]) -> frozenset[str]:
    found: set[str] = set()
    for source in listing(asked.get("sources", ["web"])):
        kind = source if isinstance(source, str) else mapping(source).get("type")
        if kind not in _SOURCES:
            raise _bad("sources: Invalid source")
        found.add(str(kind))
    return frozenset(found)


def _bad(message: str) -> RefusedError:
    return RefusedError(Refusal(400, message))
