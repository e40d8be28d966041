"""Every path that aiohttp answers, both spellings of each. The POSTs of the short lane are in
`server/door.py`; here they exist only so that another method gets a 405."""

from aiohttp import web

from proxy.server.door import LANE
from proxy.server.envelope import Envelope
from proxy.server.health import HealthPages
from proxy.server.models import ModelPages
from proxy.server.office import Handler, outermost
from proxy.server.welcome import WelcomePages

BODY_BYTES_MAX = 4 << 20


def application(
    envelope: Envelope,
    *,
    health: HealthPages,
    models: ModelPages,
    welcome: WelcomePages,
    office: list[tuple[str, str, Handler]],
) -> web.Application:
    """`office` are the admin room's routes: method, path, handler."""
    app = web.Application(middlewares=[outermost, envelope.around], client_max_size=BODY_BYTES_MAX)
    add = app.router.add_route
    add("GET", "/", welcome.welcome)
    for path in ("/v1/anthropic", "/v1/anthropic/v1", "/v1/anthropic/api/hello"):
        for spelling in (path, path + "/"):
            add("GET", spelling, welcome.probe)
            add("HEAD", spelling, welcome.probe)
    add("GET", "/v1/chat/models", models.product_models)
    for base in ("/v1/anthropic/models", "/v1/anthropic/v1/models"):
        add("GET", base, models.anthropic_models)
        add("GET", base + "/", models.anthropic_models)
        add("GET", base + "/{model:.+}", models.anthropic_model)
    for lane in LANE:
        path = lane.decode()
        add("POST", path, _lane_only)
        add("OPTIONS", path, _options)
        add("HEAD", path, welcome.probe)
    add("GET", "/healthz", health.live)
    add("GET", "/readyz", health.ready)
    add("GET", "/metrics", health.metrics)
    for method, path, handler in office:
        add(method, path, handler)
    return app


async def _lane_only(request: web.Request) -> web.StreamResponse:
    raise AssertionError("the door takes these requests itself")


async def _options(request: web.Request) -> web.StreamResponse:
    return web.Response(status=204, headers={"allow": "POST, OPTIONS, HEAD"})
