"""What is under way in all workers, the oldest first, and of one's own tenant alone."""

from pathlib import Path

import msgspec
import pytest

from proxy.admin.in_flight import InFlightPage
from proxy.domain.in_flight import ROWS_MAX, InFlight, UnderWay
from proxy.domain.permissions import VIEW_USAGE
from proxy.observe.roll_call import Answer, Heard, Question
from tests.admin.office_floor import Visit
from tests.admin.usage_floor import ledger

PATH = "/v1/admin/in-flight"


def row(age_s: float, worker: str) -> InFlight:
    words = [f"req_{worker}_{age_s:g}", *[""] * 9]
    return InFlight(*words, True, "", "streaming", "kit", 1, age_s, worker)


class Workers:
    def __init__(self, *said: UnderWay, silent: int = 0) -> None:
        self.asked: list[Question] = []
        answers = [Answer(f"w{n}", msgspec.json.encode(each)) for n, each in enumerate(said)]
        self.heard = Heard(answers, silent)

    async def ask(self, question: Question) -> Heard:
        self.asked.append(question)
        return self.heard


async def test_the_oldest_of_all_workers_come_first(tmp_path: Path, aiohttp_client: Visit) -> None:
    workers = Workers(
        UnderWay([row(9.0, "w0"), row(1.0, "w0")], 2), UnderWay([row(5.0, "w1")], 1), silent=1
    )
    async with ledger(tmp_path) as books:
        await books.open(InFlightPage(workers.ask).endpoints(), aiohttp_client)
        found = await books.get(PATH)
    assert [(each["age_s"], each["worker"]) for each in found["data"]] == [
        (9.0, "w0"),
        (5.0, "w1"),
        (1.0, "w0"),
    ]
    assert (found["total_count"], found["workers"], found["silent_workers"]) == (
        *(3, ["w0", "w1"]),
        1,
    )


async def test_no_more_are_shown_than_help_anybody(tmp_path: Path, aiohttp_client: Visit) -> None:
    half = [row(float(number), "w") for number in range(ROWS_MAX)]
    workers = Workers(UnderWay(half, 7000), UnderWay(half, 800))
    async with ledger(tmp_path) as books:
        await books.open(InFlightPage(workers.ask).endpoints(), aiohttp_client)
        found = await books.get(PATH)
    assert len(found["data"]) == ROWS_MAX and found["total_count"] == 7800
    assert min(each["age_s"] for each in found["data"]) == ROWS_MAX // 2


@pytest.mark.parametrize(
    ("who", "permissions", "tenant"),
    [("root", (), None), ("carol", (), "carol"), ("ada", (VIEW_USAGE,), "ada")],
)
async def test_workers_are_only_asked_for_what_the_caller_may_see(
    tmp_path: Path,
    aiohttp_client: Visit,
    who: str,
    permissions: tuple[str, ...],
    tenant: str | None,
) -> None:
    workers = Workers(UnderWay([], 0))
    async with ledger(tmp_path) as books:
        if permissions:
            books.empower(who, *permissions)
        await books.open(InFlightPage(workers.ask).endpoints(), aiohttp_client)
        await books.ask(PATH, who)
        own = None if tenant is None else books.callers[tenant].tenant_id
    assert workers.asked == [Question("in_flight", own)]


async def test_without_a_permission_nobody_is_asked(tmp_path: Path, aiohttp_client: Visit) -> None:
    workers = Workers(UnderWay([], 0))
    async with ledger(tmp_path) as books:
        await books.open(InFlightPage(workers.ask).endpoints(), aiohttp_client)
        assert (await books.ask(PATH, "ada")).status == 403
    assert workers.asked == []
