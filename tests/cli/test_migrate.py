"""`migrate`: says what it did, and refuses what it does not understand."""

import asyncio
from pathlib import Path

import pytest

from proxy.cli.migrate import run
from proxy.config.load import load
from proxy.storage.migrations import steps
from proxy.storage.opening import open_storage


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "gateway.toml"
    file.write_text(f'[storage]\nurl = "sqlite:///{tmp_path}/var/gateway.db"\n')
    return file


def test_it_names_the_applied_steps_and_then_has_nothing_to_do(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["--config", str(config)]) == 0
    assert capsys.readouterr().out.splitlines() == [f"applied {step.name}" for step in steps()]
    assert run(["--config", str(config)]) == 0
    assert capsys.readouterr().out == "the schema is up to date\n"


def test_a_newer_database_is_left_alone(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def age() -> None:
        storage = await open_storage(load(config, {}), {})
        await storage.database.run([("INSERT INTO migrations VALUES (999, '0999_next', 0)", ())])
        await storage.database.close()

    asyncio.run(age())
    assert run(["--config", str(config)]) == 1
    assert "newer than this release" in capsys.readouterr().err


def test_postgresql_is_brought_up_to_date_too(
    tmp_path: Path, postgres_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(f'[storage]\nurl = "{postgres_url}"\n')
    assert run(["--config", str(file)]) == 0
    assert capsys.readouterr().out.splitlines() == [f"applied {step.name}" for step in steps()]
    assert run(["--config", str(file)]) == 0
    assert capsys.readouterr().out == "the schema is up to date\n"


def test_a_server_that_is_away_is_named_without_its_password(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text('[storage]\nurl = "postgresql://user:hidden@127.0.0.1:1/db"\n')
    assert run(["--config", str(file)]) == 1
    err = capsys.readouterr().err
    assert "127.0.0.1:1/db" in err
    assert "hidden" not in err


def test_a_configuration_that_cannot_be_used_exits_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["--config", str(tmp_path / "none.toml")]) == 2
    assert "no such file" in capsys.readouterr().err
