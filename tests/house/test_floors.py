"""The import contracts hold, and each of them catches what it is there for."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINT_IMPORTS = Path(sys.executable).parent / "lint-imports"


def lint(place: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LINT_IMPORTS, "--no-cache"], cwd=place, capture_output=True, text=True, timeout=120
    )


def test_imports_only_go_down() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Contracts: 5 kept, 0 broken." in done.stdout


VIOLATIONS = [
    ("wire/http.py", "import proxy.gateway.tasks", "Floors: imports only go down"),
    ("ledger/tab.py", "import proxy.auth.keys", "Floors: imports only go down"),
    ("utils/strings.py", "X = 1", "Floors: imports only go down"),
    ("stream/passthrough.py", "import time", "Cellar is pure"),
    ("ledger/credits.py", "import random", "Cellar is pure"),
    ("gateway/relay.py", "import aiohttp", "Only server, admin, demo and upstream touch aiohttp"),
    ("server/models.py", "import proxy.storage.keys", "Storage is met only where"),
    ("domain/ids.py", "import proxy.wire.http", "No knots"),
]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with the same contracts, to be damaged."""
    place = tmp_path_factory.mktemp("house")
    shutil.copy(ROOT / "pyproject.toml", place)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "proxy", place / "proxy", ignore=ignored)
    return place


@pytest.mark.parametrize(("file", "line", "contract"), VIOLATIONS)
def test_a_violation_is_caught(file: str, line: str, contract: str, house: Path) -> None:
    path = house / "proxy" / file
    before = path.read_text("utf-8") if path.exists() else None
    path.parent.mkdir(exist_ok=True)
    (path.parent / "__init__.py").touch()
    path.write_text(f"{before or ''}\n{line}\n", "utf-8")
    try:
        done = lint(house)
    finally:
        if before is None:
            shutil.rmtree(path.parent)
        else:
            path.write_text(before, "utf-8")
    assert done.returncode == 1, done.stdout + done.stderr
    broken = [line for line in done.stdout.splitlines() if line.endswith(" BROKEN")]
    assert any(line.startswith(contract) for line in broken), done.stdout
