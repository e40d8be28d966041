"""Queries: rates an administrator set, each from a moment on.

The newest in effect beats the configuration's. What was in effect at a moment that has passed
stays for ever: rows of the ledger are never priced again (domain.md 9). Every change raises the
version of `models`, because rates are part of the catalogue.
"""

from proxy.domain.fault import Fault, Kind
from proxy.domain.model import Rates
from proxy.domain.people import Actor, DatedRates
from proxy.storage.audit import audited
from proxy.storage.changes import MODELS
from proxy.storage.database import Database, Row
from proxy.storage.writing import PAGE_MAX, checked_amount, commit

_RATES = (
    "SELECT r.model_id, r.effective_from, r.input, r.output, r.cache_write_5m, r.cache_write_1h,"
    " r.cache_read, r.created_at FROM rates r"
)
_CURRENT = (
    f"{_RATES} JOIN (SELECT model_id, max(effective_from) AS newest FROM rates"
    " WHERE effective_from <= ? GROUP BY model_id) l"
    " ON l.model_id = r.model_id AND l.newest = r.effective_from"
)
# Rates that are still to come may be corrected.
_SET = (
    "INSERT INTO rates (model_id, effective_from, input, output, cache_write_5m, cache_write_1h,"
    " cache_read, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (model_id, effective_from) DO UPDATE SET input = excluded.input,"
    " output = excluded.output, cache_write_5m = excluded.cache_write_5m,"
    " cache_write_1h = excluded.cache_write_1h, cache_read = excluded.cache_read,"
    " created_at = excluded.created_at"
)


class RateSheet:
    """What models cost, by when."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, model_id: str | None = None, limit: int = 100, offset: int = 0
    ) -> list[DatedRates]:
        """Rates of a model, or of all, past and to come: by model, newest first."""
        where, params = ("", ()) if model_id is None else (" WHERE r.model_id = ?", (model_id,))
        rows = await self._database.fetch(
            f"{_RATES}{where} ORDER BY r.model_id, r.effective_from DESC LIMIT ? OFFSET ?",
            (*params, min(limit, PAGE_MAX), offset),
        )
        return [_dated(row) for row in rows]

    async def current(self, now_ms: int) -> dict[str, Rates]:
        """The rates in effect at a moment, by model id; a model not in it has the file's."""
        rows = await self._database.fetch(_CURRENT, (now_ms,))
        return {row[0]: _dated(row).rates for row in rows}

    async def next_change(self, now_ms: int) -> int | None:
        """When the next rates come into effect, if any are to come: no version is raised then."""
        rows = await self._database.fetch(
            "SELECT min(effective_from) FROM rates WHERE effective_from > ?", (now_ms,)
        )
        moment: int | None = rows[0][0]
        return moment

    async def set(
        self, model_id: str, rates: Rates, by: Actor, *, effective_from: int | None = None
    ) -> DatedRates:
        """Set rates from now on, or from a moment to come. BAD_REQUEST for one that has passed."""
        moment = by.at if effective_from is None else effective_from
        if moment < by.at:
            raise Fault(
                Kind.BAD_REQUEST,
                "effective_from: it has passed, and what was used is never priced again.",
                hint="Leave it out for now.",
            )
        for name in rates.__struct_fields__:
            checked_amount(f"rates.{name}", getattr(rates, name))
        amounts = [getattr(rates, name) for name in rates.__struct_fields__]
        before = (await self.current(moment)).get(model_id)
        line = audited(
            by,
            "rates.set",
            model_id,
            before=before,
            after={"effective_from": moment, "rates": rates},
        )
        statement = (_SET, (model_id, moment, *amounts, by.at))
        await commit(self._database, [statement, line], MODELS)
        return DatedRates(model_id, moment, rates, by.at)

    async def withdraw(self, model_id: str, effective_from: int, by: Actor) -> None:
        """Take back rates that are still to come. CONFLICT for those in effect, NOT_FOUND for
        those that are not there."""
        if effective_from <= by.at:
            raise Fault(
                Kind.CONFLICT,
                "effective_from: these rates came into effect and stay.",
                hint="Set others from now on.",
            )
        rows = await self._database.fetch(
            f"{_RATES} WHERE r.model_id = ? AND r.effective_from = ?", (model_id, effective_from)
        )
        if not rows:
            raise Fault(Kind.NOT_FOUND, f"{model_id} has no rates that begin at {effective_from}.")
        delete = "DELETE FROM rates WHERE model_id = ? AND effective_from = ?"
        line = audited(by, "rates.withdraw", model_id, before=_dated(rows[0]))
        await commit(self._database, [(delete, (model_id, effective_from)), line], MODELS)


def _dated(row: Row) -> DatedRates:
    model_id, effective_from, *amounts, created_at = row
    return DatedRates(model_id, effective_from, Rates(*amounts), created_at)
