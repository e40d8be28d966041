"""Turns of a model that searches, for a scripted provider: said once, played on either wire.

    turn(text("Let me look."), search("moon"))       # its `pieces` are chunks of a body
    there.plays = [plays_turn(turn(…)), …]

`Steps` plays a turn one piece at a time, when the test says so.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from proxy.domain.entry import Entry
from tests.kit.grammar import check_stream, events_of
from tests.kit.journey import Gateway, Line, Play, Provider, Reply, event, gateway, provider
from tests.kit.rude_firecrawl import RudeFirecrawl, rude_firecrawl

_json = msgspec.json.encode
Item = tuple[Any, ...]
CHAT, COMPAT = "openai_chat", "anthropic_compat"


def text(words: str) -> Item:
    """Something said."""
    return ("text", words)


def thought(words: str) -> Item:
    """Something thought."""
    return ("thinking", words)


def cited(words: str, *sources: str, late: bool = False) -> Item:
    """Something said by a Claude that cites `search_result` blocks of these sources. `late`: it
    says so behind its words and not in front of them. On Anthropic's wire only."""
    return ("cited", words, sources, late)


def search(query: str, call_id: str = "call_s1") -> Item:
    """A call of the search tool."""
    return ("call", call_id, "web_search", _json({"query": query}).decode())


def call(name: str, arguments: str = "{}", call_id: str = "call_c1") -> Item:
    """A call of one of the client's tools; `arguments` may be broken."""
    return ("call", call_id, name, arguments)


class Turn:
    """One turn of the model on one wire: `pieces` are what a body's chunks may be."""

    def __init__(self, wire: str, *items: Item, stop: str = "", used: tuple[int, int]) -> None:
        called = any(item[0] == "call" for item in items)
        stop = stop or ("tool_use" if called else "end_turn")
        self.pieces = (_chat if wire == CHAT else _messages)(items, stop, used)


def _chunk(delta: object = None, finish: str | None = None, **more: object) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    said = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": choices, **more}
    return b"data: " + _json(said) + b"\n\n"


def _chat(items: tuple[Item, ...], stop: str, used: tuple[int, int]) -> list[bytes]:
    pieces = [_chunk({"role": "assistant", "content": ""})]
    index = 0
    for item in items:
        if item[0] == "text":
            pieces.append(_chunk({"content": item[1]}))
        elif item[0] == "thinking":
            pieces.append(_chunk({"reasoning_content": item[1]}))
        else:
            function = {"name": item[2], "arguments": item[3]}
            part = {"index": index, "id": item[1], "type": "function", "function": function}
            pieces.append(_chunk({"tool_calls": [part]}))
            index += 1
    reason = {"tool_use": "tool_calls", "end_turn": "stop", "max_tokens": "length"}[stop]
    usage = {"prompt_tokens": used[0], "completion_tokens": used[1], "total_tokens": sum(used)}
    return [*pieces, _chunk({}, reason), _chunk(usage=usage), b"data: [DONE]\n\n"]


def _event(kind: str, **fields: object) -> bytes:
    return event(kind, _json({"type": kind, **fields}))


def _messages(items: tuple[Item, ...], stop: str, used: tuple[int, int]) -> list[bytes]:
    message = {
        **{"id": "msg_01A", "type": "message", "role": "assistant", "model": "claude-haiku-4-5"},
        **{"content": [], "stop_reason": None, "stop_sequence": None},
        "usage": {"input_tokens": used[0], "output_tokens": 1},
    }
    pieces = [_event("message_start", message=message)]
    for index, item in enumerate(items):
        block, delta = _block(item)
        pieces.append(_event("content_block_start", index=index, content_block=block))
        pieces += [_event("content_block_delta", index=index, delta=each) for each in delta]
        pieces.append(_event("content_block_stop", index=index))
    return [
        *pieces,
        _event(
            "message_delta",
            delta={"stop_reason": stop, "stop_sequence": None},
            usage={"output_tokens": used[1]},
        ),
        _event("message_stop"),
    ]


def citation(source: str) -> dict[str, object]:
    """Claude's own; of a document where the source is no address."""
    if not source.startswith("https://"):
        return {"type": "char_location", "cited_text": source, "document_index": 0}
    return {
        "type": "search_result_location",
        "source": source,
        "title": "A page",
        "cited_text": f"What {source} says.",
        "search_result_index": 0,
        "start_block_index": 0,
        "end_block_index": 1,
    }


def _block(item: Item) -> tuple[object, list[object]]:
    if item[0] == "text":
        return {"type": "text", "text": ""}, [{"type": "text_delta", "text": item[1]}]
    if item[0] == "cited":
        _, words, sources, late = item
        said = [{"type": "text_delta", "text": words}] if words else []
        citations = [
            {"type": "citations_delta", "citation": citation(source)} for source in sources
        ]
        delta = said + citations if late else citations + said
        return {"type": "text", "text": "", "citations": []}, delta
    if item[0] == "thinking":
        return {"type": "thinking", "thinking": "", "signature": ""}, [
            {"type": "thinking_delta", "thinking": item[1]},
            {"type": "signature_delta", "signature": "sig-of-theirs"},
        ]
    block = {"type": "tool_use", "id": item[1], "name": item[2], "input": {}}
    return block, [{"type": "input_json_delta", "partial_json": item[3]}]


def turn(wire: str, *items: Item, stop: str = "", used: tuple[int, int] = (100, 10)) -> Turn:
    """A turn that says, thinks and calls `items`, and used so many tokens in and out."""
    return Turn(wire, *items, stop=stop, used=used)


def plays_turn(one: Turn) -> Play:
    """All of it, piece by piece."""

    async def play(line: Line) -> None:
        line.head()
        for piece in one.pieces:
            line.chunk(piece)
            await asyncio.sleep(0)
        line.end()

    return play


def breaks_off(one: Turn, after: bytes) -> Play:
    """All up to the piece that holds `after`, and the connection is closed."""
    cut = next(at for at, piece in enumerate(one.pieces) if after in piece) + 1

    async def play(line: Line) -> None:
        line.head()
        for piece in one.pieces[:cut]:
            line.chunk(piece)
            await asyncio.sleep(0)
        line.close()

    return play


class Steps:
    """A turn that goes on when it is told to; `line` once it is asked for."""

    def __init__(self, one: Turn) -> None:
        self._left = list(one.pieces)
        self._may = asyncio.Semaphore(0)
        self.line: Line | None = None

    async def play(self, line: Line) -> None:
        self.line = line
        line.head()
        while self._left:
            await self._may.acquire()
            line.chunk(self._left.pop(0))
        line.end()

    def go(self, pieces: int = 1) -> None:
        """The next pieces may come."""
        for _ in range(pieces):
            self._may.release()

    def go_past(self, mark: bytes) -> None:
        """All up to the piece that holds `mark`, which must not have been said."""
        self.go(next(at for at, piece in enumerate(self._left) if mark in piece) + 1)

    def finish(self) -> None:
        """All that is left."""
        self.go(len(self._left))


# ------------------------------------------------------------ a gateway that searches

KIMI = "moonshot.kimi-k2-thinking"
TOOL: dict[str, Any] = {"type": "web_search_20250305", "name": "web_search"}
CLIENT_TOOL: dict[str, Any] = {"name": "look", "input_schema": {"type": "object"}}
QUICK = "commit_after_s = 0.3\nping_after_s = 0.3\nfinish_grace_s = 0.4\n"


@dataclass
class Stage:
    """A provider, a search service, and the gateway between them and the client."""

    there: Provider
    service: RudeFirecrawl
    here: Gateway
    wire: str

    def plays(self, *turns: Turn) -> None:
        """What the model does, turn by turn."""
        self.there.plays += [plays_turn(one) for one in turns]

    def turn(self, *items: Item, stop: str = "", used: tuple[int, int] = (100, 10)) -> Turn:
        """A turn on the stage's wire."""
        return turn(self.wire, *items, stop=stop, used=used)

    async def fees_and_turns(self, request_id: str, count: int) -> tuple[list[Entry], list[Entry]]:
        """The rows of a request: those of searches, and those of turns, in their order."""
        rows = await self.here.rows(request_id, count)
        assert len(rows) == count
        fees = [row for row in rows if row.provider == "web_search"]
        return fees, [row for row in rows if row.provider != "web_search"]

    def sent(self, number: int) -> dict[str, Any]:
        """The body of the model's n-th request."""
        body: dict[str, Any] = msgspec.json.decode(self.there.asked[number].body)
        return body


@contextlib.asynccontextmanager
async def stage(
    folder: Path,
    wire: str = CHAT,
    *,
    search: str = "",
    upstream: str = QUICK,
    ledger: str = "flush_ms = 20",
    on: bool = True,
    service_url: str = "",
) -> AsyncIterator[Stage]:
    """A gateway that searches with a service of the test's, or whatever is at `service_url`."""
    with rude_firecrawl() as service:
        options = f"{search}\ncache_s = 0\n"
        if on:
            url = service_url or service.url
            options += f'enabled = true\nbase_url = "{url}"\napi_key = "env:PROVIDER_KEY"\n'
        async with (
            provider() as there,
            gateway(
                folder,
                [there],
                upstream=upstream,
                ledger=ledger,
                dialect="moonshot" if wire == CHAT else None,
                wire=wire,
                search=options,
            ) as here,
        ):
            yield Stage(there, service, here, wire)


def message(stream: bytes) -> dict[str, Any]:
    """What a client makes of a stream, which must be legal. `error` holds what ended it early."""
    check_stream(stream)
    made: dict[str, Any] = {}
    for each in events_of(stream):
        kind = each["type"]
        if kind == "message_start":
            made = each["message"]
        elif kind == "content_block_start":
            made["content"].append(dict(each["content_block"]))
        elif kind == "content_block_delta":
            _add(made["content"][-1], each["delta"])
        elif kind == "content_block_stop" and "partial" in made["content"][-1]:
            block = made["content"][-1]
            block["input"] = msgspec.json.decode(block.pop("partial"))
        elif kind == "message_delta":
            made |= each["delta"]
            made["usage"] |= each["usage"]
        elif kind == "error":
            made["error"] = each["error"]
    return made


def _add(block: dict[str, Any], delta: dict[str, Any]) -> None:
    kind = delta["type"]
    if kind == "citations_delta":
        block.setdefault("citations", []).append(delta["citation"])
    elif kind == "input_json_delta":
        block["partial"] = block.get("partial", "") + delta["partial_json"]
    else:
        field = kind.removesuffix("_delta")
        block[field] += delta[field]


def read(reply: Reply) -> dict[str, Any]:
    """The message of a reply, streamed or not."""
    assert reply.status == 200, reply.body
    if reply.headers["content-type"].startswith("text/event-stream"):
        return message(reply.body)
    whole: dict[str, Any] = msgspec.json.decode(reply.body)
    return whole


def kinds(said: dict[str, Any]) -> list[str]:
    """The types of its blocks."""
    return [block["type"] for block in said["content"]]
