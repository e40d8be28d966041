"""A bounded place in process memory for things made once and read often.

aiocache keeps the values and forgets them after a while; its memory cache has no bound, so the
number of entries is kept here. What must not be served any more is not looked for: keys carry the
version of what they were made from. The time to live is only the second line.
"""

import sys
from collections.abc import Hashable
from typing import Generic, TypeVar

# aiocache loads the client of every store it could use, if that is installed: for redis 8 MB and
# 0.2 s of the start, and our values are kept in memory.
_redis_is_absent = "redis" not in sys.modules
if _redis_is_absent:
    sys.modules["redis"] = None  # type: ignore[assignment]
try:
    from aiocache import SimpleMemoryCache
finally:
    if _redis_is_absent:
        del sys.modules["redis"]

Value = TypeVar("Value")


class Cupboard(Generic[Value]):
    """At most `entries_max` values, the oldest leaves first, none older than `ttl_s` seconds."""

    def __init__(self, *, entries_max: int, ttl_s: float) -> None:
        # Without a timeout: a dict does not hang, and guarding against it doubles the cost.
        self._cache = SimpleMemoryCache(timeout=0, ttl=ttl_s)
        self._entries_max = entries_max
        self._keys: dict[Hashable, None] = {}

    async def get(self, key: Hashable) -> Value | None:
        """The value, or None when there is none (any more)."""
        value: Value | None = await self._cache.get(key)
        return value

    async def put(self, key: Hashable, value: Value) -> None:
        """Keep a value; None cannot be told from absence."""
        self._keys.pop(key, None)
        self._keys[key] = None
        await self._cache.set(key, value)
        while len(self._keys) > self._entries_max:
            # One by one, as the cache's own `clear` would leave the timers behind.
            oldest = next(iter(self._keys))
            del self._keys[oldest]
            await self._cache.delete(oldest)
