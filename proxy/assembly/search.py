"""The search tool, built from settings: the service and its account."""

import time
from collections.abc import Mapping

from proxy.catalog.cupboard import Cupboard
from proxy.config.secrets import SecretProblem, resolve
from proxy.config.settings import Settings, WebSearch
from proxy.domain.call import Call
from proxy.domain.fault import Fault, Kind, Source
from proxy.gateway.searching import Searching
from proxy.upstream.firecrawl_search import FirecrawlAccount
from proxy.upstream.search_carrier import SearchCarrier, SearchLimits
from proxy.upstream.side_calls import SideCalls, SideLimits
from proxy.web_search.firecrawl import SearchOptions
from proxy.web_search.hit import Found, Sources
from proxy.web_search.native_history import without_our_searches
from proxy.web_search.past_results import PastResults
from proxy.web_search.tokens import SearchSeal
from proxy.wire.body import Body, with_fields

OUTCOMES_KEPT_MAX = 1000


class Searches:
    """One per process. `searching` is what the walk is given; `lacking` is what is missing for
    searches to be made, empty: nothing."""

    def __init__(self, settings: Settings, environ: Mapping[str, str], seal: SearchSeal) -> None:
        """Raises Fault where search is switched on but has no key."""
        wanted = settings.web_search
        self._calls: SideCalls | None = None
        self.service: SearchCarrier | None = None
        self.lacking = ""
        account: FirecrawlAccount | None = None
        key = ""
        try:
            key = _key(wanted.api_key, environ)
        except Fault as fault:
            if wanted.enabled:
                raise
            self.lacking = fault.message
        if not self.lacking and not key and wanted.base_url == WebSearch().base_url:
            self.lacking = "web_search.api_key is empty"
        if wanted.enabled or not self.lacking:
            # Also while it is off: an administrator may switch it on. Nothing is opened before.
            upstream = settings.upstream
            self._calls = SideCalls(
                SideLimits(
                    connect_timeout_s=upstream.connect_timeout_s,
                    idle_connection_timeout_s=upstream.idle_connection_timeout_s,
                    ca_file=upstream.ca_file,
                    trust_env_proxies=upstream.trust_env_proxies,
                ),
                configured=[wanted.base_url],
            )
            memory: Cupboard[Found] | None = None
            if wanted.cache_s:
                memory = Cupboard(entries_max=OUTCOMES_KEPT_MAX, ttl_s=wanted.cache_s)
            self.service = SearchCarrier(
                self._calls,
                SearchLimits(concurrent_max=wanted.concurrent_max),
                memory=memory,
                clock=time.monotonic,
            )
            options = SearchOptions(
                version=wanted.api_version, limit=wanted.results, deep=wanted.deep
            )
            account = FirecrawlAccount(wanted.base_url, key, options, wall=time.time)
        self._on = Searching(seal, wanted.when_disabled, account, self.service)
        self.searching = self._on if wanted.enabled else self._on.off

    def switch(self, on: bool) -> None:
        """Search from the next request on, or no longer."""
        self.searching = self._on if on else self._on.off

    def out_of(self, call: Call, body: Body) -> Body:
        """The body without searches of ours, for a provider that has its own. Raises Fault 400
        for tokens that were altered."""
        past = PastResults(call.caller.tenant_id, self.searching.seal, Sources())
        messages = body.fields["messages"]
        cleaned = without_our_searches(messages, past)
        if cleaned == bytes(messages):
            return body
        return with_fields(body, {"messages": cleaned})

    async def close(self) -> None:
        """Close its connections."""
        if self._calls is not None:
            await self._calls.close()


def _key(reference: str, environ: Mapping[str, str]) -> str:
    if not reference:
        return ""
    try:
        return resolve(reference, environ).reveal()
    except SecretProblem as problem:
        raise Fault(
            Kind.UNAVAILABLE,
            f"web_search.api_key: {problem}",
            hint="Set it, or write enabled = false under [web_search].",
            source=Source.HOUSE,
        ) from None
