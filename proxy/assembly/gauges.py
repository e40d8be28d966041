"""Figures that stand in the rooms, read into the metrics four times a second, all at once.

The rooms count for themselves and know nothing of metrics; nobody on the hot path comes here.
"""

import os
import resource
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec

from proxy.assembly.suppliers import Suppliers
from proxy.ledger.journal import Journal
from proxy.limits.desk import Desk
from proxy.notices.outbox import Outbox
from proxy.observe.access_log import AccessLog
from proxy.observe.metrics import Metrics
from proxy.server.front import Front
from proxy.upstream.pool import Pool
from proxy.upstream.search_carrier import SearchCarrier

_STATM = Path("/proc/self/statm")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Rooms(msgspec.Struct):
    """What there is to read."""

    journal: Journal
    desk: Desk
    suppliers: Suppliers
    searches: SearchCarrier | None
    access_log: AccessLog
    front: Front
    outbox: Outbox | None
    spool_bytes_max: int


class Gauges:
    """Fills `metrics` of one process."""

    def __init__(self, metrics: Metrics, rooms: Rooms) -> None:
        self._metrics = metrics
        self._rooms = rooms
        metrics.spool_limit_bytes = rooms.spool_bytes_max

    def read(self, now_s: float) -> None:
        """Take over what the rooms have counted; `now_s` is the monotonic clock."""
        metrics, rooms = self._metrics, self._rooms
        metrics.requests_waiting = rooms.front.turnstile.waiting
        metrics.stopping = int(rooms.front.draining)
        metrics.deployments_out = rooms.suppliers.out(now_s)
        metrics.draining = rooms.suppliers.drains.under_way
        metrics.ejections = rooms.suppliers.ejections
        metrics.retries_withheld = rooms.suppliers.retries_withheld
        if rooms.outbox is not None:
            metrics.letters = dict(rooms.outbox.outcomes)
        journal, desk = rooms.journal, rooms.desk
        metrics.journal_lost = journal.lost
        metrics.journal_healthy = int(journal.healthy)
        metrics.journal_rows = journal.rows_stored
        metrics.journal_rejected = journal.rows_rejected
        metrics.refusals_dropped = journal.refusals_dropped
        metrics.spool_bytes = journal.spool_bytes
        metrics.limit_questions = desk.asked
        metrics.limit_blind = desk.blind
        metrics.limit_tickets_expired = desk.expired
        metrics.log_lines_dropped = rooms.access_log.dropped
        metrics.learned = rooms.suppliers.learned(time.time())
        self._read_pools(rooms.suppliers.pools.values())
        if rooms.searches is not None:
            counts = rooms.searches.counts
            metrics.searches = dict(counts.outcomes)
            metrics.searches_shared = counts.cached + counts.shared
            metrics.search_service_credits = counts.credits
        self._read_process()
        metrics.fold()

    def _read_pools(self, pools: Iterable[Pool]) -> None:
        metrics = self._metrics
        for pool in pools:
            origin = f"{'https' if pool.origin.secure else 'http'}://{pool.origin.authority}"
            metrics.pools[f"{origin}\tbusy"] = pool.open_count - pool.idle_count
            metrics.pools[f"{origin}\tidle"] = pool.idle_count
            metrics.pools[f"{origin}\tconnecting"] = pool.connecting_count
            metrics.pools_waiting[origin] = pool.waiting_count
            metrics.connects[f"{origin}\topened"] = pool.opened
            metrics.connects[f"{origin}\tfailed"] = pool.failed

    def _read_process(self) -> None:
        metrics = self._metrics
        used = resource.getrusage(resource.RUSAGE_SELF)
        metrics.cpu_seconds = used.ru_utime + used.ru_stime
        try:
            metrics.resident_bytes = int(_STATM.read_text("ascii").split()[1]) * _PAGE_BYTES
        except OSError:
            metrics.resident_bytes = used.ru_maxrss * 1024  # no Linux: the most there ever was
