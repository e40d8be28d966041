"""A comparison as pictures: small SVG files by matplotlib, their words kept as text.

The same numbers give the same bytes: no date, fixed ids.
"""

import pathlib
from collections.abc import Sequence

import matplotlib

from bench.peers import cases, figures
from bench.peers.figures import Row
from bench.peers.results import Comparison
from bench.scenarios import DIRECT, GATEWAY

matplotlib.use("svg")
from matplotlib import pyplot as plt
from matplotlib.ticker import NullFormatter, StrMethodFormatter

COLOURS = {
    "nginx": "#9aa5b1",
    "haproxy": "#c3cbd3",
    "naive": "#b08968",
    "litellm": "#e07a5f",
    "portkey": "#e9b44c",
    GATEWAY: "#1f6f8b",
}
_OTHERS = ("#6d597a", "#84a59d", "#b56576", "#355070")


def _colour(name: str, results: Comparison) -> str:
    if name in COLOURS:
        return COLOURS[name]
    strange = [about.name for about in results.about if about.name not in COLOURS]
    return _OTHERS[strange.index(name) % len(_OTHERS)]


def _by_key(results: Comparison) -> dict[str, Row]:
    return {row.figure.key: row for row in figures.rows(results)}


def _bars(
    axes: "matplotlib.axes.Axes",
    results: Comparison,
    keys: Sequence[tuple[str, str]],
    title: str,
    *,
    log: bool = True,
) -> None:
    """Groups of bars, one group for each key with its words, one bar for each target."""
    rows = _by_key(results)
    groups = [(rows[key], words) for key, words in keys if key in rows]
    names = [about.name for about in results.about if about.name != DIRECT]
    width = 0.8 / max(1, len(names))
    for place, name in enumerate(names):
        heights = [max(row.values[name] or 0.0, 0.0) for row, _ in groups]
        at = [group + (place - (len(names) - 1) / 2) * width for group in range(len(groups))]
        bars = axes.bar(at, heights, width, label=name, color=_colour(name, results))
        labels = [f"{height:,.3g}" if height < 1000 else f"{height:,.0f}" for height in heights]
        axes.bar_label(
            bars,
            [words if height else "" for words, height in zip(labels, heights, strict=True)],
            fontsize=6,
            rotation=90,
            padding=2,
        )
    axes.set_xticks(range(len(groups)), [words for _, words in groups])
    if log:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.margins(y=0.2)
    axes.set_title(title, fontsize=10, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)


_SIZES = {"1k": "1 kB", "60k": "60 kB", "200k": "200 kB", "1m": "1 MB"}


def draw(results: Comparison, folder: pathlib.Path, name: str) -> list[pathlib.Path]:
    """Write the pictures; their paths."""
    pictures = {
        "cost": [
            (
                [(f"whole-{size}", _SIZES[size]) for size in cases.SIZES],
                "CPU per request, not streamed, µs (less is better)",
            ),
            (
                [("burst", "as fast as possible"), ("paced", "one each 20 ms")],
                "CPU per streamed event, µs (less is better)",
            ),
        ],
        "latency": [
            (
                [("first-p50", "p50"), ("first-p99", "p99")],
                "added to the first event, ms (less is better)",
            ),
            (
                [("small", "alone"), ("small-beside-big", "beside 1 MB ones")],
                "a small request, p99, ms (less is better)",
            ),
        ],
        "capacity": [
            ([("held", "one event each 20 ms")], "streams held by one core (more is better)"),
            (
                [("idle", "idle"), ("highest", "highest seen")],
                "memory, MB (less is better)",
            ),
        ],
    }
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    with matplotlib.rc_context():
        matplotlib.rcParams["svg.fonttype"] = "none"
        matplotlib.rcParams["svg.hashsalt"] = "bench"
        for kind, panels in pictures.items():
            figure, axes = plt.subplots(1, len(panels), figsize=(10, 3.6), layout="constrained")
            for one, (keys, title) in zip(axes, panels, strict=True):
                _bars(one, results, keys, title)
            handles, labels = axes[0].get_legend_handles_labels()
            figure.legend(
                handles, labels, loc="outside lower center", ncols=8, fontsize=8, frameon=False
            )
            path = folder / f"{name}-{kind}.svg"
            figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
            plt.close(figure)
            written.append(path)
    return written
