"""A comparison as one table: for a terminal, and as Markdown for the results folder."""

from bench import report
from bench.peers import figures
from bench.peers.figures import Row
from bench.peers.results import Comparison
from bench.scenarios import DIRECT, GATEWAY

WORDS_MAX = 4


def _cell(results: Comparison, row: Row, name: str) -> str:
    value = row.values[name]
    if value is not None:
        return f"{value:,.{row.figure.digits}f}"
    tried = results.outcomes(row.figure.key, name)
    return "none done" if tried and not any(o.requests or o.events for o in tried) else "-"


def _cells(results: Comparison) -> list[list[str]]:
    names = [about.name for about in results.about]
    limits = figures.limits(results)
    made = [["", *("no proxy" if name == DIRECT else name for name in names), "ours"]]
    capped = {held.target for held in results.held if held.capped}
    for row in figures.rows(results):
        cells = [
            ("≥ " if row.figure.key == "held" and name in capped else "")
            + _cell(results, row, name)
            for name in names
        ]
        made.append([row.figure.words, *cells, row.verdict(limits)])
    made.append(
        ["wrong replies", *(f"{sum(results.wrong(name).values()):,}" for name in names), ""]
    )
    made.append(
        ["right, but changed", *(f"{sum(results.changed(n).values()):,}" for n in names), ""]
    )
    return made


def _losses(results: Comparison) -> list[str]:
    limits = figures.limits(results)
    return [
        f"{row.figure.words}: {verdict}"
        for row in figures.rows(results)
        if (verdict := row.verdict(limits)) and verdict != "best"
    ]


def _head(results: Comparison) -> str:
    machine = results.machine
    words = (
        f"{results.taken_at}, commit {machine.commit}: {machine.cpus} CPUs ({machine.cpu_model}), "
        f"Linux {machine.kernel}, Python {machine.python}. "
        f"{results.rounds} rounds in {results.seconds / 60:.0f} minutes, medians."
    )
    if results.quick:
        words += " QUICK: a look, not a measurement."
    if results.others_share > 0.02:
        words += (
            f" OTHER WORK was running: it had {results.others_share:.0%} of the CPUs' time; "
            "believe ratios, not microseconds."
        )
    return words


def _notes(results: Comparison) -> list[str]:
    said = [f"{about.name} {about.version}".strip() + f": {about.route}" for about in results.about]
    said += [f"{absent.name}: NOT MEASURED, {absent.reason}" for absent in results.absent]
    for about in results.about:
        for words, found in (
            ("wrong", results.wrong(about.name)),
            ("changed", results.changed(about.name)),
        ):
            for reason, count in list(found.items())[:WORDS_MAX]:
                said.append(f"{about.name} {words}: {count:,} x {reason}")
    said += [
        f"{held.target} held {held.streams:,}, not the next step: {held.stopped_by}"
        for held in results.held
        if held.stopped_by
    ]
    return said


def text(results: Comparison) -> str:
    """For a terminal."""
    parts = [_head(results), report.table(_cells(results))]
    losses = _losses(results)
    if losses:
        parts.append("where we are not the best of all:\n" + "\n".join(f"  {x}" for x in losses))
    parts.append("\n".join(_notes(results)))
    return "\n\n".join(parts)


def markdown(results: Comparison) -> str:
    """The same for the results folder."""
    cells = _cells(results)
    ours = cells[0].index(GATEWAY) if GATEWAY in cells[0] else -1
    lines = ["| " + " | ".join(cells[0]) + " |"]
    lines.append("|---|" + "--:|" * (len(cells[0]) - 2) + "---|")
    for row in cells[1:]:
        shown = [f"**{cell}**" if at == ours else cell for at, cell in enumerate(row)]
        lines.append("| " + " | ".join(shown) + " |")
    notes = "\n".join(f"- {note}" for note in _notes(results))
    return f"# Beside others\n\n{_head(results)}\n\n" + "\n".join(lines) + f"\n\n{notes}\n"
