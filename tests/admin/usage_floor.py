"""A ledger with rows, and people who may see and do more or less, for tests of the office."""

import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from proxy.admin.endpoint import AnyEndpoint
from proxy.domain.caller import Caller
from proxy.domain.entry import Entry, Outcome
from proxy.domain.fault import Fault, Kind
from proxy.domain.people import Actor
from proxy.domain.permissions import MSP_VIEW, VIEW_USAGE
from proxy.storage.database import Database
from proxy.storage.entries import Entries
from proxy.storage.migrations import migrate
from proxy.storage.sqlite import SqliteDatabase
from proxy.storage.tenants import Tenants
from proxy.storage.users import Users
from tests.admin.office_floor import Browse, Said, Visit, ask, floor
from tests.catalog.shop import make_caller

NOW = dt.datetime(2026, 11, 22, 8, 9, 10, tzinfo=dt.UTC)
CREDIT = 1_000_000


def ms(text: str) -> int:
    """Unix milliseconds of an ISO date-time in UTC."""
    at = dt.datetime.fromisoformat(text)
    return int((at if at.tzinfo else at.replace(tzinfo=dt.UTC)).timestamp() * 1000)


NOW_MS = ms(NOW.isoformat())
BY = Actor("user_root", "root@msp.example", NOW_MS, "req_root")


class Ledger:
    """Two tenants, One and Two. By key: ada and bob are of One, and so is its admin, carol; dan is
    of Two; root is the MSP's."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.entries = Entries(database)
        self.callers: dict[str, Caller] = {}
        self.browse: Browse
        self._rows = 0

    async def settle(self) -> None:
        """Make them."""
        tenants, users = Tenants(self.database), Users(self.database)
        people = {
            "One": ("ada", "bob", "carol"),
            "Two": ("dan",),
            "The MSP": ("root",),
        }
        powers = {"carol": [VIEW_USAGE], "root": [VIEW_USAGE, MSP_VIEW]}
        for name, members in people.items():
            tenant = await tenants.create(name, BY)
            for member in members:
                user = await users.create(f"{member}@example.com", tenant.id, BY)
                self.callers[member] = make_caller(user.id).but(
                    email=user.email,
                    tenant_id=tenant.id,
                    tenant=name,
                    permissions=frozenset(["gateway.use", *powers.get(member, [])]),
                )

    async def used(self, who: str, started_at: str = "2026-11-22T08:00", **fields: Any) -> str:
        """A row of the ledger; its event id."""
        [row] = self.rows([(who, {"started_at": ms(started_at)} | fields)])
        await self.entries.insert([row])
        return row.event_id

    def rows(self, wanted: list[tuple[str, dict[str, Any]]]) -> list[Entry]:
        """Rows that are not stored yet: whose, and what is not as usual."""
        made = []
        for who, fields in wanted:
            self._rows += 1
            caller = self.callers[who]
            row = Entry(
                *(f"evt_{self._rows:04}", "req_1", NOW_MS, NOW_MS, caller.tenant_id),
                *(caller.user_id, caller.role, caller.key_id, "opus", "model_a", "alias"),
                *(Outcome.COMPLETED, 200),
                client="curl",
            )
            made.append(msgspec.structs.replace(row, **fields))
        return made

    def empower(self, who: str, *permissions: str) -> None:
        """Let somebody do these things, and nothing else."""
        self.callers[who] = self.callers[who].but(permissions=frozenset(permissions))

    async def admit(self, request: web.Request, bearer_allowed: bool) -> Caller:
        """Keys are names here."""
        caller = self.callers.get(request.headers.get("X-Api-Key", ""))
        if caller is None:
            raise Fault(Kind.UNAUTHENTICATED, "who?")
        return caller

    async def open(self, endpoints: list[AnyEndpoint], visit: Visit) -> None:
        """Serve these endpoints."""
        app = floor(endpoints, self.admit, wall=lambda: NOW_MS / 1000)
        self.browse = await visit(app)

    async def ask(self, path: str, key: str = "root", **headers: str) -> Said:
        """One GET."""
        return await ask(self.browse, "GET", path, key, **headers)

    async def send(self, method: str, path: str, body: object = None, key: str = "root") -> Said:
        """One request that changes something."""
        return await ask(self.browse, method, path, key, body)

    async def done(self, method: str, path: str, body: object = None, key: str = "root") -> Any:
        """The answer to one that must succeed."""
        said = await self.send(method, path, body, key)
        assert 200 <= said.status < 300, said.body
        return said.json()

    async def audited(self) -> list[tuple[str, str, Any, Any]]:
        """Action, target, before and after of every line that root left, oldest first."""
        # The clock stands still here, so only the order of rows tells.
        rows = await self.database.fetch(
            "SELECT action, target, before, after FROM audit WHERE actor_id = ? ORDER BY rowid",
            (self.callers["root"].user_id,),
        )
        decode = msgspec.json.decode
        return [(row[0], row[1], decode(row[2]), decode(row[3])) for row in rows]

    async def get(self, path: str, key: str = "root") -> Any:
        """The answer to one GET that must succeed."""
        said = await self.ask(path, key)
        assert said.status == 200, said.body
        return said.json()


@asynccontextmanager
async def ledger(folder: Path) -> AsyncIterator[Ledger]:
    """Open, with its people and without rows."""
    database = await SqliteDatabase.open(folder / "gateway.db")
    await migrate(database)
    one = Ledger(database)
    await one.settle()
    yield one
    await database.close()
