"""Clients in a storm: they ask without end, believe nothing and note what each reply came to."""

import asyncio
import json
import random
from collections import Counter
from dataclasses import dataclass, field

import aiohttp

from tests.kit.installation import CLAUDE, KIMI, Installation, now_s
from tests.kit.running import KEY, message

CLIENTS = 24
HANGS_S = 30.0
"""No request takes longer than a few seconds, whatever happens around it."""

_PROMPTS = (
    ("LONG 30", 6),
    ("LONG 120", 4),
    ("PAUSE 0.4 LONG 40", 2),
    ("SLOW 0.5 LONG 10", 2),
    ("ERROR 529", 1),
    ("ERROR 500", 1),
    ("ERRORMID LONG 30", 1),
    ("BREAK LONG 30", 1),
    ("TRUNCATE LONG 30", 1),
)
_BROKEN = (aiohttp.ClientError, ConnectionError)


@dataclass
class Seen:
    """What became of one request."""

    request_id: str
    began_s: float
    ended_s: float = 0.0
    verdict: str = ""
    """`whole`, `failed` (one error, said properly), `cut` (the connection broke), `hung`, or what
    was wrong with the reply."""
    output_tokens: int = 0
    detail: str = ""


@dataclass
class Crowd:
    """Start it, let it ask, stop it."""

    here: Installation
    seed: int
    seen: list[Seen] = field(default_factory=list)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _over: bool = False

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._ask_on(number)) for number in range(CLIENTS)]

    async def stop(self) -> None:
        """Let each finish what it asked for."""
        self._over = True
        await asyncio.gather(*self._tasks)

    def verdicts(self) -> Counter[str]:
        return Counter(each.verdict for each in self.seen)

    async def _ask_on(self, number: int) -> None:
        chance = random.Random(self.seed * 1000 + number)
        port = self.here.gateways[number % len(self.here.gateways)].port
        timeout = aiohttp.ClientTimeout(total=HANGS_S)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            turn = 0
            while not self._over:
                turn += 1
                [prompt] = chance.choices(*zip(*_PROMPTS, strict=True))
                seen = Seen(f"c{self.seed}-{number}-{turn}", now_s())
                body = message(
                    stream=chance.random() < 0.8,
                    model=chance.choice((CLAUDE, KIMI)),
                    text=prompt,
                    max_tokens=1000,
                )
                seen.verdict = await _ask(session, port, body, seen)
                seen.ended_s = now_s()
                self.seen.append(seen)
                if seen.verdict == "cut":
                    await asyncio.sleep(0.1)


async def _ask(session: aiohttp.ClientSession, port: int, body: bytes, seen: Seen) -> str:
    headers = {"X-Api-Key": KEY, "X-Request-Id": seen.request_id}
    url = f"http://127.0.0.1:{port}/v1/anthropic/v1/messages"
    try:
        async with session.post(url, data=body, headers=headers) as reply:
            text = await reply.read()
            is_stream = reply.content_type == "text/event-stream"
            if is_stream:
                return _of_stream(text, seen)
            return _of_whole(reply.status, text, seen)
    except TimeoutError:
        return "hung"
    except _BROKEN as problem:
        seen.detail = repr(problem)
        return "cut"


def _of_whole(status: int, text: bytes, seen: Seen) -> str:
    document = json.loads(text)
    if status == 200 and document["type"] == "message":
        seen.output_tokens = document["usage"]["output_tokens"]
        return "whole"
    if status >= 500 and document["type"] == "error" and document["error"]["message"]:
        return "failed"
    return f"{status} {text[:200]!r}"


def _of_stream(text: bytes, seen: Seen) -> str:
    """Its end decides, and there must be exactly one."""
    blocks = text.decode().split("\n\n")
    events = [
        (name.removeprefix("event: "), json.loads(data.removeprefix("data: ")))
        for name, _, data in (block.partition("\n") for block in blocks[:-1])
    ]
    names = [name for name, _ in events if name != "ping"]
    ends = [name for name in names if name in ("message_stop", "error")]
    if blocks[-1] or len(ends) != 1 or names[-1] != ends[0]:
        return f"ended wrong: {names[-4:]} {blocks[-1][:100]!r}"
    if ends[0] == "error":
        return "failed"
    if names[0] != "message_start" or names.count("message_start") != 1:
        return f"began wrong: {names[:4]}"
    seen.output_tokens = next(
        event["usage"]["output_tokens"] for name, event in events if name == "message_delta"
    )
    return "whole"
