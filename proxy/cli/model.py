"""`model list|enable|disable|rates`: the operator's switches and rates, over what the configuration
says.

Both are kept in storage and beat the file, for everybody; they count in all workers of a running
gateway within two seconds. A model without rates stays off: it would be free in silence.
"""

import argparse
import sys
from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from proxy.catalog.access import switched
from proxy.catalog.catalog import Catalog
from proxy.cli.rates import rates_carried_out, rates_options
from proxy.cli.stored import (
    common_options,
    model_of,
    operator,
    print_json,
    print_table,
    run_on_storage,
)
from proxy.config.settings import Settings
from proxy.domain.caller import Caller
from proxy.domain.fault import Fault, Kind
from proxy.domain.model import FAMILIES, Model, Rates
from proxy.storage.database import unix_ms
from proxy.storage.models import ModelSwitches
from proxy.storage.opening import OpenStorage
from proxy.storage.rates import RateSheet

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

    async def work(storage: OpenStorage, settings: Settings) -> None:
        if options.command == "rates":
            await rates_carried_out(options, storage, settings)
        else:
            await _carried_out(options, storage, settings)

    return run_on_storage(options.config, work)


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
        common_options(command)
    rates_options(commands.add_parser("rates", help="what models cost: list, set, withdraw"))
    return parser


async def _carried_out(
    options: argparse.Namespace, storage: OpenStorage, settings: Settings
) -> None:
    switches = ModelSwitches(storage.database)
    models = _priced(settings, await RateSheet(storage.database).current(unix_ms()))
    if options.command == "list":
        _list(_rows(models, await switches.switches()), as_json=options.json)
        return
    wanted = options.command == "enable"
    model = models[model_of(settings, options.id).id]
    if wanted and model.rates is None:
        raise Fault(
            Kind.BAD_REQUEST,
            f"{model.id} has no rates and would be free in silence.",
            hint=f"Add `rates` to it in {options.config}, or `hatz-gateway model rates set` them;"
            " write 0 if it is meant to be free.",
        )
    await switches.set(model.id, enabled=wanted, by=operator())
    rows = _rows(models, await switches.switches())
    _tell(next(row for row in rows if row.id == model.id), as_json=options.json)


def _priced(settings: Settings, rates: Mapping[str, Rates]) -> dict[str, Model]:
    """The models by id, with the rates that are in effect."""
    return {
        model.id: replace(model, rates=rates.get(model.id, model.rates))
        for model in settings.models
    }


def _rows(models: Mapping[str, Model], switches: Mapping[str, bool]) -> list[_Row]:
    catalog = Catalog(switched(models.values(), switches), "switched")
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
        print_json(rows)
    else:
        print_table(_HEADINGS, [_cells(row) for row in rows])


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
        print_json(row)
    else:
        verb = "enabled" if row.enabled else "disabled"
        print(f"{row.id} is {verb}; running gateways follow within 2 seconds.")
    if row.enabled and not row.deployments:
        print(f"{row.id} has no deployments: requests for it answer 503.", file=sys.stderr)
