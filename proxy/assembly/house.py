"""Settings in, whole house out: builds the rooms, joins them, takes them down in order.

The one place where the rooms' protocols meet storage. Nothing here decides anything about a
request.
"""

import asyncio
import gc
import logging
import os
import socket
import sys
import time
from collections.abc import Coroutine, Mapping
from math import inf
from pathlib import Path
from typing import Any

from aiohttp import web
from msgspec.structs import replace

from proxy import __version__
from proxy.admin.endpoint import routes
from proxy.admin.in_flight import IN_FLIGHT
from proxy.admin.installation import Reload
from proxy.admin.limits import NAME as LIMITS
from proxy.admin.limits import NO_CHANGE, LimitChange
from proxy.admin.openapi import ApiDocument
from proxy.admin.preferences import GatewayMapping
from proxy.admin.provider_health import HEALTH
from proxy.admin.requests import RequestLookup
from proxy.admin.search_switch import NAME as WEB_SEARCH
from proxy.admin.search_switch import SearchChange
from proxy.admin.table import House as OfficeHouse
from proxy.admin.table import table
from proxy.admin.usage_limits import Rules
from proxy.assembly.capacity import connections_within
from proxy.assembly.colleagues import Colleagues
from proxy.assembly.console import open_console
from proxy.assembly.gauges import Gauges, Rooms
from proxy.assembly.limits import limited_models, open_desk
from proxy.assembly.mail import open_post_office
from proxy.assembly.office import office_stores
from proxy.assembly.seals import seal_secrets
from proxy.assembly.search import Searches
from proxy.assembly.suppliers import Suppliers
from proxy.assembly.telemetry import Telemetry
from proxy.auth.gate import Gate
from proxy.catalog.calibration import Calibration
from proxy.catalog.lists import ModelLists
from proxy.catalog.mappings import AliasMaps
from proxy.catalog.refresh import Shelf
from proxy.config.settings import Settings
from proxy.domain.alias_mapping import AliasMapping
from proxy.domain.caller import Caller
from proxy.domain.fault import Fault
from proxy.domain.ids import CountedIds, make_id
from proxy.gateway.apart import Apart
from proxy.gateway.counting import Counting
from proxy.gateway.explanation import Explainer
from proxy.gateway.in_flight import in_flight
from proxy.gateway.means import Means, Patience
from proxy.gateway.messages import Messages
from proxy.gateway.relay import Relay
from proxy.gateway.search_turns import SearchTurns
from proxy.gateway.sessions import Sessions
from proxy.gateway.tasks import Tasks
from proxy.gateway.wheel import Wheel
from proxy.ledger.journal import Journal
from proxy.observe.access_log import AccessLog
from proxy.observe.exposition import exposition
from proxy.observe.metrics import Metrics
from proxy.observe.workers import WorkerBoard
from proxy.server.admission import Admission
from proxy.server.body_room import BodyRoom
from proxy.server.envelope import REQUEST_ID, Envelope
from proxy.server.explain import ExplainPage
from proxy.server.front import DateLine, DoorLimits, Front
from proxy.server.health import HealthPages
from proxy.server.listener import Listener
from proxy.server.loop_lag import LoopLag
from proxy.server.models import ModelPages
from proxy.server.office import Office
from proxy.server.routes import application
from proxy.server.turnstile import Room, Turnstile
from proxy.storage.calibration import StoredCalibration
from proxy.storage.changes import MODELS, PREFERENCES, TERMS, Changes
from proxy.storage.database import unix_ms
from proxy.storage.entries import Entries
from proxy.storage.installation import Installation
from proxy.storage.keys import Keys
from proxy.storage.models import ModelSwitches
from proxy.storage.months import months_of
from proxy.storage.opening import OpenStorage, open_storage
from proxy.storage.preferences import Preferences
from proxy.storage.rates import RateSheet
from proxy.storage.tenants import Tenants
from proxy.upstream.pacer import Pacer
from proxy.web_search.tokens import SearchSeal
from proxy.wire.seal import ThinkingSeal

_LOG = logging.getLogger("proxy.assembly")

LAST_USED_FLUSH_S = 30.0
PACKAGES_DUE_S = 60.0
CALIBRATION_FLUSH_S = 30.0
HOUSEKEEPING_S = 0.25
UNWIND_S = 2.0


def _write_to_stderr(lines: bytes) -> None:
    sys.stderr.buffer.write(lines)
    sys.stderr.buffer.flush()


async def _no_file() -> list[str]:
    return ["this gateway was not started from a file"]


class House:
    """One worker's gateway. `open` then `close`; `reload` in between. `reread` reads the file anew
    and has it swapped in, in all workers."""

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        worker: str,
        reread: Reload = _no_file,
    ) -> None:
        self.settings = settings
        self._reread = reread
        self._environ = environ
        self._worker = worker
        self._tasks = Tasks()
        self._wheel = Wheel(time.monotonic)
        self._apart = Apart()
        self._metrics = Metrics()
        self._storage_trouble = ""
        self._ready = False
        self._versions: dict[str, int] = {}
        self._rules = Rules(settings.limits.ladder, settings.limits.hard_stop)

    # ------------------------------------------------------------ opening

    async def open(self, listening: socket.socket) -> None:
        """Build everything and take requests. Raises Fault or OSError with the remedy."""
        settings = self.settings
        self._storage = storage = await open_storage(settings, self._environ)
        self._open_rooms(storage)
        self._journal.open()
        await self._changes_once()
        envelope = Envelope()
        office = Office(self._application(envelope))
        await office.open()
        self._office = office
        self._front = front = self._open_front(office)
        envelope.front = front
        self._listener = Listener(front)
        await self._listener.open(listening)
        await self._colleagues.open()
        await self._open_metrics_port()
        self._wheel.start()
        self._loop_lag.start()
        for name, work in self._standing_work():
            self._tasks.start(work, name)
        # What lives now lives long: the collector need not look at it at every turn.
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 50)
        self._walk.searching = self._searches.searching  # if it was switched meanwhile
        self._ready = True

    def _open_rooms(self, storage: OpenStorage) -> None:
        settings = self.settings
        database = storage.database
        self._changes = Changes(database)
        self._installation = Installation(database)
        self._keys = Keys(database)
        self._preferences = Preferences(database)
        self._entries = Entries(database, months_of(settings.limits.time_zone))
        self._maps = AliasMaps(self._preferences)
        self._gate = Gate(
            self._keys,
            storage.hash_secret,
            keys_cached_max=settings.auth.keys_cached_max,
            lookups_max=settings.auth.lookups_max,
            furnish=self._with_mapping,
        )
        sealed_by = seal_secrets(settings.sealing, self._environ, storage.hash_secret)
        self._searches = Searches(settings, self._environ, SearchSeal(sealed_by))
        relay = settings.relay
        self._pacer = Pacer(
            always_s=relay.coalesce_ms / 1000, lag_max_s=relay.coalesce_lag_ms / 1000 or inf
        )
        self._suppliers = Suppliers(
            settings.upstream,
            self._environ,
            ThinkingSeal(sealed_by),
            self._searches.out_of,
            self._tasks,
            self._wheel,
            pacer=self._pacer,
        )
        self._calibration = Calibration(StoredCalibration(database))
        self._shelf = Shelf(
            settings.models,
            ModelSwitches(database),
            RateSheet(database),
            mapping_applies_to_native_ids=settings.catalog.mapping_applies_to_native_ids,
            custom_aliases=settings.catalog.aliases,
        )
        self._console = open_console(settings, self._environ, storage, self._with_mapping)
        self._desk = open_desk(
            settings, self._environ, database, lambda caller: self._shelf.current.visible(caller)
        )
        self._post_office = open_post_office(
            settings,
            self._environ,
            database,
            self._desk.months,
            lambda: self._rules,
            self._console.sign_in,
        )
        self._journal = Journal(
            Path(settings.ledger.folder),
            f"{self._worker}.{os.getpid()}",
            self._entries,
            flush_ms=settings.ledger.flush_ms,
            spool_bytes_max=settings.ledger.spool_bytes_max,
            stored=self._desk.stored,
        )
        self._colleagues = Colleagues(
            settings,
            self._environ,
            self._worker,
            {
                IN_FLIGHT: lambda tenant_id: in_flight(
                    self._wheel, time.monotonic(), tenant_id, self._colleagues.worker
                ),
                HEALTH: lambda _: self._suppliers.health(time.monotonic()),
            },
        )
        self._board = WorkerBoard(
            Path(settings.ledger.folder) / "workers", self._worker, self._metrics, time.time
        )

    async def _with_mapping(self, caller: Caller) -> Caller:
        return caller.but(mapping=await self._maps.get(caller.user_id))

    async def _office_changed(self) -> None:
        # In this process at once; other processes see the version move.
        self._gate.forget()
        try:
            await self._changes_once()
        except Fault as fault:
            # What was asked for is done: only this worker learns of it later, as the others do.
            _LOG.warning("a change of the office counts here a little later: %s", fault.message)

    async def _mapping_changed(
        self, caller: Caller, before: AliasMapping, after: AliasMapping
    ) -> None:
        # In this process at once; other processes see the version move.
        self._gate.forget()

    def _application(self, envelope: Envelope) -> web.Application:
        settings = self.settings
        console = self._console
        admission = Admission(
            self._gate,
            time.time,
            strict_bearer=settings.auth.strict_bearer,
            signed_in=console.signed_in,
        )
        lists = ModelLists(
            list_native_ids=settings.catalog.list_native_ids,
            reference=settings.limits.reference_rates,
        )
        limits = limited_models(self._desk, self._shelf)
        mapping = GatewayMapping(
            self._shelf,
            self._preferences,
            self._maps,
            admission,
            self._mapping_changed,
            limits,
            request_id_of=lambda request: request[REQUEST_ID],
        )
        requests = RequestLookup(self._entries, admission)
        endpoints = table(
            office_stores(self._storage.database),
            OfficeHouse(
                shelf=self._shelf,
                months=self._desk.months,
                hash_secret=self._storage.hash_secret,
                settings=lambda: self.settings,
                rules=lambda: self._rules,
                reload=self._reread,
                mail=None if self._post_office is None else self._post_office.invitations,
                ask_workers=self._colleagues.roll_call.ask,
                make_link=console.sign_in.link if console.sign_in is not None else None,
                search_lacks=lambda: self._searches.lacking,
            ),
        )
        return application(
            envelope,
            health=self._health(),
            models=ModelPages(self._shelf, lists, admission, limits),
            explain=ExplainPage(
                Explainer(lambda: self.settings, lambda: self._shelf.current, self._desk),
                admission,
                time.time,
            ),
            office=[
                ("GET", "/v1/preferences/gateway-mapping", mapping.read),
                ("PUT", "/v1/preferences/gateway-mapping", mapping.save),
                ("GET", "/v1/requests/{request_id}", requests.read),
                *routes(
                    endpoints,
                    admission,
                    time.time,
                    self._office_changed,
                    lambda request: request[REQUEST_ID],
                ),
                *ApiDocument(endpoints, __version__).routes(),
            ],
            pages=console.routes,
        )

    def _health(self) -> HealthPages:
        return HealthPages(self._not_ready, self._exposition, self._trouble)

    def _open_front(self, office: Office) -> Front:
        settings = self.settings
        upstream = settings.upstream
        self._means = means = Means(
            books=self._journal,
            desk=self._desk,
            metrics=self._metrics,
            wheel=self._wheel,
            patience=Patience(
                first_byte_timeout_s=upstream.first_byte_timeout_s,
                idle_timeout_s=upstream.idle_timeout_s,
                ping_after_s=upstream.ping_after_s,
                commit_after_s=upstream.commit_after_s,
                finish_grace_s=upstream.finish_grace_s,
                count_timeout_s=upstream.count_timeout_s,
                reply_bytes_max=upstream.reply_bytes_max,
            ),
            monotonic=time.monotonic,
            wall=time.time,
            new_event_id=CountedIds("evt", os.urandom(12)).next,
            new_message_id=lambda: make_id("msg_gw", os.urandom(22)),
            counting=Counting(self._calibration),
            sessions=Sessions(time.monotonic),
            search_fee_credits=settings.limits.search_fee_credits,
        )
        self._walk = Messages(
            self._gate,
            self._shelf,
            self._suppliers.routes(settings),
            means,
            self._tasks,
            self._searches.searching,
            apart=self._apart,
            body_bytes_max=settings.server.body_bytes_max,
        )
        date = DateLine(time.time)
        self._wheel.watch(date)
        self._telemetry = Telemetry(
            settings.observability, self._environ, self._worker, self._metrics
        )
        self._access_log = AccessLog(
            _write_to_stderr,
            wanted=settings.observability.access_log,
            as_json=settings.observability.log == "json",
        )
        self._turnstile = Turnstile(
            self._walk,
            Room(
                in_flight_max=settings.server.in_flight_max,
                queue_max=settings.server.queue_max,
                queue_wait_s=settings.server.queue_wait_s,
                lag_max_s=settings.server.lag_max_ms / 1000,
            ),
            time.monotonic,
        )
        self._loop_lag = LoopLag(time.monotonic, self._loop_looked)
        return Front(
            walk=self._walk,
            turnstile=self._turnstile,
            body_room=BodyRoom(settings.server.bodies_bytes_max),
            office=office,
            limits=_door_limits(settings),
            wheel=self._wheel,
            metrics=self._metrics,
            access_log=self._access_log,
            wall=time.time,
            monotonic=time.monotonic,
            new_request_id=CountedIds("req", os.urandom(12)).next,
            date=date,
            traces=self._telemetry.traces,
        )

    def _loop_looked(self, lag_s: float) -> None:
        self._metrics.loop_lag.observe(lag_s)
        self._turnstile.looked(lag_s)
        self._pacer.looked(lag_s)

    async def _open_metrics_port(self) -> None:
        observability = self.settings.observability
        self._metrics_runner: web.AppRunner | None = None
        if not observability.metrics_port:
            return
        health = self._health()
        app = web.Application()
        app.router.add_get("/healthz", health.live)
        app.router.add_get("/readyz", health.ready)
        app.router.add_get("/metrics", health.metrics)
        self._metrics_runner = web.AppRunner(app, access_log=None)
        await self._metrics_runner.setup()
        host = observability.metrics_host or self.settings.server.host
        site = web.TCPSite(self._metrics_runner, host, observability.metrics_port, reuse_port=True)
        await site.start()

    # ------------------------------------------------------------ standing work

    def _standing_work(self) -> list[tuple[str, Coroutine[Any, Any, None]]]:
        return [
            ("watch for changes", self._watch_changes()),
            ("move the journal to storage", self._journal.run()),
            ("exchange what is held", self._desk.run()),
            ("housekeeping", self._housekeeping()),
            ("write last uses", self._write_last_uses()),
            ("keep what is learned of token counts", self._keep_token_ratios()),
            ("change packages when it is time", self._change_packages()),
            ("send metrics", self._telemetry.send_figures()),
            *self._colleagues.standing_work(),
            *([] if self._post_office is None else self._post_office.standing_work()),
        ]

    async def _changes_once(self) -> None:
        """Look at storage's versions and act on every one that moved."""
        versions = await self._changes.versions()
        if versions.get(PREFERENCES) != self._versions.get(PREFERENCES):
            self._maps.invalidate()
        if versions.get(TERMS) != self._versions.get(TERMS):
            await self._take_rules()
            await self._take_search_switch()
        if versions != self._versions:
            self._gate.forget()
        await self._shelf.refresh(versions.get(MODELS, 0), unix_ms())
        self._versions = versions

    async def _take_rules(self) -> None:
        """What an administrator changed of the limits wins over the file."""
        changed = await self._installation.get(LIMITS, LimitChange) or NO_CHANGE
        limits = self.settings.limits
        self._rules = changed.over(Rules(limits.ladder, limits.hard_stop))
        self._desk.change(
            replace(limits, ladder=self._rules.ladder, hard_stop=self._rules.hard_stop)
        )

    async def _take_search_switch(self) -> None:
        """What an administrator switched wins over the file."""
        changed = await self._installation.get(WEB_SEARCH, SearchChange)
        wanted = self.settings.web_search.enabled if changed is None else changed.enabled
        self._searches.switch(wanted and not self._searches.lacking)
        if self._ready:
            self._walk.searching = self._searches.searching

    async def _watch_changes(self) -> None:
        """Whatever is changed in storage counts here within two `refresh_s`."""
        while True:
            await asyncio.sleep(self.settings.catalog.refresh_s)
            try:
                await self._changes_once()
                self._storage_trouble = ""
            except Fault as fault:
                # The snapshots at hand go on serving; `/readyz` tells as `trouble`.
                self._storage_trouble = fault.message

    async def _housekeeping(self) -> None:
        gauges = Gauges(
            self._metrics,
            Rooms(
                self._journal,
                self._desk,
                self._suppliers,
                self._searches.service,
                self._access_log,
                self._front,
                None if self._post_office is None else self._post_office.outbox,
                self.settings.ledger.spool_bytes_max,
            ),
        )
        while True:
            await asyncio.sleep(HOUSEKEEPING_S)
            self._access_log.flush()
            self._suppliers.note_health(self._wheel.now_s)
            self._look_at_books()
            gauges.read(self._wheel.now_s)
            await self._telemetry.send_spans()
            if self.settings.server.workers > 1:
                self._board.publish()

    async def _write_last_uses(self) -> None:
        while True:
            await asyncio.sleep(LAST_USED_FLUSH_S)
            try:
                await self._gate.flush_last_used()
            except Fault as fault:
                _LOG.warning("last uses of keys wait: %s", fault.message)

    async def _keep_token_ratios(self) -> None:
        while True:
            await self._calibration.flush()
            await asyncio.sleep(CALIBRATION_FLUSH_S)

    async def _change_packages(self) -> None:
        tenants = Tenants(self._storage.database)
        while True:
            try:
                await tenants.carry_out_due()
            except Fault as fault:
                _LOG.warning("changes of packages that are due wait: %s", fault.message)
            await asyncio.sleep(PACKAGES_DUE_S)

    def _not_ready(self) -> list[str]:
        reasons: list[str] = []
        if not self._ready or self._front.draining:
            reasons.append("starting or stopping")
        if trouble := self._look_at_books():
            reasons.append(trouble)
        return reasons

    def _look_at_books(self) -> str:
        """Why no generation may begin. What `/readyz` says holds for the very next request."""
        trouble = self._means.books_trouble = self._journal.trouble
        return trouble

    def _trouble(self) -> list[str]:
        """What is wrong while requests are served from what is in memory."""
        return [
            each
            for each in (
                self._storage_trouble,
                self._desk.trouble,
                self._search_trouble,
                "" if self._post_office is None else self._post_office.outbox.trouble,
            )
            if each
        ]

    @property
    def _search_trouble(self) -> str:
        service = self._searches.service
        return "" if service is None else service.trouble

    def _exposition(self) -> bytes:
        total = self._board.total() if self.settings.server.workers > 1 else self._metrics
        return exposition(total)

    # ------------------------------------------------------------ changing and closing

    async def reload(self, settings: Settings) -> None:
        """Swap in the models and providers of a changed file; ports, storage and times need a
        restart."""
        routes = self._suppliers.routes(settings)
        self._shelf.restock(
            settings.models,
            mapping_applies_to_native_ids=settings.catalog.mapping_applies_to_native_ids,
            custom_aliases=settings.catalog.aliases,
        )
        self.settings = replace(
            self.settings,
            models=settings.models,
            providers=settings.providers,
            catalog=settings.catalog,
            limits=settings.limits,
        )
        self._means.search_fee_credits = settings.limits.search_fee_credits
        await self._take_rules()
        await self._changes_once()
        self._walk.routes = routes

    async def close(self) -> None:
        """Drain, end what does not finish, write everything down."""
        self._ready = False
        server = self.settings.server
        left = await self._listener.drain(server.drain_timeout_s, server.drain_notice_s)
        if left:
            _LOG.warning("%d connections did not finish in time", left)
        # Also what is read on for clients that left: what is known of it is written down.
        for thing in self._wheel.watched():
            if isinstance(thing, Relay | SearchTurns):
                thing.house_stops()
        if left:
            await self._listener.drain(UNWIND_S)
        await self._office.close()
        if self._metrics_runner is not None:
            await self._metrics_runner.cleanup()
        self._wheel.stop()
        if self._post_office is not None:
            await self._post_office.outbox.close()
        self._loop_lag.stop()
        await self._tasks.stop()
        await self._apart.close()
        self._suppliers.close()
        await self._searches.close()
        if self._console.provider is not None:
            await self._console.provider.close()
        try:
            await self._gate.flush_last_used()
        except Fault as fault:
            _LOG.warning("last uses of keys are lost: %s", fault.message)
        await self._journal.close()
        await self._desk.close()
        self._access_log.flush()
        await self._telemetry.close()
        await self._colleagues.close()
        self._board.withdraw()
        await self._storage.database.close()


def _door_limits(settings: Settings) -> DoorLimits:
    server = settings.server
    return DoorLimits(
        body_bytes_max=server.body_bytes_max,
        header_bytes_max=server.header_bytes_max,
        pipelined_bytes_max=server.pipelined_bytes_max,
        held_bytes_max=settings.upstream.held_bytes_max,
        connections_max=connections_within(server.connections_max),
        header_timeout_s=server.header_timeout_s,
        body_idle_timeout_s=server.body_idle_timeout_s,
        keepalive_timeout_s=server.keepalive_timeout_s,
        write_stall_timeout_s=server.write_stall_timeout_s,
    )
