"""Three tenants with their people, on a real database behind a real gate, for tests of the office.

`msp` has one of each of the MSP's roles, `acme` and `beta` one of each of a tenant's. Everybody has
a key. Beta's people and things are called so that a trace of them is found in any reply.
"""

import os
import shutil
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web
from msgspec.structs import replace

from proxy.admin.endpoint import AnyEndpoint, Handler
from proxy.admin.in_flight import IN_FLIGHT
from proxy.admin.provider_health import HEALTH
from proxy.admin.table import House, Stores, table
from proxy.admin.usage_limits import Rules
from proxy.auth.gate import Gate
from proxy.auth.keys import digest, mint
from proxy.auth.passwords import Passwords
from proxy.auth.sign_in import SignIn
from proxy.catalog.refresh import Shelf
from proxy.config.settings import Settings
from proxy.domain.deployment import WorkerHealth
from proxy.domain.entry import COMPLETED, Entry
from proxy.domain.in_flight import InFlight, UnderWay
from proxy.domain.letter import Away, Fate, Letter
from proxy.domain.model import Rates
from proxy.domain.people import Actor
from proxy.limits.window import Months
from proxy.notices.invitations import Invitations
from proxy.notices.outbox import Outbox, Patience
from proxy.notices.wording import House as LetterHouse
from proxy.observe.roll_call import RollCall
from proxy.server.admission import Admission
from proxy.storage.audit import Audit
from proxy.storage.changes import MODELS as MODELS_TOPIC
from proxy.storage.changes import Changes
from proxy.storage.database import Database
from proxy.storage.entries import Entries
from proxy.storage.identities import Identities
from proxy.storage.installation import Installation
from proxy.storage.keys import Keys
from proxy.storage.letters import Letters
from proxy.storage.migrations import migrate
from proxy.storage.models import ModelSwitches
from proxy.storage.month_use import MonthUse
from proxy.storage.notes import Notes
from proxy.storage.packages import CreditPacks, Packages
from proxy.storage.passwords import Passwords as StoredPasswords
from proxy.storage.rates import RateSheet
from proxy.storage.roles import Roles
from proxy.storage.sqlite import SqliteDatabase
from proxy.storage.templates import Templates
from proxy.storage.tenants import Tenants
from proxy.storage.usage import Usage
from proxy.storage.users import Users
from tests.admin.office_floor import Browse, Said, ask, floor
from tests.catalog.shop import KIMI, MODELS

HASH_SECRET = b"the hash secret of the tests"
MSP_ROLES = (
    "msp_primary_admin",
    "msp_admin",
    "msp_tenant_manager",
    "msp_billing_manager",
    "msp_helpdesk",
)
TENANT_ROLES = ("client_admin", "general_user", "chat_only_user", "workshop_user")
TENANTS = {"msp": MSP_ROLES, "acme": TENANT_ROLES, "beta": TENANT_ROLES}
CREDIT = 1_000_000
RATES_TO_COME = "2099-01-01T00:00:00Z"
_RATES_TO_COME_MS = 4_070_908_800_000
SETTINGS = Settings(models=MODELS)


class Known(msgspec.Struct):
    """Ids and keys by name: tenants and packages by theirs, people as `acme.client_admin`, custom
    roles as `acme.own_role`."""

    ids: dict[str, str] = msgspec.field(default_factory=dict)
    keys: dict[str, str] = msgspec.field(default_factory=dict)
    key_ids: dict[str, str] = msgspec.field(default_factory=dict)


async def furnish(file: Path) -> Known:
    """Write a database with everybody in it."""
    database = await SqliteDatabase.open(file)
    try:
        await migrate(database)
        return await _populate(database, Actor.operator(time.time_ns() // 1_000_000))
    finally:
        await database.close()


async def _populate(database: Database, by: Actor) -> Known:
    known = Known()
    tenants, users, roles, keys = (
        Tenants(database),
        Users(database),
        Roles(database),
        Keys(database),
    )
    packages = Packages(database)
    for name, credits in (("Starter", 100), ("Professional", 1000), ("Unused", 0)):
        package = await packages.create(name, by, monthly_credits=credits * CREDIT)
        known.ids[name] = package.id
    for number, (name, slugs) in enumerate(TENANTS.items()):
        tenant = await tenants.create(f"The {name} tenant", by, package_id=known.ids["Starter"])
        known.ids[name] = tenant.id
        role = await roles.create(
            f"{name}_own_role", by, tenant_id=tenant.id, permissions=["gateway.use"]
        )
        known.ids[f"{name}.own_role"] = role.id
        for place, slug in enumerate([*slugs, "general_user"]):
            label = f"{name}.{slug}" if place < len(slugs) else f"{name}.target"
            email = f"{label}@{name}.example"
            user = await users.create(email, tenant.id, by, role=slug, status="Active")
            key = mint(bytes([number, place]) * 12)
            key_id = await keys.insert(
                user.id, f"{label}'s", digest(key.encode(), HASH_SECRET), key[:9], by
            )
            known.ids[label], known.keys[label], known.key_ids[label] = user.id, key, key_id
        pack = await CreditPacks(database).add(
            tenant.id, by, name="Extra", credits=5 * CREDIT, valid_from=by.at, valid_until=None
        )
        known.ids[f"{name}.pack"] = pack.id
        row = used(known, f"{name}.target", by.at)
        await Entries(database).insert([row])
        known.ids[f"{name}.event"] = row.event_id
    await RateSheet(database).set(
        KIMI.id, Rates(input=1, output=2), by, effective_from=_RATES_TO_COME_MS
    )
    template = await Templates(database).create("Small", by, package_id=known.ids["Starter"])
    known.ids["Small"] = template.id
    return known


def used(known: Known, who: str, at: int, credits: int = 0, number: int = 0) -> Entry:
    """A row of the ledger; `number` tells somebody's rows apart."""
    return Entry(
        event_id=f"evt_{who}_{number}",
        request_id=f"req_{who}_{number}",
        started_at=at,
        ended_at=at,
        tenant_id=known.ids[who.partition(".")[0]],
        user_id=known.ids[who],
        role="general_user",
        key_id=known.key_ids[who],
        requested_model=KIMI.id,
        model=KIMI.id,
        resolved_via="exact",
        outcome=COMPLETED,
        status=200,
        credits_in=credits,
    )


class _NoServer:
    """Letters stay where they are: who carries them is no matter of the office."""

    async def carry(self, letters: Sequence[Letter], /) -> AsyncGenerator[Fate, None]:
        yield Away("nobody carries letters here")


class People:
    """The office with all of them. `now_s` is its clock."""

    def __init__(self, database: Database, known: Known) -> None:
        self.database = database
        self.known = known
        self.now_s: Callable[[], float] = time.time
        self.tenants = Tenants(database, lambda: int(self.now_s() * 1000))
        self.users = Users(database)
        self.roles = Roles(database)
        self.packages = Packages(database)
        self.packs = CreditPacks(database)
        self.keys = Keys(database)
        self.switches = ModelSwitches(database)
        self.audit = Audit(database)
        rates = RateSheet(database)
        self.shelf = Shelf(MODELS, self.switches, rates)
        self.gate = Gate(self.keys, HASH_SECRET, keys_cached_max=100)
        self.changes = Changes(database)
        self.outbox = Outbox(
            Letters(database),
            _NoServer(),
            wall_ms=lambda: int(self.now_s() * 1000),
            waiting_max=1_000,
            patience=Patience(),
        )
        self.mail = Invitations(
            Letters(database), self.outbox, LetterHouse("https://gateway.example")
        )
        stores = Stores(
            tenants=self.tenants,
            users=self.users,
            roles=self.roles,
            templates=Templates(database),
            identities=Identities(database),
            keys=self.keys,
            packages=self.packages,
            packs=self.packs,
            switches=self.switches,
            rates=rates,
            use=MonthUse(database),
            ledger=Usage(database),
            installation=Installation(database),
            audit=self.audit,
            notes=Notes(database),
        )
        self.passwords = StoredPasswords(database)
        self.sign_in = SignIn(self.passwords, Passwords(), HASH_SECRET, os.urandom)
        house = House(
            shelf=self.shelf,
            months=Months("UTC"),
            hash_secret=HASH_SECRET,
            settings=lambda: SETTINGS,
            rules=lambda: Rules(SETTINGS.limits.ladder, SETTINGS.limits.hard_stop),
            reload=self._reload,
            mail=self.mail,
            ask_workers=RollCall(
                "w0",
                {
                    IN_FLIGHT: lambda tenant_id: msgspec.json.encode(self.carried(tenant_id)),
                    HEALTH: lambda _: msgspec.json.encode(WorkerHealth([], [])),
                },
                time.monotonic,
            ).ask,
            make_link=self.sign_in.link,
        )
        self.table: list[AnyEndpoint] = table(stores, house)
        self.table_without_mail = table(stores, replace(house, mail=None))
        self.browse: Browse

    @classmethod
    async def open(cls, template: Path, place: Path, known: Known) -> "People":
        """With a copy of a furnished database."""
        file = place / "gateway.db"
        shutil.copy(template, file)
        opened = cls(await SqliteDatabase.open(file), known)
        await opened.changed()
        return opened

    async def changed(self) -> None:
        """As the house acts on a write of its own."""
        self.gate.forget()
        versions = await self.changes.versions()
        await self.shelf.refresh(versions[MODELS_TOPIC])

    def carried(self, tenant_id: str | None) -> UnderWay:
        """What a worker says it carries: a request of each tenant."""
        rows = [self.under_way(tenant) for tenant in TENANTS]
        rows = [row for row in rows if tenant_id in (None, row.tenant_id)]
        return UnderWay(rows, len(rows))

    def under_way(self, tenant: str) -> InFlight:
        """A request of somebody of a tenant that never ends."""
        return InFlight(
            request_id=f"req.{tenant}.flying",
            errand="message",
            tenant_id=self.id(tenant),
            tenant=f"The {tenant} tenant",
            user_id=self.id(f"{tenant}.{TENANTS[tenant][0]}"),
            email=f"somebody@{tenant}.example",
            key_id="key_1",
            asked="haiku",
            model=KIMI.id,
            via="mapping",
            streamed=True,
            client="curl",
            stage="streaming",
            provider="kit",
            attempts=1,
            age_s=1.5,
        )

    async def _reload(self) -> list[str]:
        return []

    def application(
        self, more: Iterable[tuple[str, str, Handler]] = (), *, with_mail: bool = True
    ) -> web.Application:
        """Everything on its path."""
        admission = Admission(self.gate, lambda: self.now_s(), strict_bearer=False)
        endpoints = self.table if with_mail else self.table_without_mail
        return floor(
            endpoints, admission, wall=lambda: self.now_s(), changed=self.changed, more=more
        )

    def operator(self) -> Actor:
        """Somebody who changes things past the office, now."""
        return Actor.operator(int(self.now_s() * 1000))

    def id(self, name: str) -> str:
        """The id of a tenant, package, user, role or template."""
        return self.known.ids[name]

    def digest(self, who: str) -> bytes:
        """What the key of somebody is known by."""
        return digest(self.known.keys[who].encode(), HASH_SECRET)

    async def ask(
        self, who: str, method: str, path: str, body: object = None, **headers: str
    ) -> Said:
        """One request with the key of somebody."""
        return await ask(self.browse, method, path, self.known.keys[who], body, **headers)

    async def done(self, who: str, method: str, path: str, body: object = None) -> Any:
        """One that must succeed."""
        said = await self.ask(who, method, path, body)
        assert 200 <= said.status < 300, (said.status, said.body)
        return said.json()

    async def refused(
        self, status: int, who: str, method: str, path: str, body: object = None
    ) -> str:
        """One that must be refused; its message."""
        said = await self.ask(who, method, path, body)
        assert said.status == status, (said.status, said.body)
        return said.message

    async def last_audit(self) -> tuple[str, str, str]:
        """Who did what to whom last."""
        [line] = await self.audit.page(1)
        return line.actor, line.action, line.target
