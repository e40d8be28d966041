"""Budgets are judged by the ratios of single rounds, and what was not measured is not a pass."""

from collections.abc import Callable

import msgspec
import pytest

from bench import budgets, report
from bench.results_file import Results
from bench.run import kept

MakeResults = Callable[..., Results]


def failed(results: Results) -> set[str]:
    return {f"{v.workload} {v.words}" for v in budgets.judge(results) if v.passed is False}


def test_a_frugal_gateway_keeps_every_budget(make_results: MakeResults) -> None:
    verdicts = budgets.judge(make_results(gateway_cost=1.1))
    assert [v.passed for v in verdicts] == [True] * len(budgets.BUDGETS)


@pytest.mark.parametrize(
    ("cost", "says"),
    [
        (1.3, {"W3 CPU per event, x nginx", "W5s CPU per event, x nginx"}),
        (1.6, {"W5t CPU per event, x nginx's W5s"}),
        (1.9, {"W4 CPU per event, x nginx's W3"}),
        (2.6, {"W2 CPU per request, x nginx", "W1 CPU per request, x naive"}),
        (3.1, {"W1 CPU per request, x nginx"}),
        (4.5, {"W5s CPU per event, x naive"}),
    ],
)
def test_a_dear_gateway_breaks_the_budgets_in_their_order(
    make_results: MakeResults, cost: float, says: set[str]
) -> None:
    assert says <= failed(make_results(gateway_cost=cost))
    assert not (says - {"W1 CPU per request, x naive"}) & failed(make_results(gateway_cost=1.1))


def test_too_much_memory_breaks_its_budget(make_results: MakeResults) -> None:
    assert failed(make_results(idle_mb=61)) == {"memory idle, MB"}


def test_a_machine_that_is_twice_as_slow_changes_no_verdict(make_results: MakeResults) -> None:
    slow = budgets.judge(make_results(machine_speed=2.0))
    fast = budgets.judge(make_results())
    assert [v.value for v in slow] == pytest.approx([v.value for v in fast])


def test_what_was_not_measured_is_neither_kept_nor_broken(make_results: MakeResults) -> None:
    results = make_results()
    results.measurements = [m for m in results.measurements if m.target != "nginx"]
    results.verdicts = budgets.judge(results)
    by_words = {f"{v.workload} {v.words}": v.passed for v in results.verdicts}
    assert by_words["W1 CPU per request, x nginx"] is None
    assert by_words["W1 CPU per request, x naive"] is True
    assert kept(results, ["gateway"])


def test_translated_work_is_held_against_the_yardsticks_nginx(make_results: MakeResults) -> None:
    results = make_results(gateway_cost=1.7)
    values = {f"{v.workload} {v.words}": v.value for v in budgets.judge(results)}
    assert values["W4 CPU per event, x nginx's W3"] == pytest.approx(1.7)
    for measured in results.measurements:
        if measured.scenario == "W3" and measured.target == "nginx":
            assert measured.outcome.cpu_s is not None
            measured.outcome.cpu_s *= 2
    values = {f"{v.workload} {v.words}": v.value for v in budgets.judge(results)}
    assert values["W4 CPU per event, x nginx's W3"] == pytest.approx(0.85)
    table = report.costs(results)
    (line,) = [line for line in table.splitlines() if line.startswith("W4 ")]
    assert " 0.85 [" in line
    assert "x of W3's" in table


def test_a_lost_stream_breaks_the_budget_of_whole_streams(make_results: MakeResults) -> None:
    results = make_results()
    for measured in results.measurements:
        if measured.scenario == "W5" and measured.target == "gateway":
            measured.outcome.whole -= 1
    results.verdicts = budgets.judge(results)
    assert failed(results) == {"W5 streams not whole"}
    assert not kept(results, ["gateway"])


def test_the_report_shows_every_budget_with_its_spread(make_results: MakeResults) -> None:
    results = make_results(gateway_cost=5.0, wrong={"status 500": 3})
    results.verdicts = budgets.judge(results)
    text = report.whole(results)
    for budget in budgets.BUDGETS:
        assert budget.words in text
    assert "FAIL" in text
    assert "5.00 [5.00..5.00]" in text
    assert "3 x status 500" in text


def test_a_run_disturbed_by_other_processes_is_reported_as_such(make_results: MakeResults) -> None:
    assert report.disturbance(make_results(waited_s=0.1)) == ""
    said = report.disturbance(make_results(waited_s=1.5))
    assert said.startswith("DISTURBED")
    assert "W1 gateway" in said
    assert "W1 direct" not in said


def test_bedrocks_events_are_held_against_our_own_and_not_against_nginxs(
    make_results: MakeResults,
) -> None:
    results = make_results()
    for each in results.measurements:
        if each.scenario == "W8s" and each.outcome.cpu_s is not None:
            each.outcome.cpu_s *= 1.6
        if each.scenario in ("W3", "W5s", "W8") and each.target == "nginx":
            assert each.outcome.cpu_s is not None
            each.outcome.cpu_s *= 9
    assert failed(results) == {"W8s CPU per event, x our own W5s"}


def test_what_https_costs_is_shown_beside_the_same_work_without(make_results: MakeResults) -> None:
    results = make_results()
    assert report.https(results) == ""
    for measured in list(results.measurements):
        if measured.scenario == "W1" and measured.target in ("nginx", "gateway"):
            dear = msgspec.structs.replace(measured.outcome, tls_full=32, tls_resumed=3)
            assert dear.cpu_s is not None
            dear.cpu_s *= 1.5
            results.measurements.append(
                msgspec.structs.replace(measured, scenario="W7a", outcome=dear)
            )
    lines = report.https(results).splitlines()
    assert [line.split()[:3] for line in lines[2:]] == [
        ["W7a", "(W1)", "nginx"],
        ["W7a", "(W1)", "gateway"],
    ]
    assert " 1.50 [1.50..1.50] " in lines[2]
    assert lines[2].split()[-4:] == ["32", "[32..32]", "3", "[3..3]"]
