"""Real clients against a real gateway in front of the demo upstream.

One demo upstream and one gateway serve the whole run, as processes, the way an operator starts
them. Every client is driven by a script in `drivers/` that prints one JSON document with what it
saw; it runs once, side by side with the others, and only if a selected test asks for it. The tests
then judge the documents: `seen["scene"]`.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.clients.driving import Seen, drive, folder_of
from tests.clients.serving import Gateway, serving

HERE = Path(__file__).parent
DRIVES_AT_ONCE = 3  # each spends much of its time waiting


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests here are marked, and one worker runs them: they share one gateway."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.clients)
            item.add_marker(pytest.mark.xdist_group("clients"))


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One gateway in front of one demo upstream for all clients."""
    with serving(tmp_path_factory.mktemp("serving")) as gateway:
        yield gateway


@pytest.fixture(scope="session")
def drives(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Seen]]]:
    """Every client some selected test asks for, already on its way."""
    items = [item for item in request.session.items if "clients" in item.keywords]
    params = [item.callspec.params for item in items if hasattr(item, "callspec")]
    asked = sorted({p["seen"] for p in params if "seen" in p})
    missing = {folder_of(c) for c in asked if not (folder_of(c) / ".stamp").exists()}
    if missing:
        pytest.fail(f"{missing} not installed: run `python tests/clients/install.py` once")
    gateway: Gateway = request.getfixturevalue("gateway")
    pool = ThreadPoolExecutor(DRIVES_AT_ONCE)
    try:
        yield {c: pool.submit(drive, c, gateway, tmp_path_factory.mktemp(c)) for c in asked}
    finally:
        pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="session")
def seen(request: pytest.FixtureRequest, drives: dict[str, Future[Seen]]) -> Seen:
    """What the client named by the parameter saw."""
    return drives[request.param].result()
