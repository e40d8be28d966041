"""The desk every request passes, over the counters the settings name."""

import os
import secrets
import socket
import time
from collections.abc import Callable, Mapping, Sequence

from proxy.catalog.lists import NOT_LIMITED, Limited, Limits
from proxy.catalog.refresh import Shelf
from proxy.config.secrets import is_reference, resolve
from proxy.config.settings import Settings
from proxy.domain.caller import Caller
from proxy.domain.model import Model
from proxy.limits.counters import Counters, MemoryCounters, SharedCounters
from proxy.limits.desk import Desk
from proxy.limits.refusal import moment
from proxy.storage.database import Database, unix_ms
from proxy.storage.held import Held
from proxy.storage.month_use import MonthUse


def open_desk(
    settings: Settings,
    environ: Mapping[str, str],
    database: Database,
    visible: Callable[[Caller], Sequence[Model]],
) -> Desk:
    """A worker's desk. Raises SecretProblem where the counters' URL cannot be had."""
    return Desk(
        settings.limits,
        MonthUse(database),
        _counters(settings, environ, database),
        clock=time.monotonic,
        wall_ms=unix_ms,
        visible=visible,
    )


def limited_models(desk: Desk, shelf: Shelf) -> Limits:
    """Which models, by id, a monthly limit keeps from a caller now."""

    async def limited(caller: Caller) -> Mapping[str, Limited]:
        if caller.role_credits is None and caller.terms.credits is None:
            return NOT_LIMITED
        now_ms = unix_ms()
        await desk.load(caller, now_ms)
        found = {}
        for model in shelf.current.visible(caller):
            restriction = desk.preview(caller, model, now_ms)
            if restriction is not None:
                found[model.id] = Limited(restriction.scope, moment(restriction.resets_at_ms))
        return found

    return limited


def counters_url(settings: Settings, environ: Mapping[str, str]) -> str:
    """Where the counters lie; may hold a password. Raises SecretProblem."""
    url = settings.counters.url
    return resolve(url, environ).reveal() if is_reference(url) else url


def _counters(settings: Settings, environ: Mapping[str, str], database: Database) -> Counters:
    url = counters_url(settings, environ)
    # Never the same on two machines, nor for two processes one after the other.
    worker = f"{socket.gethostname()}.{os.getpid()}.{secrets.token_hex(4)}"
    if url.startswith("redis"):
        # Its client costs 8 MB and 0.2 s, which nobody else should pay.
        from proxy.limits.counters_redis import RedisCounters  # noqa: PLC0415

        return RedisCounters.open(url, worker)
    if settings.server.workers == 1 and settings.storage.url.startswith("sqlite:"):
        return MemoryCounters()
    # Others may share the storage: it is the line between them.
    return SharedCounters(Held(database), worker, clock=time.monotonic, wall_ms=unix_ms)
