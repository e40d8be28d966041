"""A deed that changes no row leaves its line."""

from proxy.domain.people import Actor
from proxy.storage.audit import Audit
from proxy.storage.database import Database
from proxy.storage.notes import Notes


async def test_a_note_is_a_line_of_the_installation(database: Database) -> None:
    by = Actor("user_1", "ada@example.com", 1_000, "req_1")
    await Notes(database).note(by, "configuration.reload", "configuration", {"models": 3})
    [line] = await Audit(database).page()
    assert (line.at, line.actor_id, line.actor, line.request_id) == (
        *(1_000, "user_1"),
        *("ada@example.com", "req_1"),
    )
    assert (line.tenant_id, line.action, line.target) == (
        *("", "configuration.reload"),
        "configuration",
    )
    assert (line.before, line.after) == (None, {"models": 3})
