"""Every path that aiohttp answers, both spellings of each. The POSTs of the short lane are in
`server/door.py`; here they exist only so that another method gets a 405."""

from aiohttp import web

from proxy.server.door import BASES, LANE
from proxy.server.envelope import Envelope
from proxy.server.explain import ExplainPage
from proxy.server.health import HealthPages
from proxy.server.models import ModelPages
from proxy.server.office import Handler, outermost
from proxy.server.probes import probe

BODY_BYTES_MAX = 4 << 20


def application(
    envelope: Envelope,
    *,
    health: HealthPages,
    models: ModelPages,
    explain: ExplainPage,
    office: list[tuple[str, str, Handler]],
    pages: list[tuple[str, str, Handler]],
) -> web.Application:
    """`office` are the admin room's routes: method, path, handler; `pages` the console's."""
    app = web.Application(middlewares=[outermost, envelope.around], client_max_size=BODY_BYTES_MAX)
    add = app.router.add_route

    def read_only(path: str, handler: Handler) -> None:
        for spelling in (path, path + "/"):
            add("GET", spelling, handler)
            add("HEAD", spelling, handler)

    for path in ("/v1/anthropic", "/v1/anthropic/v1", "/v1/anthropic/api/hello"):
        read_only(path, probe)
    read_only("/v1/chat/models", models.product_models)
    for base in BASES:
        read_only(base + "/models", models.anthropic_models)
        add("GET", base + "/models/{model:.+}", models.anthropic_model)
        add("POST", base + "/explain", explain.explain)
    for lane in LANE:
        path = lane.decode()
        for spelling in (path, path + "/"):
            add("POST", spelling, _lane_only)
            add("OPTIONS", spelling, _options)
            add("HEAD", spelling, probe)
    read_only("/healthz", health.live)
    read_only("/readyz", health.ready)
    read_only("/metrics", health.metrics)
    for method, path, handler in [*office, *pages]:
        add(method, path, handler)
    return app


async def _lane_only(request: web.Request) -> web.StreamResponse:
    raise AssertionError("the door takes these requests itself")


async def _options(request: web.Request) -> web.StreamResponse:
    return web.Response(status=204, headers={"allow": "POST, OPTIONS, HEAD"})
