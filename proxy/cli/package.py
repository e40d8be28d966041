"""`package list|create|change|delete`: what tenants get each month.

A change holds for all tenants of a package with their next request, in all workers of a running
gateway within two seconds.
"""

import argparse

import msgspec
from msgspec import UNSET

from proxy.cli.stored import (
    common_options,
    credits_of,
    every,
    json_of,
    listed,
    model_ids,
    operator,
    or_none,
    package_of,
    print_json,
    print_table,
    run_on_storage,
)
from proxy.config.settings import Settings
from proxy.domain.people import CREDIT, Package
from proxy.domain.terms import Ladder
from proxy.ledger.report import format_credits
from proxy.ledger.support_record import moment
from proxy.storage.opening import OpenStorage
from proxy.storage.packages import Packages
from proxy.storage.writing import given

LADDER_EXAMPLE = '[{"ratio": 1.0, "multiplier": 1.0}, {"ratio": 1.5}]'


class _Row(msgspec.Struct, frozen=True):
    """A package in the words of the admin API."""

    id: str
    name: str
    monthly_credits: float | None
    allowed_models: list[str] | None
    ladder: Ladder | None
    created_at: str
    tenant_count: int


def run(arguments: list[str]) -> int:
    """Carry out one `package` command; 0 done, 1 failed, 2 wrong use."""
    options = _parser().parse_args(arguments)

    async def work(storage: OpenStorage, settings: Settings) -> None:
        await _carried_out(options, storage, settings)

    return run_on_storage(options.config, work)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hatz-gateway package", description="List, create, change and delete packages."
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    show = commands.add_parser("list", help="every package")
    create = commands.add_parser("create", help="a new package; without credits it has no limit")
    create.add_argument("name", metavar="NAME")
    change = commands.add_parser("change", help="change what is given, for all its tenants")
    change.add_argument("--name", default=UNSET, metavar="NAME", help="its new name")
    delete = commands.add_parser("delete", help="delete one no tenant has")
    for command in (change, delete):
        command.add_argument("package", metavar="PACKAGE", help="its name or id")
    for command in (create, change):
        command.add_argument(
            "--monthly-credits",
            type=or_none(credits_of),
            default=UNSET,
            metavar="N|none",
            help="credits per calendar month; none: no limit, 0: nothing is allowed",
        )
        command.add_argument(
            "--allowed-models",
            type=or_none(listed),
            default=UNSET,
            metavar="ID,ID|none",
            help="the models its tenants can use; none: all",
        )
        command.add_argument(
            "--ladder",
            type=or_none(json_of(Ladder, LADDER_EXAMPLE)),
            default=UNSET,
            metavar="JSON|none",
            help=f"what is restricted beyond the allowance, like {LADDER_EXAMPLE}; none: as"
            " configured",
        )
    for command in (show, create, change, delete):
        common_options(command)
    return parser


async def _carried_out(
    options: argparse.Namespace, storage: OpenStorage, settings: Settings
) -> None:
    packages = Packages(storage.database)
    if options.command == "list":
        _list(await every(packages.page), as_json=options.json)
        return
    by = operator()
    if options.command == "delete":
        package = await package_of(storage.database, options.package)
        await packages.delete(package.id, by)
        _tell(package, "deleted", as_json=options.json)
        return
    if options.allowed_models:
        options.allowed_models = model_ids(settings, options.allowed_models)
    fields = given(
        monthly_credits=options.monthly_credits,
        allowed_models=options.allowed_models,
        ladder=options.ladder,
    )
    if options.command == "create":
        package = await packages.create(options.name, by, **fields)
        _tell(package, "created", as_json=options.json)
    else:
        package = await package_of(storage.database, options.package)
        package = await packages.change(package.id, by, name=options.name, **fields)
        _tell(package, "changed", as_json=options.json)


def _row(package: Package) -> _Row:
    monthly, allowed = package.monthly_credits, package.allowed_models
    return _Row(
        id=package.id,
        name=package.name,
        monthly_credits=None if monthly is None else monthly / CREDIT,
        allowed_models=None if allowed is None else list(allowed),
        ladder=package.ladder,
        created_at=moment(package.created_at),
        tenant_count=package.tenant_count,
    )


_HEADINGS = ("ID", "NAME", "CREDITS A MONTH", "MODELS", "TENANTS")


def _list(packages: list[Package], *, as_json: bool) -> None:
    rows = [_row(package) for package in packages]
    if as_json:
        print_json(rows)
    else:
        print_table(_HEADINGS, [_cells(row) for row in rows])


def _cells(row: _Row) -> tuple[str, ...]:
    credits = "no limit" if row.monthly_credits is None else format_credits(row.monthly_credits)
    models = "all" if row.allowed_models is None else str(len(row.allowed_models))
    return (row.id, row.name, credits, models, str(row.tenant_count))


def _tell(package: Package, what: str, *, as_json: bool) -> None:
    if as_json:
        print_json(_row(package))
    else:
        print(f"The package {package.name} ({package.id}) is {what}.")
