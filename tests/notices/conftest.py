"""A database with one tenant in it, and a mail server that is up."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from proxy.storage.migrations import migrate
from proxy.storage.sqlite import SqliteDatabase
from tests.kit.mail_server import Mailbox, mailbox
from tests.notices.workspace import Workspace


@pytest.fixture
async def acme(tmp_path: Path) -> AsyncIterator[Workspace]:
    """The tenant Acme: a package of 1,000 credits, an administrator, a user."""
    database = await SqliteDatabase.open(tmp_path / "gateway.db")
    await migrate(database)
    yield await Workspace.furnished(database)
    await database.close()


@pytest.fixture
def box() -> Iterator[Mailbox]:
    """It takes everything."""
    with mailbox() as server:
        yield server
