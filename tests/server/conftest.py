"""A provider, and a gateway in front of it, for all tests of a file."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.provider import Provider
from tests.kit.provider import provider as opened_provider
from tests.kit.raw_client import RawClient
from tests.kit.running import RunningHouse, house


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with opened_provider() as opened:
        yield opened


@pytest.fixture(scope="module")
def gateway(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHouse]:
    """With the settings as delivered."""
    with house(tmp_path_factory.mktemp("gateway"), provider.url) as running:
        yield running


@pytest.fixture
def client(gateway: RunningHouse) -> Iterator[RawClient]:
    """One connection to it."""
    with gateway.connect() as connection:
        yield connection


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder for a gateway with settings of its own."""
    return tmp_path
