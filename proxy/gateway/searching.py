"""What searching needs at hand: one per process, made in `assembly/`."""

from typing import Literal

import msgspec

from proxy.upstream.firecrawl_search import FirecrawlAccount
from proxy.upstream.search_carrier import SearchCarrier
from proxy.web_search.tokens import SearchSeal


class Searching(msgspec.Struct, frozen=True):
    """Without `service` and `account` nothing is searched, and `when_off` says what a request for
    it gets. `deadline_s` bounds all turns of a request together."""

    seal: SearchSeal
    when_off: Literal["auto", "error", "message"]
    account: FirecrawlAccount | None = None
    service: SearchCarrier | None = None
    deadline_s: float = 600.0
    rounds_max: int = 10

    @property
    def off(self) -> "Searching":
        """The same for a tenant who has no search."""
        return msgspec.structs.replace(self, account=None, service=None)

    @property
    def enabled(self) -> bool:
        """Are searches made?"""
        return self.service is not None
