"""Queries: templates new tenants are made from.

They are read once, when a tenant is made; no version is raised.
"""

from proxy.domain.fault import Fault, Kind
from proxy.domain.people import Actor, Template
from proxy.storage.audit import audited
from proxy.storage.database import Database, Row
from proxy.storage.writing import PAGE_MAX, checked_name, commit, new_id

_TEMPLATES = (
    "SELECT m.id, m.name, m.package_id, p.name, m.default_model_name, m.beta_features,"
    " m.mfa_required, m.created_at, m.updated_at"
    " FROM tenant_templates m LEFT JOIN packages p ON p.id = m.package_id"
)
# Pages are cut by `created_at` alone (domain.md 12), so no two may have the same.
_INSERT = (
    "INSERT INTO tenant_templates (id, name, package_id, default_model_name, beta_features,"
    " mfa_required, created_at, updated_at)"
    " VALUES (?, ?, ?, ?, ?, ?,"
    " (SELECT CASE WHEN coalesce(max(created_at), 0) < CAST(? AS BIGINT) THEN CAST(? AS BIGINT)"
    " ELSE max(created_at) + 1 END FROM tenant_templates), ?)"
)


class Templates:
    """Templates of tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, limit: int = 50, *, cursor: int | None = None) -> list[Template]:
        """Templates, newest first; `cursor` is `created_at` of the last one of the page before."""
        where, params = ("", ()) if cursor is None else (" WHERE m.created_at < ?", (cursor,))
        rows = await self._database.fetch(
            f"{_TEMPLATES}{where} ORDER BY m.created_at DESC LIMIT ?",
            (*params, min(limit, PAGE_MAX)),
        )
        return [_template(row) for row in rows]

    async def get(self, template_id: str) -> Template | None:
        """One template."""
        rows = await self._database.fetch(f"{_TEMPLATES} WHERE m.id = ?", (template_id,))
        return _template(rows[0]) if rows else None

    async def create(
        self,
        name: str,
        by: Actor,
        *,
        package_id: str | None = None,
        default_model_name: str | None = None,
        beta_features: bool = False,
        mfa_required: bool = False,
    ) -> Template:
        """A new template. NOT_FOUND for the package."""
        template_id = new_id("tentemplate")
        fields = {
            "name": checked_name("name", name),
            "package_id": package_id,
            "default_model_name": default_model_name,
            "beta_features": int(beta_features),
            "mfa_required": int(mfa_required),
        }
        find = "SELECT 1 FROM packages WHERE id = ?"
        if package_id is not None and not await self._database.fetch(find, (package_id,)):
            raise Fault(Kind.NOT_FOUND, f"package_id: there is no package {package_id!r}.")
        insert = (_INSERT, (template_id, *fields.values(), by.at, by.at, by.at))
        line = audited(by, "template.create", template_id, after=fields)
        await commit(self._database, [insert, line])
        return await self._template(template_id)

    async def delete(self, template_id: str, by: Actor) -> None:
        """Delete a template; tenants made from it stay as they are. NOT_FOUND where it is not."""
        before = await self._template(template_id)
        delete = ("DELETE FROM tenant_templates WHERE id = ?", (template_id,))
        line = audited(by, "template.delete", template_id, before=before)
        await commit(self._database, [delete, line])

    async def _template(self, template_id: str) -> Template:
        template = await self.get(template_id)
        if template is None:
            raise Fault(
                Kind.NOT_FOUND,
                f"There is no template {template_id!r}.",
                hint="GET /v1/admin/tenants/templates shows them.",
            )
        return template


def _template(row: Row) -> Template:
    template_id, name, package_id, package, default_model_name, beta, mfa, *times = row
    created_at, updated_at = times
    return Template(
        id=template_id,
        name=name,
        package_id=package_id,
        package=package,
        default_model_name=default_model_name,
        beta_features=bool(beta),
        mfa_required=bool(mfa),
        created_at=created_at,
        updated_at=updated_at,
    )
