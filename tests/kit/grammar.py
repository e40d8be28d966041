"""Judges a stream of events by the grammar of translation.md 3.1, as a strict client would.

`events_of` knows framing only; `check_stream` is the whole grammar; `check_ends` is what must hold
for any stream, however wild its middle is: it has one end, and nothing stands behind it.
"""

from collections.abc import Iterator
from typing import Any

import orjson

DELTAS = {
    "text": {"text_delta", "citations_delta"},
    "thinking": {"thinking_delta", "signature_delta"},
    "tool_use": {"input_json_delta"},
    "server_tool_use": {"input_json_delta"},
    "web_search_tool_result": set(),
}
Event = dict[str, Any]


class NotGrammatical(AssertionError):
    """The stream is no sentence of the grammar; says where."""


def require(held: object, what: str) -> None:
    """Complain unless it holds."""
    if not held:
        raise NotGrammatical(what)


def frames_of(stream: bytes) -> list[tuple[str, bytes]]:
    """Every event as its name and its data; comments are left out. Nothing may be cut off."""
    lines = stream.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    require(lines.pop() == b"", "the last line has no end")
    frames: list[tuple[str, bytes]] = []
    name, data = "", []
    for line in lines:
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if line == b"":
            if name or data:
                frames.append((name, b"\n".join(data)))
            name, data = "", []
        elif field == b"event":
            name = value.decode(errors="backslashreplace")
        elif field == b"data":
            data.append(value)
    require(not name and not data, "the last event has no blank line behind it")
    return frames


def events_of(stream: bytes) -> list[Event]:
    """Every event as data; each must be named, and named as its data says."""
    return list(_events_of(stream))


def _events_of(stream: bytes) -> Iterator[Event]:
    for at, (name, data) in enumerate(frames_of(stream)):
        require(name, f"event {at} has no `event:` line; SDKs drop it")
        try:
            event = orjson.loads(data)
        except orjson.JSONDecodeError as problem:
            raise NotGrammatical(f"event {at} ({name}): {problem}") from None
        require(isinstance(event, dict), f"event {at} ({name}) is no object")
        require(event.get("type") == name, f"event {at}: {name} says it is {event.get('type')}")
        yield event


def check_ends(stream: bytes) -> str:
    """The stream has exactly one end, and it stands last. Gives the end's name."""
    names = [name for name, _ in frames_of(stream)]
    require(names, "there is no event at all")
    ends = [at for at, name in enumerate(names) if name in ("message_stop", "error")]
    require(ends == [len(names) - 1], f"ends stand at {ends} of {len(names)} events")
    starts = [at for at, name in enumerate(names) if name == "message_start"]
    require(len(starts) <= 1, f"message_start stands at {starts}")
    return names[-1]


def check_stream(stream: bytes) -> str:
    """The whole grammar. Gives the name of the end: `message_stop` or `error`."""
    return check_sentence(events_of(stream))


def check_sentence(events: list[Event]) -> str:
    """`check_stream` for events that are already read."""
    judge = _Judge()
    for at, event in enumerate(events):
        try:
            judge.hear(event)
        except NotGrammatical as problem:
            raise NotGrammatical(f"event {at} ({event['type']}): {problem}") from None
    require(judge.end, "the stream has no end")
    return judge.end


class _Judge:
    def __init__(self) -> None:
        self.begun = False
        self.end = ""
        self._next = 0
        self._block = ""
        self._signed = False
        self._delta_seen = False

    def hear(self, event: Event) -> None:
        require(not self.end, f"stands behind {self.end}")
        kind = event["type"]
        if kind == "ping":
            return
        if kind == "error":
            require(event.get("error", {}).get("type"), "has no error.type")
            require("message" in event["error"], "has no error.message")
            self.end = kind
            return
        if kind == "message_start":
            self._start(event)
            return
        require(self.begun, "stands before message_start")
        say = getattr(self, f"_{kind}", None)
        require(say, "is unknown")
        say(event)

    def _start(self, event: Event) -> None:
        require(not self.begun, "is a second one")
        self.begun = True
        message = event["message"]
        require(message["content"] == [], "content must be empty")
        require(message["stop_reason"] is None, "stop_reason must be null")
        require("input_tokens" in message["usage"], "usage has no input_tokens")

    def _content_block_start(self, event: Event) -> None:
        require(not self._block, f"a {self._block} block is still open")
        require(not self._delta_seen, "stands behind message_delta")
        require(event["index"] == self._next, f"index {event['index']}, not {self._next}")
        self._block = event["content_block"]["type"]
        self._signed = False
        require(self._block in DELTAS, f"unknown block {self._block}")

    def _content_block_delta(self, event: Event) -> None:
        require(self._block, "no block is open")
        require(event["index"] == self._next, f"index {event['index']}, not {self._next}")
        kind = event["delta"]["type"]
        require(kind in DELTAS[self._block], f"{kind} in a {self._block} block")
        require(not self._signed, "stands behind the signature")
        self._signed = kind == "signature_delta"

    def _content_block_stop(self, event: Event) -> None:
        require(self._block, "no block is open")
        require(event["index"] == self._next, f"index {event['index']}, not {self._next}")
        self._block = ""
        self._next += 1

    def _message_delta(self, event: Event) -> None:
        require(not self._block, f"a {self._block} block is still open")
        require({"stop_reason", "stop_sequence"} <= event["delta"].keys(), "delta lacks a field")
        require("output_tokens" in event["usage"], "usage has no output_tokens")
        self._delta_seen = True

    def _message_stop(self, event: Event) -> None:
        require(self._delta_seen, "no message_delta came before")
        self.end = "message_stop"
