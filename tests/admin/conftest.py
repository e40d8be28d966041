"""The office with three tenants in it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.admin.office_floor import Visit
from tests.admin.people_floor import Known, People, furnish


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Known]:
    """Made once; every test works on a copy."""
    file = tmp_path_factory.mktemp("people") / "gateway.db"
    return file, asyncio.run(furnish(file))


@pytest.fixture
async def people(
    furnished: tuple[Path, Known], tmp_path: Path, aiohttp_client: Visit
) -> AsyncIterator[People]:
    """Open, with a client."""
    file, known = furnished
    people = await People.open(file, tmp_path, known)
    people.browse = await aiohttp_client(people.application())
    yield people
    await people.database.close()
