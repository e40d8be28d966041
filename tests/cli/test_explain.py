"""`explain`: what would happen to a request, as storage has it now."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from proxy.auth.keys import digest, shown_prefix
from proxy.cli.explain import run
from proxy.config.load import load
from proxy.domain.alias_mapping import AliasMapping
from proxy.domain.entry import Entry, Outcome
from proxy.storage.accounts import Accounts
from proxy.storage.database import unix_ms
from proxy.storage.entries import Entries
from proxy.storage.keys import Keys
from proxy.storage.models import ModelSwitches
from proxy.storage.opening import OpenStorage, open_storage
from proxy.storage.preferences import Preferences
from tests.kit.town import HAIKU, KIMI, OPUS, SONNET, town_text

KEY = "hzat-the-key-of-somebody-at-acme"
Run = Callable[..., dict[str, Any]]


async def settle(config: Path, *, used: float = 0.0, off: str = "", haiku: str = "") -> None:
    """A tenant with ten credits a month, one user with a key, what was used so far."""
    storage: OpenStorage = await open_storage(load(config, {"PROVIDER_KEY": "k"}), {})
    database = storage.database
    try:
        accounts = Accounts(database)
        tenant_id = await accounts.ensure_tenant("Acme")
        user = await accounts.ensure_user("a@acme.example", tenant_id, "general_user")
        key_digest = digest(KEY.encode(), storage.hash_secret)
        await Keys(database).insert(user.id, "", key_digest, shown_prefix(KEY))
        await database.run(
            [
                ("INSERT INTO packages VALUES ('package_1', 'Ten', 10000000, NULL, NULL, 0)", ()),
                ("UPDATE tenants SET package_id = 'package_1'", ()),
            ]
        )
        if used:
            now_ms = unix_ms()
            row = Entry(
                *("evt_1", "req_1", now_ms, now_ms, tenant_id, user.id, "general_user", "key_1"),
                *(HAIKU, HAIKU, "exact", Outcome.COMPLETED, 200),
                credits_in=round(used * 1_000_000),
            )
            await Entries(database).insert([row])
        if off:
            await ModelSwitches(database).set(off, enabled=False)
        if haiku:
            await Preferences(database).put(user.id, AliasMapping(enabled=True, haiku=haiku))
    finally:
        await database.close()


@pytest.fixture
def explain(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Run the command in a world that is as told; its JSON."""
    config = tmp_path / "gateway.toml"
    config.write_text(town_text(1, tmp_path))
    monkeypatch.setenv("PROVIDER_KEY", "k")
    monkeypatch.setenv("THE_KEY", KEY)

    def command(model: str, key: str = "env:THE_KEY", **world: Any) -> dict[str, Any]:
        asyncio.run(settle(config, **world))
        words = ["--config", str(config), "--key", key, "--model", model]
        assert run(words) == 0
        told = capsys.readouterr()
        assert told.err == "" and KEY not in told.out
        assert run([*words, "--json"]) == 0
        answer: dict[str, Any] = msgspec.json.decode(capsys.readouterr().out)
        verdict = "served" if answer["allowed"] else "refused"
        assert told.out.startswith(f"It would be {verdict}.\n")
        return answer

    return command


def test_a_request_that_would_be_served_is_told_to_its_end(explain: Run) -> None:
    told = explain("haiku", used=2.5)
    assert told["allowed"] is True
    assert (told["user"], told["tenant"], told["role"]) == (
        *("a@acme.example", "Acme", "general_user"),
    )
    assert (told["model"], told["resolved_via"]) == (HAIKU, "alias")
    assert (told["multiplier"], told["deployments"]) == (0.33, ["p0: claude-haiku-4-5"])
    assert (told["tenant_used"], told["tenant_limit"]) == (2.5, 10.0)
    assert (told["tenant_state"], told["role_used"]) == ("normal", 2.5)


def test_the_limit_that_would_refuse_is_named(explain: Run) -> None:
    told = explain(SONNET, used=10.5)
    assert (told["allowed"], told["status"], told["reason"]) == (False, 429, "tenant_limit")
    assert (told["tenant_used"], told["tenant_state"]) == (10.5, "limited-1")
    assert HAIKU in told["message"]


@pytest.mark.parametrize(
    ("model", "world", "status", "reason"),
    [
        ("no-such-model", {}, 404, "model_not_found"),
        (OPUS, {"off": OPUS}, 404, "model_disabled"),
        ("haiku", {"haiku": KIMI, "off": KIMI}, 404, "mapping_target_disabled"),
    ],
)
def test_a_name_that_leads_nowhere_is_refused_as_the_gateway_would(
    explain: Run, model: str, world: dict[str, str], status: int, reason: str
) -> None:
    told = explain(model, **world)
    assert (told["allowed"], told["status"], told["reason"]) == (False, status, reason)
    assert told["user"] == "a@acme.example" and "tenant_used" not in told


def test_a_mapping_is_followed(explain: Run) -> None:
    told = explain("haiku", haiku=KIMI)
    assert (told["model"], told["resolved_via"]) == (KIMI, "mapping")


def test_a_stranger_is_a_stranger(explain: Run) -> None:
    told = explain("haiku", key="hzat-nobodys-key-at-all-0123456789")
    assert (told["allowed"], told["status"]) == (False, 401)
    assert "user" not in told


def test_a_key_that_cannot_be_read_is_wrong_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text(town_text(1, tmp_path))
    assert run(["--config", str(config), "--key", "env:NOT_SET", "--model", "haiku"]) == 2
    assert "NOT_SET" in capsys.readouterr().err
