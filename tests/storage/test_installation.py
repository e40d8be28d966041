"""Settings of the installation: named values of any shape, each change dated and told."""

import msgspec
import pytest

from proxy.domain.people import Actor
from proxy.domain.terms import Ladder, Step
from proxy.storage.audit import Audit
from proxy.storage.changes import Changes
from proxy.storage.database import Database
from proxy.storage.installation import Installation

BY = Actor("user_root", "root@example.com", 1_000)


async def test_a_value_is_as_it_was_set_last(database: Database) -> None:
    installation = Installation(database)
    ladder: Ladder = (Step(1.0, 0.5), Step(1.5))
    assert await installation.get("ladder", Ladder) is None
    await installation.set("ladder", (Step(2.0),), BY)
    await installation.set("ladder", ladder, BY)
    await installation.set("hard_stop", True, BY)
    assert await installation.get("ladder", Ladder) == ladder
    assert await installation.get("hard_stop", bool) is True
    assert await installation.all() == {
        "hard_stop": True,
        "ladder": [{"ratio": 1.0, "multiplier": 0.5}, {"ratio": 1.5, "multiplier": None}],
    }
    assert (await Changes(database).versions())["terms"] == 3


async def test_a_value_can_be_cleared(database: Database) -> None:
    installation = Installation(database)
    await installation.set("hard_stop", True, BY)
    await installation.clear("hard_stop", BY)
    await installation.clear("hard_stop", BY)
    assert await installation.get("hard_stop", bool) is None
    assert (await Changes(database).versions())["terms"] == 2
    lines = [(line.action, line.before, line.after) for line in await Audit(database).page()]
    assert sorted(lines, key=str) == [
        ("setting.change", None, True),
        ("setting.clear", True, None),
    ]


async def test_a_value_of_another_shape_is_an_error_not_a_guess(database: Database) -> None:
    installation = Installation(database)
    await installation.set("ladder", "steep", BY)
    with pytest.raises(msgspec.ValidationError):
        await installation.get("ladder", Ladder)


async def test_nothing_is_no_value(database: Database) -> None:
    with pytest.raises(AssertionError):
        await Installation(database).set("ladder", None, BY)
