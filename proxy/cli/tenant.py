"""`tenant list|create|change|add-pack|remove-pack`: the workspaces and what was agreed with each.

A change counts in all workers of a running gateway within two seconds.
"""

import argparse

import msgspec
from msgspec import UNSET

from proxy.cli.package import LADDER_EXAMPLE
from proxy.cli.stored import (
    common_options,
    credits_of,
    date_of,
    every,
    json_of,
    listed,
    model_ids,
    ms_of,
    next_month_ms,
    operator,
    or_none,
    package_of,
    print_json,
    print_table,
    run_on_storage,
    tenant_of,
)
from proxy.config.settings import Settings
from proxy.domain.fault import Fault, Kind
from proxy.domain.people import CREDIT, Actor, CreditPack, Tenant, TenantConfig
from proxy.domain.terms import Burst, Ladder
from proxy.ledger.support_record import moment
from proxy.storage.opening import OpenStorage
from proxy.storage.packages import CreditPacks
from proxy.storage.tenants import Tenants
from proxy.storage.writing import given

BURST_EXAMPLE = '{"requests_per_minute": 600, "streams": 50}'
CONFIG_EXAMPLE = '{"beta_features": true, "default_model_name": null}'


class _Pack(msgspec.Struct, frozen=True):
    id: str
    name: str
    credits: float
    valid_from: str
    valid_until: str | None


class _Row(msgspec.Struct, frozen=True):
    """A tenant in the words of the admin API."""

    id: str
    name: str
    status: str
    created_at: str
    user_count: int
    package_id: str | None
    primary_package_name: str | None
    next_package_id: str | None
    next_package_name: str | None
    next_package_from: str | None
    credit_packs: list[_Pack]
    ladder: Ladder | None
    burst: Burst | None
    tenant_config: TenantConfig
    disabled_model_names: list[str]


def run(arguments: list[str]) -> int:
    """Carry out one `tenant` command; 0 done, 1 failed, 2 wrong use."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command == "change":
        if options.start is not None and options.package is UNSET:
            parser.error("--from says when a package comes into effect: add --package")
        if options.cancel_next_package and options.package is not UNSET:
            parser.error("--cancel-next-package stays with the package of now: leave --package out")

    async def work(storage: OpenStorage, settings: Settings) -> None:
        await _carried_out(options, storage, settings)

    return run_on_storage(options.config, work)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hatz-gateway tenant", description="List, create and change tenants."
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    show = commands.add_parser("list", help="every tenant")
    create = commands.add_parser("create", help="a new tenant; without a package it has no limit")
    create.add_argument("name", metavar="NAME")
    create.add_argument("--package", default=None, metavar="PACKAGE", help="its name or id")
    change = commands.add_parser("change", help="change what is given")
    _options_of_change(change)
    add = commands.add_parser("add-pack", help="further credits beside the package")
    add.add_argument("--credits", required=True, type=credits_of, metavar="N", help="each month")
    add.add_argument("--name", default="", metavar="TEXT", help='else "N Extra Credits"')
    add.add_argument("--from", dest="start", type=date_of, metavar="D", help="else now")
    add.add_argument(
        "--until",
        type=or_none(date_of),
        default=UNSET,
        metavar="D|none",
        help="the first moment it is no more; else the end of the month it begins in",
    )
    for command in (change, add):
        command.add_argument("tenant", metavar="TENANT", help="its name or id")
    remove = commands.add_parser("remove-pack", help="take a credit pack away")
    remove.add_argument("id", metavar="ID", help="as `tenant list --json` shows it, pack_…")
    for command in (show, create, change, add, remove):
        common_options(command)
    return parser


def _options_of_change(change: argparse.ArgumentParser) -> None:
    change.add_argument("--name", default=UNSET, metavar="NAME", help="its new name")
    change.add_argument("--status", default=UNSET, choices=("Active", "Suspended", "Archived"))
    change.add_argument(
        "--package",
        type=or_none(str),
        default=UNSET,
        metavar="PACKAGE|none",
        help="its name or id, at once or --from then on; none: no limit",
    )
    change.add_argument(
        "--from",
        dest="start",
        type=_start,
        metavar="D|next-month",
        help="when the package comes into effect, as a downgrade does with the next month",
    )
    change.add_argument(
        "--cancel-next-package", action="store_true", help="stay with the package of now"
    )
    change.add_argument(
        "--ladder",
        type=or_none(json_of(Ladder, LADDER_EXAMPLE)),
        default=UNSET,
        metavar="JSON|none",
        help=f"like {LADDER_EXAMPLE}; none: the package's",
    )
    change.add_argument(
        "--burst",
        type=or_none(json_of(Burst, BURST_EXAMPLE)),
        default=UNSET,
        metavar="JSON|none",
        help=f"how fast it may be, like {BURST_EXAMPLE}; none: as configured",
    )
    change.add_argument(
        "--tenant-config",
        type=json_of(dict[str, bool | str | None], CONFIG_EXAMPLE),
        default=None,
        metavar="JSON",
        help=f"what is given of it, like {CONFIG_EXAMPLE}",
    )
    change.add_argument(
        "--disabled-model-names",
        type=listed,
        default=UNSET,
        metavar="ID,ID",
        help='exactly these models are off for it; "": none',
    )


def _start(text: str) -> object:
    return text if text == "next-month" else date_of(text)


async def _carried_out(
    options: argparse.Namespace, storage: OpenStorage, settings: Settings
) -> None:
    tenants, by = Tenants(storage.database), operator()
    if options.command == "list":
        _list(await every(tenants.page), as_json=options.json)
    elif options.command == "create":
        package_id = None
        if options.package is not None:
            package_id = (await package_of(storage.database, options.package)).id
        tenant = await tenants.create(options.name, by, package_id=package_id)
        _tell(tenant, f"The tenant {tenant.name} ({tenant.id}) is created.", options)
    elif options.command == "change":
        tenant = await _changed(options, storage, settings, by)
        _tell(tenant, f"The tenant {tenant.name} ({tenant.id}) is changed.", options)
    elif options.command == "add-pack":
        tenant = await tenant_of(storage.database, options.tenant)
        pack = await _pack_added(options, storage, settings, tenant, by)
        if options.json:
            print_json(_pack(pack))
        else:
            print(f"{tenant.name} has {pack.name} ({pack.id}).")
    else:
        await CreditPacks(storage.database).remove(options.id, by)
        if options.json:
            print_json({"id": options.id, "deleted": True})
        else:
            print(f"The credit pack {options.id} is removed.")


async def _changed(
    options: argparse.Namespace, storage: OpenStorage, settings: Settings, by: Actor
) -> Tenant:
    tenants = Tenants(storage.database)
    tenant = await tenant_of(storage.database, options.tenant)
    fields = given(
        name=options.name, status=options.status, ladder=options.ladder, burst=options.burst
    )
    if options.disabled_model_names is not UNSET:
        fields["disabled_models"] = model_ids(settings, options.disabled_model_names)
    if options.tenant_config is not None:
        fields["config"] = _config(tenant.config, options.tenant_config)
    package_id = options.package
    if package_id is not UNSET and package_id is not None:
        package_id = (await package_of(storage.database, package_id)).id
    if options.start is None:
        fields |= given(package_id=package_id)
    else:
        from_ms = (
            next_month_ms(by.at, settings)
            if options.start == "next-month"
            else ms_of(options.start, settings)
        )
        await tenants.schedule_package(tenant.id, package_id, from_ms, by)
    if options.cancel_next_package:
        await tenants.cancel_scheduled_package(tenant.id, by)
    return await tenants.change(tenant.id, by, **fields)


def _config(before: TenantConfig, wanted: dict[str, object]) -> TenantConfig:
    try:
        return msgspec.convert(msgspec.structs.asdict(before) | wanted, TenantConfig)
    except msgspec.ValidationError as error:
        raise Fault(Kind.BAD_REQUEST, f"--tenant-config: {error}.") from None


async def _pack_added(
    options: argparse.Namespace,
    storage: OpenStorage,
    settings: Settings,
    tenant: Tenant,
    by: Actor,
) -> CreditPack:
    valid_from = by.at if options.start is None else ms_of(options.start, settings)
    if options.until is UNSET:
        valid_until: int | None = next_month_ms(valid_from, settings)
    else:
        valid_until = None if options.until is None else ms_of(options.until, settings)
    return await CreditPacks(storage.database).add(
        tenant.id,
        by,
        name=options.name or f"{options.credits / CREDIT:g} Extra Credits",
        credits=options.credits,
        valid_from=valid_from,
        valid_until=valid_until,
    )


def _pack(pack: CreditPack) -> _Pack:
    until = None if pack.valid_until is None else moment(pack.valid_until)
    return _Pack(pack.id, pack.name, pack.credits / CREDIT, moment(pack.valid_from), until)


def _row(tenant: Tenant) -> _Row:
    next_from = tenant.next_package_from
    return _Row(
        id=tenant.id,
        name=tenant.name,
        status=tenant.status,
        created_at=moment(tenant.created_at),
        user_count=tenant.user_count,
        package_id=tenant.package_id,
        primary_package_name=tenant.package,
        next_package_id=tenant.next_package_id,
        next_package_name=tenant.next_package,
        next_package_from=None if next_from is None else moment(next_from),
        credit_packs=[_pack(pack) for pack in tenant.packs],
        ladder=tenant.ladder,
        burst=tenant.burst,
        tenant_config=tenant.config,
        disabled_model_names=list(tenant.disabled_models),
    )


_HEADINGS = ("ID", "NAME", "STATUS", "USERS", "PACKAGE", "NEXT PACKAGE", "PACKS", "MODELS OFF")


def _list(tenants: list[Tenant], *, as_json: bool) -> None:
    rows = [_row(tenant) for tenant in tenants]
    if as_json:
        print_json(rows)
    else:
        print_table(_HEADINGS, [_cells(row) for row in rows])


def _cells(row: _Row) -> tuple[str, ...]:
    agreed = ""
    if row.next_package_from is not None:
        agreed = f"{row.next_package_name or 'none'} from {row.next_package_from[:10]}"
    return (
        *(row.id, row.name, row.status, str(row.user_count)),
        *(row.primary_package_name or "", agreed),
        str(len(row.credit_packs) or ""),
        str(len(row.disabled_model_names) or ""),
    )


def _tell(tenant: Tenant, sentence: str, options: argparse.Namespace) -> None:
    if options.json:
        print_json(_row(tenant))
    else:
        print(sentence)
