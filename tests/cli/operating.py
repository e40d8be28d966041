"""An operator at the command line: a configuration with models and a storage of its own, and
commands run on it in this process."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest

from proxy.cli.main import main
from proxy.config.load import load
from proxy.domain.people import AuditLine
from proxy.storage.audit import Audit
from proxy.storage.database import Database
from proxy.storage.opening import open_storage

_T = TypeVar("_T")
MODELS = ("anthropic.claude-opus-4-7", "anthropic.claude-haiku-4-5")
_MODEL = """
[[models]]
id = "{id}"
display_name = "{id}"
developer = "Anthropic"
released = 2026-04-16
context_window = 200000
max_output_tokens = 64000
enabled = false
"""


class Operator:
    """Runs `hatz-gateway` commands on one installation."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], more: str = "") -> None:
        self.config = folder / "gateway.toml"
        self.config.write_text(
            f'[storage]\nurl = "sqlite:///{folder}/gateway.db"\n{more}\n'
            + "".join(_MODEL.format(id=id) for id in MODELS)
        )
        self._capsys = capsys

    def run(self, *words: str) -> tuple[int, str, str]:
        """One command; exit status, standard output, standard error."""
        try:
            status = main([*words, "--config", str(self.config)])
        except SystemExit as ended:
            status = int(ended.code or 0)
        captured = self._capsys.readouterr()
        return status, captured.out, captured.err

    def json(self, *words: str) -> Any:
        """What a command that must succeed says as JSON."""
        status, out, err = self.run(*words, "--json")
        assert (status, err) == (0, ""), err
        return msgspec.json.decode(out)

    def says(self, *words: str) -> str:
        """The sentence of a command that must succeed."""
        status, out, err = self.run(*words)
        assert (status, err) == (0, ""), err
        return out.strip()

    def fails(self, *words: str, status: int = 1) -> str:
        """The sentence of a command that must fail, with nothing on standard output."""
        ended, out, err = self.run(*words)
        assert (ended, out) == (status, ""), (out, err)
        return err.strip()

    def asked(self, question: Callable[[Database], Awaitable[_T]]) -> _T:
        """What the storage answers."""

        async def ask() -> _T:
            storage = await open_storage(load(self.config, {}), {})
            try:
                return await question(storage.database)
            finally:
                await storage.database.close()

        return asyncio.run(ask())

    def audit(self) -> list[AuditLine]:
        """Everything that was done, the last first."""
        return self.asked(lambda database: Audit(database).page())
