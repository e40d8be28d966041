"""Who is best is said at every figure, and our losses as loudly as our wins."""

from collections.abc import Callable

from bench.peers import figures
from bench.peers.figures import Row
from bench.peers.results import Comparison

MakeComparison = Callable[..., Comparison]


def by_key(results: Comparison) -> dict[str, Row]:
    return {row.figure.key: row for row in figures.rows(results)}


def verdicts(results: Comparison) -> dict[str, str]:
    limits = figures.limits(results)
    return {key: row.verdict(limits) for key, row in by_key(results).items()}


def test_figures_are_read_from_the_measurements(make_comparison: MakeComparison) -> None:
    rows = by_key(make_comparison())
    assert rows["whole-1k"].values == {
        "direct": None,
        "nginx": 100.0,
        "portkey": 400.0,
        "gateway": 200.0,
    }
    assert rows["paced"].values["gateway"] == 20.0
    assert rows["rate-1k"].values["gateway"] == 5_000.0
    assert rows["held"].values["direct"] == 1_600
    assert rows["first-p50"].values["gateway"] == 0.2 - 0.05
    assert rows["kb-per-stream"].values["gateway"] == 700.0
    assert rows["flood"].values["gateway"] == 10_000.0


def test_a_gateway_that_beats_us_is_a_loss_however_little_we_like_it(
    make_comparison: MakeComparison,
) -> None:
    found = verdicts(make_comparison(ours=8.0))
    assert found["whole-1k"] == "LOSS to portkey, 2.0x"
    assert found["rate-1k"] == "LOSS to portkey, 2.0x"
    assert found["first-p99"].startswith("LOSS to portkey")


def test_a_mere_proxy_that_is_cheaper_is_named_too(make_comparison: MakeComparison) -> None:
    found = verdicts(make_comparison(ours=2.0))
    assert found["whole-1k"] == "best gateway; nginx 2.0x"
    assert found["held"] == "best gateway; nginx 1.1x"


def test_the_best_of_all_is_best_and_what_is_level_is_no_loss(
    make_comparison: MakeComparison,
) -> None:
    assert verdicts(make_comparison(ours=0.5))["whole-1k"] == "best"
    assert verdicts(make_comparison(ours=1.04))["whole-1k"] == "best"
    assert verdicts(make_comparison(ours=1.1))["whole-1k"] == "best gateway; nginx 1.1x"


def test_without_us_or_without_others_there_is_no_contest(make_comparison: MakeComparison) -> None:
    alone = make_comparison()
    alone.about = [about for about in alone.about if about.name in ("direct", "gateway")]
    assert set(verdicts(alone).values()) == {""}


def test_what_https_adds_is_held_against_the_same_work_without(
    make_comparison: MakeComparison,
) -> None:
    rows = by_key(make_comparison())
    assert rows["tls-whole-adds"].values["gateway"] == 0.0
    results = make_comparison()
    for measured in results.measurements:
        if measured.scenario == "tls-whole" and measured.target == "gateway":
            measured.outcome.cpu_s = 3.0
    assert by_key(results)["tls-whole-adds"].values["gateway"] == 100.0
    assert verdicts(results)["tls-whole-adds"] == ""  # shown, not judged
