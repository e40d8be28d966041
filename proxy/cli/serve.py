"""`serve`: the gateway, in one process or in several that share the port."""

import argparse
import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import uvloop
from msgspec.structs import replace

from proxy.assembly.house import House
from proxy.cli.finding import Finding
from proxy.cli.process import keep_freed_memory, raise_file_limit, return_start_memory
from proxy.cli.provider_visit import trusted
from proxy.cli.systemd import inherited, notify
from proxy.cli.workers import Workers
from proxy.config.cautions import unresolved, warnings
from proxy.config.load import ConfigProblems, load
from proxy.config.settings import Settings
from proxy.domain.fault import Fault
from proxy.observe import log
from proxy.server.listener import bind
from proxy.storage.opening import open_storage

_LOG = logging.getLogger("proxy.serve")
Read = Callable[[], Settings]


def run(arguments: list[str]) -> int:
    """Serve until told to stop; 0 after an orderly stop."""
    parser = argparse.ArgumentParser(prog="hatz-gateway serve", description="Run the gateway.")
    parser.add_argument("--config", required=True, metavar="FILE")
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    parser.add_argument("--workers", type=int)
    options = parser.parse_args(arguments)
    path = Path(options.config)

    def read() -> Settings:
        settings = load(path, os.environ)
        given = {
            name: value
            for name in ("host", "port", "workers")
            if (value := getattr(options, name)) is not None
        }
        return replace(settings, server=replace(settings.server, **given))

    try:
        settings = read()
    except ConfigProblems as found:
        print(found, file=sys.stderr)
        return 2
    log.set_up(settings.observability.log)
    raise_file_limit()
    keep_freed_memory()
    for caution in (*warnings(settings), *unresolved(settings, os.environ)):
        _LOG.warning("%s", caution)
    trust = trusted(settings.upstream)
    if isinstance(trust, Finding):
        print(f"hatz-gateway: {trust.what}: {trust.seen}; {trust.remedy}", file=sys.stderr)
        return 1
    try:
        return _serve(settings, read)
    except (Fault, OSError) as problem:
        return _failed(problem)


def _failed(problem: Fault | OSError) -> int:
    """Say why in one line."""
    if isinstance(problem, Fault):
        text = f"{problem.message} {problem.detail}".rstrip()
    else:
        place = f"{problem.filename}: " if problem.filename else ""
        text = f"{place}{problem.strerror or problem}"
    print(f"hatz-gateway: {text}", file=sys.stderr)
    return 1


def _serve(settings: Settings, read: Read) -> int:
    server = settings.server
    handed = inherited(os.environ, os.getpid())
    if server.workers == 1:
        listening = handed or bind(server.host, server.port, shared=server.reuse_port)
        uvloop.run(work(settings, read, "w0", listening))
        return 0
    # Once before the workers: what is wrong with storage ends the start, not worker after worker.
    asyncio.run(_try_storage(settings))
    # Held by the parent so that a port chosen by the system is the same for all.
    reserved = handed or bind(server.host, server.port, shared=True, listens=False)
    port = reserved.getsockname()[1]
    settings = replace(settings, server=replace(server, port=port))

    def worker(name: str) -> int:
        try:
            listening = handed or bind(server.host, port, shared=True)
            uvloop.run(work(settings, read, name, listening))
        except (Fault, OSError) as problem:
            return _failed(problem)
        return 0

    return Workers(server.workers, worker).run()


async def _try_storage(settings: Settings) -> None:
    storage = await open_storage(settings, os.environ)
    await storage.database.close()


async def work(settings: Settings, read: Read, name: str, listening: socket.socket) -> None:
    """One worker's whole life."""
    house = House(settings, os.environ, name, reread=lambda: _reread(house, read))
    await house.open(listening)
    return_start_memory()
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    changed = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, changed.set)
    host, port = listening.getsockname()[:2]
    _LOG.info("worker %s serves http://%s:%d/v1/anthropic", name, host, port)
    notify(os.environ, "READY=1")
    stopping = loop.create_task(stop.wait())
    while not stop.is_set():
        reloading = loop.create_task(changed.wait())
        await asyncio.wait((stopping, reloading), return_when=asyncio.FIRST_COMPLETED)
        reloading.cancel()
        if changed.is_set():
            changed.clear()
            await _reload(house, read)
    _LOG.info("worker %s stops", name)
    notify(os.environ, "STOPPING=1")
    await house.close()


async def _reload(house: House, read: Read) -> list[str]:
    """Swap in the file; what is wrong with it, nothing: it is in force."""
    try:
        settings = read()
    except ConfigProblems as found:
        _LOG.error("the configuration was not reloaded: %s", found)
        return [str(problem) for problem in found.problems]
    try:
        await house.reload(settings)
    except (Fault, OSError, ValueError) as problem:
        # Whatever a changed file brings along, what serves goes on serving.
        _LOG.error("the configuration was not reloaded: %s", problem)
        return [str(problem)]
    _LOG.info("configuration reloaded: %d models", len(settings.models))
    return []


async def _reread(house: House, read: Read) -> list[str]:
    """As `_reload`, asked for over HTTP: the other workers of this machine reload as well."""
    problems = await _reload(house, read)
    if not problems and house.settings.server.workers > 1:
        os.kill(os.getppid(), signal.SIGHUP)  # the parent passes it on to all
    return problems
