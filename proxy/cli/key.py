"""`key create|list|revoke`: the operator's own way to API keys.

Works on the storage named by the configuration, before the first `serve` and beside a running one:
a change counts in all its workers within two seconds. A key is printed once, alone, on standard
output; whatever else is to be said goes to standard error.
"""

import argparse
import asyncio
import datetime as dt
import os
import sys
from pathlib import Path

import msgspec

from proxy.auth.keys import NOISE_BYTES, digest, fault_of_given, mint, shown_prefix
from proxy.config.load import ConfigProblems, load
from proxy.config.secrets import SecretProblem, resolve
from proxy.config.settings import Settings
from proxy.domain.fault import Fault, Kind
from proxy.domain.people import ApiKey, User
from proxy.storage.accounts import Accounts
from proxy.storage.keys import Keys
from proxy.storage.opening import OpenStorage, open_storage

DEFAULT_TENANT = "Default"
NAME_CHARACTERS_MAX = 200


def run(arguments: list[str]) -> int:
    """Carry out one `key` command; 0 done, 1 failed, 2 wrong use."""
    options = _parser().parse_args(arguments)
    try:
        settings = load(Path(options.config), os.environ)
        return asyncio.run(_carried_out(options, settings))
    except ConfigProblems as found:
        print(found, file=sys.stderr)
        return 2
    except SecretProblem as problem:
        print(f"--secret: {problem}", file=sys.stderr)
        return 1
    except Fault as fault:
        detail = f" ({fault.detail})" if fault.detail else ""
        print(f"{fault.message}{detail}", file=sys.stderr)
        return 1


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


async def _carried_out(options: argparse.Namespace, settings: Settings) -> int:
    storage = await open_storage(settings, os.environ)
    try:
        if options.command == "create":
            await _create(options, storage)
        elif options.command == "list":
            await _list(Keys(storage.database), as_json=options.json)
        else:
            await _revoke(Keys(storage.database), options.id)
    finally:
        await storage.database.close()
    return 0


async def _create(options: argparse.Namespace, storage: OpenStorage) -> None:
    name: str = options.name.strip()
    if len(name) > NAME_CHARACTERS_MAX or not name.isprintable():
        raise Fault(
            Kind.BAD_REQUEST,
            f"A key's name has at most {NAME_CHARACTERS_MAX} printable characters.",
        )
    keys = Keys(storage.database)
    key = mint(os.urandom(NOISE_BYTES)) if options.secret is None else _given(options.secret)
    key_digest = digest(key.encode(), storage.hash_secret)
    if options.secret is not None and await _is_there(keys, key_digest, options):
        return

    accounts = Accounts(storage.database)
    tenant_id = await accounts.ensure_tenant(options.tenant)
    user = await accounts.ensure_user(options.user, tenant_id, options.role)
    _refuse_inactive(user)
    try:
        await keys.insert(user.id, name, key_digest, shown_prefix(key))
    except Fault as fault:
        # Two that provision the same value at once: the second finds it there.
        if fault.kind is not Kind.CONFLICT or not await _is_there(keys, key_digest, options):
            raise
    if options.secret is None:
        print(key)


def _given(reference: str) -> str:
    key = resolve(reference, os.environ).reveal()
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
    shown = (record.id, f"{record.prefix}...", record.name or "-", record.email, record.tenant)
    return (
        *shown,
        _minute(record.created_at),
        _minute(record.last_used_at),
        _state(record, now_ms),
    )


async def _list(keys: Keys, *, as_json: bool) -> None:
    records = await keys.all()
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(records), indent=2).decode())
        return
    now_ms = int(dt.datetime.now(dt.UTC).timestamp() * 1000)
    rows = [_HEADINGS, *[_cells(record, now_ms) for record in records]]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        print("  ".join(cells).rstrip())


def _minute(at_ms: int | None) -> str:
    if at_ms is None:
        return "-"
    return dt.datetime.fromtimestamp(at_ms / 1000, dt.UTC).strftime("%Y-%m-%d %H:%MZ")


def _state(record: ApiKey, now_ms: int) -> str:
    if record.revoked_at is not None:
        return f"revoked {_minute(record.revoked_at)}"
    if record.expires_at is None:
        return "good"
    state = "expired" if record.expires_at <= now_ms else "good until"
    return f"{state} {_minute(record.expires_at)}"


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
    await keys.revoke(key_id)
    print(f"{key_id} is revoked; running gateways refuse it within 2 seconds.", file=sys.stderr)
