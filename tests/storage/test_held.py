"""What workers hold: everyone's own rows, whole or only what changed, gone with their worker."""

from collections.abc import Awaitable, Callable

from proxy.storage.database import Database
from proxy.storage.held import NAMES_PER_STATEMENT, Held

OpenAnother = Callable[[], Awaitable[Database]]


async def held(database: Database) -> list[tuple[str, int, str, int]]:
    return sorted(await Held(database).rows())


async def test_amounts_are_written_changed_and_removed(database: Database) -> None:
    store = Held(database)
    await store.tell("w1", 1, [("a", 10), ("b", 20)], [])
    await store.tell("w2", 5, [("a", 1)], [])
    await store.tell("w1", 2, [("a", 11)], ["b", "never there"])
    assert await held(database) == [("w1", 2, "a", 11), ("w2", 5, "a", 1)]


async def test_a_worker_that_holds_nothing_is_still_there(database: Database) -> None:
    store = Held(database)
    await store.tell("w1", 7, [], [])
    assert await held(database) == [("w1", 7, "", 0)]


async def test_telling_anew_replaces_whatever_was_there(database: Database) -> None:
    store = Held(database)
    await store.tell("w1", 1, [("a", 1), ("b", 2)], [])
    await store.tell("w2", 1, [("a", 4)], [])
    await store.tell_anew("w1", 2, [("b", 3)])
    assert await held(database) == [("w1", 2, "b", 3), ("w2", 1, "a", 4)]
    await store.tell_anew("w1", 3, [])
    assert await held(database) == [("w1", 3, "", 0), ("w2", 1, "a", 4)]


async def test_the_forgotten_are_gone_unless_they_gave_a_sign_since(
    database: Database,
) -> None:
    store = Held(database)
    await store.tell("dead", 1, [("a", 1)], [])
    await store.tell("back", 1, [("a", 2)], [])
    await store.tell("back", 2, [("a", 3)], [])
    await store.forget([("dead", 1), ("back", 1), ("unheard of", 1)])
    assert await held(database) == [("back", 2, "a", 3)]


async def test_any_number_of_names_fits(database: Database) -> None:
    store = Held(database)
    names = [f"name {i}" for i in range(2 * NAMES_PER_STATEMENT + 3)]
    await store.tell("w1", 1, [(name, 1) for name in names], [])
    assert len(await held(database)) == len(names)
    await store.tell("w1", 2, [], names[1:])
    assert await held(database) == [("w1", 2, names[0], 1)]


async def test_other_processes_see_what_was_told(database: Database, another: OpenAnother) -> None:
    await Held(database).tell("w1", 1, [("a", 2**60)], [])
    assert await held(await another()) == [("w1", 1, "a", 2**60)]
