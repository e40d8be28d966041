"""A version moves with the change itself, or not at all."""

from collections.abc import Awaitable, Callable

import pytest

from proxy.domain.fault import Fault
from proxy.storage.changes import TOPICS, Changes, bump
from proxy.storage.database import Database

OpenAnother = Callable[[], Awaitable[Database]]


async def test_every_topic_has_a_version_from_the_start(database: Database) -> None:
    assert await Changes(database).versions() == dict.fromkeys(TOPICS, 0)


async def test_a_version_does_not_move_when_the_change_fails(database: Database) -> None:
    bad = ("INSERT INTO tenants (id, name, created_at) VALUES ('t', NULL, 0)", ())
    with pytest.raises(Fault):
        await database.run([bump("people"), bad])
    assert (await Changes(database).versions())["people"] == 0


async def test_another_connection_sees_the_new_version(
    database: Database, another: OpenAnother
) -> None:
    other = await another()
    await database.run([bump("keys")])
    assert (await Changes(other).versions())["keys"] == 1
