"""Live, ready, measured: for whoever watches the gateway."""

from collections.abc import Callable

from aiohttp import web

from proxy.server.json_reply import json_reply


class HealthPages:
    """`not_ready` gives the reasons why no requests should be sent here, if any; `trouble` what
    is wrong although requests are served: a shared database that is away for a minute must not
    make a balancer take out every gateway."""

    def __init__(
        self,
        not_ready: Callable[[], list[str]],
        exposition: Callable[[], bytes],
        trouble: Callable[[], list[str]] = list,
    ) -> None:
        self._not_ready = not_ready
        self._trouble = trouble
        self._exposition = exposition

    async def live(self, request: web.Request) -> web.Response:
        """`GET /healthz`: the process runs."""
        return json_reply({"status": "ok"})

    async def ready(self, request: web.Request) -> web.Response:
        """`GET /readyz`: 200, or 503 with the reasons; `trouble` says what else is wrong."""
        reasons = self._not_ready()
        if reasons:
            return json_reply({"status": "not ready", "reasons": reasons}, status=503)
        trouble = self._trouble()
        return json_reply({"status": "ready", **({"trouble": trouble} if trouble else {})})

    async def metrics(self, request: web.Request) -> web.Response:
        """`GET /metrics`: Prometheus text."""
        return web.Response(
            body=self._exposition(),
            headers={"content-type": "text/plain; version=0.0.4; charset=utf-8"},
        )
