"""The program's log: a line is a line, whatever is in it."""

import logging
from collections.abc import Iterator

import msgspec
import pytest

from proxy.observe import log


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """Put back what `set_up` replaces: the test run has handlers of its own."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    asyncio_level = logging.getLogger("asyncio").level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("asyncio").setLevel(asyncio_level)


def test_an_event_is_one_json_line(capsys: pytest.CaptureFixture[str]) -> None:
    log.set_up("json")
    logging.getLogger("proxy.test").warning("provider %s: %s", "main", 'said\n"no"')
    out, err = capsys.readouterr()
    assert out == ""
    [line] = err.splitlines()
    event = msgspec.json.decode(line)
    assert event.pop("at") > 1_600_000_000_000
    assert event == {
        "level": "warning",
        "where": "proxy.test",
        "message": 'provider main: said\n"no"',
    }


def test_an_exception_is_still_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    log.set_up("json")
    try:
        raise ValueError("inner\nlines")
    except ValueError:
        logging.getLogger("proxy.test").exception("it failed")
    [line] = capsys.readouterr().err.splitlines()
    event = msgspec.json.decode(line)
    assert event["message"] == "it failed"
    assert event["trace"].startswith("Traceback (most recent call last):\n")
    assert "ValueError: inner\nlines" in event["trace"]


def test_text_that_is_no_unicode_does_not_silence_the_log(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log.set_up("json")
    logging.getLogger("proxy.test").error("a header held %s", "half a \ud83d pair")
    logging.getLogger("proxy.test").error("and on it goes")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert msgspec.json.decode(lines[0])["message"].startswith("a header held half a ")


def test_for_people_a_line_has_time_level_and_place(capsys: pytest.CaptureFixture[str]) -> None:
    log.set_up("console")
    logging.getLogger("proxy.test").info("worker w0 serves")
    err = capsys.readouterr().err
    assert err.endswith(" INFO proxy.test: worker w0 serves\n")


def test_the_level_decides_and_asyncio_is_kept_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    log.set_up("json", logging.INFO)
    logging.getLogger("proxy.test").debug("detail")
    logging.getLogger("asyncio").info("chatter")
    assert capsys.readouterr().err == ""
    log.set_up("json", logging.DEBUG)
    logging.getLogger("proxy.test").debug("detail")
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_setting_up_twice_does_not_double_the_lines(capsys: pytest.CaptureFixture[str]) -> None:
    log.set_up("json")
    log.set_up("json")
    logging.getLogger("proxy.test").error("once")
    assert len(capsys.readouterr().err.splitlines()) == 1
