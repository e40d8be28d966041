"""A provider that notes what reaches it, and a gateway in front of it as delivered."""

from collections.abc import Iterator

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
    with house(tmp_path_factory.mktemp("gateway"), provider.url) as running:
        yield running


@pytest.fixture
def client(gateway: RunningHouse) -> Iterator[RawClient]:
    with gateway.connect() as connection:
        yield connection
