"""`model rates list|set|withdraw`: what models cost, each from a moment on.

Rates set here beat those of the configuration. What was used is never priced again: they begin now
or later, and only those still to come can be taken back.
"""

import argparse

import msgspec

from proxy.cli.stored import (
    common_options,
    date_of,
    every,
    minute_of,
    model_of,
    ms_of,
    operator,
    print_json,
    print_table,
)
from proxy.config.settings import Settings
from proxy.domain.model import Rates
from proxy.domain.people import DatedRates
from proxy.ledger.support_record import moment
from proxy.storage.database import unix_ms
from proxy.storage.opening import OpenStorage
from proxy.storage.rates import RateSheet

_FIELDS = {
    "input": "credits per million tokens read",
    "output": "credits per million tokens written, thinking too",
    "cache_write_5m": "per million tokens put into the cache for 5 minutes; else 0",
    "cache_write_1h": "for an hour; else 0",
    "cache_read": "per million tokens read from the cache; else 0",
}


class _Row(msgspec.Struct, frozen=True):
    """Rates of a model. `effective_from` null: as configured."""

    model_id: str
    effective_from: str | None
    in_effect: bool
    rates: Rates


def rates_options(parser: argparse.ArgumentParser) -> None:
    """The commands below `model rates`."""
    commands = parser.add_subparsers(dest="action", metavar="COMMAND", required=True)
    show = commands.add_parser("list", help="rates past, in effect and to come")
    show.add_argument("id", nargs="?", metavar="ID", help="of one model only")
    change = commands.add_parser("set", help="rates from now on, or from a moment to come")
    for name, help_text in _FIELDS.items():
        change.add_argument(
            f"--{name.replace('_', '-')}",
            type=_rate,
            required=name in ("input", "output"),
            default=0,
            metavar="N",
            help=help_text,
        )
    withdraw = commands.add_parser("withdraw", help="take back rates that are still to come")
    for command in (change, withdraw):
        command.add_argument("id", metavar="ID", help="as `model list` shows it")
        command.add_argument(
            "--effective-from",
            type=date_of,
            required=command is withdraw,
            metavar="D",
            help="a date or date-time" + ("; else now" if command is change else ""),
        )
    for command in (show, change, withdraw):
        common_options(command)


def _rate(text: str) -> int:
    # Whole numbers only: a credit per million tokens is a micro-credit per token.
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"expected a whole number, 0 or more, found {text!r}")
    return int(text)


async def rates_carried_out(
    options: argparse.Namespace, storage: OpenStorage, settings: Settings
) -> None:
    """Carry out one of these commands."""
    sheet = RateSheet(storage.database)
    model_id = None if options.id is None else model_of(settings, options.id).id
    if options.action == "list":
        await _list(sheet, settings, model_id, as_json=options.json)
        return
    assert model_id is not None
    by = operator()
    begins = None
    if options.effective_from is not None:
        begins = ms_of(options.effective_from, settings)
    if options.action == "withdraw":
        assert begins is not None
        await sheet.withdraw(model_id, begins, by)
        if options.json:
            print_json({"model_id": model_id, "effective_from": moment(begins), "deleted": True})
        else:
            print(f"{model_id} keeps its rates on {minute_of(begins)}.")
        return
    rates = Rates(**{name: getattr(options, name) for name in _FIELDS})
    dated = await sheet.set(model_id, rates, by, effective_from=begins)
    if options.json:
        print_json(_row(dated, in_effect=dated.effective_from <= by.at))
    else:
        print(f"{model_id} has new rates from {minute_of(dated.effective_from)} on.")


async def _list(
    sheet: RateSheet, settings: Settings, model_id: str | None, *, as_json: bool
) -> None:
    now_ms = unix_ms()
    dated = await every(lambda limit, offset: sheet.page(model_id, limit, offset))
    newest: dict[str, int] = {}
    for each in dated:
        if each.effective_from <= now_ms:
            newest[each.model_id] = max(each.effective_from, newest.get(each.model_id, 0))
    rows = [
        _row(each, in_effect=newest.get(each.model_id) == each.effective_from) for each in dated
    ]
    rows += [
        _Row(model.id, None, model.id not in newest, model.rates)
        for model in settings.models
        if model.rates is not None and model_id in (None, model.id)
    ]
    rows.sort(key=lambda row: row.model_id)
    if as_json:
        print_json(rows)
    else:
        print_table(_HEADINGS, [_cells(row) for row in rows])


def _row(dated: DatedRates, *, in_effect: bool) -> _Row:
    return _Row(dated.model_id, moment(dated.effective_from), in_effect, dated.rates)


_HEADINGS = ("MODEL", "FROM", "IN EFFECT", "INPUT", "OUTPUT", "WRITE 5M", "WRITE 1H", "READ")


def _cells(row: _Row) -> tuple[str, ...]:
    rates = row.rates
    return (
        *(row.model_id, (row.effective_from or "as configured")[:16]),
        "yes" if row.in_effect else "no",
        *(f"{getattr(rates, name):,}" for name in _FIELDS),
    )
