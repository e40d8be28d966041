"""An application with some endpoints on it and the real envelope around it, for tests."""

import io
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, cast

import msgspec
from aiohttp import web
from aiohttp.test_utils import TestClient

from proxy.admin.endpoint import Admit, AnyEndpoint, Handler, routes
from proxy.domain.ids import CountedIds
from proxy.gateway.wheel import Wheel
from proxy.observe.access_log import AccessLog
from proxy.observe.metrics import Metrics
from proxy.server.body_room import BodyRoom
from proxy.server.envelope import Envelope
from proxy.server.front import DateLine, DoorLimits, Front
from proxy.server.office import Office, outermost
from proxy.server.turnstile import Turnstile, Walk

Browse = TestClient[web.Request, web.Application]
Visit = Callable[[web.Application], Awaitable[Browse]]
Wall = Callable[[], float]
Listens = Callable[[], Awaitable[None]]


async def nobody_listens() -> None:
    return None


def envelope(wall: Wall) -> Envelope:
    """As it is around every reply; what it does not need of the front is not there."""
    around = Envelope()
    around.front = Front(
        walk=cast(Walk, None),
        turnstile=cast(Turnstile, None),
        body_room=cast(BodyRoom, None),
        office=cast(Office, None),
        limits=cast(DoorLimits, None),
        wheel=Wheel(time.monotonic),
        metrics=Metrics(),
        access_log=AccessLog(lambda lines: None, wanted=False, as_json=True),
        wall=wall,
        monotonic=time.monotonic,
        new_request_id=CountedIds("req", b"test noise, 16 b").next,
        date=DateLine(wall),
    )
    return around


def floor(
    endpoints: Iterable[AnyEndpoint],
    admit: Admit,
    *,
    wall: Wall = time.time,
    changed: Listens = nobody_listens,
    more: Iterable[tuple[str, str, Handler]] = (),
) -> web.Application:
    """The application. `more` are ready handlers beside the endpoints."""
    app = web.Application(middlewares=[outermost, envelope(wall).around])
    for method, path, handler in [*more, *routes(endpoints, admit, wall, changed)]:
        app.router.add_route(method, path, handler)
    return app


class Said(msgspec.Struct):
    """A reply, read."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def message(self) -> str:
        """The message of a refusal, whose shape is looked at."""
        document = self.json()
        assert set(document) == {"error", "request_id"}, document
        assert set(document["error"]) == {"type", "message", "code"}
        assert document["request_id"] == self.headers["x-request-id"]
        message: str = document["error"]["message"]
        return message


async def ask(
    browse: Browse, method: str, path: str, key: str = "", body: object = None, **headers: str
) -> Said:
    """One request. A body of bytes is sent as it is."""
    data = io.BytesIO(body if isinstance(body, bytes) else msgspec.json.encode(body))
    asked = {name.replace("_", "-"): value for name, value in headers.items()}
    if key:
        asked["X-Api-Key"] = key
    async with browse.request(
        method, path, headers=asked, data=None if body is None else data
    ) as reply:
        named = {name.lower(): value for name, value in reply.headers.items()}
        return Said(reply.status, named, await reply.read())
