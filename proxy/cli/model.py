"""`model list|enable|disable`: the operator's switches, over what the configuration says.

A switch is kept in storage and beats the file, for everybody; it counts in all workers of a running
gateway within two seconds. A model without rates stays off: it would be free in silence.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from proxy.catalog.access import switched
from proxy.catalog.catalog import Catalog
from proxy.config.load import ConfigProblems, load
from proxy.config.rules import nearest
from proxy.config.settings import Settings
from proxy.domain.caller import Caller
from proxy.domain.fault import Fault, Kind
from proxy.domain.model import FAMILIES, Model
from proxy.storage.models import ModelSwitches
from proxy.storage.opening import open_storage

# Somebody from whom nothing is hidden, to ask the catalogue what an alias means.
_ANYBODY = Caller(key_id="", user_id="", email="", tenant_id="", tenant="", role="")


class _Row(msgspec.Struct, frozen=True):
    """One model as it stands. `switch` is the stored one, null where the file decides."""

    id: str
    display_name: str
    developer: str
    family: str | None
    released: str
    enabled: bool
    switch: bool | None
    current_for_alias: list[str]
    has_rates: bool
    deployments: list[str]


def run(arguments: list[str]) -> int:
    """Carry out one `model` command; 0 done, 1 failed, 2 wrong use."""
    options = _parser().parse_args(arguments)
    try:
        settings = load(Path(options.config), os.environ)
        asyncio.run(_carried_out(options, settings))
    except ConfigProblems as found:
        print(found, file=sys.stderr)
        return 2
    except Fault as fault:
        detail = f" ({fault.detail})" if fault.detail else ""
        print(f"{fault.message}{detail}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hatz-gateway model", description="List models and switch them on and off."
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    show = commands.add_parser(
        "list", help="every model of the configuration, and whether it is on"
    )
    on = commands.add_parser("enable", help="offer a model")
    off = commands.add_parser("disable", help="offer it no more, to nobody")
    for command in (on, off):
        command.add_argument("id", metavar="ID", help="as `model list` shows it")
    for command in (show, on, off):
        command.add_argument("--config", required=True, metavar="FILE", help="the configuration")
        command.add_argument("--json", action="store_true", help="as JSON")
    return parser


async def _carried_out(options: argparse.Namespace, settings: Settings) -> None:
    storage = await open_storage(settings, os.environ)
    try:
        switches = ModelSwitches(storage.database)
        if options.command == "list":
            _list(_rows(settings, await switches.switches()), as_json=options.json)
            return
        wanted = options.command == "enable"
        model = _model(settings, options.id)
        if wanted and model.rates is None:
            raise Fault(
                Kind.BAD_REQUEST,
                f"{model.id} has no rates and would be free in silence.",
                hint=f"Add `rates` to it in {options.config}; write 0 if it is meant to be free.",
            )
        await switches.set(model.id, enabled=wanted)
        rows = _rows(settings, await switches.switches())
        _tell(next(row for row in rows if row.id == model.id), as_json=options.json)
    finally:
        await storage.database.close()


def _model(settings: Settings, asked: str) -> Model:
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


def _rows(settings: Settings, switches: Mapping[str, bool]) -> list[_Row]:
    catalog = Catalog(switched(settings.models, switches), "switched")
    current = {family: catalog.current(family, _ANYBODY) for family in FAMILIES}
    return [
        _Row(
            id=model.id,
            display_name=model.display_name,
            developer=model.developer,
            family=model.family,
            released=model.released.isoformat(),
            enabled=model.enabled,
            switch=switches.get(model.id),
            current_for_alias=[family for family in FAMILIES if current[family] is model],
            has_rates=model.rates is not None,
            deployments=[place.provider for place in model.deployments],
        )
        for model in catalog.models
    ]


_HEADINGS = ("ID", "NAME", "DEVELOPER", "RELEASED", "STATE", "ALIAS", "PROVIDERS")


def _list(rows: list[_Row], *, as_json: bool) -> None:
    if as_json:
        print(_json(rows))
        return
    table = [_HEADINGS, *[_cells(row) for row in rows]]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        print("  ".join(cells).rstrip())


def _cells(row: _Row) -> tuple[str, ...]:
    return (
        *(row.id, row.display_name, row.developer, row.released),
        _state(row),
        ", ".join(row.current_for_alias) or "-",
        ", ".join(row.deployments) or "none",
    )


def _state(row: _Row) -> str:
    if not row.has_rates:
        return "off, no rates"
    state = "on" if row.enabled else "off"
    return state if row.switch is None else f"{state}, switched"


def _tell(row: _Row, *, as_json: bool) -> None:
    if as_json:
        print(_json(row))
    else:
        verb = "enabled" if row.enabled else "disabled"
        print(f"{row.id} is {verb}; running gateways follow within 2 seconds.")
    if row.enabled and not row.deployments:
        print(f"{row.id} has no deployments: requests for it answer 503.", file=sys.stderr)


def _json(document: object) -> str:
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()
