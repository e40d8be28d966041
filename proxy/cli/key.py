"""`key create|list|revoke`: the operator's own way to API keys.

Works on the storage named by the configuration, before the first `serve` and beside a running one:
a change counts in all its workers within two seconds. A key is printed once, alone, on standard
output; whatever else is to be said goes to standard error.
"""

import argparse
import os
import sys

from proxy.auth.keys import NOISE_BYTES, digest, fault_of_given, mint, shown_prefix
from proxy.cli.stored import (
    DEFAULT_TENANT,
    date_of,
    every,
    minute_of,
    ms_of,
    operator,
    print_json,
    print_table,
    run_on_storage,
)
from proxy.config.secrets import SecretProblem, resolve
from proxy.config.settings import Settings
from proxy.domain.fault import Fault, Kind
from proxy.domain.people import ApiKey, User
from proxy.storage.accounts import Accounts
from proxy.storage.database import unix_ms
from proxy.storage.keys import Keys
from proxy.storage.opening import OpenStorage

NAME_CHARACTERS_MAX = 200


def run(arguments: list[str]) -> int:
    """Carry out one `key` command; 0 done, 1 failed, 2 wrong use."""
    options = _parser().parse_args(arguments)

    async def work(storage: OpenStorage, settings: Settings) -> None:
        if options.command == "create":
            await _create(options, storage, settings)
        elif options.command == "list":
            await _list(Keys(storage.database), as_json=options.json)
        else:
            await _revoke(Keys(storage.database), options.id)

    return run_on_storage(options.config, work)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hatz-gateway key", description="Create, list and revoke API keys."
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    create = commands.add_parser("create", help="print a new key, once")
    create.add_argument(
        "--user", required=True, metavar="EMAIL", help="its owner, added if missing"
    )
    create.add_argument("--tenant", default=DEFAULT_TENANT, metavar="NAME", help="added if missing")
    create.add_argument(
        "--role",
        metavar="SLUG",
        help="of a new user; else client_admin for the tenant's first, general_user after",
    )
    create.add_argument("--name", default="", metavar="NAME", help="what the key is for")
    create.add_argument(
        "--expires",
        type=date_of,
        metavar="D",
        help="the first moment it is no longer good, a date or date-time; else never",
    )
    create.add_argument(
        "--secret",
        metavar="env:NAME|file:PATH",
        help="take this value as the key and print nothing; the same value twice is no error",
    )
    show = commands.add_parser("list", help="every key, and whether it is still good")
    show.add_argument("--json", action="store_true", help="as a JSON array")
    revoke = commands.add_parser("revoke", help="end a key for good")
    revoke.add_argument("id", metavar="ID", help="as `key list` shows it, key_…")
    for command in (create, show, revoke):
        command.add_argument("--config", required=True, metavar="FILE", help="the configuration")
    return parser


async def _create(options: argparse.Namespace, storage: OpenStorage, settings: Settings) -> None:
    name: str = options.name.strip()
    if len(name) > NAME_CHARACTERS_MAX or not name.isprintable():
        raise Fault(
            Kind.BAD_REQUEST,
            f"A key's name has at most {NAME_CHARACTERS_MAX} printable characters.",
        )
    by = operator()
    expires_at = None if options.expires is None else ms_of(options.expires, settings)
    if expires_at is not None and expires_at <= by.at:
        raise Fault(
            Kind.BAD_REQUEST,
            f"--expires: {options.expires.isoformat()} has passed.",
            hint="Name a moment to come, or leave it out.",
        )
    keys = Keys(storage.database)
    key = mint(os.urandom(NOISE_BYTES)) if options.secret is None else _given(options.secret)
    key_digest = digest(key.encode(), storage.hash_secret)
    if options.secret is not None and await _is_there(keys, key_digest, options):
        return

    accounts = Accounts(storage.database)
    tenant_id = await accounts.ensure_tenant(options.tenant, by)
    user = await accounts.ensure_user(options.user, tenant_id, options.role, by)
    _refuse_inactive(user)
    try:
        await keys.insert(user.id, name, key_digest, shown_prefix(key), by, expires_at=expires_at)
    except Fault as fault:
        # Two that provision the same value at once: the second finds it there.
        if fault.kind is not Kind.CONFLICT or not await _is_there(keys, key_digest, options):
            raise
    if options.secret is None:
        print(key)


def _given(reference: str) -> str:
    try:
        key = resolve(reference, os.environ).reveal()
    except SecretProblem as problem:
        raise Fault(Kind.BAD_REQUEST, f"--secret: {problem}.") from None
    fault = fault_of_given(key)
    if fault:
        raise Fault(Kind.BAD_REQUEST, f"The value of {reference} cannot be a key: {fault}.")
    return key


async def _is_there(keys: Keys, key_digest: bytes, options: argparse.Namespace) -> bool:
    """Is the given value this user's key already? Somebody else's or a revoked one is a Fault."""
    there = await keys.record_by_digest(key_digest)
    if there is None:
        return False
    if there.revoked_at is not None:
        raise Fault(
            Kind.CONFLICT,
            f"This value was the key {there.id} and is revoked for good.",
            hint=f"Put a new value into {options.secret}.",
        )
    owner = (there.email.casefold(), there.tenant)
    if owner != (options.user.strip().casefold(), options.tenant.strip()):
        raise Fault(
            Kind.CONFLICT,
            f"This value is already the key {there.id} of {there.email} in {there.tenant}.",
            hint=f"Put another value into {options.secret}.",
        )
    return True


def _refuse_inactive(user: User) -> None:
    """A key for somebody who may not come in would only look like one (domain.md 2.4)."""
    if not user.active:
        raise Fault(
            Kind.FORBIDDEN,
            f"{user.email} is {user.status} and the workspace {user.tenant} is"
            f" {user.tenant_status}; a key works only when both are Active.",
        )


_HEADINGS = ("ID", "KEY", "NAME", "USER", "TENANT", "CREATED", "LAST USED", "STATE")


def _cells(record: ApiKey, now_ms: int) -> tuple[str, ...]:
    shown = (record.id, f"{record.prefix}...", record.name, record.email, record.tenant)
    return (
        *shown,
        minute_of(record.created_at),
        minute_of(record.last_used_at),
        _state(record, now_ms),
    )


async def _list(keys: Keys, *, as_json: bool) -> None:
    records = (await every(keys.page))[::-1]
    if as_json:
        print_json(records)
        return
    now_ms = unix_ms()
    print_table(_HEADINGS, [_cells(record, now_ms) for record in records])


def _state(record: ApiKey, now_ms: int) -> str:
    if record.revoked_at is not None:
        return f"revoked {minute_of(record.revoked_at)}"
    if record.expires_at is None:
        return "good"
    state = "expired" if record.expires_at <= now_ms else "good until"
    return f"{state} {minute_of(record.expires_at)}"


async def _revoke(keys: Keys, key_id: str) -> None:
    record = await keys.record(key_id)
    if record is None:
        raise Fault(
            Kind.NOT_FOUND,
            f"There is no key {key_id!r}.",
            hint="`hatz-gateway key list` shows ids.",
        )
    if record.revoked_at is not None:
        print(f"{key_id} was revoked before.", file=sys.stderr)
        return
    await keys.revoke(key_id, operator())
    print(f"{key_id} is revoked; running gateways refuse it within 2 seconds.", file=sys.stderr)
