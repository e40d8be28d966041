"""Around every aiohttp handler: an id on each reply, error bodies of the right shape, a log line.

The short lane does the same for itself in `server/outlet.py`.
"""

import logging

from aiohttp import web

from proxy.domain.fault import Fault, Kind, Source
from proxy.domain.ids import is_request_id
from proxy.observe.access_log import CLIENT_CHARS_MAX, Line
from proxy.server.front import Front
from proxy.server.office import Handler
from proxy.server.refusal import (
    anthropic_body,
    log_refusal,
    refusal_headers,
    refusal_reason,
    rest_body,
)

_LOG = logging.getLogger("proxy.office")
GATEWAY_BASE = "/v1/anthropic"
REQUEST_ID = web.RequestKey("request_id", str)
"""Where a handler finds the id its reply will carry."""
# Probes come every few seconds and say nothing about requests.
_UNLOGGED = frozenset(("/healthz", "/readyz", "/metrics", "/v1/anthropic/api/hello"))


class Envelope:
    """Made before the front exists; `front` is set by the assembly."""

    front: Front

    @web.middleware
    async def around(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The middleware."""
        front = self.front
        began_s = front.monotonic()
        given = ",".join(request.headers.getall("x-request-id", ()))
        request_id = given if is_request_id(given) else front.new_request_id()
        request[REQUEST_ID] = request_id
        try:
            response = await handler(request)
        except Fault as fault:
            response = self._refused(request, fault, request_id)
        except web.HTTPException as refusal:
            response = self._refused(request, _as_fault(request, refusal), request_id)
            if "allow" in refusal.headers:  # RFC 9110 section 15.5.6 asks for it with a 405
                response.headers["allow"] = _allowed(refusal)
        except Exception as problem:  # noqa: BLE001 - the last catch: a bug must become a 500
            _LOG.error(
                "[%s] %s %s failed", request_id, request.method, request.path, exc_info=problem
            )
            bug = Fault(
                Kind.HOUSE,
                "The gateway failed. Tell its operator the request id.",
                source=Source.HOUSE,
            )
            response = self._refused(request, bug, request_id)
        response.headers["request-id"] = request_id
        response.headers["x-request-id"] = request_id
        if front.draining and not response.prepared:
            response.force_close()
        if request.path not in _UNLOGGED:
            self._note(request, response, request_id, began_s)
        return response

    def _refused(self, request: web.Request, fault: Fault, request_id: str) -> web.Response:
        log_refusal(fault, request_id)
        self.front.metrics.refusal(refusal_reason(fault))
        is_gateway = request.path.startswith(GATEWAY_BASE)
        body = (anthropic_body if is_gateway else rest_body)(fault, request_id)
        response = web.Response(body=body, status=fault.status, content_type="application/json")
        for name, value in refusal_headers(fault):
            response.headers[name] = value
        return response

    def _note(
        self, request: web.Request, response: web.StreamResponse, request_id: str, began_s: float
    ) -> None:
        front = self.front
        resource = request.match_info.route.resource
        route = resource.canonical if resource is not None else "unknown"
        front.metrics.replied.append((route, response.status))
        if front.access_log.wanted:
            ms = round((front.monotonic() - began_s) * 1000)
            front.access_log.note(
                Line(
                    int(front.wall() * 1000) - ms,
                    request_id,
                    request.method,
                    request.path[:500],
                    response.status,
                    ms,
                    _text(request.headers.get("user-agent", ""))[:CLIENT_CHARS_MAX],
                )
            )


def _text(value: str) -> str:
    """aiohttp keeps bytes that are no UTF-8 as surrogates, which no JSON can hold."""
    return value.encode("utf-8", "replace").decode()


def _as_fault(request: web.Request, refusal: web.HTTPException) -> Fault:
    if refusal.status == 404:
        return Fault(
            Kind.NOT_FOUND,
            f"Not found: {request.method} {request.path[:200]}.",
            hint=_base_url_hint(request.path),
        )
    if refusal.status == 405:
        return Fault(
            Kind.METHOD_NOT_ALLOWED,
            f"{request.method} is not allowed for {request.path[:200]};"
            f" allowed: {_allowed(refusal)}.",
        )
    if refusal.status == 413:
        return Fault(Kind.TOO_LARGE, "The request body is too large.")
    return Fault(Kind.BAD_REQUEST, refusal.reason, status=refusal.status)


def _allowed(refusal: web.HTTPException) -> str:
    return ", ".join(sorted(refusal.headers.get("allow", "").split(",")))


def _base_url_hint(path: str) -> str:
    if not path.startswith(GATEWAY_BASE):
        return ""
    return "SDKs need a base URL that ends in /v1/anthropic; they add /v1/messages themselves."
