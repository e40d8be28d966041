"""Journeys run on the event loop the gateway runs on."""

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """uvloop, as in production."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
def quick_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway's timer turns fifty times a second, so that timeouts may be short."""
    monkeypatch.setattr("proxy.gateway.wheel.TICK_S", 0.02)
