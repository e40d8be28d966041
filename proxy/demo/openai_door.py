"""The demo upstream's paths on the chat wire: completions, the list of models, token counts."""

import time
from http import HTTPStatus

import msgspec
from aiohttp import web

from proxy.demo import models, openai_errors, openai_wire, stage
from proxy.demo.counting import count_tokens
from proxy.demo.credential import bearer, same_key
from proxy.demo.envelope import Envelope
from proxy.demo.openai_request import ChatRequest, judged, read_body
from proxy.demo.refusal import Refusal, RefusedError
from proxy.demo.script import Ending, answer, overflow
from proxy.demo.vendor import Vendor
from proxy.demo.vendors import GENERIC, vendor_of

VENDOR = web.RequestKey("vendor", Vendor)
"""Who is played in this request; absent where nobody has found out."""

VLLM_WINDOW = 262_144


class OpenAIDoor:
    """Answers on the chat wire. `api_key` None lets everybody in."""

    def __init__(self, pace_s: float, api_key: str | None) -> None:
        self._pace_s = pace_s
        self._api_key = api_key

    async def chat_completions(self, request: web.Request) -> web.StreamResponse:
        """POST /v1/chat/completions."""
        asked = await self._read(request)
        reply = answer(asked.ask)
        if isinstance(reply, Refusal):
            await stage.keep_silent(request, reply.silence_first_s)
            raise RefusedError(reply)
        if too_much := overflow(asked.ask, asked.input_tokens):
            refusal = openai_errors.overflow(too_much, asked.vendor)
            if refusal is not None:
                raise RefusedError(refusal)
        envelope = Envelope(
            request[stage.SERIAL], asked.model, asked.input_tokens, int(time.time())
        )
        manner = openai_wire.Manner(
            asked.vendor, asked.continuous_usage, asked.padded, asked.calls_before
        )
        if asked.stream:
            return await stage.stream(
                request,
                reply,
                openai_wire.frames(
                    reply, envelope, include_usage=asked.include_usage, manner=manner
                ),
                openai_wire.failure(envelope, manner),
                self._pace_s,
                waiting=asked.vendor.waiting.encode(),
            )
        if reply.ending is Ending.ERROR:
            raise RefusedError(openai_errors.overloaded(asked.vendor))
        return await stage.whole(request, reply, openai_wire.whole(reply, envelope, manner))

    async def estimate_tokens(self, request: web.Request) -> web.StreamResponse:
        """POST /v1/tokenizers/estimate-token-count, which is Moonshot's."""
        tokens = await self._count(request)
        data = {"total_tokens": tokens}
        return _json({"code": 0, "data": data, "scode": "0x0", "status": True})

    async def tokenize(self, request: web.Request) -> web.StreamResponse:
        """POST /tokenize, which is vLLM's and not under /v1."""
        tokens = await self._count(request)
        told = {"count": tokens, "max_model_len": VLLM_WINDOW, "tokens": list(range(tokens))}
        return _json(told | {"token_strs": None})

    async def list_models(self, request: web.Request) -> web.StreamResponse:
        """GET /v1/models."""
        self._admit(request)
        return _json({"object": "list", "data": [model.for_openai() for model in models.MODELS]})

    async def _read(self, request: web.Request) -> ChatRequest:
        self._admit(request)
        body, model = read_body(await request.read())
        request[VENDOR] = vendor_of(model)
        return judged(body, model)

    async def _count(self, request: web.Request) -> int:
        """Tokens of the body, where the model's vendor counts at this path; fails where the script
        says ERROR, like completions."""
        self._admit(request)
        body, model = read_body(await request.read())
        request[VENDOR] = vendor = vendor_of(model)
        if vendor.counts_at != request.path:
            raise RefusedError(Refusal(HTTPStatus.NOT_FOUND, "The requested URL was not found."))
        asked = judged(body, model)
        reply = answer(asked.ask)
        await stage.keep_silent(request, reply.silence_first_s)
        if isinstance(reply, Refusal):
            raise RefusedError(reply)
        return count_tokens(body)

    def _admit(self, request: web.Request) -> None:
        given = bearer(request) or request.headers.get("api-key", "")
        if self._api_key is not None and not same_key(given, self._api_key):
            words = "Incorrect API key provided." if given else "You didn't provide an API key."
            raise RefusedError(Refusal(HTTPStatus.UNAUTHORIZED, words))


def refused(request: web.Request, refusal: Refusal) -> web.Response:
    """A refusal in the shape of whoever is played. What the real ones do not say about trying
    again is not said here: a gateway has to know it by itself."""
    retry = {name: value for name, value in refusal.headers.items() if name == "retry-after"}
    return web.Response(
        status=refusal.status,
        body=openai_errors.error_body(refusal, request.get(VENDOR, GENERIC)),
        content_type="application/json",
        headers=retry,
    )


def _json(value: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")
