"""One way in: URL, schema and hash secret, or a sentence that says what to change."""

import asyncio
from pathlib import Path

import pytest

from proxy.config.settings import Auth, Settings, Storage
from proxy.domain.fault import Fault
from proxy.storage.migrations import steps
from proxy.storage.opening import open_database, open_storage
from tests.kit.servers import Postgres


def settings_of(url: str, secret: str = "") -> Settings:
    return Settings(storage=Storage(url=url), auth=Auth(key_hash_secret=secret))


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_the_first_opening_migrates_and_makes_a_secret_the_next_one_finds_both(
    url: str,
) -> None:
    first = await open_storage(settings_of(url), {}, migrates=True)
    await first.database.close()
    second = await open_storage(settings_of(url), {})
    await second.database.close()
    assert first.applied == [step.name for step in steps()]
    assert second.applied == []
    assert len(first.hash_secret) == 32
    assert first.hash_secret == second.hash_secret
    assert repr(first.hash_secret) not in repr(first)


async def test_what_was_opened_does_not_show_the_password(
    postgres: Postgres, postgres_url: str
) -> None:
    opened = await open_storage(settings_of("env:STORE"), {"STORE": postgres_url}, migrates=True)
    await opened.database.close()
    assert postgres.password not in repr(opened)
    assert f"127.0.0.1:{postgres.port}/" in repr(opened)


async def test_all_who_open_a_new_database_at_once_succeed_and_agree(url: str) -> None:
    opened = await asyncio.gather(
        *[open_storage(settings_of(url), {}, migrates=True) for _ in range(4)]
    )
    for each in opened:
        await each.database.close()
    assert len({each.hash_secret for each in opened}) == 1
    applied = [name for each in opened for name in each.applied]
    assert sorted(applied) == [step.name for step in steps()]


async def test_postgresql_is_migrated_only_by_the_command_for_it(postgres_url: str) -> None:
    with pytest.raises(Fault) as refused:
        await open_storage(settings_of(postgres_url), {})
    assert (
        f"schema is {len(steps())} step(s) behind; `hatz-gateway migrate" in refused.value.message
    )
    database = await open_database(postgres_url)
    assert not await database.has_table("migrations")
    await database.run([("CREATE TABLE migrations (number INTEGER, name TEXT)", ())])
    await database.run([("INSERT INTO migrations VALUES (999, '0999_next')", ())])
    await database.close()
    with pytest.raises(Fault) as refused:
        await open_storage(settings_of(postgres_url), {})
    assert "newer than this release" in refused.value.message


async def test_a_relative_path_starts_at_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    opened = await open_storage(settings_of("sqlite:///deep/er/gateway.db"), {})
    await opened.database.close()
    assert names_in(tmp_path / "deep" / "er") == ["gateway.db"]


async def test_a_given_secret_of_any_length_is_used_and_not_stored(path: Path) -> None:
    made = set()
    for value in ("x" * 16, "x" * 200, "x" * 201):
        opened = await open_storage(settings_of(f"sqlite:///{path}", "env:HASH"), {"HASH": value})
        made.add(opened.hash_secret)
        assert await opened.database.fetch("SELECT count(*) FROM secrets") == [(0,)]
        await opened.database.close()
    assert len(made) == 3
    assert {len(secret) for secret in made} == {32}


async def test_the_url_may_be_a_reference(path: Path) -> None:
    opened = await open_storage(settings_of("env:STORE"), {"STORE": f"sqlite:///{path}"})
    await opened.database.close()
    assert names_in(path.parent) == ["gateway.db"]


@pytest.mark.parametrize(
    ("url", "secret", "says"),
    [
        ("mysql://u:hidden@host/db", "", "sqlite:///path or postgresql://user@host/name"),
        ("sqlite:///", "", "use sqlite:///path"),
        ("env:HIDDEN", "", "storage.url: env:HIDDEN"),
        ("sqlite:///never.db", "env:HIDDEN", "auth.key_hash_secret: env:HIDDEN"),
        ("sqlite:///never.db", "env:SHORT", "shorter than 16 characters"),
    ],
)
async def test_what_cannot_be_opened_is_explained_without_secrets(
    url: str, secret: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Fault) as refused:
        await open_storage(settings_of(url, secret), {"SHORT": "hidden"})
    assert says in refused.value.message
    assert "hidden" not in refused.value.message
    assert names_in(tmp_path) == []
