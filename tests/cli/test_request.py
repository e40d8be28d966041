"""`request ID`: everything support may see of one request."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from proxy.cli.request import run
from proxy.config.load import load
from proxy.domain.entry import Entry, Outcome
from proxy.domain.refusal import Refusal
from proxy.storage.entries import Entries
from proxy.storage.opening import open_storage

Run = Callable[..., tuple[int, str, str]]

ROW = Entry(
    "evt_1",
    "req_1",
    1_790_000_000_000,
    1_790_000_001_500,
    "tenant_1",
    "user_1",
    "general_user",
    "key_1",
    "sonnet",
    "claude-sonnet-5",
    "alias",
    Outcome.COMPLETED,
    200,
    streamed=True,
    user_agent="evil\x1b[2J",
    client="curl",
    input_tokens=7,
    credits_in=4_125_000,
    total_ms=1_500,
    usage_estimated=True,
)
REFUSAL = Refusal(
    "req_1", 5, "", "", "", "gpt-9", 401, "authentication_error", "", "curl", "/v1/messages"
)


async def fill(config: Path) -> None:
    storage = await open_storage(load(config, {}), {})
    await Entries(storage.database).insert([ROW])
    await Entries(storage.database).insert_refusals([REFUSAL])
    await storage.database.close()


@pytest.fixture
def request_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command; exit status, standard output, standard error."""
    config = tmp_path / "gateway.toml"
    config.write_text(
        f'[storage]\nurl = "sqlite:///{tmp_path}/gateway.db"\n'
        '[[providers]]\nname = "main"\nwire = "anthropic"\nbase_url = "http://127.0.0.1:1"\n'
    )
    asyncio.run(fill(config))

    def call(*arguments: str) -> tuple[int, str, str]:
        status = run([*arguments, "--config", str(config)])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


def test_every_record_of_the_id_is_told_oldest_first(request_command: Run) -> None:
    status, out, err = request_command("req_1")
    assert (status, err) == (0, "")
    refusal, generation = [
        dict(line.split(maxsplit=1) for line in block.splitlines()) for block in out.split("\n\n")
    ]
    assert refusal["type"] == "refusal"
    assert refusal["error_type"] == "authentication_error"
    assert refusal["reason"] == "-"
    assert generation["type"] == "generation"
    assert generation["streamed"] == "yes"
    assert generation["started_at"] == "2026-09-21T14:13:20.000Z"
    assert generation["usage.input_tokens"] == "7"
    assert generation["credits.total"] == "4.125"
    assert generation["credits.out"] == "0"
    assert generation["provider"] == "-"
    assert generation["usage_estimated"] == "yes"


def test_what_a_client_sent_cannot_steer_the_terminal(request_command: Run) -> None:
    _, out, _ = request_command("req_1")
    assert "\x1b" not in out
    assert "evil\\x1b[2J" in out


def test_scripts_get_json(request_command: Run) -> None:
    status, out, _ = request_command("req_1", "--json")
    assert status == 0
    assert [record["type"] for record in msgspec.json.decode(out)] == ["refusal", "generation"]


def test_an_unknown_id_is_a_failure_that_says_so(request_command: Run) -> None:
    status, out, err = request_command("req_\x1b9")
    assert (status, out) == (1, "")
    assert "no record" in err and "\x1b" not in err


def test_a_missing_configuration_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["req_1", "--config", "/nowhere/gateway.toml"]) == 2
    assert "no such file" in capsys.readouterr().err
