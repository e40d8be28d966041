"""`role list|create|change|delete`: what people may do, and how much.

A change counts for everybody who has the role, in all workers of a running gateway within two
seconds. A role without a tenant is there for all of them.
"""

import argparse
import math

import msgspec
from msgspec import UNSET

from proxy.cli.stored import (
    common_options,
    every,
    listed,
    model_ids,
    operator,
    or_none,
    print_json,
    print_table,
    run_on_storage,
    tenant_of,
)
from proxy.config.settings import Settings
from proxy.domain.fault import Fault, Kind
from proxy.domain.people import Role
from proxy.ledger.report import format_credits
from proxy.storage.opening import OpenStorage
from proxy.storage.roles import Roles
from proxy.storage.writing import given


class _Row(msgspec.Struct, frozen=True):
    """A role in the words of the admin API; `name` is its slug."""

    id: str
    name: str
    tenant_id: str | None
    display_name: str
    description: str
    role_source: str
    user_credit_limit: float | None
    permissions: list[str]
    disabled_model_names: list[str]
    assigned_users_count: int


def run(arguments: list[str]) -> int:
    """Carry out one `role` command; 0 done, 1 failed, 2 wrong use."""
    options = _parser().parse_args(arguments)

    async def work(storage: OpenStorage, settings: Settings) -> None:
        await _carried_out(options, storage, settings)

    return run_on_storage(options.config, work)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hatz-gateway role", description="List, create, change and delete roles."
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    show = commands.add_parser("list", help="default roles, and every custom one")
    create = commands.add_parser("create", help="a new role")
    create.add_argument("name", metavar="SLUG", help="such as test_team")
    change = commands.add_parser("change", help="change what is given, for all who have it")
    change.add_argument("--name", default=UNSET, metavar="SLUG", help="its new slug")
    delete = commands.add_parser("delete", help="delete one nobody has")
    for command in (change, delete):
        command.add_argument("role", metavar="ROLE", help="its slug or id")
    for command in (show, create, change, delete):
        command.add_argument("--tenant", metavar="TENANT", help="whose role it is; else for all")
        common_options(command)
    for command in (create, change):
        command.add_argument("--display-name", default=UNSET, metavar="TEXT", help="for people")
        command.add_argument("--description", default=UNSET, metavar="TEXT")
        command.add_argument(
            "--permissions", type=listed, default=UNSET, metavar="NAME,NAME", help="exactly these"
        )
        command.add_argument(
            "--user-credit-limit",
            type=or_none(_credit_limit),
            default=UNSET,
            metavar="N|none",
            help="credits a month for each of its users; none: no cap",
        )
        command.add_argument(
            "--disabled-model-names",
            type=listed,
            default=UNSET,
            metavar="ID,ID",
            help='exactly these models are off for it; "": none',
        )
    return parser


def _credit_limit(text: str) -> float:
    try:
        limit = float(text)
    except ValueError:
        limit = math.nan
    if not (math.isfinite(limit) and limit >= 0):
        raise argparse.ArgumentTypeError(f"expected 0 or more credits, found {text!r}")
    return limit


async def _carried_out(
    options: argparse.Namespace, storage: OpenStorage, settings: Settings
) -> None:
    roles = Roles(storage.database)
    tenant_id = None
    if options.tenant is not None:
        tenant_id = (await tenant_of(storage.database, options.tenant)).id
    if options.command == "list":
        custom = await every(lambda limit, offset: roles.custom(tenant_id, limit, offset))
        _list([*await every(roles.defaults), *custom], as_json=options.json)
        return
    by = operator()
    if options.command == "delete":
        role = await _role_of(roles, options.role, tenant_id)
        await roles.delete(role.id, by)
        _tell(role, "deleted", as_json=options.json)
        return
    fields = given(
        display_name=options.display_name,
        description=options.description,
        permissions=options.permissions,
        user_credit_limit=options.user_credit_limit,
    )
    if options.disabled_model_names is not UNSET:
        fields["disabled_models"] = model_ids(settings, options.disabled_model_names)
    if options.command == "create":
        role = await roles.create(options.name, by, tenant_id=tenant_id, **fields)
        _tell(role, "created", as_json=options.json)
    else:
        role = await _role_of(roles, options.role, tenant_id)
        role = await roles.change(role.id, by, slug=options.name, **fields)
        _tell(role, "changed", as_json=options.json)


async def _role_of(roles: Roles, word: str, tenant_id: str | None) -> Role:
    """The role of this id, or of this slug in a tenant, or of this slug among those for all."""
    role = await roles.get(word) or await roles.by_slug(word, tenant_id or "")
    if role is None:
        raise Fault(
            Kind.NOT_FOUND,
            f"There is no role {word!r}" + (" for this tenant." if tenant_id else " for all."),
            hint="`hatz-gateway role list` shows them; --tenant names the tenant of one's own.",
        )
    return role


def _row(role: Role) -> _Row:
    return _Row(
        id=role.id,
        name=role.slug,
        tenant_id=role.tenant_id,
        display_name=role.display_name,
        description=role.description,
        role_source="default" if role.is_default else "custom",
        user_credit_limit=role.user_credit_limit,
        permissions=sorted(role.permissions),
        disabled_model_names=list(role.disabled_models),
        assigned_users_count=role.assigned_users,
    )


_HEADINGS = ("ID", "SLUG", "NAME", "SOURCE", "TENANT", "CREDITS A MONTH", "USERS", "PERMISSIONS")


def _list(roles: list[Role], *, as_json: bool) -> None:
    rows = [_row(role) for role in roles]
    if as_json:
        print_json(rows)
    else:
        print_table(_HEADINGS, [_cells(row) for row in rows])


def _cells(row: _Row) -> tuple[str, ...]:
    limit = "no cap" if row.user_credit_limit is None else format_credits(row.user_credit_limit)
    return (
        *(row.id, row.name, row.display_name, row.role_source, row.tenant_id or "all"),
        *(limit, str(row.assigned_users_count), str(len(row.permissions))),
    )


def _tell(role: Role, what: str, *, as_json: bool) -> None:
    if as_json:
        print_json(_row(role))
    else:
        print(f"The role {role.slug} ({role.id}) is {what}.")
