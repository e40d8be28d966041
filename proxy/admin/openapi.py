"""The document of the API at `GET /v1/openapi.json`, made from the table of endpoints and the types
they read and write: what is not true of the code cannot be in it.

Only what is not in that table is listed by hand: the paths of the Messages API, whose shapes are
Anthropic's and documented there, and a few older pages.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from aiohttp import web

from proxy.admin.endpoint import BODY_BYTES_MAX, PATH_NAME, AnyEndpoint, Handler, NoBody
from proxy.domain.permissions import MEANINGS

PATH: Final = "/v1/openapi.json"
_SCHEMAS: Final = "#/components/schemas/"
_KEY: Final[dict[str, list[str]]] = {"apiKey": []}
_BEARER: Final[dict[str, list[str]]] = {"bearer": []}


class ErrorBody(msgspec.Struct, frozen=True):
    """What went wrong. `message` names the field first where it is about one."""

    type: str
    message: str
    code: str


class RestError(msgspec.Struct, frozen=True):
    """Every refusal outside `/v1/anthropic`."""

    error: ErrorBody
    request_id: str


class AnthropicErrorBody(msgspec.Struct, frozen=True):
    """What went wrong, as Anthropic says it."""

    type: str
    message: str


class AnthropicError(msgspec.Struct, frozen=True):
    """Every refusal under `/v1/anthropic`."""

    type: str
    error: AnthropicErrorBody
    request_id: str


_REFUSALS: Final[Mapping[int, str]] = {
    400: "Something in the query or the body is not as it must be",
    401: "No live API key was sent where it is read",
    403: "The caller's role may not do this, or their account is not active",
    404: "There is no such thing that the caller may see",
    409: "It is in use, or was there already",
    413: f"The body has more than {BODY_BYTES_MAX} bytes",
    429: "A limit is reached",
    500: "The gateway failed",
    503: "Storage cannot be reached at the moment",
}


class ApiDocument:
    """The document as bytes, and its handler. Everybody may read it: it holds nothing of anyone."""

    def __init__(self, endpoints: Iterable[AnyEndpoint], version: str) -> None:
        self._body = msgspec.json.encode(document(list(endpoints), version))

    async def read(self, request: web.Request) -> web.StreamResponse:
        """`GET`: the document."""
        return web.Response(
            body=self._body,
            content_type="application/json",
            headers={"Cache-Control": "no-cache"},
        )

    def routes(self) -> list[tuple[str, str, Handler]]:
        """Where it is served."""
        return [(method, PATH, self.read) for method in ("GET", "HEAD")]


def document(endpoints: list[AnyEndpoint], version: str) -> dict[str, Any]:
    """OpenAPI 3.1 of all endpoints and of the paths beside them."""
    types: list[Any] = [RestError, AnthropicError]
    for endpoint in endpoints:
        types.append(endpoint.reply)
        if endpoint.body is not NoBody:
            types.append(endpoint.body)
    schemas, components = msgspec.json.schema_components(types, ref_template=_SCHEMAS + "{name}")
    schema_of = dict(zip(map(str, types), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        path = PATH_NAME.sub(r"{\1}", endpoint.path)
        operations = paths.setdefault(path, {})
        operations[endpoint.method.lower()] = _operation(endpoint, schema_of)
    for path, by_hand in _BESIDE.items():
        paths.setdefault(path, {}).update(by_hand)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Messages gateway",
            "version": version,
            "description": "Anthropic's Messages API under `/v1/anthropic`, and the gateway's own"
            " API for people, limits, credits and usage. Times are ISO 8601 in UTC; credits are"
            " plain numbers. Every reply has `X-Request-ID`.",
        },
        "servers": [{"url": "/"}],
        "security": [_KEY],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(components.items())),
            "responses": {
                f"{name}{status}": _refusal(meaning, error)
                for name, error in (("Rest", "RestError"), ("Anthropic", "AnthropicError"))
                for status, meaning in _REFUSALS.items()
            },
            "securitySchemes": {
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The API key as Bearer, on these paths only.",
                },
            },
        },
    }


def _operation(endpoint: AnyEndpoint, schema_of: Mapping[str, Any]) -> dict[str, Any]:
    refusals = {400, 401, 403, 500, 503, *endpoint.refusals}
    if endpoint.path_names:
        refusals.add(404)
    if endpoint.body is not NoBody:
        refusals.add(413)
    schema = schema_of[str(endpoint.reply)]
    content = {"application/json": {"schema": schema}}
    for content_type in endpoint.also:
        content[content_type] = {"schema": {"type": "string"}}
    operation: dict[str, Any] = {
        "operationId": _operation_id(endpoint.method, endpoint.path),
        "summary": endpoint.summary,
        "tags": [endpoint.tag],
        "parameters": [*_path_parameters(endpoint), *_query_parameters(endpoint.query)],
        "responses": {
            str(endpoint.status): {"description": "Done", "content": content},
            **_refusals(refusals, "Rest"),
        },
    }
    if endpoint.needs:
        meant = " or ".join(f'"{MEANINGS[name]}" (`{name}`)' for name in endpoint.needs)
        operation["description"] = f"Needs the permission {meant}."
        operation["x-permissions"] = list(endpoint.needs)
    if endpoint.bearer:
        operation["security"] = [_KEY, _BEARER]
    if endpoint.body is not NoBody:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema_of[str(endpoint.body)]}},
        }
    return operation


def _operation_id(method: str, path: str) -> str:
    words = re.findall(r"[A-Za-z0-9]+", path.removeprefix("/v1"))
    return "_".join([method.lower(), *words])


def _path_parameters(endpoint: AnyEndpoint) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in endpoint.path_names
    ]


def _query_parameters(kind: type[msgspec.Struct]) -> list[dict[str, Any]]:
    _, components = msgspec.json.schema_components([kind])
    own = components[kind.__name__]
    parameters = []
    for name, schema in own["properties"].items():
        schema = _without_null(schema)
        parameter = {"name": name, "in": "query", "required": name in own["required"]}
        if "description" in schema:
            parameter["description"] = schema.pop("description")
        parameters.append({**parameter, "schema": schema})
    return parameters


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A query has no null: what may be null may be left out."""
    kept = {name: value for name, value in schema.items() if name not in ("anyOf", "default")}
    if schema.get("default") is not None:
        kept["default"] = schema["default"]
    others = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    if len(others) == 1:
        return {**others[0], **kept}
    if others:
        kept["anyOf"] = others
    if isinstance(kept.get("enum"), list):
        kept["enum"] = [each for each in kept["enum"] if each is not None]
    return kept


def _refusals(statuses: Iterable[int], shape: str) -> dict[str, Any]:
    return {
        str(status): {"$ref": f"#/components/responses/{shape}{status}"}
        for status in sorted(statuses)
    }


def _refusal(meaning: str, error: str) -> dict[str, Any]:
    schema = {"$ref": _SCHEMAS + error}
    return {"description": meaning, "content": {"application/json": {"schema": schema}}}


# ---------------------------------------------------------------- beside the table


def _by_hand(
    operation_id: str,
    summary: str,
    *,
    shape: str = "Anthropic",
    bearer: bool = True,
    parameters: Iterable[tuple[str, str]] = (),
    body: bool = False,
    stream: bool = False,
) -> dict[str, Any]:
    json_object = {"application/json": {"schema": {"type": "object"}}}
    content: dict[str, Any] = dict(json_object)
    if stream:
        content["text/event-stream"] = {"schema": {"type": "string"}}
    operation: dict[str, Any] = {
        "operationId": operation_id,
        "summary": summary,
        "tags": ["messages" if shape == "Anthropic" else "account"],
        "parameters": [
            {
                "name": name,
                "in": where,
                "required": where == "path",
                "schema": {"type": "string"},
            }
            for name, where in parameters
        ],
        "responses": {
            "200": {"description": "Done", "content": content},
            **_refusals((400, 401, 403, 404, 429, 500, 503), shape),
        },
        "security": [_KEY, _BEARER] if bearer else [_KEY],
    }
    if body:
        operation["requestBody"] = {"required": True, "content": json_object}
    return operation


_PAGE = (("limit", "query"), ("before_id", "query"), ("after_id", "query"))
_MAPPING_PATH: Final = "/v1/preferences/gateway-mapping"
_BESIDE: Final[Mapping[str, dict[str, Any]]] = {
    "/v1/anthropic/v1/messages": {
        "post": _by_hand("create_message", "Anthropic: create a message", body=True, stream=True)
    },
    "/v1/anthropic/v1/messages/count_tokens": {
        "post": _by_hand("count_tokens", "Anthropic: count the tokens of a message", body=True)
    },
    "/v1/anthropic/v1/models": {
        "get": _by_hand("list_models", "Anthropic: list models", parameters=_PAGE)
    },
    "/v1/anthropic/v1/models/{model}": {
        "get": _by_hand("get_model", "Anthropic: one model", parameters=[("model", "path")])
    },
    "/v1/chat/models": {
        "get": _by_hand(
            "list_chat_models",
            "The models the caller may use",
            shape="Rest",
            parameters=[("available", "query")],
        )
    },
    _MAPPING_PATH: {
        "get": _by_hand(
            "get_gateway_mapping", "The caller's own aliases", shape="Rest", bearer=False
        ),
        "put": _by_hand(
            "put_gateway_mapping",
            "Change the caller's own aliases",
            shape="Rest",
            bearer=False,
            body=True,
        ),
    },
    "/v1/requests/{request_id}": {
        "get": _by_hand(
            "get_request",
            "The support record of one request",
            shape="Rest",
            bearer=False,
            parameters=[("request_id", "path")],
        )
    },
}
