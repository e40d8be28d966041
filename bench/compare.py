"""The comparison anyone can rerun: our gateway beside others, on one machine, in one table.

    python -m bench.compare [--quick] [--targets litellm,gateway] [--rounds N] [--peers FILE]
                            [--only CASE,...] [--save NAME]

Peers that are missing are installed into `.peers/` (LiteLLM by pip, Portkey by npm, nginx and
HAProxy by apt); more can be described in a TOML file (`bench/peers/recipe.py` says how). One that
cannot be had is named with its reason. Writes a table, plots and the raw numbers into
`bench/results/peers/`. Everything is switched on for the gateway; the others run as they come.
"""

import argparse
import os
import pathlib
import sys
from collections.abc import Sequence

from bench.peers import cases, plots, recipe, results, session, tables
from bench.run import say
from bench.scenarios import GATEWAY
from bench.stage import CannotStart, Stage

ROUNDS = 2
PEERS_VARIABLE = "BENCH_PEERS"


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    options = argparse.ArgumentParser(prog="python -m bench.compare", description=__doc__)
    options.add_argument("--quick", action="store_true", help="one round, short windows")
    options.add_argument("--targets", help="comma-separated; all when left out")
    options.add_argument("--rounds", type=int)
    options.add_argument(
        "--only", default="", help="cases of bench/peers/cases.py, comma-separated"
    )
    options.add_argument(
        "--peers",
        type=pathlib.Path,
        default=os.environ.get(PEERS_VARIABLE) or None,
        help=f"more peers, a TOML file (default: ${PEERS_VARIABLE})",
    )
    options.add_argument("--save", metavar="NAME", default=results.LATEST)
    options.add_argument(
        "--draw", metavar="NAME", help="only write table and plots of a result anew"
    )
    return options.parse_args(given)


def main(given: Sequence[str] | None = None) -> int:
    """Measure, print, write; 1 when our own gateway gave a wrong reply or could not be measured."""
    asked = arguments(given)
    if asked.draw:
        publish(results.read(results.FOLDER / f"{asked.draw}.json"), asked.draw)
        return 0
    try:
        own = recipe.read(asked.peers) if asked.peers else []
    except recipe.BadRecipe as problem:
        print(problem, file=sys.stderr)
        return 2
    if taken := [one.name for one in own if one.name in session.TARGETS]:
        print(f"{', '.join(taken)} is measured already; give it another name", file=sys.stderr)
        return 2
    every = [*session.TARGETS[:-1], *(one.name for one in own), session.TARGETS[-1]]
    names = asked.targets.split(",") if asked.targets else every
    if unknown := [name for name in names if name not in every]:
        print(f"no target {', '.join(unknown)}; there are {', '.join(every)}", file=sys.stderr)
        return 2
    only = [case for case in asked.only.split(",") if case]
    known = [scenario.name for scenario in cases.EVERY]
    if unknown := [case for case in only if case not in known]:
        print(f"no case {', '.join(unknown)}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    compared = session.Session(names, own, quick=asked.quick, only=only)
    compared.prepare()
    try:
        with Stage(tls=True) as stage:
            found = compared.carry_out(stage, asked.rounds or (1 if asked.quick else ROUNDS))
    except CannotStart as problem:
        print(f"\n{problem}", file=sys.stderr)
        return 1
    say("")
    publish(found, asked.save)
    ours_absent = GATEWAY in [absent.name for absent in found.absent]
    return 1 if ours_absent or found.wrong(GATEWAY) else 0


def publish(found: results.Comparison, name: str) -> None:
    """Print the table; write it, the plots and the numbers."""
    print(tables.text(found))
    results.write(found, results.FOLDER / f"{name}.json")
    (results.FOLDER / f"{name}.md").write_text(tables.markdown(found))
    for path in plots.draw(found, results.FOLDER, name):
        print(path)


if __name__ == "__main__":
    sys.exit(main())
