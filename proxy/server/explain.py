"""`POST /v1/anthropic/explain`: what would happen to a request, without spending anything.

Takes the body of a messages request, or just `{"model": …}`; only the model is read. What is said
is made in `gateway/explanation.py`.
"""

from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from proxy.domain.caller import Caller
from proxy.domain.fault import Fault, Kind
from proxy.gateway.explanation import Explainer
from proxy.server.json_reply import json_reply

Admit = Callable[[web.Request, bool], Awaitable[Caller]]
"""Who asks; the second argument: may the key come as Bearer? Raises Fault."""


class _Asked(msgspec.Struct):
    model: str


_ASKED = msgspec.json.Decoder(_Asked)


class ExplainPage:
    """The handler."""

    def __init__(self, explainer: Explainer, admit: Admit, wall: Callable[[], float]) -> None:
        self._explainer = explainer
        self._admit = admit
        self._wall = wall

    async def explain(self, request: web.Request) -> web.Response:
        """200 whatever would happen to the request; 401 and 403 where nobody may ask."""
        caller = await self._admit(request, True)
        asked = _read(await request.read())
        explanation = await self._explainer.explain(caller, asked, int(self._wall() * 1000))
        reply = json_reply(explanation)
        reply.headers["cache-control"] = "no-store"  # the next request may change it
        return reply


def _read(body: bytes) -> str:
    try:
        return _ASKED.decode(body).model
    except msgspec.ValidationError as problem:
        missing = "missing required field" in str(problem)
        raise Fault(
            Kind.BAD_REQUEST,
            "model: Field required" if missing else "model: Input should be a valid string",
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Fault(
            Kind.BAD_REQUEST, 'The request body is not valid JSON; send {"model": "…"}.'
        ) from None
