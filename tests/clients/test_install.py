"""The installer of the real clients: what it takes for installed, and what not."""

import subprocess
import sys
from pathlib import Path

from tests.clients import install


def test_a_second_run_installs_nothing() -> None:
    parts = ["python-new", "python-old", "node"]
    assert all((install.CLIENTS / part / ".stamp").exists() for part in parts), (
        "the clients are not installed: run `python tests/clients/install.py` once"
    )
    again = subprocess.run(
        [sys.executable, install.__file__], capture_output=True, text=True, timeout=60
    )
    assert again.returncode == 0, again.stderr
    assert again.stdout == ""


def test_a_part_is_whole_only_when_sealed_for_what_is_wanted(tmp_path: Path) -> None:
    wanted, folder = tmp_path / "new.txt", tmp_path / "python-new"
    wanted.write_text("anthropic==2.12.0\n")
    stamp = install.stamp_of(wanted)
    install.clear(folder)
    assert not install.is_installed(folder, stamp)
    install.seal(folder, stamp)
    assert install.is_installed(folder, stamp)
    wanted.write_text("anthropic==2.13.0\n")
    assert not install.is_installed(folder, install.stamp_of(wanted))
