"""The map is the disk, and README.md names everything an operator can set or call."""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from proxy.cli.main import COMMANDS
from proxy.config.check import field_types, table_type
from proxy.config.settings import Provider, Settings
from proxy.domain.dialect import Dialect
from proxy.domain.model import Deployment, Model, Rates
from proxy.server.door import LANE

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "proxy"
LINE = re.compile(r"^(?P<indent>(?:│  |   )*)(?:├─ |└─ )(?P<name>\S+)(?:\s+(?P<text>.+))?$")


def on_the_map() -> Iterator[tuple[str, str]]:
    """Every file of the tree with what is said about it."""
    tree = (PACKAGE / "README.md").read_text("utf-8").partition("\nproxy/\n")[2].partition("```")[0]
    folders: list[str] = []
    for line in tree.splitlines():
        if (found := LINE.match(line)) is None:
            assert not re.search(r"\.\w", line), f"this line of the map cannot be read: {line}"
            continue
        depth = len(found["indent"]) // 3
        del folders[depth:]
        if found["name"].endswith("/"):
            folders.append(found["name"])
        else:
            yield "".join(folders) + found["name"], found["text"] or ""


def on_the_disk() -> set[str]:
    """Every file of the package; the rooms' `__init__.py` are signs, not furniture."""
    files = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    return {file for file in files if not file.endswith("/__init__.py")}


def test_the_map_shows_what_is_there_and_nothing_else() -> None:
    shown = [name for name, _ in on_the_map()]
    assert len(shown) == len(set(shown)), "a file is on the map twice"
    assert sorted(set(shown)) == sorted(on_the_disk())


def test_the_map_says_something_about_each_file() -> None:
    assert [name for name, text in on_the_map() if len(text) < 10] == []


def test_every_room_has_its_sign_and_nothing_more_on_the_door() -> None:
    rooms = [path for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"]
    assert len(rooms) > 10
    for room in rooms:
        sign = (room / "__init__.py").read_text("utf-8")
        assert re.fullmatch(r'""".+"""\n', sign, re.DOTALL), f"{room.name}/__init__.py"
        assert "import" not in sign


# ---------------------------------------------------------------- README.md


README = (ROOT / "README.md").read_text("utf-8")


def mentioned(word: str) -> bool:
    """Is the word in README.md, whole?"""
    return re.search(rf"(?<![\w/-]){re.escape(word)}(?![\w-])", README) is not None


def settings_by_section() -> Iterator[tuple[str, str]]:
    for section, wanted in field_types(Settings).items():
        if owner := table_type(wanted):
            yield from ((section, name) for name in field_types(owner))
    tables = {"providers": Provider, "models": Model, "rates": Rates, "deployments": Deployment}
    for section, owner in tables.items():
        yield from ((section, field.name) for field in msgspec.structs.fields(owner))


def test_every_setting_is_in_the_readme() -> None:
    every = list(settings_by_section())
    assert len(every) > 60
    missing = [f"{section}.{name}" for section, name in every if not mentioned(name)]
    assert not missing, f"README.md does not mention: {', '.join(missing)}"


def paths() -> set[str]:
    """What is answered over HTTP, up to the first variable part."""
    found = {path.decode() for path in LANE}
    for file in ("server/routes.py", "assembly/house.py"):
        text = (PACKAGE / file).read_text("utf-8")
        found |= set(re.findall(r'"(/(?:v1/|healthz|readyz|metrics)[^"\s]*)"', text))
    return {path.partition("{")[0].rstrip("/") for path in found}


def test_every_path_is_in_the_readme() -> None:
    every = paths()
    assert {"/v1/anthropic/v1/messages", "/v1/requests", "/healthz", "/v1/chat/models"} <= every
    missing = sorted(path for path in every if path not in README)
    assert not missing, f"README.md does not mention: {', '.join(missing)}"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_readme(command: str) -> None:
    assert mentioned(command)


def test_every_quirk_is_in_the_readme() -> None:
    missing = [name for name in Dialect.__struct_fields__ if f"`{name}`" not in README]
    assert not missing, f"README.md does not mention: {', '.join(missing)}"
