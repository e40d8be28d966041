"""`check-config FILE`: every error of a configuration at once, each with its line.

Errors and warnings go to standard error, the one line that says it is good to standard output.
"""

import argparse
import os
import sys
from pathlib import Path

from proxy.config.cautions import unresolved, warnings
from proxy.config.load import ConfigProblems, load


def run(arguments: list[str]) -> int:
    """Check a configuration; 0 when it can be used, 2 when not."""
    parser = argparse.ArgumentParser(
        prog="hatz-gateway check-config",
        description="Check a configuration: every error at once, each with its line.",
    )
    parser.add_argument("file", metavar="FILE")
    path = Path(parser.parse_args(arguments).file)
    try:
        settings = load(path, os.environ)
    except ConfigProblems as found:
        for problem in found.problems:
            # FILE:LINE: is what editors jump to.
            text = f"{problem.path}: {problem.message}" if problem.path else problem.message
            place = f"{path}:{problem.line}: " if problem.line is not None else ""
            print(place + text, file=sys.stderr)
        return 2
    for caution in [*warnings(settings), *unresolved(settings, os.environ)]:
        print(f"warning: {caution}", file=sys.stderr)
    enabled = sum(model.enabled for model in settings.models)
    print(
        f"{path}: good; providers: {len(settings.providers)}, "
        f"models: {len(settings.models)} ({enabled} enabled)"
    )
    return 0
