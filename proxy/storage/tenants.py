"""Queries: tenants and what was agreed with each.

A change raises the version of `people`; one of package, ladder or burst that of `terms` as well,
one of its switched-off models that of `models`.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from proxy.domain.fault import Fault, Kind
from proxy.domain.people import Actor, CreditPack, Tenant, TenantConfig, TenantStatus
from proxy.domain.terms import Burst, Ladder
from proxy.storage.audit import audited
from proxy.storage.changes import MODELS, PEOPLE, TERMS, bump
from proxy.storage.database import Database, Row, Statement, unix_ms
from proxy.storage.models import replacing
from proxy.storage.writing import (
    PAGE_MAX,
    checked_burst,
    checked_ladder,
    checked_name,
    commit,
    given,
    new_id,
    to_json,
    update,
)

_TENANTS = (
    "SELECT t.id, t.name, t.status, t.created_at, t.package_id, p.name, t.next_package_id, n.name,"
    " t.next_package_from, t.ladder, t.burst, t.config,"
    " (SELECT count(*) FROM users u WHERE u.tenant_id = t.id AND u.status <> 'Deleted')"
    " FROM tenants t LEFT JOIN packages p ON p.id = t.package_id"
    " LEFT JOIN packages n ON n.id = t.next_package_id"
)
_DUE = "next_package_from IS NOT NULL AND next_package_from <= ?"
# What came into effect and nobody carried out yet must not be lost to what is agreed on after it.
_AGREE = (
    f"UPDATE tenants SET package_id = CASE WHEN {_DUE} THEN next_package_id ELSE package_id END,"
    " next_package_id = ?, next_package_from = ? WHERE id = ?"
)
_TERMS = frozenset({"package_id", "ladder", "burst"})


class Tenants:
    """The workspaces. `now_ms` tells whether an agreed change of package has come into effect."""

    def __init__(self, database: Database, now_ms: Callable[[], int] = unix_ms) -> None:
        self._database = database
        self._now_ms = now_ms

    async def page(
        self, limit: int = 100, offset: int = 0, *, name: str | None = None
    ) -> list[Tenant]:
        """Tenants by name, archived ones too; with `name` the one of exactly this name."""
        where, params = ("", ()) if name is None else (" WHERE t.name = ?", (name,))
        return await self._read(
            f"{where} ORDER BY t.name, t.id LIMIT ? OFFSET ?",
            (*params, min(limit, PAGE_MAX), offset),
        )

    async def count(self) -> int:
        """How many there are."""
        rows = await self._database.fetch("SELECT count(*) FROM tenants")
        total: int = rows[0][0]
        return total

    async def get(self, tenant_id: str) -> Tenant | None:
        """One tenant."""
        found = await self._read(" WHERE t.id = ?", (tenant_id,))
        return found[0] if found else None

    async def by_name(self, name: str) -> Tenant | None:
        """The tenant of exactly this name."""
        found = await self.page(1, name=name.strip())
        return found[0] if found else None

    async def create(
        self,
        name: str,
        by: Actor,
        *,
        package_id: str | None = None,
        config: TenantConfig | None = None,
    ) -> Tenant:
        """A new tenant. CONFLICT where one of this name is there, NOT_FOUND for the package."""
        name = checked_name("name", name)
        await self._refuse_unknown(package_id)
        config = config or TenantConfig()
        tenant_id = new_id("tenant")
        insert = (
            "INSERT INTO tenants (id, name, created_at, package_id, config) VALUES (?, ?, ?, ?, ?)",
            (tenant_id, name, by.at, package_id, to_json(config)),
        )
        after = {"name": name, "package_id": package_id, "config": config}
        line = audited(by, "tenant.create", tenant_id, tenant_id=tenant_id, after=after)
        await commit(self._database, [insert, line], PEOPLE, TERMS, conflict=_taken(name))
        return await self._tenant(tenant_id)

    async def change(
        self,
        tenant_id: str,
        by: Actor,
        *,
        name: str | UnsetType = UNSET,
        status: TenantStatus | UnsetType = UNSET,
        package_id: str | UnsetType | None = UNSET,
        ladder: Ladder | UnsetType | None = UNSET,
        burst: Burst | UnsetType | None = UNSET,
        config: TenantConfig | UnsetType = UNSET,
        disabled_models: Collection[str] | UnsetType = UNSET,
    ) -> Tenant:
        """Change what is given, at once. A package takes the place of an agreed later change.
        NOT_FOUND for tenant or package, CONFLICT for a name that is taken."""
        before = await self._tenant(tenant_id)
        wanted = given(
            name=name,
            status=status,
            package_id=package_id,
            ladder=ladder,
            burst=burst,
            config=config,
            disabled_models=disabled_models,
        )
        if not wanted:
            return before
        statements: list[Statement] = []
        topics = {PEOPLE}
        if "name" in wanted:
            wanted["name"] = checked_name("name", wanted["name"])
        if "disabled_models" in wanted:
            wanted["disabled_models"] = tuple(sorted(set(wanted["disabled_models"])))
            statements += replacing("tenant", tenant_id, wanted["disabled_models"])
            topics.add(MODELS)
        if wanted.keys() & _TERMS:
            topics.add(TERMS)
        columns = await self._columns(wanted)
        if columns:
            statements.append(update("tenants", tenant_id, columns))
        was = {field: getattr(before, field) for field in wanted}
        statements.append(
            audited(by, "tenant.change", tenant_id, tenant_id=tenant_id, before=was, after=wanted)
        )
        conflict = _taken(wanted.get("name", before.name))
        await commit(self._database, statements, *sorted(topics), conflict=conflict)
        return await self._tenant(tenant_id)

    async def schedule_package(
        self, tenant_id: str, package_id: str | None, from_ms: int, by: Actor
    ) -> Tenant:
        """Agree on a package from a later moment on, as a downgrade is: the first of the next
        month (domain.md 2.1). Takes the place of what was agreed on before. BAD_REQUEST where the
        moment has passed."""
        if from_ms <= by.at:
            raise Fault(
                Kind.BAD_REQUEST,
                "next_package_from: it has passed.",
                hint="Change package_id to have it at once.",
            )
        await self._refuse_unknown(package_id)
        return await self._agree(tenant_id, package_id, from_ms, by)

    async def cancel_scheduled_package(self, tenant_id: str, by: Actor) -> Tenant:
        """Stay with the package of now. Without an agreed change nothing happens."""
        if (await self._tenant(tenant_id)).next_package_from is None:
            return await self._tenant(tenant_id)
        return await self._agree(tenant_id, None, None, by)

    async def carry_out_due(self) -> bool:
        """Make the packages whose time has come those of now. Whoever reads sees them by the clock
        anyway; this tells the processes that remember callers. True if there were any."""
        now_ms = self._now_ms()
        due = await self._database.fetch(f"SELECT 1 FROM tenants WHERE {_DUE} LIMIT 1", (now_ms,))
        if due:
            carry_out = (
                "UPDATE tenants SET package_id = next_package_id, next_package_id = NULL,"
                f" next_package_from = NULL WHERE {_DUE}"
            )
            await self._database.run([(carry_out, (now_ms,)), bump(TERMS)])
        return bool(due)

    async def _agree(
        self, tenant_id: str, package_id: str | None, from_ms: int | None, by: Actor
    ) -> Tenant:
        before = await self._tenant(tenant_id)
        after = {"next_package_id": package_id, "next_package_from": from_ms}
        line = audited(
            by,
            "tenant.change",
            tenant_id,
            tenant_id=tenant_id,
            before={field: getattr(before, field) for field in after},
            after=after,
        )
        agree = (_AGREE, (self._now_ms(), package_id, from_ms, tenant_id))
        await commit(self._database, [agree, line], PEOPLE, TERMS)
        return await self._tenant(tenant_id)

    async def _columns(self, wanted: dict[str, Any]) -> dict[str, Any]:
        columns: dict[str, Any] = {}
        for field in ("name", "status"):
            if field in wanted:
                columns[field] = wanted[field]
        if "package_id" in wanted:
            await self._refuse_unknown(wanted["package_id"])
            columns |= {
                "package_id": wanted["package_id"],
                "next_package_id": None,
                "next_package_from": None,
            }
        if "ladder" in wanted:
            columns["ladder"] = to_json(checked_ladder(wanted["ladder"]))
        if "burst" in wanted:
            columns["burst"] = to_json(checked_burst(wanted["burst"]))
        if "config" in wanted:
            columns["config"] = to_json(wanted["config"])
        return columns

    async def _refuse_unknown(self, package_id: str | None) -> None:
        if package_id is None:
            return
        find = "SELECT 1 FROM packages WHERE id = ?"
        if not await self._database.fetch(find, (package_id,)):
            raise Fault(
                Kind.NOT_FOUND,
                f"package_id: there is no package {package_id!r}.",
                hint="`hatz-gateway package list` and GET /v1/admin/packages show them.",
            )

    async def _tenant(self, tenant_id: str) -> Tenant:
        tenant = await self.get(tenant_id)
        if tenant is None:
            raise Fault(
                Kind.NOT_FOUND,
                f"There is no tenant {tenant_id!r}.",
                hint="`hatz-gateway tenant list` and GET /v1/admin/tenants show them.",
            )
        return tenant

    async def _read(self, rest: str, params: Sequence[Any]) -> list[Tenant]:
        rows = await self._database.fetch(f"{_TENANTS}{rest}", params)
        if not rows:
            return []
        ids = [row[0] for row in rows]
        among = f"({', '.join('?' * len(ids))})"
        packs: dict[str, list[CreditPack]] = {}
        for pack in await self._database.fetch(
            "SELECT id, tenant_id, name, credits, valid_from, valid_until, created_at"
            f" FROM credit_packs WHERE tenant_id IN {among} ORDER BY valid_from, id",
            ids,
        ):
            packs.setdefault(pack[1], []).append(CreditPack(*pack))
        off: dict[str, list[str]] = {}
        for tenant_id, model_id in await self._database.fetch(
            "SELECT scope_id, model_id FROM model_switches WHERE scope = 'tenant' AND enabled = 0"
            f" AND scope_id IN {among} ORDER BY model_id",
            ids,
        ):
            off.setdefault(tenant_id, []).append(model_id)
        now_ms = self._now_ms()
        return [_tenant(row, now_ms, packs.get(row[0], []), off.get(row[0], [])) for row in rows]


def _tenant(row: Row, now_ms: int, packs: list[CreditPack], off: list[str]) -> Tenant:
    tenant_id, name, status, created_at, *agreed, ladder, burst, config, user_count = row
    package_id, package, next_id, next_package, next_from = agreed
    if next_from is not None and next_from <= now_ms:
        package_id, package, next_id, next_package, next_from = next_id, next_package, *[None] * 3
    return Tenant(
        id=tenant_id,
        name=name,
        status=status,
        created_at=created_at,
        package_id=package_id,
        package=package,
        next_package_id=next_id,
        next_package=next_package,
        next_package_from=next_from,
        packs=tuple(packs),
        ladder=None if ladder is None else msgspec.json.decode(ladder, type=Ladder),
        burst=None if burst is None else msgspec.json.decode(burst, type=Burst),
        config=msgspec.json.decode(config, type=TenantConfig),
        disabled_models=tuple(off),
        user_count=user_count,
    )


def _taken(name: str) -> str:
    return f"name: there is already a tenant {name!r}."
