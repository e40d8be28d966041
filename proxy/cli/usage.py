"""`usage`: sums of the ledger as a table.

Reads storage and nothing else: what a running gateway finished in the last moments, or a killed
one left in its journal, shows once a gateway has moved it there.
"""

import argparse
import asyncio
import datetime as dt
import os
import sys
from pathlib import Path

import msgspec

from proxy.cli.stored import tenant_of
from proxy.config.load import ConfigProblems, load
from proxy.config.settings import Settings
from proxy.domain.fault import Fault, Kind
from proxy.ledger.report import BY, By, Figures, Period, Report, format_credits, period, report
from proxy.storage.entries import Entries
from proxy.storage.opening import open_storage


def run(arguments: list[str]) -> int:
    """Print the sums; 0 done, 1 failed, 2 wrong use."""
    options = _parser().parse_args(arguments)
    try:
        within = period(options.start, options.end, dt.datetime.now(dt.UTC))
        settings = load(Path(options.config), os.environ)
        summed = asyncio.run(_summed(settings, options.by, within, options.tenant))
    except ConfigProblems as found:
        print(found, file=sys.stderr)
        return 2
    except Fault as fault:
        detail = f" ({fault.detail})" if fault.detail else ""
        print(f"{fault.message}{detail}", file=sys.stderr)
        return 2 if fault.kind is Kind.BAD_REQUEST else 1
    if options.json:
        print(msgspec.json.format(msgspec.json.encode(summed), indent=2).decode())
    else:
        _print_table(summed)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hatz-gateway usage", description="Sums of the ledger, by model, user or day."
    )
    parser.add_argument("--config", required=True, metavar="FILE", help="the configuration")
    parser.add_argument("--by", choices=BY, default="model", help="what a line is (model)")
    parser.add_argument(
        "--from",
        dest="start",
        metavar="D",
        help="a date or date-time, UTC unless it names a zone; else the first of the month",
    )
    parser.add_argument(
        "--to", dest="end", metavar="D", help="the first moment not counted; else the month's end"
    )
    parser.add_argument("--tenant", metavar="TENANT", help="of one tenant, by name or id; else all")
    parser.add_argument("--json", action="store_true", help="as a JSON object")
    return parser


async def _summed(settings: Settings, by: By, within: Period, tenant: str | None) -> Report:
    storage = await open_storage(settings, os.environ)
    try:
        database = storage.database
        tenant_id = None if tenant is None else (await tenant_of(database, tenant)).id
        return await report(Entries(database), by, within, tenant_id)
    finally:
        await storage.database.close()


def _print_table(summed: Report) -> None:
    rows = [
        (summed.by.upper(), "REQUESTS", "INPUT", "OUTPUT", "CACHE", "CREDITS"),
        *[_cells(figures) for figures in summed.data],
        _cells(msgspec.structs.replace(summed.total, label="TOTAL")),
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    print(f"{summed.start} up to {summed.end}; tokens, credits")
    for label, *figures in rows:
        numbers = [cell.rjust(width) for cell, width in zip(figures, widths[1:], strict=True)]
        print("  ".join([label.ljust(widths[0]), *numbers]))


def _cells(figures: Figures) -> tuple[str, ...]:
    counts = (
        figures.requests,
        figures.input_tokens,
        figures.output_tokens,
        figures.cache_tokens,
    )
    return (figures.label, *[f"{count:,}" for count in counts], format_credits(figures.credits))
