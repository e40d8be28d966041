"""Amazon Bedrock on a free port: it checks every request as `bedrock_checks.py` knows, and lets the
demo upstream's model answer, framed as Amazon frames it.

It also plays those who give out credentials: the endpoint of a container, which issues a new set
whenever it is asked. A test may put replies of its own before all that: `server.replies`. It lives
in a thread of its own, so that tests may block and clients may be processes.
"""

import asyncio
import contextlib
import datetime as dt
import json
import threading
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from aiohttp import ClientSession, web

from proxy.demo.upstream import build_app
from tests.kit.bedrock_checks import Asked, Guard, Refused, invalid, read_runtime
from tests.kit.bedrock_converse import Retold, as_messages, check_converse, whole_of
from tests.kit.event_stream import METRICS, chunk

TIMEOUT_S = 15.0
API_KEY = "bedrock-api-key-of-the-tests"
REGION = "eu-central-1"
STREAM = "application/vnd.amazon.eventstream"

Play = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Bedrock:
    """One server. `asked` holds the requests for models, `refused` those it has turned away."""

    def __init__(self) -> None:
        self.guard = Guard(REGION, api_keys={API_KEY})
        self.asked: list[Asked] = []
        self.refused: list[Refused] = []
        self.replies: deque[Play] = deque()
        self.issued = 0
        self.issues_for_s = 3600.0
        self.issues_nothing = False
        self.issues_after_s = 0.0
        self.counts = True
        self.behind: dict[str, str] = {}
        """Which model an ARN stands for."""
        self.signatures: set[str] = set()
        """Of all thinking it has given out."""
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def demo_url(self) -> str:
        """Of the demo upstream behind it."""
        return self._demo_url

    def environ(self) -> dict[str, str]:
        """What the gateway's environment must hold to get its credentials here."""
        return {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{self.url}/credentials",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        }

    def provider(self, name: str = "aws", **settings: str) -> str:
        """The table of a configuration that leads here."""
        lines = [f'{key} = "{value}"\n' for key, value in settings.items()]
        return (
            f'[[providers]]\nname = "{name}"\nwire = "bedrock"\nregion = "{REGION}"\n'
            f'base_url = "{self.url}"\n{"".join(lines)}'
        )

    # ------------------------------------------------------------ credentials

    async def _credentials(self, request: web.Request) -> web.Response:
        await asyncio.sleep(self.issues_after_s)
        if self.issues_nothing:
            return web.json_response({"code": "AccessDenied", "message": "no"}, status=403)
        self.issued += 1
        access, secret, token = (f"{what}{self.issued}" for what in ("AKIA", "secret", "token/+="))
        self.guard.keys[access] = (secret, token)
        ends = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=self.issues_for_s)
        self.guard.ends[access] = ends
        return web.json_response(
            {
                "AccessKeyId": access,
                "SecretAccessKey": secret,
                "Token": token,
                "Expiration": ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        )

    # ------------------------------------------------------------ models

    async def _model(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        asked = Asked(request.raw_path, headers, await request.read())
        self.asked.append(asked)
        try:
            self.guard.look_at(asked)
            if self.replies:
                return await self.replies.popleft()(request)
            if asked.path.startswith("/model/"):
                return await self._runtime(request, asked)
            return await self._mantle(request, asked)
        except Refused as refused:
            self.refused.append(refused)
            return self.refusal(refused)

    def refusal(self, refused: Refused, **headers: str) -> web.Response:
        """As AWS dresses it."""
        return web.json_response(
            {"message": refused.message},
            status=refused.status,
            headers={
                "x-amzn-errortype": f"{refused.name}:http://internal.amazon.com/coral/",
                "x-amzn-requestid": "00000000-0000-4000-8000-000000000000",
                "date": self.guard.date(),
                **headers,
            },
        )

    async def _runtime(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        document = read_runtime(asked)
        if not document.get("messages"):
            raise invalid("messages: Field required")
        if asked.operation.startswith("converse"):
            return await self._converse(request, asked, document)
        if asked.operation == "count-tokens" and not self.counts:
            raise invalid("The provided model doesn't support counting tokens.")
        if asked.operation == "count-tokens" and "anthropic_version" not in document:
            check_converse({**document, "toolConfig": document.get("toolConfig", {})}, asked.model)
            return await self._count(as_messages(document))
        self._check_signatures(document)
        streams = asked.operation == "invoke-with-response-stream"
        body = {
            **{key: value for key, value in document.items() if not key.startswith("anthropic_")},
            "model": "claude-sonnet-4-5",
            "stream": streams,
        }
        if asked.operation == "count-tokens":
            return await self._count(body)
        if streams:
            return await self._stream(request, body, self._chunk)
        reply = await self._demo("/v1/messages", body)
        self._note(json.loads(reply))
        return web.Response(body=reply, content_type="application/json")

    async def _count(self, body: dict[str, Any]) -> web.Response:
        counted = await self._demo("/v1/messages/count_tokens", body)
        return web.json_response({"inputTokens": json.loads(counted)["input_tokens"]})

    async def _demo(self, path: str, body: dict[str, Any]) -> bytes:
        async with self._session.post(
            f"{self._demo_url}{path}", json=body, headers={"anthropic-version": "2023-06-01"}
        ) as reply:
            said = await reply.read()
            if reply.status != 200:
                raise self._of_the_model(reply.status, said)
            return said

    def _of_the_model(self, status: int, said: bytes) -> Refused:
        names = {
            400: "ValidationException",
            404: "ResourceNotFoundException",
            429: "ThrottlingException",
            500: "InternalServerException",
            529: "ServiceUnavailableException",
        }
        message = json.loads(said)["error"]["message"]
        return Refused({529: 503}.get(status, status), names[status], message)

    async def _converse(
        self, request: web.Request, asked: Asked, document: dict[str, Any]
    ) -> web.StreamResponse:
        check_converse(document, self.behind.get(asked.model, asked.model))
        body = as_messages(document)
        if b"THINK" in asked.body:  # some of its models do, unasked
            body["thinking"] = {"type": "adaptive"}
        if asked.operation == "converse-stream":
            return await self._stream(request, {**body, "stream": True}, Retold(document).frames)
        said = json.loads(await self._demo("/v1/messages", body))
        return web.json_response(whole_of(said, document))

    def _chunk(self, event: dict[str, Any]) -> list[bytes]:
        if event["type"] == "ping":
            return []
        self._note(event)
        if event["type"] == "message_stop":
            event["amazon-bedrock-invocationMetrics"] = METRICS
        return [chunk(event)]

    async def _stream(
        self,
        request: web.Request,
        body: dict[str, Any],
        frames: Callable[[dict[str, Any]], list[bytes]],
    ) -> web.StreamResponse:
        async with self._session.post(
            f"{self._demo_url}/v1/messages",
            json=body,
            headers={"anthropic-version": "2023-06-01"},
        ) as reply:
            if reply.status != 200:
                raise self._of_the_model(reply.status, await reply.read())
            response = web.StreamResponse(headers={"content-type": STREAM})
            await response.prepare(request)
            async for line in reply.content:
                if line.startswith(b"data: "):
                    for frame in frames(json.loads(line.removeprefix(b"data: "))):
                        await response.write(frame)
            return response

    async def _mantle(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        """Anthropic's own wire, but for what mantle has not; chat completions beside it."""
        document = asked.document()
        if asked.path == "/v1/chat/completions":
            path = asked.path
        elif asked.path.startswith("/anthropic/v1/messages"):
            path = asked.path.removeprefix("/anthropic")
            assert "anthropic-version" in asked.headers
            for tool in document.get("tools", []):
                if tool.get("type", "").startswith("web_search"):
                    raise Refused(400, "ValidationException", "tools: web_search is not supported")
            self._check_signatures(document)
        else:
            raise Refused(404, "UnknownOperationException", "")
        sent = {
            name: value
            for name, value in asked.headers.items()
            if name.startswith("anthropic-") or name == "content-type"
        }
        async with self._session.post(
            f"{self._demo_url}{path}", data=asked.body, headers=sent
        ) as reply:
            response = web.StreamResponse(
                status=reply.status, headers={"content-type": reply.headers["content-type"]}
            )
            await response.prepare(request)
            async for data in reply.content.iter_any():
                for line in data.split(b"\n"):
                    if b'"signature_delta"' in line:
                        self._note(json.loads(line.removeprefix(b"data: ")))
                await response.write(data)
            return response

    def _note(self, said: dict[str, Any]) -> None:
        delta = said.get("delta", {})
        if delta.get("type") == "signature_delta":
            self.signatures.add(delta["signature"])
        for block in said.get("content", []):
            if block.get("type") == "thinking":
                self.signatures.add(block["signature"])

    def _check_signatures(self, document: dict[str, Any]) -> None:
        """Thinking that comes back must be what was given out, unchanged."""
        for number, message in enumerate(document["messages"]):
            for block in message["content"] if isinstance(message["content"], list) else []:
                if block["type"] == "thinking" and block["signature"] not in self.signatures:
                    raise Refused(
                        400,
                        "ValidationException",
                        f"messages.{number}.content: Invalid `signature` in `thinking` block",
                    )

    # ------------------------------------------------------------ the house

    @contextlib.asynccontextmanager
    async def _serving(self) -> AsyncIterator[None]:
        demo = web.AppRunner(build_app(0), access_log=None, shutdown_timeout=0.5)
        app = web.Application(client_max_size=64 << 20)
        app.router.add_get("/credentials", self._credentials)
        app.router.add_post("/{path:.*}", self._model)
        ours = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        ports = []
        for runner in (demo, ours):
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            ports.append(runner.addresses[0][1])
        self._demo_url = f"http://127.0.0.1:{ports[0]}"
        self.port = ports[1]
        async with ClientSession() as self._session:
            yield
        for runner in (ours, demo):
            await runner.cleanup()


@contextlib.contextmanager
def bedrock() -> Iterator[Bedrock]:
    """One that serves until the end of the block."""
    server = Bedrock()
    ready, stop = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with server._serving():
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=[serve()], daemon=True)
    thread.start()
    assert ready.wait(TIMEOUT_S)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(TIMEOUT_S)
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


def plays_frames(*frames: bytes, size: int = 0, pause_s: float = 0) -> Play:
    """A stream of these frames, in pieces of `size` if that is given, with a pause after the third
    piece."""

    async def play(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": STREAM})
        await response.prepare(request)
        whole = b"".join(frames)
        pieces = [whole[at : at + size] for at in range(0, len(whole), size)] if size else frames
        for number, piece in enumerate(pieces):
            await asyncio.sleep(pause_s if number == 3 else 0)
            await response.write(piece)
        return response

    return play


def plays_refusal(status: int, name: str, message: str, **headers: str) -> Play:
    """A refusal of AWS's."""

    async def play(request: web.Request) -> web.StreamResponse:
        return Bedrock().refusal(Refused(status, name, message), **headers)

    return play
