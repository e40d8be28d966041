"""A browser, a gateway with people in it, and visits that must not complain."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.console.floor import PASSWORD, Floor, beside, opened_floor
from tests.kit.browser import Visit, opened_browser, visit

Visits = Callable[..., Visit]
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One worker runs them all: they share one browser."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.xdist_group("console"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """For one file: while it is open no other event loop runs on this thread, and other tests of
    this process want theirs."""
    with opened_browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def floor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floor]:
    """As the tests before it in the same file left it."""
    # A deployment that is out stays so until somebody has looked.
    settings = {"upstream__eject_s": 60}
    with beside(opened_floor(tmp_path_factory.mktemp("console"), **settings)) as opened:
        yield opened


@pytest.fixture
def visits(browser: Browser, floor: Floor) -> Iterator[Visits]:
    """`visits(email)` is a browser in which they are signed in; nobody for an empty one."""
    made: list[Visit] = []

    def come(email: str = "", **wishes: Any) -> Visit:
        opened = visit(browser, floor.base, **wishes)
        made.append(opened)
        if email:
            opened.sign_in(email, PASSWORD)
        return opened

    yield come
    unexpected = [each.unexpected() for each in made]
    for each in made:
        each.context.close()
    assert not any(unexpected), unexpected
