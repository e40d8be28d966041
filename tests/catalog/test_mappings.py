import asyncio

from proxy.catalog.mappings import AliasMaps, MappingStore
from proxy.domain.alias_mapping import AliasMapping
from tests.catalog.shop import HAIKU_TO_KIMI, Mappings

_: MappingStore = Mappings()


async def test_a_mapping_is_read_once_and_kept() -> None:
    store = Mappings()
    store.kept["user_a"] = HAIKU_TO_KIMI
    maps = AliasMaps(store)
    assert await maps.get("user_a") == HAIKU_TO_KIMI
    assert await maps.get("user_a") == HAIKU_TO_KIMI
    assert store.readings == 1


async def test_each_user_has_their_own() -> None:
    store = Mappings()
    store.kept["user_a"] = HAIKU_TO_KIMI
    maps = AliasMaps(store)
    await maps.get("user_a")
    assert await maps.get("user_b") == AliasMapping()


async def test_after_a_change_the_store_is_asked_again() -> None:
    store = Mappings()
    maps = AliasMaps(store)
    assert not (await maps.get("user_a")).enabled
    await store.put("user_a", HAIKU_TO_KIMI)
    assert not (await maps.get("user_a")).enabled
    maps.invalidate()
    assert await maps.get("user_a") == HAIKU_TO_KIMI


async def test_an_answer_overtaken_by_a_change_is_not_kept() -> None:
    class Slow(Mappings):
        def __init__(self) -> None:
            super().__init__()
            self.read = asyncio.Event()
            self.answer = asyncio.Event()

        async def get(self, user_id: str, /) -> AliasMapping:
            mapping = await super().get(user_id)
            self.read.set()
            await self.answer.wait()
            return mapping

    store = Slow()
    maps = AliasMaps(store)
    asking = asyncio.create_task(maps.get("user_a"))
    await store.read.wait()
    store.kept["user_a"] = HAIKU_TO_KIMI
    maps.invalidate()
    store.answer.set()
    assert await asking == AliasMapping()
    assert await maps.get("user_a") == HAIKU_TO_KIMI


async def test_the_number_of_users_in_memory_has_a_bound() -> None:
    store = Mappings()
    maps = AliasMaps(store, users_cached_max=2)
    for user in ("a", "b", "c", "a"):
        await maps.get(user)
    assert store.readings == 4
