"""Results in, tables out: plain text for a terminal, every number with its spread."""

from collections.abc import Sequence

from bench.budgets import BUDGETS, kb_per_stream
from bench.load import Outcome
from bench.results_file import Reading, Results, difference, middle, ratio
from bench.scenarios import NAIVE, NGINX, SCENARIOS, TARGETS

WAITED_SHARE_MAX = 0.15
"""A target's own threads wait for one another too; beyond this it was somebody else."""


def table(rows: Sequence[Sequence[str]]) -> str:
    """Columns of equal width; the first row is the heading, the first column is text."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "-" * max(len(line) for line in lines))
    return "\n".join(lines)


def spread_of(values: Sequence[float], digits: int = 1) -> str:
    """Median, then lowest and highest."""
    if not values:
        return "-"
    median = middle(list(values))
    if len(values) == 1:
        return f"{median:,.{digits}f}"
    return f"{median:,.{digits}f} [{min(values):,.{digits}f}..{max(values):,.{digits}f}]"


def waited(outcome: Outcome) -> float | None:
    """Share of the window in which the target could have run and others had its CPU."""
    return outcome.waited_s / outcome.seconds if outcome.waited_s is not None else None


def disturbance(results: Results) -> str:
    """Where something else was running on the target's CPU, or nothing."""
    disturbed = sorted(
        {
            f"{m.scenario} {m.target}"
            for m in results.measurements
            if (waited(m.outcome) or 0.0) > WAITED_SHARE_MAX
        }
    )
    if not disturbed:
        return ""
    return (
        f"DISTURBED: others had the target's CPU for more than {WAITED_SHARE_MAX:.0%} of a window: "
        f"{', '.join(disturbed)}. Measure again on a quiet machine."
    )


def _rate(outcome: Outcome) -> float:
    return (outcome.events or outcome.requests) / outcome.seconds


def _p50(name: str) -> Reading:
    return lambda outcome: getattr(getattr(outcome, name), "p50_us", None)


def _p99(name: str) -> Reading:
    return lambda outcome: getattr(getattr(outcome, name), "p99_us", None)


def costs(results: Results) -> str:
    """CPU time for each unit of work, and how it compares."""
    heading = [
        "",
        "target",
        "CPU µs/unit",
        "x nginx",
        "x naive",
        "units/s",
        "waited",
        "RSS MB",
        "wrong",
        "stalled",
    ]
    rows = [heading]
    legend = []
    for scenario in sorted(SCENARIOS, key=lambda s: s.name):
        present = [t for t in TARGETS if results.by_round(scenario.name, t, _rate)]
        if not present:
            continue
        beside = f"; x of {scenario.yardstick}'s" if scenario.yardstick else ""
        legend.append(f"{scenario.name}: {scenario.words}; unit: {scenario.unit}{beside}")
        nginx = results.cost_us(scenario.measured_by, NGINX)
        naive = results.cost_us(scenario.measured_by, NAIVE)
        for target in present:
            cost = results.cost_us(scenario.name, target)
            wrong = results.by_round(scenario.name, target, lambda o: sum(o.wrong.values()))
            stalled = results.by_round(scenario.name, target, lambda o: o.stalled)
            waiting = middle(list(results.by_round(scenario.name, target, waited).values()))
            used = results.by_round(scenario.name, target, lambda o: o.rss_kb)
            rate = [
                (m.outcome.requests if m.unit == "request" else m.outcome.events)
                / m.outcome.seconds
                for m in results.measurements
                if m.scenario == scenario.name and m.target == target
            ]
            rows.append(
                [
                    scenario.name if target == present[0] else "",
                    target,
                    spread_of(list(cost.values())),
                    "" if target == NGINX else spread_of(ratio(cost, nginx), 2),
                    "" if target == NAIVE else spread_of(ratio(cost, naive), 2),
                    spread_of(rate, 0),
                    f"{waiting:.0%}" if waiting is not None else "-",
                    spread_of([kb / 1024 for kb in used.values()], 0),
                    f"{sum(wrong.values()):.0f}",
                    f"{sum(stalled.values()):.0f}" if scenario.held else "",
                ]
            )
    return table(rows) + "\n\n" + "\n".join(legend)


def times(results: Results) -> str:
    """Time to the first event, and lag of paced events, in milliseconds."""
    rows = [["", "target", "first event p50 ms", "p99 ms", "event lag p50 ms", "p99 ms"]]
    for scenario in sorted(SCENARIOS, key=lambda s: s.name):
        if not scenario.events and not scenario.held:
            continue
        named = False
        for target in TARGETS:
            cells = [
                [us / 1000 for us in results.by_round(scenario.name, target, reading).values()]
                for reading in (
                    _p50("first_event"),
                    _p99("first_event"),
                    _p50("lag"),
                    _p99("lag"),
                )
            ]
            if any(cells):
                rows.append(
                    ["" if named else scenario.name, target, *(spread_of(c, 3) for c in cells)]
                )
                named = True
    return table(rows) if len(rows) > 1 else ""


def https(results: Results) -> str:
    """What an HTTPS upstream costs beside the same workload with a plain one, and how often a TLS
    session was begun for it, in full or resumed."""
    rows = [["", "target", "CPU µs/unit", "x plain", "adds µs/unit", "TLS begun", "resumed"]]
    for scenario in SCENARIOS:
        if not scenario.tls:
            continue
        for target in TARGETS:
            cost = results.cost_us(scenario.name, target)
            plain = results.cost_us(scenario.plain, target)
            full = results.by_round(scenario.name, target, lambda o: o.tls_full)
            resumed = results.by_round(scenario.name, target, lambda o: o.tls_resumed)
            if cost:
                rows.append(
                    [
                        f"{scenario.name} ({scenario.plain})",
                        target,
                        spread_of(list(cost.values())),
                        spread_of(ratio(cost, plain), 2),
                        spread_of(difference(cost, plain)),
                        spread_of(list(full.values()), 0),
                        spread_of(list(resumed.values()), 0),
                    ]
                )
    return table(rows) if len(rows) > 1 else ""


def sizes(results: Results) -> str:
    """Memory and start."""
    rows = [["", "target", "start to ready s", "idle RSS MB", "idle PSS MB", "kB per stream (W5)"]]
    for target in TARGETS:
        starts = [start for start in results.starts if start.target == target]
        if starts:
            rows.append(
                [
                    "",
                    target,
                    spread_of([start.ready_s for start in starts], 2),
                    spread_of([start.idle_rss_kb / 1024 for start in starts]),
                    spread_of([start.idle_pss_kb / 1024 for start in starts]),
                    spread_of(kb_per_stream(results, target)),
                ]
            )
    return table(rows) if len(rows) > 1 else ""


def verdicts(results: Results) -> str:
    """Each budget: pass, FAIL, or not measured."""
    words = {True: "pass", False: "FAIL", None: "not measured"}
    rows = [["", "budget", "must ≤", "measured", "", "stretch ≤"]]
    for budget, verdict in zip(BUDGETS, results.verdicts, strict=True):
        measured = "-"
        if verdict.value is not None and verdict.low is not None and verdict.high is not None:
            measured = f"{verdict.value:.2f} [{verdict.low:.2f}..{verdict.high:.2f}]"
        rows.append(
            [
                verdict.workload,
                verdict.words,
                f"{verdict.limit:g}",
                measured,
                words[verdict.passed],
                "" if budget.stretch is None else f"{budget.stretch:g}",
            ]
        )
    return table(rows)


def whole(results: Results) -> str:
    """The report of one session."""
    machine = results.machine
    head = (
        f"{results.taken_at}  commit {machine.commit}  Python {machine.python}  "
        f"{machine.cpus} CPUs ({machine.cpu_model})\n"
        f"gateway: {machine.program or 'plain Python'}\n"
        f"rounds: {results.rounds}; median [lowest..highest]"
        + ("; QUICK: a look, not a measurement" if results.quick else "")
    )
    parts = [
        head,
        disturbance(results),
        costs(results),
        times(results),
        https(results),
        sizes(results),
        verdicts(results),
    ]
    wrong = results.wrong()
    if wrong:
        parts.append("WRONG REPLIES\n" + "\n".join(wrong[:20]))
    return "\n\n".join(part for part in parts if part)
