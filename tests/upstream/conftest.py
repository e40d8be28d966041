"""Every test of this room runs on both event loops: ours in production and the standard one."""

import asyncio
from collections.abc import Callable

import pytest
import uvloop

from tests.kit.rude_upstream import Certificate, make_certificate


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate no system trusts."""
    return make_certificate(tmp_path_factory.mktemp("tls"))
