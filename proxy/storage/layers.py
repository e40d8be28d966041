"""Which kept sums make up a stretch of time: the widest for what is whole of it, finer ones for its
edges, and rows for what is no whole hour or quarter. What comes out is a table to select from.

Sums may only be read that know what is asked: a day's sums by person do not know models.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from proxy.domain.entry import CLIENT_GONE, COMPLETED
from proxy.domain.sums import Sums, Within
from proxy.storage.kept_sums import (
    ALL,
    DAY_MS,
    DAYS,
    HOUR_MS,
    HOURS,
    PEOPLE,
    QUARTER_MS,
    QUARTERS,
    Kept,
)

Table = tuple[str, tuple[Any, ...]]
"""SQL between brackets, and its parameters."""

_SUMS: Final = ", ".join(Sums._fields)
# One row of the ledger as a sum of one.
_ROW_SUMS: Final = ", ".join(
    [
        "1 AS requests",
        f"CASE WHEN outcome IN ('{COMPLETED.value}', '{CLIENT_GONE.value}')"
        " THEN 0 ELSE 1 END AS errors",
        *Sums._fields[2:],
    ]
)


class Layer(NamedTuple):
    """Sums of stretches of `unit_ms`, whose number since the epoch is the column `unit`.
    `has_all`: there is one of all tenants under the empty name."""

    kept: Kept
    unit: str
    unit_ms: int
    has_all: bool = False


_HOURS: Final = Layer(HOURS, "hour", HOUR_MS)
_LAYERS: Final = (
    Layer(QUARTERS, "quarter", QUARTER_MS, has_all=True),
    Layer(PEOPLE, "day", DAY_MS),
    Layer(DAYS, "day", DAY_MS, has_all=True),
    _HOURS,
)
"""Those that know least first: there are fewest of them. Hours know all that the others know."""


def sums_within(within: Within, columns: Sequence[str] = (), *, fit_ms: int = 0) -> Table:
    """Sums that together are all of a stretch: `started_at`, then `columns` of the ledger, then the
    figures. None reaches across a multiple of `fit_ms`."""
    filters = {"user_id": within.user_id, "model": within.model}
    wanted = {*columns, *[name for name, value in filters.items() if value is not None]}
    fitting = [
        each for each in _LAYERS if wanted.issubset(each.kept.keys) and fit_ms % each.unit_ms == 0
    ]
    layers = fitting[:1]
    if layers and layers[0].unit_ms > HOUR_MS:
        layers.append(_HOURS)
    parts = list(_cover(within, columns, layers)) or [_rows(within, columns)]
    sql = " UNION ALL ".join([part for part, _ in parts])
    return f"({sql})", tuple([each for _, params in parts for each in params])


def _cover(within: Within, columns: Sequence[str], layers: Sequence[Layer]) -> Iterator[Table]:
    """The whole units of the first layer, and the rest of the stretch by those behind it."""
    start_ms, end_ms = within.start_ms, within.end_ms
    if start_ms >= end_ms:
        return
    if not layers:
        yield _rows(within, columns)
        return
    layer, *finer = layers
    first, last = -(-start_ms // layer.unit_ms), end_ms // layer.unit_ms
    if first >= last:
        yield from _cover(within, columns, finer)
        return
    yield _units(layer, within, columns, first, last)
    for from_ms, to_ms in ((start_ms, first * layer.unit_ms), (last * layer.unit_ms, end_ms)):
        edge = msgspec.structs.replace(within, start_ms=from_ms, end_ms=to_ms)
        yield from _cover(edge, columns, finer)


def _units(layer: Layer, within: Within, columns: Sequence[str], first: int, last: int) -> Table:
    if layer.has_all and within.tenant_id is None:
        within = msgspec.structs.replace(within, tenant_id=ALL)
    where, params = owned(within, f"{layer.unit} >= ? AND {layer.unit} < ?", (first, last))
    started = f"{layer.unit} * {layer.unit_ms} AS started_at"
    names = ", ".join([started, *columns, _SUMS])
    return f"SELECT {names} FROM {layer.kept.table} WHERE {where}", params


def _rows(within: Within, columns: Sequence[str]) -> Table:
    span = (within.start_ms, within.end_ms)
    where, params = owned(within, "started_at >= ? AND started_at < ?", span)
    names = ", ".join(["started_at", *columns, _ROW_SUMS])
    return f"SELECT {names} FROM entries WHERE {where}", params


def owned(within: Within, where: str, params: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """A condition, and whose rows are meant."""
    for name in ("tenant_id", "user_id", "model"):
        wanted = getattr(within, name)
        if wanted is not None:
            where += f" AND {name} = ?"
            params += (wanted,)
    return where, params
