"""What Bedrock looks at in a request, written from botocore's service model and Amazon's documents.

Signatures are made once more by botocore, shapes are held against its service model, bodies of
Claude against the fields that Amazon lists. Whatever is wrong is a `Refused`, in Bedrock's words.
"""

import base64
import datetime as dt
import email.utils
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from unittest import mock
from urllib.parse import unquote

import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.utils import percent_encode
from botocore.validate import ParamValidator


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


BETAS = _words(
    """computer-use-2024-10-22 computer-use-2025-01-24 context-1m-2025-08-07
    context-management-2025-06-27 dev-full-thinking-2025-05-14
    fine-grained-tool-streaming-2025-05-14 interleaved-thinking-2025-05-14
    mcp-client-2025-04-04 mcp-client-2025-11-20 model-context-window-exceeded-2025-08-26
    output-128k-2025-02-19 pdfs-2024-09-25 search-results-2025-06-09 token-counting-2024-11-01
    token-efficient-tools-2025-02-19 tool-search-tool-2025-10-19 web-search-2025-03-05
    effort-2025-11-24 compact-2026-01-12 mid-conversation-tool-changes-2026-07-01"""
)
FIELDS = _words(
    """anthropic_version anthropic_beta max_tokens messages system stop_sequences temperature top_p
    top_k tools tool_choice thinking metadata output_config context_management safeguards"""
)
TOOL_FIELDS = _words(
    """name description input_schema cache_control type strict max_characters display_width_px
    display_height_px display_number"""
)
EDITS = {
    "clear_tool_uses_20250919": "context-management-2025-06-27",
    "compact_20260112": "compact-2026-01-12",
}
SKEW_S_MAX = 300
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, "
    r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})"
)
_UNSIGNED = {"connection", "user-agent", "accept-encoding", "content-length", "transfer-encoding"}
_MODEL = botocore.session.Session().get_service_model("bedrock-runtime")
OPERATIONS = {
    str(operation.http["requestUri"]).rpartition("/")[2]: operation
    for operation in map(_MODEL.operation_model, _MODEL.operation_names)
    if "{modelId}" in operation.http["requestUri"]
}


class Refused(Exception):
    """What Bedrock answers instead."""

    def __init__(self, status: int, name: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.name = name
        self.message = message


def invalid(message: str) -> Refused:
    return Refused(400, "ValidationException", message)


@dataclass
class Asked:
    """One request as it arrived; header names are lower-case."""

    path: str
    headers: dict[str, str]
    body: bytes
    operation: str = ""
    model: str = ""

    def document(self) -> Any:
        return json.loads(self.body)


@dataclass
class Guard:
    """Who may ask. `keys` are secrets and tokens by access key; `api_keys` Bedrock API keys."""

    region: str = "eu-central-1"
    keys: dict[str, tuple[str, str]] = field(default_factory=dict)
    ends: dict[str, dt.datetime] = field(default_factory=dict)
    api_keys: set[str] = field(default_factory=set)
    ahead_s: float = 0.0
    """How far this server's clock is ahead of the machine's."""
    services: Mapping[str, str] = field(
        default_factory=lambda: {"/model/": "bedrock", "/": "bedrock-mantle"}
    )

    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC) + dt.timedelta(seconds=self.ahead_s)

    def date(self) -> str:
        return email.utils.format_datetime(self.now(), usegmt=True)

    def look_at(self, asked: Asked) -> None:
        """Refuse whoever may not."""
        said = asked.headers.get("authorization", "")
        if said.startswith("Bearer "):
            if said.removeprefix("Bearer ") not in self.api_keys:
                raise Refused(403, "AccessDeniedException", "Invalid API Key format or key.")
            return
        parts = _AUTHORIZATION.fullmatch(said)
        if parts is None:
            raise Refused(403, "MissingAuthenticationTokenException", "Missing Token")
        access, day, region, service, names, signature = parts.groups()
        if access not in self.keys:
            raise Refused(
                403,
                "UnrecognizedClientException",
                "The security token included in the request is invalid.",
            )
        secret, token = self.keys[access]
        is_over = access in self.ends and self.ends[access] <= dt.datetime.now(dt.UTC)
        if asked.headers.get("x-amz-security-token", "") != token or is_over:
            raise Refused(
                403,
                "ExpiredTokenException",
                "The security token included in the request is expired",
            )
        wanted = next(s for prefix, s in self.services.items() if asked.path.startswith(prefix))
        if (region, service) != (self.region, wanted):
            raise Refused(
                403,
                "InvalidSignatureException",
                f"Credential should be scoped to a valid region and service, not '{region}'.",
            )
        self._check_signature(asked, Credentials(access, secret, token or None), names, signature)
        if not asked.headers["x-amz-date"].startswith(day):
            raise Refused(403, "InvalidSignatureException", "Date in Credential scope is wrong")

    def _check_signature(self, asked: Asked, keys: Credentials, names: str, signature: str) -> None:
        signed = names.split(";")
        assert signed == sorted(signed)
        assert not _UNSIGNED & set(signed), "a header is signed that a proxy may change"
        for name in asked.headers:
            if name in ("host", "content-type") or name.startswith("x-amz"):
                assert name in signed, f"{name} is not signed"
        stamp = dt.datetime.strptime(asked.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(
            tzinfo=dt.UTC
        )
        if abs((stamp - self.now()).total_seconds()) > SKEW_S_MAX:
            raise Refused(
                403,
                "InvalidSignatureException",
                f"Signature expired: {asked.headers['x-amz-date']} is now earlier than now",
            )
        headers = {
            name: asked.headers[name]
            for name in signed
            if name not in ("x-amz-date", "x-amz-security-token", "host")
        }
        url = f"http://{asked.headers['host']}{asked.path}"
        request = AWSRequest("POST", url, headers, asked.body)
        service = next(s for prefix, s in self.services.items() if asked.path.startswith(prefix))
        with mock.patch("botocore.auth.get_current_datetime", return_value=stamp):
            SigV4Auth(keys, service, self.region).add_auth(request)
        ours = _AUTHORIZATION.fullmatch(request.headers["Authorization"])
        assert ours is not None
        if (ours[5], ours[6]) != (names, signature):
            raise Refused(
                403,
                "InvalidSignatureException",
                "The request signature we calculated does not match the signature you provided.",
            )


def read_runtime(asked: Asked) -> dict[str, Any]:
    """The document of a request to the runtime; what operation and model it names are noted."""
    match = re.fullmatch(r"/model/([^/]+)/([a-z-]+)", asked.path)
    if match is None or match[2] not in OPERATIONS:
        raise Refused(404, "UnknownOperationException", "")
    asked.operation, asked.model = match[2], unquote(match[1])
    if percent_encode(asked.model, safe="-._~") != match[1]:
        raise invalid(f"The provided model identifier is invalid: {match[1]}")
    if asked.headers.get("content-type") != "application/json":
        raise Refused(415, "UnsupportedMediaTypeException", "")
    document: dict[str, Any] = json.loads(asked.body)
    invokes = asked.operation in ("invoke", "invoke-with-response-stream")
    # The body of InvokeModel is one blob; its model's own rules hold inside it.
    check_shape(asked, {"body": asked.body} if invokes else document)
    if invokes:
        check_claude(document)
    if asked.operation == "count-tokens":
        if re.match(r"(us|eu|global|apac)\.", asked.model):
            raise invalid("The provided model identifier is invalid.")
        if "converse" in document["input"]:
            return dict(document["input"]["converse"])
        inner = json.loads(base64.b64decode(document["input"]["invokeModel"]["body"]))
        check_claude(inner)
        return dict(inner)
    return document


def check_shape(asked: Asked, document: dict[str, Any]) -> None:
    """Hold path, headers and body against the operation's shape in the service model: every member
    there is one, of its type, with a value that it may have."""
    shape = OPERATIONS[asked.operation].input_shape
    given = {**document, "modelId": asked.model, **_in_headers(asked, shape)}
    report = ParamValidator().validate(_with_blobs(given), shape)
    if report.has_errors():
        raise invalid(report.generate_report())
    for complaint in _values(given, shape, "$"):
        raise invalid(complaint)


def _in_headers(asked: Asked, shape: Any) -> dict[str, str]:
    """Members that travel as headers; one of Bedrock's that is no member is a mistake."""
    members = {
        member.serialization["name"].lower(): name
        for name, member in shape.members.items()
        if member.serialization.get("location") == "header"
    }
    for name in asked.headers:
        if name.startswith("x-amzn-") and name not in members:
            raise invalid(f"{name} is no header of {asked.operation}")
    return {
        members[name]: value
        for name, value in asked.headers.items()
        if name in members and name.startswith("x-amzn-")
    }


def _values(value: Any, shape: Any, path: str) -> Iterator[str]:
    """What botocore does not look at: enumerations, patterns, lengths."""
    if shape.type_name == "structure" and not getattr(shape, "is_document_type", False):
        for name, inner in value.items():
            yield from _values(inner, shape.members[name], f"{path}.{name}")
        if shape.is_tagged_union and len(value) != 1:
            yield f"{path}: one of {list(shape.members)}, not {list(value)}"
    elif shape.type_name == "list":
        for number, inner in enumerate(value):
            yield from _values(inner, shape.member, f"{path}.{number}")
    elif shape.type_name == "string":
        if shape.enum and value not in shape.enum:
            yield f"{path}: {value} is none of {shape.enum}"
        pattern = shape.metadata.get("pattern")
        if pattern and re.fullmatch(pattern, value) is None:
            yield f"{path}: {value!r} does not match {pattern}"
        if not shape.metadata.get("min", 0) <= len(value) <= shape.metadata.get("max", 1 << 62):
            yield f"{path}: a text of {len(value)} characters"


def _with_blobs(value: Any) -> Any:
    """Blobs are base64 in JSON and bytes in botocore."""
    if isinstance(value, dict):
        return {
            key: base64.b64decode(inner, validate=True)
            if key in ("bytes", "body") and isinstance(inner, str)
            else _with_blobs(inner)
            for key, inner in value.items()
        }
    return [_with_blobs(each) for each in value] if isinstance(value, list) else value


def check_claude(body: dict[str, Any]) -> None:
    """A body of InvokeModel for Claude."""
    for name in body.keys() - FIELDS:
        raise invalid(f"{name}: Extra inputs are not permitted")
    if body.get("anthropic_version") not in ("bedrock-2023-05-31", "2026-10-21"):
        raise invalid("anthropic_version: Field required")
    if not isinstance(body.get("max_tokens"), int):
        raise invalid("max_tokens: Field required")
    betas = body.get("anthropic_beta", [])
    if "anthropic_beta" in body and not betas:
        raise invalid("anthropic_beta: empty")
    if not set(betas) <= BETAS:
        raise invalid("invalid beta flag")
    for edit in body.get("context_management", {}).get("edits", []):
        if EDITS.get(edit["type"]) not in betas:
            raise invalid(f"context_management: {edit['type']} is not allowed")
    _check_turns(body)
    _check_tools(body.get("tools", []), betas)
    for mark in _cache_marks(body):
        if mark.keys() - {"type", "ttl"}:
            raise invalid("cache_control.ephemeral.scope: Extra inputs are not permitted")
    for source in _sources(body["messages"]):
        if source.get("type") not in ("base64", "text", "content"):
            raise invalid("source: Input tag 'url' found using 'type' does not match")


def _check_turns(body: dict[str, Any]) -> None:
    if body["anthropic_version"] != "bedrock-2023-05-31":
        return
    for number, message in enumerate(body["messages"]):
        if message["role"] not in ("user", "assistant"):
            raise invalid(f"messages.{number}.role: Input should be 'user' or 'assistant'")


def _check_tools(tools: list[dict[str, Any]], betas: list[str]) -> None:
    for number, tool in enumerate(tools):
        extra = tool.keys() - TOOL_FIELDS
        if "tool-search-tool-2025-10-19" in betas:
            extra -= {"defer_loading"}
        for name in extra:
            raise invalid(f"tools.{number}.custom.{name}: Extra inputs are not permitted")


def _cache_marks(value: Any) -> Iterator[dict[str, Any]]:
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, dict | list):
            yield from _cache_marks(inner)
    if isinstance(value, dict) and isinstance(value.get("cache_control"), dict):
        yield value["cache_control"]


def _sources(value: Any) -> Iterator[dict[str, Any]]:
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, dict | list):
            yield from _sources(inner)
    if isinstance(value, dict) and value.get("type") in ("image", "document"):
        yield value["source"]
