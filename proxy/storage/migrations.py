"""Brings a database's schema up to date: numbered steps, each once.

A step is a file of `schema/`. It runs in one transaction with its record in the table
`migrations`, so a crash leaves it done or not begun. Two processes may migrate at once: the record
is written first, and whoever comes second fails on it and goes on with what the other did.

A step that was released is never edited; a change is a new step. Statements end with `;` at the
end of a line, comments are whole lines beginning with `--`.
"""

from pathlib import Path
from typing import NamedTuple

from proxy.domain.fault import Fault, Kind, Source
from proxy.storage.database import Database, Statement, unix_ms

SCHEMA = Path(__file__).parent / "schema"

_RECORDS = (
    "CREATE TABLE IF NOT EXISTS migrations ("
    " number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL)"
)


class Step(NamedTuple):
    """One file of the schema."""

    number: int
    name: str
    statements: tuple[str, ...]


def steps(folder: Path = SCHEMA) -> list[Step]:
    """The steps this release knows, in order."""
    found = []
    for path in sorted(folder.glob("*.sql")):
        number = int(path.stem.partition("_")[0])
        found.append(Step(number, path.stem, _split(path.read_text(encoding="utf-8"))))
    return found


async def migrate(database: Database, known: list[Step] | None = None) -> list[str]:
    """Apply the missing steps and name those this call applied."""
    known = steps() if known is None else known
    done = await _done(database)
    _refuse_newer(done, known)
    applied = []
    for step in known:
        if step.number in done:
            continue
        record: Statement = (
            "INSERT INTO migrations (number, name, applied_at) VALUES (?, ?, ?)",
            (step.number, step.name, unix_ms()),
        )
        try:
            await database.run([record, *[(statement, ()) for statement in step.statements]])
        except Fault as fault:
            # CONFLICT may also come from the step itself; the record tells which it was.
            if fault.kind is not Kind.CONFLICT or step.number not in await _done(database):
                raise
            continue
        applied.append(step.name)
    return applied


async def pending(database: Database) -> list[str]:
    """The steps that are missing; changes nothing. Raises a Fault for a newer database."""
    done: dict[int, str] = {}
    if await database.has_table("migrations"):
        done = dict(await database.fetch("SELECT number, name FROM migrations"))
    known = steps()
    _refuse_newer(done, known)
    return [step.name for step in known if step.number not in done]


async def _done(database: Database) -> dict[int, str]:
    await database.run([(_RECORDS, ())])
    return dict(await database.fetch("SELECT number, name FROM migrations"))


def _refuse_newer(done: dict[int, str], known: list[Step]) -> None:
    """An older release would not understand what a newer one wrote."""
    unknown = sorted(set(done) - {step.number for step in known})
    if unknown:
        raise Fault(
            Kind.HOUSE,
            f"The database is newer than this release: it has the step {done[unknown[-1]]}.",
            hint="Install the release that wrote it, or a newer one.",
            source=Source.HOUSE,
            retry=False,
        )


def _split(text: str) -> tuple[str, ...]:
    statements = []
    lines: list[str] = []
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("--"):
            continue
        lines.append(line)
        if line.rstrip().endswith(";"):
            statements.append("\n".join(lines).rstrip().removesuffix(";"))
            lines = []
    if lines:
        raise ValueError(f"a statement does not end with `;`: {lines[0]}")
    return tuple(statements)
