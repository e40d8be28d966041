"""One version of the Python `anthropic` SDK: a client of it, what is asked, what is seen.

GATEWAY_URL, GATEWAY_URL_SEARCHLESS, GATEWAY_KEY, GATEWAY_KEY_WRONG and UPSTREAM_URL come from the
environment.
"""

import functools
import json
import os
import time
import urllib.request

import anthropic
import pydantic

URL = os.environ["GATEWAY_URL"]
URL_SEARCHLESS = os.environ["GATEWAY_URL_SEARCHLESS"]
KEY = os.environ["GATEWAY_KEY"]
KEY_WRONG = os.environ["GATEWAY_KEY_WRONG"]
UPSTREAM = os.environ["UPSTREAM_URL"]
HAIKU = "anthropic.claude-haiku-4-5"
OPUS = "anthropic.claude-opus-5-5"
KIMI = "moonshot.kimi-k2-thinking"
GPT = "gpt-5.2"
CLAUDE_ELSEWHERE = "anthropic.claude-sonnet-4-6"
CLAUDE_ON_VERTEX = "anthropic.claude-opus-4-7"
IS_NEW = int(anthropic.__version__.split(".")[0]) >= 2

WEATHER = {
    "name": "get_weather",
    "description": "The weather in a city.",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}
ROME = 'CALL:get_weather:{"city":"Rome"} END'
OSLO = 'CALL:get_weather:{"city":"Oslo"} END'
# Silence in the middle, so that what was said before has surely left when the trouble begins.
PAUSE = "PAUSE 0.2"
# Longer than the gateway waits before it opens a stream, and than it leaves one without a ping.
SILENCE = "SLOW 5 PAUSE 3"


class Answer(pydantic.BaseModel):
    """What structured output is asked for."""

    city: str
    degrees: int


class Wire:
    """Every exchange of one client: what was asked and how it was answered."""

    def __init__(self):
        self.exchanges = []

    def note(self, response):
        """Hook of the HTTP client, called when the headers of a reply have arrived."""
        request = response.request
        try:
            body = json.loads(request.content or b"null")
        except ValueError:
            body = None
        self.exchanges.append(
            {
                "method": request.method,
                "path": request.url.raw_path.decode(),
                "status": response.status_code,
                "version": request.headers.get("anthropic-version"),
                "credentials": [n for n in ("authorization", "x-api-key") if n in request.headers],
                "thread": (body or {}).get("thread", {}).get("type"),
                "messages": len((body or {}).get("messages", [])),
                "retry_allowed": response.headers.get("x-should-retry"),
                "request_id": response.headers.get("request-id"),
                "x_request_id": response.headers.get("x-request-id"),
                "content_type": response.headers.get("content-type"),
                "requested_model": response.headers.get("x-hatz-requested-model"),
                "resolved_via": response.headers.get("x-hatz-resolved-via"),
                "count": response.headers.get("x-hatz-count"),
            }
        )


def client_of(wire=None, **options):
    """A client of this SDK; `wire` notes its exchanges."""
    options.setdefault("base_url", URL)
    if not {"api_key", "auth_token"} & set(options):
        options["api_key"] = KEY
    if wire is not None:
        hooks = {"response": [wire.note]}
        options["http_client"] = anthropic.DefaultHttpxClient(event_hooks=hooks)
    return anthropic.Anthropic(**options)


@functools.cache
def usual_client():
    """One for all scenes that look at no headers: making one costs as much as many requests."""
    return client_of()


def ask(text, model=HAIKU, **more):
    """The arguments of a plain request."""
    return {
        "model": model,
        "max_tokens": 256,
        "messages": [{"role": "user", "content": text}],
        **more,
    }


def said(message):
    """A message as an application sees it."""
    return {
        "id": message.id,
        "type": message.type,
        "role": message.role,
        "model": message.model,
        "stop_reason": message.stop_reason,
        "stop_sequence": message.stop_sequence,
        "text": "".join(b.text for b in message.content if b.type == "text"),
        "thinking": "".join(b.thinking for b in message.content if b.type == "thinking"),
        "signatures": [b.signature for b in message.content if b.type == "thinking"],
        "tools": [
            {"id": b.id, "name": b.name, "input": b.input}
            for b in message.content
            if b.type == "tool_use"
        ],
        "blocks": [b.type for b in message.content],
        "input_tokens": message.usage.input_tokens,
        "output_tokens": message.usage.output_tokens,
        "request_id": getattr(message, "_request_id", None),
    }


def raised(action, wire=None):
    """The exception an action ends in, as an application sees it."""
    began = time.monotonic()
    try:
        action()
    except anthropic.APIError as error:
        body = error.body if isinstance(error.body, dict) else {}
        inner = body.get("error") if isinstance(body.get("error"), dict) else body
        return {
            "class": type(error).__name__,
            "classes": [c.__name__ for c in type(error).__mro__],
            "status": getattr(error, "status_code", None),
            "request_id": getattr(error, "request_id", None),
            "type": inner.get("type"),
            "message": inner.get("message"),
            "body": error.body,
            "seconds": time.monotonic() - began,
            "exchanges": wire.exchanges if wire else None,
        }
    return {"class": None, "seconds": time.monotonic() - began}


def sent(mark):
    """The bodies with this mark that reached the provider, oldest first, with their paths."""
    with urllib.request.urlopen(f"{UPSTREAM}/demo/log", timeout=30) as reply:
        log = json.load(reply)
    return [
        {"path": entry["path"], **entry["body"]}
        for entry in log
        if isinstance(entry["body"], dict) and mark in json.dumps(entry["body"])
    ]


def turn(asked, *, streamed=True):
    """One answer, whole or folded from a stream by the SDK."""
    client = usual_client()
    if not streamed:
        return client.messages.create(**asked)
    with client.messages.stream(**asked) as stream:
        return stream.get_final_message()


def results_of(message):
    """The user's turn after a message with calls: what the tools said."""
    return [
        {
            "type": "tool_result",
            "tool_use_id": block.id,
            "content": f"{block.input['city']}: 21 degrees",
        }
        for block in message.content
        if block.type == "tool_use"
    ]


def tool_round(model, *, streamed=True, **more):
    """Two parallel calls, and the answer after their results."""
    asked = ask(f"{ROME} {OSLO}", model=model, tools=[WEATHER], **more)
    first = turn(asked, streamed=streamed)
    asked["messages"] += [
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": results_of(first)},
    ]
    return {"first": said(first), "second": said(turn(asked, streamed=streamed))}
