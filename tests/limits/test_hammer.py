"""Four processes hammer one tenant: the allowance is passed by no more than was stated."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from proxy.limits.window import Months
from proxy.storage.migrations import migrate
from proxy.storage.opening import open_database
from tests.limits.hammer import ESTIMATE, LIMIT, Done

ROOT = Path(__file__).parents[2]
WORKERS = 4
SECONDS = 12.0


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[str]]]:
    running: list[subprocess.Popen[str]] = []
    yield running
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate()


def start(kind: str, database_url: str, redis_url: str, number: int) -> subprocess.Popen[str]:
    arguments = [f"worker-{number}", kind, database_url, redis_url, str(SECONDS)]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.limits.hammer", *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("start_ratio", [0.9999, 0.975])
@pytest.mark.parametrize("kind", ["sqlite", "redis"])
async def test_four_processes_do_not_pass_an_allowance_by_more_than_stated(
    kind: str,
    start_ratio: float,
    tmp_path: Path,
    processes: list[subprocess.Popen[str]],
    request: pytest.FixtureRequest,
) -> None:
    """From 99.99 % on everybody asks. From 97.5 % on workers begin without asking: 32 callers let
    in 160 credits in a tenth of a second, so the margin of 2,000 credits holds what is let in
    during two exchanges, even if those take ten times as long as they should."""
    redis_url = str(request.getfixturevalue("redis_url")) if kind == "redis" else ""
    database_url = f"sqlite:///{tmp_path / 'gateway.db'}"
    database = await open_database(database_url)
    await migrate(database)
    period = Months("UTC").of(time.time_ns() // 1_000_000).key
    began = round(LIMIT * start_ratio)
    await database.run_many(
        "INSERT INTO month_use (period, tenant_id, user_id, credits, requests) VALUES (?,?,?,?,0)",
        [(period, "tenant_1", user, began) for user in ("", "user_1")],
    )
    processes += [start(kind, database_url, redis_url, number) for number in range(WORKERS)]
    results = []
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        told, _ = process.communicate(timeout=SECONDS + 30)
        assert process.returncode == 0
        results.append(msgspec.json.decode(told, type=Done))

    rows = await database.fetch("SELECT user_id, credits, requests FROM month_use ORDER BY user_id")
    held = await database.fetch("SELECT count(*) FROM held")
    await database.close()
    admitted = sum(result.admitted for result in results)
    assert [row[2] for row in rows] == [admitted] * 2  # every ticket became a row, once
    assert [row[1] for row in rows] == [began + admitted * ESTIMATE] * 2
    assert sum(result.failed for result in results) == 0
    assert held == [(0,)]  # everybody signed off
    assert any(result.asked for result in results)
    assert any(result.finally_refused for result in results)  # it was used up, not out of time

    # To the last credit, and by less than one request beyond it.
    assert LIMIT <= rows[0][1] < LIMIT + ESTIMATE
