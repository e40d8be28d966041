"""The demo upstream's paths of a search service: what Firecrawl has, hosted (v2) and run by oneself
(v1)."""

from typing import cast

from aiohttp import web

from proxy.demo import stage
from proxy.demo.credential import bearer, same_key
from proxy.demo.firecrawl_reply import Answer, answer, error_body, is_once
from proxy.demo.firecrawl_request import Version, read_search
from proxy.demo.refusal import Refusal, RefusedError

QUERIES_MAX = 1000
"""Remembered of those that have been in trouble once."""


class FirecrawlDoor:
    """Answers searches. `api_key` None lets everybody in."""

    def __init__(self, api_key: str | None) -> None:
        self._api_key = api_key
        self._met: dict[str, None] = {}

    def routes(self) -> list[web.RouteDef]:
        """`POST /v2/search` and `POST /v1/search`."""
        return [web.post(f"/{version}/search", self.search) for version in ("v2", "v1")]

    async def search(self, request: web.Request) -> web.StreamResponse:
        """Both versions; the path says which."""
        version = cast(Version, request.path[1:3])
        try:
            self._admit(request)
            search = read_search(await request.read(), version)
        except RefusedError as refused:
            return _whole(Answer(refused.refusal.status, error_body(refused.refusal.words)))
        trouble = not is_once(search) or self._is_first(search.query)
        said = answer(search, version, request[stage.SERIAL], trouble=trouble)
        await stage.keep_silent(request, said.silence_first_s)
        return await _cut(request, said) if said.cut else _whole(said)

    def _is_first(self, query: str) -> bool:
        """The first of two times; so whoever tries twice finds it the same way again and again."""
        if query in self._met:
            del self._met[query]
            return False
        self._met[query] = None
        if len(self._met) > QUERIES_MAX:
            del self._met[next(iter(self._met))]
        return True

    def _admit(self, request: web.Request) -> None:
        given = bearer(request)
        if self._api_key is not None and not same_key(given, self._api_key):
            words = "Unauthorized: Invalid token" if given else "Unauthorized: Token missing"
            raise RefusedError(Refusal(401, words))


def _whole(said: Answer) -> web.Response:
    return web.Response(
        status=said.status, body=said.body, content_type=said.content_type, headers=said.headers
    )


async def _cut(request: web.Request, said: Answer) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": said.content_type})
    response.content_length = len(said.body)
    try:
        await response.prepare(request)
        await response.write(said.body[: len(said.body) // 2])
        stage.cut(request)
    except ConnectionError:
        request[stage.ENTRY].disconnected_early = True
    return response
