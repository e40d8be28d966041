"""What all stores share that an administrator's changes go through: new ids, what a text or an
amount must be like to be stored, and the one way a change is committed.

The pattern of every change: look at what is there, refuse what must not be, then commit the
statements of the change, its line of the audit and the raised versions in one transaction. A
constraint of the database has the last word where two change the same at once.
"""

import math
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from proxy.domain.fault import Fault, Kind
from proxy.domain.ids import make_id
from proxy.domain.terms import Burst, Ladder
from proxy.storage.changes import bump
from proxy.storage.database import Database, Statement

ID_NOISE_BYTES = 18
NAME_CHARACTERS_MAX = 200
PAGE_MAX = 1_000
"""Rows of one page of a list, whatever was asked for."""
STEPS_MAX = 20
AMOUNT_MAX = 2**53
"""JSON's readers hold no larger whole number exactly."""

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_EMAIL_CHARACTERS_MAX = 254


def new_id(prefix: str) -> str:
    """An id never given before."""
    return make_id(prefix, os.urandom(ID_NOISE_BYTES))


async def commit(
    database: Database,
    statements: Sequence[Statement],
    *topics: str,
    conflict: str = "",
    hint: str = "",
) -> None:
    """All statements and the raised versions in one transaction. `conflict` is said to the caller
    where a constraint said no."""
    # In one order always: two transactions must not wait for each other's rows.
    raised = [bump(topic) for topic in sorted(set(topics))]
    try:
        await database.run([*statements, *raised])
    except Fault as fault:
        if fault.kind is not Kind.CONFLICT or not conflict:
            raise
        raise Fault(Kind.CONFLICT, conflict, hint=hint, detail=fault.detail) from fault


def given(**fields: Any) -> dict[str, Any]:
    """Those fields of a change that are to be changed."""
    return {name: value for name, value in fields.items() if value is not msgspec.UNSET}


def update(table: str, row_id: str, columns: Mapping[str, Any]) -> Statement:
    """The statement that sets columns of one row. Names are ours, never a caller's."""
    assert columns
    settings = ", ".join([f"{name} = ?" for name in columns])
    return (f"UPDATE {table} SET {settings} WHERE id = ?", (*columns.values(), row_id))


def to_json(document: object) -> str | None:
    """JSON for a column; null for None."""
    return None if document is None else msgspec.json.encode(document).decode()


def checked_name(field: str, text: str, *, least: int = 1) -> str:
    """A name people can read, without spaces around it."""
    text = text.strip()
    if not least <= len(text) <= NAME_CHARACTERS_MAX or not (text.isprintable()):
        raise Fault(
            Kind.BAD_REQUEST,
            f"{field}: it has {least} to {NAME_CHARACTERS_MAX} printable characters.",
        )
    return text


def checked_email(text: str) -> str:
    """An address, without spaces around it."""
    text = text.strip()
    if len(text) > _EMAIL_CHARACTERS_MAX or not _EMAIL.fullmatch(text) or not text.isprintable():
        raise Fault(
            Kind.BAD_REQUEST, "email: a user is named by an email address, like a@example.com."
        )
    return text


def checked_amount(field: str, amount: int) -> int:
    """Micro-credits or rates that can be stored and shown exactly."""
    if not 0 <= amount <= AMOUNT_MAX:
        raise Fault(Kind.BAD_REQUEST, f"{field}: it is 0 or more, and at most {AMOUNT_MAX}.")
    return amount


def checked_ladder(ladder: Ladder | None) -> Ladder | None:
    """A ladder whose steps can be climbed. None: the one above applies."""
    if ladder is None:
        return None
    if len(ladder) > STEPS_MAX:
        raise Fault(Kind.BAD_REQUEST, f"ladder: it has at most {STEPS_MAX} steps.")
    for number, step in enumerate(ladder):
        for name in ("ratio", "multiplier"):
            value = getattr(step, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise Fault(Kind.BAD_REQUEST, f"ladder[{number}].{name}: it is more than 0.")
    return tuple(sorted(ladder, key=lambda step: step.ratio))


def checked_burst(burst: Burst | None) -> Burst | None:
    """Limits that let anything through at all. None: those of the installation apply."""
    for name in burst.__struct_fields__ if burst else ():
        value = getattr(burst, name)
        if value is not None and not 1 <= value <= AMOUNT_MAX:
            raise Fault(
                Kind.BAD_REQUEST, f"burst.{name}: it is 1 or more; leave it out for no limit."
            )
    return burst
