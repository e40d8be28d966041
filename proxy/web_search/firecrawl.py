"""A query as a request to Firecrawl, hosted (v2) or run by oneself (v1) (translation.md 9.5).

Pure: the key, the connection and the clock are others'. The reply is read by `firecrawl_reply.py`.
"""

from typing import Any, Literal

import msgspec

from proxy.web_search.domains import Domain
from proxy.web_search.hit import Failed
from proxy.web_search.tool import Location, SearchTool

DOMAINS_MAX = 100
"""More make the request larger than searching is worth."""
LIMIT_MAX = 10
_SCRAPED_FOR_MS = 172_800_000
"""A page scraped within two days is as good as new, and comes at once."""


class SearchOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How the operator wants searches made."""

    version: Literal["v2", "v1"] = "v2"
    limit: int = 5
    news: bool = False
    deep: bool = False
    """Read the pages, too: a credit each, and slower."""
    timeout_ms: int = 15_000


class SearchRequest(msgspec.Struct, frozen=True):
    """A POST. `path` goes behind the base URL's own; the key's header is missing."""

    path: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


def search_request(query: str, tool: SearchTool, options: SearchOptions) -> SearchRequest | Failed:
    """The request, or why none is worth sending."""
    allowed = _hosts(tool.allowed)
    # An entry with a path must not shut out all of its host: those are left out by us.
    blocked = _hosts(tuple(domain for domain in tool.blocked if not domain.path))
    if len(tool.allowed) + len(tool.blocked) > DOMAINS_MAX:
        return Failed("request_too_large")
    wanted: dict[str, Any] = {
        "query": query,
        "limit": max(1, min(options.limit, LIMIT_MAX)),
        "timeout": options.timeout_ms,
    }
    if options.version == "v1":
        wanted["query"] = _with_sites(query, allowed, blocked)
    else:
        wanted["sources"] = ["web", "news"] if options.news else ["web"]
        if allowed:
            wanted["includeDomains"] = allowed
        elif blocked:
            wanted["excludeDomains"] = blocked
    if tool.location is not None:
        _place(tool.location, wanted)
    if options.deep:
        wanted["scrapeOptions"] = {
            "formats": ["markdown"],
            "onlyMainContent": True,
            "maxAge": _SCRAPED_FOR_MS,
        }
    return SearchRequest(
        f"/{options.version}/search".encode(),
        ((b"content-type", b"application/json"), (b"accept", b"application/json")),
        msgspec.json.encode(wanted),
    )


def _hosts(domains: tuple[Domain, ...]) -> list[str]:
    return list(dict.fromkeys([domain.host for domain in domains]))


def _with_sites(query: str, allowed: list[str], blocked: list[str]) -> str:
    """Version 1 knows no lists, but the operators of search engines."""
    if allowed:
        return f"{query} {' OR '.join([f'site:{host}' for host in allowed])}"
    return " ".join([query, *[f"-site:{host}" for host in blocked]])


def _place(location: Location, wanted: dict[str, Any]) -> None:
    places = [place for place in (location.city, location.region, location.country) if place]
    if places:
        wanted["location"] = ", ".join(places)
    if location.country:
        wanted["country"] = location.country
