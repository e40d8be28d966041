"""`user list|create|change|password|move|delete`: the people.

Somebody created here is Active at once: whoever has a shell on this machine vouches for them. A
change counts in all workers of a running gateway within two seconds. A password for the console is
asked for where there is a terminal, else made, and printed once.
"""

import argparse

import msgspec
from msgspec import UNSET

from proxy.cli.password import password_for
from proxy.cli.stored import (
    DEFAULT_TENANT,
    common_options,
    every,
    operator,
    print_json,
    print_table,
    run_on_storage,
    tenant_of,
)
from proxy.config.settings import Settings
from proxy.domain.fault import Fault, Kind
from proxy.domain.people import Actor, User
from proxy.ledger.support_record import moment
from proxy.storage.accounts import Accounts
from proxy.storage.opening import OpenStorage
from proxy.storage.passwords import Passwords as StoredPasswords
from proxy.storage.roles import PRIMARY_ADMIN
from proxy.storage.users import GENERAL_USER, Users
from proxy.storage.writing import given


class _Row(msgspec.Struct, frozen=True):
    """A user in the words of the admin API; `role` is a slug."""

    id: str
    email: str
    first_name: str
    last_name: str
    role: str
    role_id: str
    status: str
    tenant_id: str
    tenant_name: str
    created_at: str


class _WithPassword(_Row, frozen=True):
    """With what was made for them: shown this one time."""

    password: str


def run(arguments: list[str]) -> int:
    """Carry out one `user` command; 0 done, 1 failed, 2 wrong use."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command == "create" and options.admin and options.role not in (UNSET, PRIMARY_ADMIN):
        parser.error(f"--admin makes a {PRIMARY_ADMIN}: leave --role out")

    async def work(storage: OpenStorage, _: Settings) -> None:
        await _carried_out(options, storage)

    return run_on_storage(options.config, work)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hatz-gateway user",
        description="List, create, change, move and delete users, and set passwords.",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    show = commands.add_parser("list", help="every user, or those of a tenant")
    create = commands.add_parser("create", help="a new user, Active at once")
    create.add_argument("email", metavar="EMAIL")
    create.add_argument(
        "--admin",
        action="store_true",
        help=f"with all rights over all tenants ({PRIMARY_ADMIN}); the tenant is added if missing",
    )
    change = commands.add_parser("change", help="change what is given")
    change.add_argument("--status", default=UNSET, choices=("Active", "Suspended"))
    password = commands.add_parser(
        "password", help="a new password for the console; signs them out everywhere"
    )
    move = commands.add_parser("move", help="to another tenant, with the keys")
    move.add_argument("--to", required=True, metavar="TENANT", help="its name or id")
    delete = commands.add_parser("delete", help="delete a user and revoke their keys for good")
    for command in (change, password, move, delete):
        command.add_argument("user", metavar="USER", help="their email address or id")
    for command in (create, change, move):
        command.add_argument(
            "--role", default=UNSET, metavar="SLUG", help=f"else {GENERAL_USER} for somebody new"
        )
    for command in (create, change):
        command.add_argument("--first-name", default=UNSET, metavar="TEXT")
        command.add_argument("--last-name", default=UNSET, metavar="TEXT")
    for command in (create, password):
        command.add_argument(
            "--password",
            metavar="env:NAME|file:PATH",
            help="take this password; else it is asked for, or made and printed once",
        )
    for command in (show, create, change, password, move, delete):
        command.add_argument(
            "--tenant",
            metavar="TENANT",
            help=f"of somebody new (else {DEFAULT_TENANT}), or where there are several of one"
            " address",
        )
        common_options(command)
    return parser


async def _carried_out(options: argparse.Namespace, storage: OpenStorage) -> None:
    users, by = Users(storage.database), operator()
    if options.command == "list":
        tenant_id = await _tenant_id(options, storage)
        found = await every(lambda limit, offset: users.page(tenant_id, limit, offset))
        _list(found, as_json=options.json)
        return
    if options.command == "create":
        user = await _created(options, storage, by)
        made = ""
        if options.admin or options.password is not None:
            made = await _password_set(user, options, storage, by)
        _tell(user, f"is created in {user.tenant} as {user.role}", options, made)
        return
    user = await _user_of(options, storage)
    if options.command == "change":
        fields = given(
            role=options.role,
            status=options.status,
            first_name=options.first_name,
            last_name=options.last_name,
        )
        user = await users.change(user.id, by, **fields)
        _tell(user, f"is {user.status} in {user.tenant} as {user.role}", options)
    elif options.command == "password":
        made = await _password_set(user, options, storage, by)
        _tell(user, "has a new password and is signed out everywhere", options, made)
    elif options.command == "move":
        target = await tenant_of(storage.database, options.to)
        role = options.role if options.role is not UNSET else ""
        user = await users.move(user.id, target.id, by, role=role)
        _tell(user, f"is now in {user.tenant} as {user.role}", options)
    else:
        await users.delete(user.id, by)
        gone = await users.get(user.id)
        _tell(gone or user, "is deleted, with all keys", options)


async def _created(options: argparse.Namespace, storage: OpenStorage, by: Actor) -> User:
    role = options.role if options.role is not UNSET else GENERAL_USER
    if options.admin:
        role = PRIMARY_ADMIN
    name = options.tenant or DEFAULT_TENANT
    if options.admin or options.tenant is None:
        # The first command on a new installation needs no second one before it.
        tenant_id = await _made_if_missing(name, storage, by)
    else:
        tenant_id = (await tenant_of(storage.database, name)).id
    names = given(first_name=options.first_name, last_name=options.last_name)
    return await Users(storage.database).create(
        options.email, tenant_id, by, role=role, status="Active", **names
    )


async def _password_set(
    user: User, options: argparse.Namespace, storage: OpenStorage, by: Actor
) -> str:
    """The password, where it was made here and nobody knows it yet."""
    hashed, made = await password_for(user.email, options.password)
    await StoredPasswords(storage.database).set(user.id, hashed, by)
    return made


async def _made_if_missing(word: str, storage: OpenStorage, by: Actor) -> str:
    try:
        return (await tenant_of(storage.database, word)).id
    except Fault as fault:
        if fault.kind is not Kind.NOT_FOUND:
            raise
    return await Accounts(storage.database).ensure_tenant(word, by)


async def _tenant_id(options: argparse.Namespace, storage: OpenStorage) -> str | None:
    if options.tenant is None:
        return None
    return (await tenant_of(storage.database, options.tenant)).id


async def _user_of(options: argparse.Namespace, storage: OpenStorage) -> User:
    """The user of this id or address; which of several must be said."""
    users = Users(storage.database)
    by_id = await users.get(options.user)
    if by_id is not None:
        return by_id
    found = await users.search(options.user, await _tenant_id(options, storage))
    if len(found) > 1:
        tenants = ", ".join([user.tenant for user in found])
        raise Fault(
            Kind.CONFLICT,
            f"{options.user} is in several tenants: {tenants}.",
            hint="Name one with --tenant.",
        )
    if not found:
        raise Fault(
            Kind.NOT_FOUND,
            f"There is no user {options.user!r}.",
            hint="`hatz-gateway user list` shows them.",
        )
    return found[0]


def _row(user: User) -> _Row:
    return _Row(
        id=user.id,
        email=user.email,
        first_name=user.first_name,
        last_name=user.last_name,
        role=user.role,
        role_id=user.role_id,
        status=user.status,
        tenant_id=user.tenant_id,
        tenant_name=user.tenant,
        created_at=moment(user.created_at),
    )


_HEADINGS = ("ID", "EMAIL", "NAME", "ROLE", "STATUS", "TENANT", "SINCE")


def _list(users: list[User], *, as_json: bool) -> None:
    rows = [_row(user) for user in users]
    if as_json:
        print_json(rows)
    else:
        print_table(_HEADINGS, [_cells(row) for row in rows])


def _cells(row: _Row) -> tuple[str, ...]:
    name = f"{row.first_name} {row.last_name}".strip()
    return (
        *(row.id, row.email, name, row.role, row.status, row.tenant_name),
        row.created_at[:10],
    )


def _tell(user: User, what: str, options: argparse.Namespace, password: str = "") -> None:
    if options.json:
        row = _row(user)
        shown = msgspec.structs.asdict(row)
        print_json(_WithPassword(**shown, password=password) if password else row)
        return
    print(f"{user.email} ({user.id}) {what}.")
    if password:
        print(f"Password for the console, shown this one time: {password}")
