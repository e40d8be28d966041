"""`migrate`: the schema up to date. `serve` does it too for SQLite."""

import argparse
import asyncio
import os
import sys
from pathlib import Path

from proxy.config.load import ConfigProblems, load
from proxy.config.settings import Settings
from proxy.domain.fault import Fault
from proxy.storage.opening import open_storage


def run(arguments: list[str]) -> int:
    """Bring the configured database up to date; 0 done, 1 failed, 2 wrong use."""
    parser = argparse.ArgumentParser(
        prog="hatz-gateway migrate", description="Bring the database's schema up to date."
    )
    parser.add_argument("--config", required=True, metavar="FILE", help="the configuration")
    options = parser.parse_args(arguments)
    try:
        applied = asyncio.run(_migrated(load(Path(options.config), os.environ)))
    except ConfigProblems as found:
        print(found, file=sys.stderr)
        return 2
    except Fault as fault:
        detail = f" ({fault.detail})" if fault.detail else ""
        print(f"{fault.message}{detail}", file=sys.stderr)
        return 1
    for name in applied:
        print(f"applied {name}")
    if not applied:
        print("the schema is up to date")
    return 0


async def _migrated(settings: Settings) -> list[str]:
    storage = await open_storage(settings, os.environ, migrates=True)
    await storage.database.close()
    return storage.applied
