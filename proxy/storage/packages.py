"""Queries: packages, and credit packs beside them. Every change raises the version of `terms`."""

from collections.abc import Collection
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from proxy.domain.fault import Fault, Kind
from proxy.domain.people import Actor, CreditPack, Package
from proxy.domain.terms import Ladder
from proxy.storage.audit import audited
from proxy.storage.changes import TERMS
from proxy.storage.database import Database, Row
from proxy.storage.writing import (
    PAGE_MAX,
    checked_amount,
    checked_ladder,
    checked_name,
    commit,
    given,
    new_id,
    to_json,
    update,
)

_PACKAGES = (
    "SELECT p.id, p.name, p.monthly_credits, p.allowed_models, p.ladder, p.created_at,"
    " (SELECT count(*) FROM tenants t WHERE t.package_id = p.id OR t.next_package_id = p.id)"
    " FROM packages p"
)
_PACKS = (
    "SELECT id, tenant_id, name, credits, valid_from, valid_until, created_at FROM credit_packs"
)


class Packages:
    """What tenants can have."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, limit: int = 100, offset: int = 0) -> list[Package]:
        """Packages, by name."""
        rows = await self._database.fetch(
            f"{_PACKAGES} ORDER BY p.name LIMIT ? OFFSET ?", (min(limit, PAGE_MAX), offset)
        )
        return [_package(row) for row in rows]

    async def get(self, package_id: str) -> Package | None:
        """One package."""
        rows = await self._database.fetch(f"{_PACKAGES} WHERE p.id = ?", (package_id,))
        return _package(rows[0]) if rows else None

    async def by_name(self, name: str) -> Package | None:
        """The package of exactly this name."""
        rows = await self._database.fetch(f"{_PACKAGES} WHERE p.name = ?", (name.strip(),))
        return _package(rows[0]) if rows else None

    async def create(
        self,
        name: str,
        by: Actor,
        *,
        monthly_credits: int | None = None,
        allowed_models: Collection[str] | None = None,
        ladder: Ladder | None = None,
    ) -> Package:
        """A new package; an empty list of models means all of them (domain.md 2.1). CONFLICT where
        one of this name is there."""
        package_id = new_id("package")
        fields = _checked(
            given(
                name=name,
                monthly_credits=monthly_credits,
                allowed_models=allowed_models,
                ladder=ladder,
            )
        )
        insert = (
            "INSERT INTO packages (id, name, monthly_credits, allowed_models, ladder, created_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (package_id, *_columns(fields).values(), by.at),
        )
        line = audited(by, "package.create", package_id, after=fields)
        await commit(self._database, [insert, line], TERMS, conflict=_taken(fields["name"]))
        return await self._package(package_id)

    async def change(
        self,
        package_id: str,
        by: Actor,
        *,
        name: str | UnsetType = UNSET,
        monthly_credits: int | UnsetType | None = UNSET,
        allowed_models: Collection[str] | UnsetType | None = UNSET,
        ladder: Ladder | UnsetType | None = UNSET,
    ) -> Package:
        """Change what is given, for all its tenants, at once."""
        before = await self._package(package_id)
        fields = _checked(
            given(
                name=name,
                monthly_credits=monthly_credits,
                allowed_models=allowed_models,
                ladder=ladder,
            )
        )
        if not fields:
            return before
        was = {field: getattr(before, field) for field in fields}
        statements = [
            update("packages", package_id, _columns(fields)),
            audited(by, "package.change", package_id, before=was, after=fields),
        ]
        conflict = _taken(fields.get("name", before.name))
        await commit(self._database, statements, TERMS, conflict=conflict)
        return await self._package(package_id)

    async def delete(self, package_id: str, by: Actor) -> None:
        """Delete a package. CONFLICT while a tenant or template has it or is to have it."""
        before = await self._package(package_id)
        await commit(
            self._database,
            [
                ("DELETE FROM packages WHERE id = ?", (package_id,)),
                audited(by, "package.delete", package_id, before=before),
            ],
            TERMS,
            conflict=f"The package {before.name} is in use.",
            hint="Give its tenants and templates another one first.",
        )

    async def _package(self, package_id: str) -> Package:
        package = await self.get(package_id)
        if package is None:
            raise Fault(
                Kind.NOT_FOUND,
                f"There is no package {package_id!r}.",
                hint="`hatz-gateway package list` and GET /v1/admin/packages show them.",
            )
        return package


class CreditPacks:
    """Credits a tenant has beside its package."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, tenant_id: str, limit: int = 100, offset: int = 0) -> list[CreditPack]:
        """A tenant's packs, also those that ended, by the moment they begin."""
        rows = await self._database.fetch(
            f"{_PACKS} WHERE tenant_id = ? ORDER BY valid_from, id LIMIT ? OFFSET ?",
            (tenant_id, min(limit, PAGE_MAX), offset),
        )
        return [CreditPack(*row) for row in rows]

    async def get(self, pack_id: str) -> CreditPack | None:
        """One pack."""
        rows = await self._database.fetch(f"{_PACKS} WHERE id = ?", (pack_id,))
        return CreditPack(*rows[0]) if rows else None

    async def add(
        self,
        tenant_id: str,
        by: Actor,
        *,
        name: str,
        credits: int,
        valid_from: int,
        valid_until: int | None,
    ) -> CreditPack:
        """Give a tenant a pack, from now on or for months to come; without an end it stays.
        NOT_FOUND for the tenant."""
        name = checked_name("name", name)
        checked_amount("credits", credits)
        if valid_until is not None and valid_until <= valid_from:
            raise Fault(Kind.BAD_REQUEST, "valid_until: it lies after valid_from.")
        if not await self._database.fetch("SELECT 1 FROM tenants WHERE id = ?", (tenant_id,)):
            raise Fault(Kind.NOT_FOUND, f"There is no tenant {tenant_id!r}.")
        pack = CreditPack(new_id("pack"), tenant_id, name, credits, valid_from, valid_until, by.at)
        insert = (
            "INSERT INTO credit_packs (id, tenant_id, name, credits, valid_from, valid_until,"
            " created_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
            msgspec.structs.astuple(pack),
        )
        line = audited(by, "pack.add", pack.id, tenant_id=tenant_id, after=pack)
        await commit(self._database, [insert, line], TERMS)
        return pack

    async def remove(self, pack_id: str, by: Actor) -> None:
        """Take a pack away, at once. NOT_FOUND if it is not there."""
        before = await self.get(pack_id)
        if before is None:
            raise Fault(Kind.NOT_FOUND, f"There is no credit pack {pack_id!r}.")
        delete = ("DELETE FROM credit_packs WHERE id = ?", (pack_id,))
        line = audited(by, "pack.remove", pack_id, tenant_id=before.tenant_id, before=before)
        await commit(self._database, [delete, line], TERMS)


def _checked(fields: dict[str, Any]) -> dict[str, Any]:
    if "name" in fields:
        fields["name"] = checked_name("name", fields["name"])
    if fields.get("monthly_credits") is not None:
        checked_amount("monthly_credits", fields["monthly_credits"])
    if "allowed_models" in fields:
        fields["allowed_models"] = tuple(sorted(set(fields["allowed_models"] or ()))) or None
    if "ladder" in fields:
        fields["ladder"] = checked_ladder(fields["ladder"])
    return fields


def _columns(fields: dict[str, Any]) -> dict[str, Any]:
    columns = dict(fields)
    for name in ("allowed_models", "ladder"):
        if name in columns:
            columns[name] = to_json(columns[name])
    return columns


def _package(row: Row) -> Package:
    package_id, name, monthly_credits, allowed, ladder, created_at, tenant_count = row
    return Package(
        id=package_id,
        name=name,
        monthly_credits=monthly_credits,
        allowed_models=None
        if allowed is None
        else msgspec.json.decode(allowed, type=tuple[str, ...]),
        ladder=None if ladder is None else msgspec.json.decode(ladder, type=Ladder),
        created_at=created_at,
        tenant_count=tenant_count,
    )


def _taken(name: str) -> str:
    return f"name: there is already a package {name!r}."
