"""From settings to a database that is open and up to date, with the secret its keys are hashed by.

The one way in, for `serve` and for every command, so that all agree on schema and secret.
"""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from proxy.config.secrets import SecretProblem, is_reference, resolve
from proxy.config.settings import Settings
from proxy.domain.fault import Fault, Kind, Source
from proxy.storage.database import Database
from proxy.storage.migrations import migrate, pending
from proxy.storage.months import begin_months
from proxy.storage.secrets import Secrets
from proxy.storage.sqlite import SqliteDatabase

HASH_SECRET_NAME = "key_hash_secret"
HASH_SECRET_BYTES = 32
GIVEN_SECRET_CHARACTERS_MIN = 16

MIGRATION_S = 3_600.0

_SQLITE = "sqlite:///"
_POSTGRES = ("postgresql://", "postgres://")


class OpenStorage(NamedTuple):
    """What `open_storage` hands out; whoever asked for it closes the database."""

    database: Database
    hash_secret: bytes
    applied: list[str]

    def __repr__(self) -> str:
        return f"OpenStorage({self.database!r}, applied={self.applied!r})"


async def open_storage(
    settings: Settings, environ: Mapping[str, str], *, migrates: bool = False
) -> OpenStorage:
    """Open the configured database and find or make the key-hash secret.

    A SQLite file is brought up to date, PostgreSQL only where `migrates`: other machines may serve
    from it, and the role they log in with need not be allowed to.
    """
    given = _given_secret(settings.auth.key_hash_secret, environ)
    url = settings.storage.url
    if is_reference(url):
        url = _resolved("storage.url", url, environ)
    if migrates and url.startswith(_POSTGRES):
        # An index for a table of millions takes longer than any statement later may.
        database = await _open_postgres(url, answer_s=MIGRATION_S)
    else:
        database = await open_database(url)
    ready = False
    try:
        applied = await _brought_up_to_date(database, migrates or not url.startswith(_POSTGRES))
        await begin_months(database, settings.limits.time_zone)
        secret = given or await Secrets(database).stored_secret(HASH_SECRET_NAME, _new_secret)
        ready = True
    finally:
        if not ready:
            await database.close()
    return OpenStorage(database, secret, applied)


async def open_database(url: str) -> Database:
    """The database behind `sqlite:///relative/path`, `sqlite:////absolute/path` or
    `postgresql://user:password@host:port/name`, as it is: no step is applied."""
    if url.startswith(_POSTGRES):
        return await _open_postgres(url)
    path = url.removeprefix(_SQLITE)
    if path == url or not path:
        # The URL is not repeated: it may hold a password.
        raise _mistake(
            "storage.url is not understood; use sqlite:///path or postgresql://user@host/name."
        )
    return await SqliteDatabase.open(Path(path))


async def _open_postgres(url: str, **patience: float) -> Database:
    # Its client costs 3 MB and 75 ms, which those on SQLite should not pay.
    from proxy.storage.postgres import PostgresDatabase  # noqa: PLC0415

    return await PostgresDatabase.open(url, **patience)


async def _brought_up_to_date(database: Database, migrates: bool) -> list[str]:
    if migrates:
        return await migrate(database)
    if missing := await pending(database):
        raise _mistake(
            f"The database's schema is {len(missing)} step(s) behind;"
            " `hatz-gateway migrate --config FILE` brings it up to date."
        )
    return []


def _given_secret(reference: str, environ: Mapping[str, str]) -> bytes | None:
    if not reference:
        return None
    value = _resolved("auth.key_hash_secret", reference, environ)
    if len(value) < GIVEN_SECRET_CHARACTERS_MIN:
        raise _mistake(
            f"auth.key_hash_secret: {reference} is shorter than"
            f" {GIVEN_SECRET_CHARACTERS_MIN} characters; use a longer random value."
        )
    # Condensed, because the keyed hash takes no more than 64 bytes and a secret may be longer.
    return hashlib.blake2b(value.encode(), digest_size=HASH_SECRET_BYTES).digest()


def _resolved(setting: str, reference: str, environ: Mapping[str, str]) -> str:
    try:
        return resolve(reference, environ).reveal()
    except SecretProblem as problem:
        raise _mistake(f"{setting}: {problem}.") from None


def _new_secret() -> bytes:
    return os.urandom(HASH_SECRET_BYTES)


def _mistake(message: str) -> Fault:
    return Fault(Kind.HOUSE, message, source=Source.HOUSE, retry=False)
