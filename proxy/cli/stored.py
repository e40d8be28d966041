"""What the commands about stored things share: storage opened and closed, faults told as one
sentence, things found by the names people know them by, results as a table or as JSON.

Knows no command and no option's name beyond `--config` and `--json`. Whoever has a shell on this
machine acts as the operator: everything is allowed, and everything is in the audit.
"""

import argparse
import asyncio
import datetime as dt
import os
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from proxy.catalog.catalog import Catalog
from proxy.config.load import ConfigProblems, load
from proxy.config.rules import nearest
from proxy.config.settings import Settings
from proxy.domain.fault import Fault, Kind
from proxy.domain.model import Model
from proxy.domain.people import CREDIT, Actor, Package, Tenant
from proxy.storage.database import Database, unix_ms
from proxy.storage.opening import OpenStorage, open_storage
from proxy.storage.packages import Packages
from proxy.storage.tenants import Tenants
from proxy.storage.writing import PAGE_MAX

DEFAULT_TENANT = "Default"
NONE = "none"
"""What is written on the command line to take something away."""

_T = TypeVar("_T")
_LARGEST_CREDITS = Decimal(9_000_000_000)
_YEARS = range(1971, 9000)
Work = Callable[[OpenStorage, Settings], Awaitable[None]]


def run_on_storage(config: str, work: Work) -> int:
    """Carry out one command; 0 done, 1 failed, 2 where the configuration cannot be used."""
    try:
        settings = load(Path(config), os.environ)
        asyncio.run(_carried_out(settings, work))
    except ConfigProblems as found:
        print(found, file=sys.stderr)
        return 2
    except Fault as fault:
        detail = f" ({fault.detail})" if fault.detail else ""
        print(f"{fault.message}{detail}", file=sys.stderr)
        return 1
    return 0


async def _carried_out(settings: Settings, work: Work) -> None:
    storage = await open_storage(settings, os.environ)
    try:
        await work(storage, settings)
    finally:
        await storage.database.close()


def operator() -> Actor:
    """Whoever runs this command, now."""
    return Actor.operator(unix_ms())


def common_options(command: argparse.ArgumentParser) -> None:
    """What every one of these commands takes."""
    command.add_argument("--config", required=True, metavar="FILE", help="the configuration")
    command.add_argument("--json", action="store_true", help="as JSON")


# ---------------------------------------------------------------- values of options


def listed(text: str) -> list[str]:
    """`a,b` as a list; nothing as an empty one."""
    return [word.strip() for word in text.split(",") if word.strip()]


def or_none(read: Callable[[str], _T]) -> Callable[[str], _T | None]:
    """Reads a value, or `none`."""

    def either(text: str) -> _T | None:
        return None if text.strip().lower() == NONE else read(text)

    return either


def credits_of(text: str) -> int:
    """Credits, with up to six decimals, as micro-credits."""
    try:
        credits = Decimal(text)
    except InvalidOperation:
        credits = Decimal(-1)
    if not (credits.is_finite() and 0 <= credits <= _LARGEST_CREDITS) or credits * CREDIT % 1:
        raise argparse.ArgumentTypeError(
            f"expected 0 or more credits, with six decimals at most, found {text!r}"
        )
    return int(credits * CREDIT)


def json_of(kind: Any, example: str) -> Callable[[str], Any]:
    """Reads JSON of this shape."""

    def read(text: str) -> Any:
        try:
            return msgspec.json.decode(text, type=kind)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise argparse.ArgumentTypeError(f"{error}; write it like {example}") from None

    return read


def date_of(text: str) -> dt.datetime:
    """A date or date-time; without a zone it is one of the configuration's."""
    try:
        at = dt.datetime.fromisoformat(text.strip())
        if at.year in _YEARS:
            return at
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(
        f"expected a date like 2026-12-01 or 2026-12-01T12:00:00Z, found {text!r}"
    )


def ms_of(at: dt.datetime, settings: Settings) -> int:
    """Unix milliseconds of a date."""
    if at.tzinfo is None:
        at = at.replace(tzinfo=ZoneInfo(settings.limits.time_zone))
    return int(at.timestamp() * 1000)


def next_month_ms(now_ms: int, settings: Settings) -> int:
    """When the next calendar month begins."""
    now = dt.datetime.fromtimestamp(now_ms / 1000, ZoneInfo(settings.limits.time_zone))
    year, month = (now.year + 1, 1) if now.month == 12 else (now.year, now.month + 1)
    return int(dt.datetime(year, month, 1, tzinfo=now.tzinfo).timestamp() * 1000)


# ---------------------------------------------------------------- things by their names


async def tenant_of(database: Database, word: str) -> Tenant:
    """The tenant of this id or name."""
    tenants = Tenants(database)
    tenant = await tenants.get(word) or await tenants.by_name(word)
    if tenant is None:
        raise Fault(
            Kind.NOT_FOUND,
            f"There is no tenant {word!r}.",
            hint="`hatz-gateway tenant list` shows them.",
        )
    return tenant


async def package_of(database: Database, word: str) -> Package:
    """The package of this id or name."""
    packages = Packages(database)
    package = await packages.get(word) or await packages.by_name(word)
    if package is None:
        raise Fault(
            Kind.NOT_FOUND,
            f"There is no package {word!r}.",
            hint="`hatz-gateway package list` shows them.",
        )
    return package


def model_of(settings: Settings, asked: str) -> Model:
    """The one of this id, letters' case aside: a switch is no place for guesses."""
    model = Catalog(settings.models, "settings").find(asked)
    if model is None:
        near = nearest(asked, [model.id for model in settings.models])
        raise Fault(
            Kind.NOT_FOUND,
            f"There is no model {asked!r}" + (f"; did you mean {near}?" if near else "."),
            hint="`hatz-gateway model list` shows ids.",
        )
    return model


def model_ids(settings: Settings, asked: Iterable[str]) -> list[str]:
    """The ids of these models, as the configuration writes them."""
    return [model_of(settings, name).id for name in asked]


async def every(page: Callable[[int, int], Awaitable[list[_T]]]) -> list[_T]:
    """All rows of a list that comes in pages of `page(limit, offset)`."""
    rows: list[_T] = []
    while more := await page(PAGE_MAX, len(rows)):
        rows += more
    return rows


# ---------------------------------------------------------------- results


def print_json(document: object) -> None:
    """For scripts."""
    print(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """For people; `-` stands for nothing."""
    lines = [tuple(headings), *[tuple([cell or "-" for cell in row]) for row in rows]]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        print("  ".join(cells).rstrip())


def minute_of(at_ms: int | None) -> str:
    """A moment for people, in UTC."""
    if at_ms is None:
        return ""
    return dt.datetime.fromtimestamp(at_ms / 1000, dt.UTC).strftime("%Y-%m-%d %H:%MZ")
