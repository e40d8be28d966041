"""A regression beyond the noise fails; noise and the machine's mood do not."""

import pathlib
from collections.abc import Callable

import pytest

from bench import baseline, results_file
from bench.results_file import Results

MakeResults = Callable[..., Results]


def verdicts(old: Results, new: Results) -> dict[str, str]:
    return {quantity.name: quantity.verdict for quantity in baseline.quantities(old, new)}


def test_the_same_run_twice_is_the_same(make_results: MakeResults) -> None:
    assert set(verdicts(make_results(), make_results()).values()) == {"same"}


def test_a_tenth_more_cpu_is_worse_and_a_tenth_less_is_better(make_results: MakeResults) -> None:
    worse = verdicts(make_results(), make_results(gateway_cost=1.1))
    assert worse["W1 CPU per request, x nginx"] == "worse"
    assert worse["start to ready, s"] == "same"
    better = verdicts(make_results(), make_results(gateway_cost=0.9))
    assert better["W1 CPU per request, x nginx"] == "better"


def test_a_slower_machine_is_no_regression(make_results: MakeResults) -> None:
    assert set(verdicts(make_results(), make_results(machine_speed=3.0)).values()) == {"same"}


def test_without_nginx_absolute_costs_are_compared(make_results: MakeResults) -> None:
    old, new = make_results(), make_results(machine_speed=2.0)
    for results in (old, new):
        results.measurements = [m for m in results.measurements if m.target != "nginx"]
    assert verdicts(old, new)["W1 CPU per request, µs"] == "worse"


def test_one_round_shows_no_spread_and_gets_a_wide_band(make_results: MakeResults) -> None:
    found = verdicts(make_results(rounds=1), make_results(gateway_cost=1.2, rounds=1))
    assert found["W1 CPU per request, x nginx"] == "same"


def test_a_change_inside_the_spread_of_a_noisy_run_is_noise() -> None:
    calm = baseline.Quantity("x", [1.0, 1.0, 1.0], [1.15, 1.15, 1.15])
    noisy = baseline.Quantity("x", [0.8, 1.0, 1.2], [1.15, 1.15, 1.15])
    assert (calm.verdict, noisy.verdict) == ("worse", "same")


def test_the_first_lost_stream_is_worse_than_none() -> None:
    assert baseline.Quantity("x", [0.0, 0.0], [1.0, 1.0]).verdict == "worse"


def test_the_command_fails_on_a_regression_and_only_then(
    make_results: MakeResults, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    results_file.write(make_results(), old)
    results_file.write(make_results(gateway_cost=2.0), new)
    assert baseline.main([str(old), str(new)]) == 1
    assert "worse" in capsys.readouterr().out
    assert baseline.main([str(new), str(old)]) == 0
    assert baseline.main([str(tmp_path / "none.json"), str(new)]) == 2


def test_the_newest_saved_result_is_found_by_its_own_date(
    make_results: MakeResults, tmp_path: pathlib.Path
) -> None:
    results_file.write(make_results(rounds=2), tmp_path / "a.json")
    results_file.write(make_results(rounds=1), tmp_path / "b.json")
    results_file.write(make_results(rounds=3), tmp_path / "latest.json")
    assert baseline.newest_saved(tmp_path) == tmp_path / "a.json"


def test_a_result_survives_its_file(make_results: MakeResults, tmp_path: pathlib.Path) -> None:
    results = make_results()
    results_file.write(results, tmp_path / "r.json")
    assert results_file.read(tmp_path / "r.json") == results
