"""`request ID`: everything support may see of one request, never content.

Reads storage and nothing else, and sees the requests of all tenants: whoever can read the
configuration operates the gateway.
"""

import argparse
import asyncio
import os
import sys
from pathlib import Path

import msgspec

from proxy.config.load import ConfigProblems, load
from proxy.config.settings import Settings
from proxy.domain.fault import Fault
from proxy.ledger.support_record import Record, records_of
from proxy.storage.entries import Entries
from proxy.storage.opening import open_storage


def run(arguments: list[str]) -> int:
    """Print the records of a request id; 0 done, 1 failed or not found, 2 wrong use."""
    parser = argparse.ArgumentParser(
        prog="hatz-gateway request", description="The support record of one request."
    )
    parser.add_argument("id", metavar="ID", help="as X-Request-ID and request-id say it")
    parser.add_argument("--config", required=True, metavar="FILE", help="the configuration")
    parser.add_argument("--json", action="store_true", help="as a JSON array")
    options = parser.parse_args(arguments)
    try:
        settings = load(Path(options.config), os.environ)
        records = asyncio.run(_found(settings, options.id))
    except ConfigProblems as found:
        print(found, file=sys.stderr)
        return 2
    except Fault as fault:
        detail = f" ({fault.detail})" if fault.detail else ""
        print(f"{fault.message}{detail}", file=sys.stderr)
        return 1
    if not records:
        print(
            f"There is no record of a request {options.id!r}. Records appear up to 2 seconds after"
            " a request has ended, while a gateway runs.",
            file=sys.stderr,
        )
        return 1
    if options.json:
        print(msgspec.json.format(msgspec.json.encode(records), indent=2).decode())
    else:
        print("\n\n".join([_told(record) for record in records]))
    return 0


async def _found(settings: Settings, request_id: str) -> list[Record]:
    storage = await open_storage(settings, os.environ)
    try:
        return await records_of(Entries(storage.database), request_id)
    finally:
        await storage.database.close()


def _told(record: Record) -> str:
    """One `name  value` to a line; what a client sent cannot steer the terminal."""
    lines = _lines("", msgspec.to_builtins(record))
    width = max(len(name) for name, _ in lines)
    return "\n".join([f"{name.ljust(width)}  {value}" for name, value in lines])


def _lines(prefix: str, document: dict[str, object]) -> list[tuple[str, str]]:
    lines: list[tuple[str, str]] = []
    for name, value in document.items():
        if isinstance(value, dict):
            lines += _lines(f"{prefix}{name}.", value)
        else:
            lines.append((prefix + name, _shown(value)))
    return lines


def _shown(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.6f}".rstrip("0").rstrip(".")
        case str() if not value.isprintable():
            return ascii(value)
    return str(value)
