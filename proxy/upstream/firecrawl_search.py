"""One search at Firecrawl as the search service's carrier takes it: request, key and reading of the
reply, joined to the account they are made with.

The shapes are those of `proxy/web_search/firecrawl.py`; what is added here is where to and as whom.
"""

from collections.abc import Callable, Hashable, Mapping

from proxy.web_search.firecrawl import SearchOptions, search_request
from proxy.web_search.firecrawl_reply import read_search_reply
from proxy.web_search.hit import Failed, Outcome
from proxy.web_search.tool import SearchTool


class FirecrawlAccount:
    """Where searches are made and with which key; empty: a service of one's own that wants none.
    `wall` gives Unix seconds."""

    def __init__(
        self, base_url: str, key: str, options: SearchOptions, *, wall: Callable[[], float]
    ) -> None:
        self.options = options
        self.wall = wall
        self._base_url = base_url.rstrip("/")
        self._headers = {"authorization": f"Bearer {key}"} if key else {}

    def __repr__(self) -> str:
        return f"FirecrawlAccount({self._base_url!r})"

    def call(self, query: str, tool: SearchTool) -> "FirecrawlCall | Failed":
        """A search for `query`, or why none is worth sending."""
        request = search_request(query, tool, self.options)
        if isinstance(request, Failed):
            return request
        url = self._base_url + request.path.decode("ascii")
        sent = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers}
        return FirecrawlCall(self, tool, url, self._headers | sent, request.body)


class FirecrawlCall:
    """A `SearchCall`."""

    __slots__ = ("_account", "_tool", "body", "headers", "url")

    def __init__(
        self,
        account: FirecrawlAccount,
        tool: SearchTool,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
    ) -> None:
        self._account = account
        self._tool = tool
        self.url = url
        self.headers = headers
        self.body = body

    @property
    def key(self) -> Hashable:
        """The body says query and options. Paths of domains are not in it, they are looked at in
        the reply."""
        return self.body, self._tool.allowed, self._tool.blocked

    def read(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> Outcome:
        """Pages found, or the word for why there are none."""
        account = self._account
        return read_search_reply(
            status, headers, body, self._tool, account.options, now_s=account.wall()
        )
