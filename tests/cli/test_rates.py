"""`model rates`: what models cost, by when, from the command line."""

from pathlib import Path

import pytest

from proxy.domain.model import Rates
from proxy.storage.rates import RateSheet
from tests.cli.operating import MODELS, Operator

OPUS, HAIKU = MODELS
LATER_MS = 29_348_006_400_000
LATER = "2900-01-01"


@pytest.fixture
def operator(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Operator:
    operator = Operator(tmp_path, capsys)
    text = operator.config.read_text()
    first, mark, rest = text.rpartition("enabled = false")
    operator.config.write_text(f"{first}{mark}\nrates = {{ input = 7, output = 9 }}{rest}")
    return operator


def test_rates_count_from_now_or_from_a_day_to_come(operator: Operator) -> None:
    change = ("model", "rates", "set", OPUS.upper(), "--input", "5000", "--output", "25000")
    now = operator.json(*change, "--cache-write-5m", "6250", "--cache-read", "500")
    assert now["model_id"] == OPUS
    assert now["in_effect"] is True
    assert now["rates"] == {
        "input": 5000,
        "output": 25000,
        "cache_write_5m": 6250,
        "cache_write_1h": 0,
        "cache_read": 500,
    }
    later = operator.json(*change, "--effective-from", LATER)
    assert (later["in_effect"], later["effective_from"]) == (False, "2900-01-01T00:00:00.000Z")
    assert operator.asked(lambda database: RateSheet(database).current(LATER_MS - 1)) == {
        OPUS: Rates(5000, 25000, 6250, 0, 500)
    }
    assert operator.asked(lambda database: RateSheet(database).current(LATER_MS)) == {
        OPUS: Rates(5000, 25000)
    }


def test_the_list_has_past_present_and_future(operator: Operator) -> None:
    def listed(*words: str) -> list[tuple[str, int, bool]]:
        rows = operator.json("model", "rates", "list", *words)
        return [(row["model_id"], row["rates"]["input"], row["in_effect"]) for row in rows]

    assert listed() == [(HAIKU, 7, True)]
    for begins, rate in ((LATER, "3"), (None, "2")):
        when = () if begins is None else ("--effective-from", begins)
        operator.says("model", "rates", "set", HAIKU, "--input", rate, "--output", "1", *when)
    operator.says("model", "rates", "set", OPUS, "--input", "1", "--output", "1")
    assert listed(HAIKU) == [(HAIKU, 3, False), (HAIKU, 2, True), (HAIKU, 7, False)]
    assert listed()[3:] == [(OPUS, 1, True)]
    headings, first, *_ = operator.says("model", "rates", "list").splitlines()
    assert headings.split()[:2] == ["MODEL", "FROM"]
    assert first.split()[:5] == [HAIKU, "2900-01-01T00:00", "no", "3", "1"]


def test_only_rates_to_come_are_taken_back(operator: Operator) -> None:
    change = ("model", "rates", "set", OPUS, "--input", "1", "--output", "1", "--effective-from")
    operator.says(*change, LATER)
    operator.says("model", "rates", "withdraw", OPUS, "--effective-from", LATER)
    assert operator.json("model", "rates", "list", OPUS) == []
    withdraw = ("model", "rates", "withdraw", OPUS, "--effective-from")
    assert f"{OPUS} has no rates" in operator.fails(*withdraw, LATER)
    assert "came into effect" in operator.fails(*withdraw, "2020-01-01")
    assert "effective_from: it has passed" in operator.fails(*change, "2020-01-01")


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("set", OPUS, "--input", "1"),
        ("set", OPUS, "--input", "1", "--output", "-1"),
        ("set", OPUS, "--input", "1", "--output", "1.5"),
        ("withdraw", OPUS),
    ],
)
def test_wrong_use_exits_2(operator: Operator, words: tuple[str, ...]) -> None:
    assert "usage: hatz-gateway model rates" in operator.fails("model", "rates", *words, status=2)


def test_a_model_that_is_not_there_has_no_rates(operator: Operator) -> None:
    change = ("model", "rates", "set", "gpt-9", "--input", "1", "--output", "1")
    assert "There is no model 'gpt-9'" in operator.fails(*change)
