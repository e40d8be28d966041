"""`usage`: sums of the ledger as a table."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from proxy.cli.usage import run
from proxy.config.load import load
from proxy.domain.entry import Entry, Outcome
from proxy.storage.accounts import Accounts
from proxy.storage.entries import Entries
from proxy.storage.opening import open_storage

Run = Callable[..., tuple[int, str, str]]

NOVEMBER_3 = 1_793_664_000_000  # 2026-11-03T00:00:00Z
DAY_MS = 86_400_000


def row(number: int, model: str, started_at: int) -> Entry:
    return Entry(
        f"evt_{number}",
        f"req_{number}",
        started_at,
        started_at + 5,
        "tenant_1",
        f"user_{number % 2}",
        "general_user",
        "key_1",
        "sonnet",
        model,
        "alias",
        Outcome.COMPLETED,
        200,
        input_tokens=1_000,
        output_tokens=200,
        cache_read_tokens=30_000,
        credits_in=1_500_000,
        credits_out=number * 1_000_000,
    )


async def fill(config: Path, rows: list[Entry]) -> None:
    storage = await open_storage(load(config, {}), {})
    await Entries(storage.database).insert(rows)
    await storage.database.close()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "gateway.toml"
    file.write_text(
        f'[storage]\nurl = "sqlite:///{tmp_path}/gateway.db"\n'
        '[[providers]]\nname = "main"\nwire = "anthropic"\nbase_url = "http://127.0.0.1:1"\n'
    )
    rows = [
        row(1, "model-a", NOVEMBER_3),
        row(2, "model-b", NOVEMBER_3 + DAY_MS - 1),
        row(3, "model-a", NOVEMBER_3 + DAY_MS),
        row(4, "model-old", NOVEMBER_3 - 30 * DAY_MS),
    ]
    asyncio.run(fill(file, rows))
    return file


@pytest.fixture
def usage(config: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command; exit status, standard output, standard error."""

    def call(*arguments: str) -> tuple[int, str, str]:
        status = run(["--config", str(config), *arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


def test_models_are_listed_with_a_total(usage: Run) -> None:
    status, out, err = usage("--from", "2026-11-01", "--to", "2026-12-01")
    assert (status, err) == (0, "")
    assert out == (
        "2026-11-01T00:00:00.000Z up to 2026-12-01T00:00:00.000Z; tokens, credits\n"
        "MODEL    REQUESTS  INPUT  OUTPUT   CACHE  CREDITS\n"
        "model-a         2  2,000     400  60,000     7.00\n"
        "model-b         1  1,000     200  30,000     3.50\n"
        "TOTAL           3  3,000     600  90,000    10.50\n"
    )


@pytest.mark.parametrize(
    ("by", "labels"),
    [
        ("model", ["model-a", "model-b"]),
        ("user", ["user_1", "user_0"]),
        ("day", ["2026-11-03", "2026-11-04"]),
    ],
)
def test_lines_are_models_users_or_days_and_the_total_is_the_same(
    usage: Run, by: str, labels: list[str]
) -> None:
    status, out, _ = usage("--by", by, "--from", "2026-11-01", "--to", "2026-12-01", "--json")
    document = msgspec.json.decode(out)
    assert status == 0
    assert [line["label"] for line in document["data"]] == labels
    assert document["by"] == by
    assert document["total"] == {
        "label": "total",
        "requests": 3,
        "input_tokens": 3_000,
        "output_tokens": 600,
        "cache_tokens": 90_000,
        "credits": 10.5,
    }


def test_the_end_of_a_period_is_not_part_of_it(usage: Run) -> None:
    _, out, _ = usage("--from", "2026-11-03", "--to", "2026-11-04", "--json")
    assert msgspec.json.decode(out)["total"]["requests"] == 2


def test_one_tenants_rows_are_counted_alone(usage: Run, config: Path) -> None:
    async def add() -> str:
        storage = await open_storage(load(config, {}), {})
        tenant_id = await Accounts(storage.database).ensure_tenant("Acme")
        theirs = replace(row(9, "model-a", NOVEMBER_3), tenant_id=tenant_id)
        await Entries(storage.database).insert([theirs])
        await storage.database.close()
        return tenant_id

    tenant_id = asyncio.run(add())
    dates = ("--from", "2026-11-01", "--to", "2026-12-01", "--json")
    for word in ("Acme", tenant_id):
        _, out, _ = usage(*dates, "--tenant", word)
        assert msgspec.json.decode(out)["total"]["requests"] == 1
    _, out, _ = usage(*dates)
    assert msgspec.json.decode(out)["total"]["requests"] == 4


def test_a_tenant_nobody_knows_is_a_failure(usage: Run) -> None:
    status, out, err = usage("--tenant", "Nobody")
    assert (status, out) == (1, "")
    assert "There is no tenant 'Nobody'" in err and "tenant list" in err


def test_an_empty_period_is_a_total_of_zeros(usage: Run) -> None:
    status, out, _ = usage("--from", "2020-01-01", "--to", "2020-01-02")
    assert status == 0
    assert out.splitlines()[-1].split() == ["TOTAL", "0", "0", "0", "0", "0.00"]


def test_without_dates_it_is_a_month(usage: Run) -> None:
    status, out, _ = usage("--json")
    document = msgspec.json.decode(out)
    assert status == 0
    assert document["start"].endswith("-01T00:00:00.000Z")
    assert document["end"].endswith("-01T00:00:00.000Z")
    assert document["start"] < document["end"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--from", "soon"), "not a date"),
        (("--from", "2026-11-02", "--to", "2026-11-01"), "begin before it ends"),
        (("--from", "2024-01-01", "--to", "2026-01-01"), "400 days"),
    ],
)
def test_a_wrong_period_is_wrong_use(usage: Run, arguments: tuple[str, ...], words: str) -> None:
    status, out, err = usage(*arguments)
    assert (status, out) == (2, "")
    assert words in err


def test_a_missing_configuration_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--config", "/nowhere/gateway.toml"]) == 2
    assert "no such file" in capsys.readouterr().err


def test_storage_that_cannot_be_opened_is_a_failure(
    tmp_path: Path, config: Path, usage: Run
) -> None:
    (tmp_path / "gateway.db").unlink()
    (tmp_path / "gateway.db").mkdir()
    status, out, err = usage()
    assert (status, out) == (1, "")
    assert "storage" in err
