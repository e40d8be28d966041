"""Entries of `allowed_domains` and `blocked_domains`: a host, perhaps with a path.

`example.com` covers its sub-domains; `example.com/blog` covers what lies below that path; a `*`
stands in the path only. Search services know hosts only, so paths are matched here.
"""

import re
from collections.abc import Iterable
from urllib.parse import SplitResult

import msgspec

from proxy.web_search.addresses import is_address

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/?/?|//")
_HOST = re.compile(r"[^\s/?#:@*\\,]+")
_PATH_UNFIT = re.compile(r"[\s?#]")
_PLAIN = 'provide a plain hostname like "example.com"'


class Domain(msgspec.Struct, frozen=True, gc=False):
    """One entry. `path` begins with a slash, or is empty."""

    host: str
    path: str = ""

    def covers(self, parts: SplitResult) -> bool:
        """Does the page lie there?"""
        host = (parts.hostname or "").removesuffix(".")
        if host != self.host and not host.endswith("." + self.host):
            return False
        return not self.path or _pattern(self.path).match(parts.path or "/") is not None


def read_domain(entry: str) -> Domain | str:
    """An entry as the client wrote it; else what is wrong with it, in Anthropic's manner."""
    text = entry.strip()
    if not text:
        return "String should have at least 1 character"
    if _SCHEME.match(text) is not None and (
        "//" in text or not text.partition(":")[2].partition("/")[0].isdecimal()
    ):
        return f"Domains must not include a scheme; {_PLAIN}"
    host, slash, path = text.partition("/")
    host = host.lower().removesuffix(".")
    if "*" in host:
        return f"Wildcards are supported in the path only; {_PLAIN}"
    if is_address(host):
        return f"IP addresses are not supported; {_PLAIN}"
    if _HOST.fullmatch(host) is None or _PATH_UNFIT.search(path) is not None:
        return f"Input is not a valid domain; {_PLAIN}"
    return Domain(host, slash + path if path else "")


def is_wanted(parts: SplitResult, allowed: Iterable[Domain], blocked: Iterable[Domain]) -> bool:
    """May a page there be shown? An empty list says nothing."""
    allowed = tuple(allowed)
    if allowed and not any(domain.covers(parts) for domain in allowed):
        return False
    return not any(domain.covers(parts) for domain in blocked)


def _pattern(path: str) -> "re.Pattern[str]":
    begin = ".*".join([re.escape(part) for part in path.rstrip("/").split("*")])
    # Below a path means behind a slash: `/blog` does not cover `/blogroll`, `/blog*` does.
    return re.compile(begin if path.endswith("*") else begin + r"(?:/|\Z)", re.DOTALL)
