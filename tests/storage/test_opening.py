"""One way in: URL, schema and hash secret, or a sentence that says what to change."""

from pathlib import Path

import pytest

from proxy.config.settings import Auth, Settings, Storage
from proxy.domain.fault import Fault
from proxy.storage.opening import open_storage


def settings_of(url: str, secret: str = "") -> Settings:
    return Settings(storage=Storage(url=url), auth=Auth(key_hash_secret=secret))


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_the_first_opening_migrates_and_makes_a_secret_the_next_one_finds_both(
    path: Path,
) -> None:
    first = await open_storage(settings_of(f"sqlite:///{path}"), {})
    await first.database.close()
    second = await open_storage(settings_of(f"sqlite:///{path}"), {})
    await second.database.close()
    assert first.applied
    assert second.applied == []
    assert len(first.hash_secret) == 32
    assert first.hash_secret == second.hash_secret
    assert repr(first.hash_secret) not in repr(first)


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
        ("postgresql://u:hidden@host/db", "", "PostgreSQL storage is not available in this rel"),
        ("mysql://u:hidden@host/db", "", "use sqlite:///path"),
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
