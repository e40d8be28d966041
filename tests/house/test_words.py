"""What no file of the repository may say or be."""

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILE_BYTES_MAX = 400_000

BANNED_NAMES = {
    *("utils", "util", "helpers", "helper", "common", "misc", "tools"),
    *("manager", "service", "handler", "processor", "engine"),
    *("base", "abstract", "interface", "core", "impl"),
    *("data", "info", "obj", "item", "tmp"),
}
BANNED_ENDINGS = re.compile(
    r"(?:Utils?|Helpers?|Manager|Service|Handler|Processor|Engine|Abstract|Impl|Info|Obj)$|^Base[A-Z]"
)
# Spelled in pieces, so that this file may be looked at as well.
MACHINE_PATH = re.compile(
    r"(?<![\w.$~])/(?:" + "|".join(["wo" + "rk", "ro" + "ot", "Us" + "ers"]) + ")/"
)
REGISTRY = re.compile(
    "|".join(["py" + "pi", "python" + "hosted", "npm" + "js", "yarn" + "pkg", "arti" + "factory"]),
    re.IGNORECASE,
)


def tracked() -> list[Path]:
    """The files of the repository, as git knows them."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    if listed.returncode:
        pytest.skip("this is no git checkout: nobody can say which files belong to it")
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


@pytest.fixture(scope="module")
def files() -> list[Path]:
    found = tracked()
    assert len(found) > 100
    return found


def lines_with(pattern: re.Pattern[str], files: list[Path]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in files
        for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), 1)
        if pattern.search(line)
    ]


def test_no_file_names_a_path_of_some_machine(files: list[Path]) -> None:
    assert lines_with(MACHINE_PATH, files) == []
    assert lines_with(re.compile(re.escape(f"{ROOT}/")), files) == []


def test_no_file_names_a_package_registry(files: list[Path]) -> None:
    assert lines_with(REGISTRY, files) == []


def test_files_are_named_by_what_they_know(files: list[Path]) -> None:
    banned = [
        str(path.relative_to(ROOT))
        for path in files
        if BANNED_NAMES & {part.partition(".")[0] for part in path.relative_to(ROOT).parts}
    ]
    assert banned == []


def test_classes_are_named_by_what_they_do(files: list[Path]) -> None:
    banned = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in files
        if path.suffix == ".py"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef) and BANNED_ENDINGS.search(node.name)
    ]
    assert banned == []


def test_no_file_is_large(files: list[Path]) -> None:
    large = {str(path.relative_to(ROOT)): path.stat().st_size for path in files}
    assert {name: size for name, size in large.items() if size > FILE_BYTES_MAX} == {}


def test_every_module_of_the_house_says_what_it_is(files: list[Path]) -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in files
        if path.suffix == ".py" and path.is_relative_to(ROOT / "proxy")
        if not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    ]
    assert silent == []


# ---------------------------------------------------------------- versions


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*project["dependencies"]]
    for extra in project["optional-dependencies"].values():
        wanted += extra
    names = {canonical(re.split(r"[^A-Za-z0-9._-]", text)[0]) for text in wanted}
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = [line for line in lines if line.strip() and not line.startswith("#")]
    assert [pin for pin in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][\w.]*", pin)] == []
    pinned = [canonical(pin.partition("==")[0]) for pin in pins]
    assert len(pinned) == len(set(pinned))
    assert names - set(pinned) == set()
