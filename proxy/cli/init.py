"""`init [FILE]`: write a commented configuration to start from.

Never over a file that is there: it may be the operator's only copy.
"""

import argparse
import sys
from importlib import resources
from pathlib import Path


def run(arguments: list[str]) -> int:
    """Write the example configuration; 0 when it was written, 1 when not."""
    parser = argparse.ArgumentParser(
        prog="hatz-gateway init", description="Write a commented configuration to start from."
    )
    parser.add_argument("file", nargs="?", default="gateway.toml", metavar="FILE")
    path = Path(parser.parse_args(arguments).file)
    example = resources.files("proxy.config").joinpath("example.toml").read_bytes()
    try:
        with path.open("xb") as file:  # x: two at once do not overwrite each other either
            file.write(example)
    except FileExistsError:
        return _failed(f"{path} is already there; name another file or move it away")
    except FileNotFoundError:
        return _failed(f"there is no folder {path.parent}; make it first")
    except OSError as error:
        return _failed(f"{path} cannot be written: {error.strerror or type(error).__name__}")
    print(
        f"wrote {path}\n"
        "next:  export ANTHROPIC_API_KEY=...   (and the other providers' keys you have)\n"
        f"       hatz-gateway check-config {path}\n"
        f"       hatz-gateway key create --config {path} --user you@example.com\n"
        f"       hatz-gateway serve --config {path}"
    )
    return 0


def _failed(reason: str) -> int:
    print(f"hatz-gateway init: {reason}", file=sys.stderr)
    return 1
