"""The trial a compiler learns from: short loads of the bench's on a gateway that counts its steps.

The loads are the budgets' own and their like on the other wires: what is compiled is what these
requests pass. Needs no network but loopback.
"""

import dataclasses
import shutil
import sys
from pathlib import Path

from bench import load, scenarios
from bench.scenarios import BEDROCK, CHAT, GATEWAY, Scenario
from bench.stage import CannotStart, Part, Stage
from proxy.compiled import LIST, ROOT

LOAD_S = 1.0
NAMES = ["W1", "W2", "W3", "W4", "W5t", "W8"]
WHOLE = ["W1", "W2"]
"""These once more on the translated wires."""


def loads() -> list[Scenario]:
    """What the trial is put to."""
    whole = [
        dataclasses.replace(each, wire=wire)
        for each in scenarios.chosen(WHOLE)
        for wire in (CHAT, BEDROCK)
    ]
    return [each.lasting(LOAD_S) for each in (*scenarios.chosen(NAMES), *whole)]


def tree_of(folder: Path) -> Path:
    """A copy of the sources in `folder`, for libraries that are not to be taken by anybody else."""
    shutil.copytree(ROOT / "proxy", folder / "proxy", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / LIST).parent.mkdir()
    shutil.copyfile(ROOT / LIST, folder / LIST)
    return folder


def train(tree: Path) -> str:
    """Load the gateway of that tree, and end it, which is when it writes its counts down.

    Returns what went wrong, empty when nothing did.
    """
    required = ["env", f"PYTHONPATH={tree}", "HATZ_GATEWAY_COMPILED=required"]
    tried = loads()
    try:
        with Stage(gateway=[*required, sys.executable, "-P", "-m", "proxy"]) as stage:
            parts = [Part(each.score(load.SETTLE_S), each.wire) for each in tried]
            gateway = stage.start(GATEWAY, parts)
            for each in tried:
                wrong = stage.load(each, gateway).wrong
                if wrong:
                    return f"{each.words}: {wrong}"
    except CannotStart as problem:
        return str(problem)
    return ""
