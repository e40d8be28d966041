"""Counters of workers on several machines: amounts in Redis or Valkey, one round trip an exchange.

A hash per worker holds what it holds and ends by itself; a sorted set knows who was there lately,
by the server's clock. One script writes ours and adds up those of others, so exchanges happen one
after another. What Redis forgets (a restart) is told again; nothing in it is worth keeping.

Only `Fault` leaves this file, and no password with it.
"""

import asyncio
import hashlib
from collections.abc import Mapping
from typing import Any, Final, Self, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisGone
from redis.exceptions import NoScriptError, RedisError

from proxy.config.settings import password_of, without_password
from proxy.domain.fault import Fault, Kind, Source
from proxy.limits.counters import SILENT_S

TIMEOUT_S: Final = 0.4
"""For connecting and for an answer; below the patience of a round, so that it is told apart."""
CONNECTIONS_MAX: Final = 2
PREFIX: Final = "{hatz-limits}"
"""In braces: in a cluster all our keys lie on one node, which the script needs."""

# The field '' of a hash is the number of the exchange that wrote it last: one that was given up
# and arrives late must not overwrite a later one.
_SCRIPT: Final = """
local workers, own, of = KEYS[1], KEYS[2], ARGV[1]
local me, silent, turn, anew = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5] == '1'
local changed = tonumber(ARGV[6])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if turn > tonumber(redis.call('HGET', own, '') or '0') then
    if anew then redis.call('DEL', own) end
    for i = 7, 6 + 2 * changed, 2 do redis.call('HSET', own, ARGV[i], ARGV[i + 1]) end
    for i = 7 + 2 * changed, #ARGV do redis.call('HDEL', own, ARGV[i]) end
    redis.call('HSET', own, '', ARGV[4])
    redis.call('PEXPIRE', own, silent)
    redis.call('ZADD', workers, now, me)
end
redis.call('ZREMRANGEBYSCORE', workers, '-inf', now - silent)
local sums = {}
for _, other in ipairs(redis.call('ZRANGE', workers, 0, -1)) do
    if other ~= me then
        local held = redis.call('HGETALL', of .. other)
        for i = 1, #held, 2 do
            if held[i] ~= '' then
                sums[held[i]] = (sums[held[i]] or 0) + tonumber(held[i + 1])
            end
        end
    end
end
local answer = {tostring(redis.call('HLEN', own) - 1)}
for name, amount in pairs(sums) do
    answer[#answer + 1] = name
    answer[#answer + 1] = string.format('%.0f', amount)
end
return answer
"""
_SHA: Final = hashlib.sha1(_SCRIPT.encode(), usedforsecurity=False).hexdigest()


class RedisCounters:
    """One worker's line to the others. `worker` is a name no other worker, on whatever machine,
    has or will have."""

    alone = False

    def __init__(self, client: Redis, worker: str, shown: str, password: str | None) -> None:
        self._client: Any = client  # its commands are not typed
        self._worker = worker
        self._shown = shown
        self._password = password
        self._keys = (f"{PREFIX}:workers", f"{PREFIX}:held:{worker}")
        self._turn = 0
        self._written: dict[str, int] | None = None  # None: what is written there is not known

    @classmethod
    def open(cls, url: str, worker: str) -> Self:
        """Counters at `redis://` or `rediss://`; connects when first used. Raises Fault."""
        try:
            pool = BlockingConnectionPool.from_url(
                url,
                max_connections=CONNECTIONS_MAX,
                timeout=TIMEOUT_S,
                # Ours stands around the whole exchange: the library's costs a task per command,
                # and before Python 3.12 that loses the cancellation of who waits for it.
                socket_timeout=None,
                socket_connect_timeout=TIMEOUT_S,
                # A connection of before a restart is found dead when it is used.
                retry=Retry(NoBackoff(), 1, supported_errors=(RedisGone,)),
                decode_responses=True,
                protocol=2,
            )
        except ValueError as error:
            # The URL is not repeated: it may hold a password.
            raise Fault(
                Kind.HOUSE,
                "counters.url is not understood; use redis://host:6379/0.",
                source=Source.HOUSE,
                retry=False,
            ) from error
        return cls(Redis.from_pool(pool), worker, without_password(url), password_of(url))

    def __repr__(self) -> str:
        return f"RedisCounters({self._shown!r}, {self._worker!r})"

    async def exchange(self, mine: Mapping[str, int], /) -> Mapping[str, int]:
        """Tell what changed, hear what all others hold. Raises Fault while Redis is away."""
        kept, others = await self._told(mine)
        if kept != len(mine):
            # Redis was restarted, or thought us dead: now all of it.
            self._written = None
            _, others = await self._told(mine)
        return others

    async def close(self) -> None:
        """Take back everything and hang up. Raises Fault while Redis is away."""
        workers, own = self._keys
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await self._client.delete(own)
                await self._client.zrem(workers, self._worker)
        except (RedisError, OSError) as error:
            raise self._lost(error) from None
        finally:
            await self._client.aclose()

    async def _told(self, mine: Mapping[str, int]) -> tuple[int, dict[str, int]]:
        written, self._written = self._written, None
        self._turn += 1
        changed: list[str | int] = []
        gone: list[str] = []
        if written is None:
            for name, held in mine.items():
                changed += (name, held)
        else:
            for name, held in mine.items():
                if written.get(name) != held:
                    changed += (name, held)
            gone = [name for name in written if name not in mine]
        answer = await self._ask(
            f"{PREFIX}:held:",
            self._worker,
            int(SILENT_S * 1000),
            self._turn,
            int(written is None),
            len(changed) // 2,
            *changed,
            *gone,
        )
        self._written = dict(mine)
        names = iter(answer[1:])
        return int(answer[0]), {
            name: int(amount) for name, amount in zip(names, names, strict=True)
        }

    async def _ask(self, *arguments: str | int) -> list[str]:
        keys: tuple[Any, ...] = (len(self._keys), *self._keys, *arguments)
        try:
            async with asyncio.timeout(TIMEOUT_S):
                try:
                    answer = await self._client.execute_command("EVALSHA", _SHA, *keys)
                except NoScriptError:
                    answer = await self._client.execute_command("EVAL", _SCRIPT, *keys)
        except (RedisError, OSError) as error:
            # `from None`: a traceback would show arguments of the library's own frames.
            raise self._lost(error) from None
        return cast("list[str]", answer)

    def _lost(self, error: Exception) -> Fault:
        told = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        if self._password:
            told = told.replace(self._password, "***")
        return Fault(
            Kind.UNAVAILABLE,
            "The gateway's counters do not answer at the moment; try again.",
            detail=f"{self._shown}: {told}",
            source=Source.HOUSE,
            reason="counters_unavailable",
        )
