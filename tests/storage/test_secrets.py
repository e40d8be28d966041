"""A secret is made once, whoever asks first."""

import asyncio
from collections.abc import Awaitable, Callable

from proxy.storage.database import Database
from proxy.storage.secrets import Secrets

OpenAnother = Callable[[], Awaitable[Database]]


async def test_a_secret_is_made_once_and_found_again(database: Database) -> None:
    secrets = Secrets(database)
    assert await secrets.stored_secret("a", lambda: b"\x00first") == b"\x00first"
    assert await secrets.stored_secret("a", lambda: b"second") == b"\x00first"
    assert await secrets.stored_secret("b", lambda: b"second") == b"second"


async def test_all_who_make_one_at_once_get_the_same(
    database: Database, another: OpenAnother
) -> None:
    others = [await another() for _ in range(4)]
    made = await asyncio.gather(
        *[
            Secrets(other).stored_secret("a", lambda number=number: b"secret %d" % number)
            for number, other in enumerate(others)
        ]
    )
    assert len(set(made)) == 1
