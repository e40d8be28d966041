"""`/v1/admin/audit`: who changed what, newest first. Lines are written with the changes themselves;
here they are only read.
"""

from typing import Annotated, Any, Protocol

import msgspec
from msgspec import Meta

from proxy.admin.endpoint import AnyEndpoint, Asked, Endpoint, Limit, NoBody
from proxy.domain.people import AuditLine
from proxy.domain.permissions import MSP_SETTINGS
from proxy.ledger.support_record import moment


class AuditStore(Protocol):
    """Where the lines are. Implemented by `storage/audit.py`."""

    async def page(
        self, limit: int = 100, /, *, cursor: str | None = None, tenant_id: str | None = None
    ) -> list[AuditLine]:
        """Lines, newest first; of everything, or of one tenant ('': of the installation)."""


class AuditQuery(msgspec.Struct, frozen=True):
    """`tenant_id`: of one tenant, empty: of the installation. `cursor` is the `next_cursor` of the
    page before."""

    tenant_id: Annotated[str, Meta(max_length=200)] | None = None
    cursor: Annotated[str, Meta(min_length=1, max_length=220)] | None = None
    limit: Limit = 100


class AuditRow(msgspec.Struct, frozen=True):
    """One change: by whom, to what, from what to what. `tenant_id` is null where it concerns the
    installation; `action` is `noun.verb`. Never a secret."""

    id: str
    at: str
    actor_id: str
    actor: str
    tenant_id: str | None
    action: str
    target: str
    before: Any
    after: Any
    request_id: str | None


class AuditPage(msgspec.Struct, frozen=True):
    """Newest first. No `next_cursor`: there are no more."""

    data: list[AuditRow]
    next_cursor: str | None


class AuditPages:
    """The handler."""

    def __init__(self, store: AuditStore) -> None:
        self._store = store

    def endpoints(self) -> list[AnyEndpoint]:
        """The row of the table."""
        return [
            Endpoint(
                method="GET",
                path="/v1/admin/audit",
                summary="Who changed what, newest first",
                handler=self._read,
                reply=AuditPage,
                query=AuditQuery,
                body=NoBody,
                needs=(MSP_SETTINGS,),
            )
        ]

    async def _read(self, asked: Asked[AuditQuery, None]) -> AuditPage:
        query = asked.query
        lines = await self._store.page(query.limit, cursor=query.cursor, tenant_id=query.tenant_id)
        more = len(lines) == query.limit and bool(
            await self._store.page(1, cursor=lines[-1].cursor, tenant_id=query.tenant_id)
        )
        return AuditPage([_row(line) for line in lines], lines[-1].cursor if more else None)


def _row(line: AuditLine) -> AuditRow:
    return AuditRow(
        id=line.id,
        at=moment(line.at),
        actor_id=line.actor_id,
        actor=line.actor,
        tenant_id=line.tenant_id or None,
        action=line.action,
        target=line.target,
        before=line.before,
        after=line.after,
        request_id=line.request_id or None,
    )
