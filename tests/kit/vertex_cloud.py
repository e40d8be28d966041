"""Claude on Google Cloud, scripted: every request is looked at as Google and the model do.

A `Provider` of `journey.py` that plays only for requests that are right; others are refused in the
wording of the real service, and kept in `complaints`, so that a test can say that there were none.
Written from the public API's documents, and knows nothing of the gateway's own tables.
"""

import asyncio
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import msgspec

from tests.kit.google_issuer import GoogleIssuer
from tests.kit.journey import Asked, Line, Play, Provider, error_body, plays_text

PROJECT = "my-project"
REGION = "europe-west1"
_PATH = re.compile(
    r"/v1/projects/(?P<project>[^/]+)/locations/(?P<region>[^/]+)/publishers/anthropic/models/"
    r"(?P<model>[A-Za-z0-9._@-]+):(?P<verb>rawPredict|streamRawPredict)"
)
_BETAS = re.compile(
    r"tool-search-tool-2025-10-19|compact-2026-01-12|computer-use-[\d-]+|context-1m-2025-08-07"
    r"|context-management-2025-06-27|interleaved-thinking-2025-05-14|web-search-2025-03-05"
    r"|dangerous-tool-use-[\d-]+|thinking-[a-z-]+-[\d-]+|per-turn-control-[\d-]+"
    r"|mid-conversation-tool-changes-[\d-]+"
)
_FIELDS = frozenset(
    (
        "anthropic_version",
        "messages",
        "system",
        "max_tokens",
        "stop_sequences",
        "stream",
        "temperature",
        "top_p",
        "top_k",
        "tools",
        "tool_choice",
        "thinking",
        "metadata",
        "output_config",
        "context_management",
        "safeguards",
    )
)
_COUNT_FIELDS = frozenset(
    (
        "anthropic_version",
        "model",
        "messages",
        "system",
        "tools",
        "tool_choice",
        "thinking",
        "output_config",
    )
)
_TOOL_FIELDS = frozenset(("type", "name", "description", "input_schema", "cache_control", "strict"))
_HEADERS = frozenset(
    (
        b"host",
        b"content-type",
        b"accept",
        b"accept-encoding",
        b"user-agent",
        b"anthropic-beta",
        b"x-request-id",
        b"content-length",
        b"authorization",
        b"x-goog-user-project",
    )
)


def google_error(
    code: int, status: str, message: str, *, reason: str = "", retry_delay: str = ""
) -> bytes:
    """Google's envelope."""
    details = []
    if reason:
        details.append({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason})
    if retry_delay:
        details.append(
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": retry_delay}
        )
    error = {"code": code, "message": message, "status": status, "details": details}
    return msgspec.json.encode({"error": error})


UNAUTHENTICATED = google_error(
    401,
    "UNAUTHENTICATED",
    "Request had invalid authentication credentials. Expected OAuth 2 access token, login "
    "cookie or other valid authentication credential.",
    reason="ACCESS_TOKEN_TYPE_UNSUPPORTED",
)


class VertexCloud(Provider):
    """One project in one region."""

    def __init__(
        self, issuer: GoogleIssuer, *, region: str = REGION, betas: re.Pattern[str] = _BETAS
    ) -> None:
        super().__init__()
        self.issuer = issuer
        self.region = region
        self.complaints: list[str] = []
        self._betas = betas

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def begin(self, line: Line) -> None:
        refusal = self._refusal(line.asked)
        if refusal is None:
            super().begin(line)
        else:
            self.asked.append(line.asked)
            line.whole(*refusal)

    def _refusal(self, asked: Asked) -> tuple[int, bytes] | None:
        target = asked.target.decode()
        place = _PATH.fullmatch(target)
        if place is None or place["project"] != PROJECT or place["region"] != self.region:
            self.complaints.append(f"path {target}")
            return 404, google_error(404, "NOT_FOUND", f"{target} was not found")
        scheme, _, token = asked.headers.get(b"authorization", b"").decode().partition(" ")
        if scheme != "Bearer" or token not in self.issuer.valid:
            return 401, UNAUTHENTICATED
        complaint = self._complaint(asked, place)
        if complaint:
            self.complaints.append(complaint)
            return 400, error_body("invalid_request_error", complaint)
        return None

    def _complaint(self, asked: Asked, place: re.Match[str]) -> str:
        is_count = place["model"] == "count-tokens"
        for name in asked.headers:
            if name not in _HEADERS:
                return f"header {name.decode()}"
        betas = asked.headers.get(b"anthropic-beta", b"").decode()
        for beta in betas.split(",") if betas else ():
            if not self._betas.fullmatch(beta) or (is_count and beta.startswith("web-search")):
                return (
                    f"Unexpected value(s) `{beta}` for the `anthropic-beta` header. Please consult "
                    "our documentation at docs.anthropic.com or try again without the header."
                )
        body: dict[str, Any] = msgspec.json.decode(asked.body)
        for name in body:
            if name not in (_COUNT_FIELDS if is_count else _FIELDS):
                return f"{name}: Extra inputs are not permitted"
        if body.get("anthropic_version") not in ("vertex-2023-10-16", "2026-10-21"):
            return "anthropic_version: Field required"
        if is_count:
            return "" if isinstance(body.get("model"), str) else "model: Field required"
        if body.get("stream", False) != (place["verb"] == "streamRawPredict"):
            return f"stream is {body.get('stream')} at {place['verb']}"
        if "max_tokens" not in body:
            return "max_tokens: Field required"
        if not body.get("messages"):
            return "messages: at least one message is required"
        return _below(body, betas)


def _below(body: dict[str, Any], betas: str) -> str:
    for number, tool in enumerate(body.get("tools", ())):
        kind = tool.get("type", "custom")
        if kind.startswith("web_search_"):
            if kind != "web_search_20250305" or "web-search-2025-03-05" not in betas:
                return f"tools.{number}: Input tag '{kind}' found using 'type' does not match"
            continue
        later = {"defer_loading"} if "tool-search-tool" in betas else set()
        for name in set(tool) - _TOOL_FIELDS - later if kind == "custom" else ():
            return f"tools.{number}.custom.{name}: Extra inputs are not permitted"
    system = body.get("system", "")
    blocks = [*(system if isinstance(system, list) else ()), *body.get("tools", ())]
    for message in body["messages"]:
        if isinstance(message["content"], list):
            blocks += message["content"]
    for block in blocks:
        if "scope" in (block.get("cache_control") or {}):
            return "cache_control.ephemeral.scope: Extra inputs are not permitted"
        if (block.get("source") or {}).get("type") in ("url", "file"):
            return "URL sources are not supported"
    return ""


def as_anthropic(asked: Asked) -> tuple[str, bytes, dict[str, Any]]:
    """What the request would be at Anthropic: path, version, body."""
    place = _PATH.fullmatch(asked.target.decode())
    assert place is not None
    body = msgspec.json.decode(asked.body)
    version = body.pop("anthropic_version")
    if place["model"] == "count-tokens":
        return "/v1/messages/count_tokens", _version(version), body
    body["model"] = place["model"].partition("@")[0]
    return "/v1/messages", _version(version), body


def _version(version: str) -> bytes:
    return b"2023-06-01" if version.startswith("vertex-") else version.encode()


def plays_model_of(url: str, key: str) -> Play:
    """Answers with what a server on Anthropic's wire answers, to the byte."""
    there = urlsplit(url)

    async def play(line: Line) -> None:
        path, version, body = as_anthropic(line.asked)
        raw = msgspec.json.encode(body)
        reader, writer = await asyncio.open_connection(there.hostname, there.port)
        try:
            writer.write(
                b"POST %b HTTP/1.1\r\nhost: there\r\nconnection: close\r\nx-api-key: %b\r\n"
                b"anthropic-version: %b\r\ncontent-type: application/json\r\n"
                b"content-length: %d\r\n\r\n%b"
                % (path.encode(), key.encode(), version, len(raw), raw)
            )
            while data := await reader.read(65536):
                line.send(data)
                await line.drained()
        finally:
            writer.close()
        line.close()

    return play


async def plays_vertex(line: Line) -> None:
    """What the service does when all is well."""
    if b"/models/count-tokens:" in line.asked.target:
        line.whole(200, b'{"input_tokens":42}')
    else:
        await plays_text(line)


@contextmanager
def cloud_in_a_thread(issuer: GoogleIssuer, usual: Play) -> Iterator[VertexCloud]:
    """For tests whose gateway is a process: the cloud on an event loop of its own."""
    cloud = VertexCloud(issuer)
    cloud.usual = usual
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="google cloud", daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(cloud.open(), loop).result(10)
    try:
        yield cloud
    finally:
        asyncio.run_coroutine_threadsafe(cloud.close(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
