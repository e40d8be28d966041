"""The table of workloads hangs together."""

import pytest

from bench import scenarios
from bench import score as scores
from bench.load import SETTLE_S


def test_every_workload_has_a_score_its_name_can_carry() -> None:
    for scenario in scenarios.SCENARIOS:
        score = scenario.score(SETTLE_S)
        assert scores.parse(score.name) == score
        assert len(score.name) < scores.NAME_BYTES_MAX


def test_held_streams_outlive_the_window() -> None:
    for scenario in scenarios.SCENARIOS:
        if scenario.held:
            score = scenario.score(SETTLE_S)
            lasts_s = score.events * score.period_ms / 1000
            assert lasts_s > scenario.ramp_s + SETTLE_S + scenario.duration_s


def test_a_quick_run_is_shorter_and_otherwise_the_same() -> None:
    for scenario in scenarios.SCENARIOS:
        quick = scenario.quick()
        assert quick.duration_s <= scenario.duration_s
        assert quick.lasting(scenario.duration_s) == scenario


def test_w7_names_both_its_halves() -> None:
    assert [s.name for s in scenarios.chosen(["W7", "W1"])] == ["W1", "W7a", "W7b"]


def test_an_unknown_workload_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(SystemExit, match="no workload W9; there are W1,"):
        scenarios.chosen(["W9"])


def test_a_workload_the_references_cannot_carry_is_measured_by_one_they_can() -> None:
    by_name = {scenario.name: scenario for scenario in scenarios.SCENARIOS}
    for scenario in scenarios.SCENARIOS:
        measure = by_name[scenario.measured_by]
        assert scenarios.NGINX not in measure.without
        if scenario.wire != scenarios.ANTHROPIC:
            assert set(scenario.without) == set(scenarios.TARGETS) - {scenarios.GATEWAY}
            assert scenario.score(SETTLE_S) == measure.score(SETTLE_S)
            assert (scenario.connections, scenario.body) == (measure.connections, measure.body)


def test_a_workload_brings_its_yardstick_along() -> None:
    def names(*asked: str) -> list[str]:
        return [s.name for s in scenarios.with_yardsticks(scenarios.chosen(list(asked)))]

    assert names("W4") == ["W3", "W4"]
    assert names("W5t", "W1") == ["W1", "W5s", "W5t"]
    assert names("W8", "W8s") == ["W3", "W5s", "W8", "W8s"]
    assert names("W3") == ["W3"]


def test_a_workload_over_https_brings_the_same_one_without() -> None:
    by_name = {scenario.name: scenario for scenario in scenarios.SCENARIOS}
    for scenario in scenarios.SCENARIOS:
        assert bool(scenario.plain) is scenario.tls
        if scenario.tls:
            plain = by_name[scenario.plain]
            assert scenario.score(SETTLE_S) == plain.score(SETTLE_S)
            assert (scenario.connections, scenario.body) == (plain.connections, plain.body)
    table = scenarios.with_yardsticks(scenarios.chosen(["W7"]))
    assert [s.name for s in table] == ["W1", "W5s", "W7a", "W7b"]


def test_quick_windows_stay_short_when_a_yardstick_comes_along() -> None:
    table = [s.quick() for s in scenarios.with_yardsticks(scenarios.chosen(["W5t"]))]
    assert {s.duration_s for s in table} == {2.0}
