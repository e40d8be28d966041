"""`model`: switches that beat the file and reach a running gateway."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from proxy.catalog.catalog import Catalog
from proxy.catalog.refresh import Shelf
from proxy.cli.model import run
from proxy.config.load import load
from proxy.domain.people import AuditLine
from proxy.storage.audit import Audit
from proxy.storage.changes import MODELS, Changes
from proxy.storage.models import ModelSwitches
from proxy.storage.opening import open_storage

Run = Callable[..., tuple[int, str, str]]

MODEL = """
[[models]]
id = "{id}"
display_name = "{name}"
developer = "Anthropic"
family = "opus"
released = {released}
context_window = 200000
max_output_tokens = 64000
enabled = {enabled}
"""
RATES = "rates = { input = 1000, output = 5000 }\n"
NEWER, OLDER, OFF, UNPRICED = [
    f"anthropic.claude-opus-{version}" for version in ("4-7", "4-6", "4-8", "4-9")
]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    deployed = 'deployments = [{ provider = "anthropic", model = "x" }]\n'
    here = [
        MODEL.format(id=NEWER, name="Opus 4.7", released="2026-04-16", enabled="true")
        + RATES
        + deployed,
        MODEL.format(id=OLDER, name="Opus 4.6", released="2026-02-05", enabled="true")
        + RATES
        + deployed,
        MODEL.format(id=OFF, name="Opus 4.8", released="2026-08-01", enabled="false") + RATES,
        MODEL.format(id=UNPRICED, name="Opus 4.9", released="2026-09-01", enabled="false"),
    ]
    file = tmp_path / "gateway.toml"
    file.write_text(
        f'[storage]\nurl = "sqlite:///{tmp_path}/gateway.db"\n'
        '[[providers]]\nname = "anthropic"\nwire = "anthropic"\nbase_url = "http://127.0.0.1:1"\n'
        + "".join(here)
    )
    return file


@pytest.fixture
def model(config: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run one command; exit status, standard output, standard error."""

    def call(command: str, *arguments: str) -> tuple[int, str, str]:
        status = run([command, *arguments, "--config", str(config)])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


def served(config: Path) -> tuple[Catalog, int]:
    """What a gateway started now would serve, and the version of models it sees."""

    async def ask() -> tuple[Catalog, int]:
        settings = load(config, {})
        storage = await open_storage(settings, {})
        try:
            version = (await Changes(storage.database).versions())[MODELS]
            shelf = Shelf(settings.models, ModelSwitches(storage.database))
            await shelf.refresh(version)
            return shelf.current, version
        finally:
            await storage.database.close()

    return asyncio.run(ask())


def enabled(config: Path) -> set[str]:
    return {model.id for model in served(config)[0].models if model.enabled}


def test_the_list_says_what_is_on_and_what_the_alias_means(model: Run) -> None:
    status, out, err = model("list")
    assert (status, err) == (0, "")
    assert [line.split("  ")[0] for line in out.splitlines()] == ["ID", UNPRICED, OFF, NEWER, OLDER]
    by_id = {line.split()[0]: line for line in out.splitlines()}
    assert "off, no rates" in by_id[UNPRICED]
    assert " opus " in by_id[NEWER] and " opus " not in by_id[OLDER]


def test_the_list_as_json_is_for_scripts(model: Run) -> None:
    model("disable", NEWER)
    status, out, _ = model("list", "--json")
    rows = {row["id"]: row for row in msgspec.json.decode(out)}
    assert status == 0
    assert rows[NEWER] == {
        "id": NEWER,
        "display_name": "Opus 4.7",
        "developer": "Anthropic",
        "family": "opus",
        "released": "2026-04-16",
        "enabled": False,
        "switch": False,
        "current_for_alias": [],
        "has_rates": True,
        "deployments": ["anthropic"],
    }
    assert (rows[OLDER]["switch"], rows[OLDER]["current_for_alias"]) == (None, ["opus"])


def test_a_switch_beats_the_file_and_lasts(model: Run, config: Path) -> None:
    assert enabled(config) == {NEWER, OLDER}
    assert model("disable", NEWER)[0] == 0
    assert enabled(config) == {OLDER}
    status, out, err = model("enable", OFF)
    assert (status, enabled(config)) == (0, {OLDER, OFF})
    assert OFF in out and "no deployments" in err
    assert "switched" in model("list")[1]
    assert model("enable", NEWER)[0] == 0
    assert enabled(config) == {NEWER, OLDER, OFF}


def test_a_running_gateway_can_see_that_something_changed(model: Run, config: Path) -> None:
    _, before = served(config)
    model("disable", NEWER)
    assert served(config)[1] > before


def test_switching_twice_is_no_error(model: Run, config: Path) -> None:
    assert [model("disable", NEWER)[0] for _ in range(2)] == [0, 0]
    assert enabled(config) == {OLDER}


def test_the_id_may_be_in_any_case_and_is_kept_as_configured(model: Run, config: Path) -> None:
    status, out, _ = model("disable", NEWER.upper(), "--json")
    assert (status, msgspec.json.decode(out)["id"]) == (0, NEWER)
    assert enabled(config) == {OLDER}


@pytest.mark.parametrize("command", ["enable", "disable"])
def test_an_unknown_id_fails_with_the_nearest_name(model: Run, config: Path, command: str) -> None:
    status, out, err = model(command, "anthropic.claude-opus-47")
    assert (status, out) == (1, "")
    assert f"did you mean {NEWER}?" in err
    assert enabled(config) == {NEWER, OLDER}


def test_an_alias_is_no_id(model: Run) -> None:
    status, _, err = model("disable", "opus")
    assert status == 1
    assert "There is no model 'opus'" in err


def test_a_model_without_rates_cannot_be_enabled(model: Run, config: Path) -> None:
    status, _, err = model("enable", UNPRICED)
    assert status == 1
    assert "has no rates" in err and str(config) in err
    assert enabled(config) == {NEWER, OLDER}
    assert model("disable", UNPRICED)[0] == 0


def test_rates_that_were_set_count_as_rates(model: Run, config: Path) -> None:
    status, out, err = model("rates", "set", UNPRICED, "--input", "10", "--output", "50")
    assert (status, err) == (0, "")
    assert f"{UNPRICED} has new rates from 20" in out
    assert "off, no rates" not in model("list")[1]
    assert model("enable", UNPRICED)[0] == 0
    shown = {row["id"]: row for row in msgspec.json.decode(model("list", "--json")[1])}
    assert (shown[UNPRICED]["enabled"], shown[UNPRICED]["has_rates"]) == (True, True)


def test_switching_is_in_the_audit_under_the_operator(model: Run, config: Path) -> None:
    model("disable", NEWER)
    model("rates", "set", NEWER, "--input", "1", "--output", "2")

    async def read() -> list[AuditLine]:
        storage = await open_storage(load(config, {}), {})
        try:
            return await Audit(storage.database).page()
        finally:
            await storage.database.close()

    lines = asyncio.run(read())
    assert sorted((line.action, line.target, line.actor) for line in lines) == [
        ("model.switch", NEWER, "operator"),
        ("rates.set", NEWER, "operator"),
    ]


def test_a_bad_configuration_is_wrong_use(tmp_path: Path, model: Run) -> None:
    (tmp_path / "gateway.toml").write_text("[servers]\n")
    status, out, err = model("list")
    assert (status, out) == (2, "")
    assert "servers" in err


def test_a_storage_that_cannot_be_opened_is_a_failure(tmp_path: Path, model: Run) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text(config.read_text().replace(str(tmp_path), str(config)))
    status, out, err = model("list")
    assert (status, out) == (1, "")
    assert err.strip()


@pytest.mark.parametrize("arguments", [[], ["enable", "--config", "x"], ["list"], ["sell"]])
def test_wrong_use_exits_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run(arguments)
    assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err
