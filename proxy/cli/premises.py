"""What the gateway needs of this machine: storage, the journal's folder, a port, open files.

Only looks: no database is made, no schema moved, no row taken. Whoever looks may be another user
than the one who serves, and files made here would then be in the way.
"""

import errno
import os
import resource
import shutil
import tempfile
from pathlib import Path

import aiohttp
import msgspec

from proxy.cli.finding import Finding, fail, ok, warn
from proxy.config.secrets import SecretProblem, is_reference, resolve
from proxy.config.settings import Settings
from proxy.domain.fault import Fault
from proxy.ledger.segment import listed, spooled_bytes
from proxy.server.listener import bind
from proxy.storage.database import Database
from proxy.storage.keys import Keys
from proxy.storage.migrations import steps
from proxy.storage.opening import open_database

FREE_BYTES_MIN = 256 << 20
FILES_BESIDE = 200
"""Open files that are no connections: storage, journal, logs, libraries."""
PORT_TIMEOUT_S = 3.0

_SQLITE = "sqlite:///"
_MIGRATE = "`hatz-gateway migrate` brings it up to date; so does `serve`, for SQLite"


# ---------------------------------------------------------------- storage


async def storage(settings: Settings) -> list[Finding]:
    """Does the database open, can it be written, is its schema ours, is there a key?"""
    url = settings.storage.url
    try:
        url = resolve(url, os.environ).reveal() if is_reference(url) else url
    except SecretProblem:
        return []  # told among the secrets
    if not url.startswith(_SQLITE):
        remedy = "is the server up, does it know user, password and database? see storage.url"
        return await _database(url, "the database", remedy)
    path = Path(url.removeprefix(_SQLITE))
    if missing := _missing("storage", path, path.parent):
        return missing
    remedy = "is it a SQLite database of the gateway, and may this user write it and its folder?"
    found = await _database(url, str(path), remedy)
    return [*found, *_space("storage", path.parent)]


async def _database(url: str, place: str, remedy: str) -> list[Finding]:
    found: list[Finding] = []
    try:
        database = await open_database(url)
        try:
            # An empty transaction takes the writer's turn, which what may only be read refuses.
            await database.run([])
            found.append(ok("storage", f"{place} opens and can be written"))
            schema = await _schema(database)
            found.append(schema)
            if not schema.remedy:
                found.append(await _keys(Keys(database)))
        finally:
            await database.close()
    except Fault as fault:
        trouble = f"{place} cannot be used ({fault.detail or fault.message})"
        found.append(fail("storage", trouble, remedy))
    return found


async def _schema(database: Database) -> Finding:
    there = await database.has_table("migrations")
    rows = await database.fetch("SELECT number FROM migrations") if there else []
    done = {number for (number,) in rows}
    known = {step.number for step in steps()}
    if done - known:
        remedy = "install the release that wrote it, or a newer one"
        return fail("storage", "its schema is newer than this release", remedy)
    if behind := len(known - done):
        return warn("storage", f"its schema is {behind} step(s) behind", _MIGRATE)
    return ok("storage", "its schema is up to date")


async def _keys(keys: Keys) -> Finding:
    good = sum(record.revoked_at is None for record in await keys.all())
    if good:
        return ok("keys", f"{good} that are not revoked")
    remedy = "`hatz-gateway key create --config FILE --user EMAIL` prints one"
    return warn("keys", "there is none: nobody can come in", remedy)


def _missing(what: str, path: Path, folder: Path) -> list[Finding]:
    """What is not there yet is made at the first start, if it can be; empty if it is there."""
    if path.exists():
        return []
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        return [fail(what, f"{folder} is no folder", f"{path} must go below one; move that file")]
    if not os.access(folder, os.W_OK | os.X_OK):
        remedy = f"make {path.parent} and give it to the user who serves"
        return [fail(what, f"{path} cannot be made in {folder}", remedy)]
    seen = f"{path} is not there yet; `hatz-gateway serve` makes it"
    return [ok(what, seen), *_space(what, folder)]


def _space(what: str, folder: Path) -> list[Finding]:
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes >= FREE_BYTES_MIN:
        return []
    return [warn(what, f"{free_bytes >> 20} MiB are free at {folder.resolve()}", "make room")]


# ---------------------------------------------------------------- the journal


def journal(settings: Settings, *, serving: bool) -> list[Finding]:
    """Can the folder be written, and what waits in it?"""
    folder = Path(settings.ledger.folder)
    if missing := _missing("journal", folder, folder):
        return missing
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\n")
        rows = sum(_rows(path) for path in listed(folder))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        remedy = "give the folder to the user who serves; without it no generation may begin"
        return [fail("journal", f"{folder} cannot be used ({reason})", remedy)]
    found = [ok("journal", f"{folder} can be written")]
    size, size_max = spooled_bytes(folder), settings.ledger.spool_bytes_max
    waiting = f"{rows} rows wait for storage ({size >> 10} KiB of {size_max >> 10})"
    if size >= size_max:
        remedy = "new requests are refused; see to storage, or raise ledger.spool_bytes_max"
        found.append(fail("journal", waiting, remedy))
    elif rows and not serving:
        found.append(warn("journal", waiting, "`hatz-gateway serve` stores them when it starts"))
    else:
        found.append(ok("journal", waiting))
    aside = sorted(path.name for kind in ("rejected", "torn") for path in folder.glob(f"*.{kind}"))
    if aside:
        seen = f"{len(aside)} file(s) hold rows that could not be stored, the first is {aside[0]}"
        found.append(warn("journal", seen, "look into them, then move them away"))
    return [*found, *_space("journal", folder)]


def _rows(segment: Path) -> int:
    try:
        with segment.open("rb") as file:
            return sum(line != b"\n" for line in file)
    except FileNotFoundError:
        return 0  # a gateway that serves has just stored it


# ---------------------------------------------------------------- counters


async def counters(settings: Settings) -> list[Finding]:
    """Do the workers have a line to each other?"""
    url = settings.counters.url
    try:
        url = resolve(url, os.environ).reveal() if is_reference(url) else url
    except SecretProblem:
        return []  # told among the secrets
    if not url.startswith("redis"):
        alone = settings.server.workers == 1 and settings.storage.url.startswith(_SQLITE)
        return [ok("counters", "in memory" if alone else "workers meet in storage")]
    # Redis' client is dear to load, and only this asks for it.
    from proxy.limits.counters_redis import RedisCounters  # noqa: PLC0415

    try:
        line = RedisCounters.open(url, f"doctor.{os.getpid()}")
        try:
            await line.exchange({})
        finally:
            await line.close()
    except Fault as fault:
        remedy = "is the server up, does it know user and password? see counters.url"
        return [fail("counters", fault.detail or fault.message, remedy)]
    return [ok("counters", "Redis answers")]


# ---------------------------------------------------------------- port and files


class _Ready(msgspec.Struct):
    status: str
    reasons: list[str] = []


async def port(settings: Settings) -> tuple[Finding, bool]:
    """Is the port free, or a gateway's already? The second: does a gateway serve on it?"""
    host, number = settings.server.host, settings.server.port
    try:
        # Bound and let go again, without ever listening: no client can get in by mistake.
        bind(host, number, shared=False, listens=False).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return await _taken(settings)
        remedy = {
            errno.EACCES: "ports below 1024 need a privilege; choose another server.port",
            errno.EADDRNOTAVAIL: "server.host must be an address of this machine, or 0.0.0.0",
        }.get(error.errno or 0, "look at server.host and server.port")
        return fail("port", error.strerror or str(error), remedy), False
    if number == 0:
        return ok("port", "the system will choose a free one"), False
    return ok("port", f"{host}:{number} is free"), False


async def _taken(settings: Settings) -> tuple[Finding, bool]:
    server = settings.server
    here = f"{server.host}:{server.port}"
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(server.host, server.host)
    url = f"http://[{host}]:{server.port}" if ":" in host else f"http://{host}:{server.port}"
    timeout = aiohttp.ClientTimeout(total=PORT_TIMEOUT_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(f"{url}/readyz") as reply,
        ):
            ready = msgspec.json.decode(await reply.content.read(65536), type=_Ready)
    except (aiohttp.ClientError, OSError, msgspec.DecodeError):
        remedy = "stop it, or choose another server.port"
        return fail("port", f"{here} is taken by another program", remedy), False
    if ready.status == "ready":
        return ok("port", f"a gateway serves on {here} and is ready"), True
    seen = f"a gateway serves on {here} and is not ready ({'; '.join(ready.reasons)})"
    return warn("port", seen, "look at its log"), True


def open_files(settings: Settings) -> Finding:
    """Each client and each provider connection is an open file; `serve` takes the hard limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    origins = len({provider.base_url for provider in settings.providers})
    wanted = (
        settings.server.connections_max + settings.upstream.connections_max * origins + FILES_BESIDE
    )
    if hard == resource.RLIM_INFINITY or hard >= wanted:
        return ok("open files", f"the limit covers the {wanted} that may be open")
    remedy = "raise it (ulimit -Hn, LimitNOFILE=), or lower the connections_max settings"
    return warn("open files", f"the limit is {hard}, and {wanted} may be open", remedy)
