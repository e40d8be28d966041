"""The demo upstream's Anthropic paths: messages, count_tokens, models.

Order of checks as at the real API: key (401), version (400), body (400). Whatever is wrong is
raised as RefusedError; `upstream.py` dresses it.
"""

from http import HTTPStatus

import msgspec
from aiohttp import web

from proxy.demo import anthropic_wire, models, stage
from proxy.demo.anthropic_request import MessagesRequest, check_version, read_request
from proxy.demo.credential import bearer, same_key
from proxy.demo.envelope import Envelope
from proxy.demo.refusal import Refusal, RefusedError, bad_request
from proxy.demo.script import Ending, Overflow, answer, overflow


def request_id(request: web.Request) -> str:
    """The id under which this request is answered."""
    return f"req_01{request[stage.SERIAL]}"


class AnthropicDoor:
    """Answers on the Anthropic wire. `api_key` None lets everybody in."""

    def __init__(self, pace_s: float, api_key: str | None) -> None:
        self._pace_s = pace_s
        self._api_key = api_key

    async def messages(self, request: web.Request) -> web.StreamResponse:
        """POST /v1/messages."""
        asked = await self._read(request)
        if too_much := overflow(asked.ask, asked.input_tokens):
            raise bad_request(_overflow_words(too_much))
        reply = answer(asked.ask)
        if isinstance(reply, Refusal):
            await stage.keep_silent(request, reply.silence_first_s)
            raise RefusedError(reply)
        envelope = Envelope(request[stage.SERIAL], asked.model, asked.input_tokens)
        overloaded = Refusal(529)
        if asked.stream:
            return await stage.stream(
                request,
                reply,
                anthropic_wire.frames(reply, envelope),
                anthropic_wire.error_frame(overloaded, request_id(request)),
                self._pace_s,
            )
        if reply.ending is Ending.ERROR:
            raise RefusedError(overloaded)
        return await stage.whole(request, reply, anthropic_wire.whole(reply, envelope))

    async def count_tokens(self, request: web.Request) -> web.StreamResponse:
        """POST /v1/messages/count_tokens; fails where the script says ERROR, like messages."""
        asked = await self._read(request, counting=True)
        reply = answer(asked.ask)
        await stage.keep_silent(request, reply.silence_first_s)
        if isinstance(reply, Refusal):
            raise RefusedError(reply)
        return _json({"input_tokens": asked.input_tokens})

    async def list_models(self, request: web.Request) -> web.StreamResponse:
        """GET /v1/models."""
        self._admit(request)
        page = models.page(request.query)
        if page is None:
            raise bad_request(f"limit: Input should be between 1 and {models.PAGE_MAX}")
        return _json(page)

    async def retrieve_model(self, request: web.Request) -> web.StreamResponse:
        """GET /v1/models/{id}."""
        self._admit(request)
        model = models.find(request.match_info["model_id"])
        if model is None:
            raise RefusedError(Refusal(404, f"model: {request.match_info['model_id']}"))
        return _json(model.for_anthropic())

    async def _read(self, request: web.Request, *, counting: bool = False) -> MessagesRequest:
        version = self._admit(request)
        return read_request(await request.read(), version, counting=counting)

    def _admit(self, request: web.Request) -> str:
        """Check key and version; the version is what the body is judged by."""
        given = request.headers.get("x-api-key", "") or bearer(request)
        if self._api_key is not None and not same_key(given, self._api_key):
            words = "invalid x-api-key" if given else "x-api-key header is required"
            raise RefusedError(Refusal(HTTPStatus.UNAUTHORIZED, words))
        return check_version(request.headers.get("anthropic-version"))


def _overflow_words(too_much: Overflow) -> str:
    """Coding agents compact a conversation on these very words."""
    prompt, wanted, window = too_much
    if not too_much.prompt_fits:
        return f"prompt is too long: {prompt} tokens > {window} maximum"
    return (
        f"input length and `max_tokens` exceed context limit: {prompt} + {wanted} > {window}, "
        "decrease input length or `max_tokens` and try again"
    )


def _json(value: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")
