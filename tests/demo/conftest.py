"""The demo upstream behind an HTTP client, as the tests of its doors need it."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from proxy.demo.upstream import build_app

KEY = "sk-demo-for-tests"


@pytest.fixture
async def demo(aiohttp_client: Callable[..., Awaitable[TestClient[Any, Any]]]) -> Any:
    """An unpaced upstream that wants KEY; credentials are left to the test."""
    return await aiohttp_client(build_app(pace_ms=0, api_key=KEY))
