"""The demo upstream's OpenAI paths: chat completions and the list of models."""

import time
from http import HTTPStatus

import msgspec
from aiohttp import web

from proxy.demo import models, openai_wire, stage
from proxy.demo.credential import bearer, same_key
from proxy.demo.envelope import Envelope
from proxy.demo.openai_request import read_request
from proxy.demo.refusal import Refusal, RefusedError
from proxy.demo.script import Ending, answer


class OpenAIDoor:
    """Answers on the OpenAI wire. `api_key` None lets everybody in."""

    def __init__(self, pace_s: float, api_key: str | None) -> None:
        self._pace_s = pace_s
        self._api_key = api_key

    async def chat_completions(self, request: web.Request) -> web.StreamResponse:
        """POST /v1/chat/completions."""
        self._admit(request)
        asked = read_request(await request.read())
        reply = answer(asked.ask)
        if isinstance(reply, Refusal):
            await stage.keep_silent(request, reply.silence_first_s)
            raise RefusedError(reply)
        envelope = Envelope(
            request[stage.SERIAL], asked.model, asked.input_tokens, int(time.time())
        )
        overloaded = Refusal(529)
        if asked.stream:
            return await stage.stream(
                request,
                reply,
                openai_wire.frames(reply, envelope, include_usage=asked.include_usage),
                openai_wire.error_frame(overloaded),
                self._pace_s,
            )
        if reply.ending is Ending.ERROR:
            raise RefusedError(overloaded)
        return await stage.whole(request, reply, openai_wire.whole(reply, envelope))

    async def list_models(self, request: web.Request) -> web.StreamResponse:
        """GET /v1/models."""
        self._admit(request)
        listed = {"object": "list", "data": [model.for_openai() for model in models.MODELS]}
        return web.Response(body=msgspec.json.encode(listed), content_type="application/json")

    def _admit(self, request: web.Request) -> None:
        given = bearer(request)
        if self._api_key is not None and not same_key(given, self._api_key):
            words = "Incorrect API key provided." if given else "You didn't provide an API key."
            raise RefusedError(Refusal(HTTPStatus.UNAUTHORIZED, words))
