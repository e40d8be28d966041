"""The road between workers of several machines: Redis or Valkey, where the counters lie as well.

Each worker listens to one channel. A question names the list its answers belong into; the server
says how many heard it, so whoever asked knows how many answers there are to come. Lists end by
themselves; nothing in Redis is worth keeping.
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable
from typing import Any, Final, Self

import msgspec
from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import RedisError

from proxy.observe.roll_call import ANSWER_BYTES_MAX, Answer, Heard

PATIENCE_S: Final = 0.7
TIMEOUT_S: Final = 0.4
"""For connecting."""
PAUSE_S: Final = 1.0
KEPT_S: Final = 5
HEARD_BYTES_MAX: Final = 4 * ANSWER_BYTES_MAX
CONNECTIONS_MAX: Final = 4
PREFIX: Final = "{hatz-roll-call}"
"""In braces: in a cluster all our keys lie on one node."""
CHANNEL: Final = f"{PREFIX}:questions"

_LOG = logging.getLogger(__name__)


class _Asked(msgspec.Struct, frozen=True, array_like=True):
    """`answers` is the list the answers belong into; `asker` is the end of the road that asks."""

    asker: str
    answers: str
    question: bytes


class _Said(msgspec.Struct, frozen=True, array_like=True):
    """Empty from whoever asked: it knows itself, but is counted among those who heard."""

    worker: str
    body: bytes


class RedisRoad:
    """One worker's end of it. `worker` is what it is called where people read it; `answer` says
    what it has to say to a question, at once."""

    def __init__(self, client: Redis, worker: str, answer: Callable[[bytes], bytes]) -> None:
        self._client: Any = client  # its commands are not typed
        self._worker = worker
        self._answer = answer
        self._me = os.urandom(9).hex()
        self._lost = False

    @classmethod
    def open(cls, url: str, worker: str, answer: Callable[[bytes], bytes]) -> Self:
        """At `redis://` or `rediss://`; connects when first used. Raises ValueError for a URL that
        is none, which counters refuse before."""
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS_MAX,
            timeout=TIMEOUT_S,
            socket_timeout=None,
            socket_connect_timeout=TIMEOUT_S,
            socket_keepalive=True,
            health_check_interval=5,
            protocol=2,
        )
        return cls(Redis.from_pool(pool), worker, answer)

    async def run(self) -> None:
        """Answer what is asked, for ever; while Redis is away, try again each second."""
        while True:
            try:
                async with self._client.pubsub() as heard:
                    await heard.subscribe(CHANNEL)
                    self._lost = False
                    while True:
                        message = await heard.get_message(
                            ignore_subscribe_messages=True, timeout=5.0
                        )
                        if message is not None:
                            await self._heard(message["data"])
            except (RedisError, OSError) as problem:
                # Its words may show the URL, and that a password.
                if not self._lost:
                    _LOG.warning("workers cannot ask each other: %s", type(problem).__name__)
                self._lost = True
            await asyncio.sleep(PAUSE_S)

    async def ask(self, question: bytes, /) -> Heard:
        """All who listen. Nobody answers while Redis is away, which counts as one silence."""
        answers = f"{PREFIX}:{os.urandom(9).hex()}"
        said: list[_Said] = []
        listeners = 1
        try:
            async with asyncio.timeout(PATIENCE_S + TIMEOUT_S):
                asked = msgspec.msgpack.encode(_Asked(self._me, answers, question))
                listeners = await self._client.publish(CHANNEL, asked)
                await self._gather(answers, listeners, said)
        except (RedisError, OSError):
            pass  # TimeoutError is an OSError; what was said until then was said
        others = [Answer(each.worker, each.body) for each in said if each.worker]
        return Heard(others, max(0, listeners - len(said)))

    async def close(self) -> None:
        """Hang up."""
        await self._client.aclose()

    async def _gather(self, answers: str, listeners: int, said: list[_Said]) -> None:
        end_s = time.monotonic() + PATIENCE_S
        room = HEARD_BYTES_MAX
        while len(said) < listeners and room > 0:
            left_s = end_s - time.monotonic()
            # Zero would be for ever.
            found = await self._client.blpop([answers], timeout=max(0.01, left_s))
            if found is None:
                return
            room -= len(found[1])
            said.append(msgspec.msgpack.decode(found[1], type=_Said))

    async def _heard(self, data: bytes) -> None:
        try:
            asked = msgspec.msgpack.decode(data, type=_Asked)
        except msgspec.DecodeError:
            return
        if not asked.answers.startswith(PREFIX):
            return
        said = _Said(self._worker, self._answer(asked.question))
        if asked.asker == self._me:
            said = _Said("", b"")
        async with self._client.pipeline(transaction=False) as orders:
            orders.rpush(asked.answers, msgspec.msgpack.encode(said))
            orders.expire(asked.answers, KEPT_S)
            await orders.execute()
