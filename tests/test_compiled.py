"""Machine code stands only for the very sources it was made of."""

import ast
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from compiled.build import listed, sources
from proxy import compiled


class Tree:
    """A small copy of the program: the package, the finder, one module and a list of sources."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for path in ("proxy/__init__.py", "proxy/compiled.py"):
            self.write(path, (compiled.ROOT / path).read_text())
        self.write("proxy/room.py", "HERE = 'source'\n")

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def build(self, abi: str = compiled.ABI) -> None:
        """As `make compile` leaves it. Nothing here reads the library, it only has to be found."""
        built = f"compiled/built/{abi}"
        names = ("proxy/room.py", "proxy/compiled.py")
        lines = [f"{compiled.digest(self.root / name)}  {name}\n" for name in names]
        self.write(f"{built}/{compiled.SOURCES}", "".join(lines))
        self.write(f"{built}/proxy/room.{abi}.so", "no library")

    def ask(self, **env: str) -> tuple[str, str]:
        """What is in use, and where `proxy.room` would be taken from."""
        code = (
            "import proxy.compiled as c, importlib.util as u\n"
            "print(c.IN_USE); print(u.find_spec('proxy.room').origin)"
        )
        inherited = {k: v for k, v in os.environ.items() if k != "HATZ_GATEWAY_COMPILED"}
        done = subprocess.run(
            [sys.executable, "-P", "-c", code],
            env={**inherited, "PYTHONPATH": str(self.root), **env},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode:
            return done.stderr.splitlines()[-1], ""
        in_use, origin = done.stdout.splitlines()
        return in_use, str(Path(origin).relative_to(self.root))


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path.resolve())


def test_nothing_compiled_is_plain_python(tree: Tree) -> None:
    assert tree.ask() == ("plain Python (see `make compile`)", "proxy/room.py")


def test_libraries_of_the_same_sources_are_taken(tree: Tree) -> None:
    tree.build()
    library = f"compiled/built/{compiled.ABI}/proxy/room.{compiled.ABI}.so"
    assert tree.ask() == ("compiled", library)


def test_a_source_that_changed_is_never_hidden(tree: Tree) -> None:
    tree.build()
    tree.write("proxy/room.py", "HERE = 'changed'\n")
    assert tree.ask() == ("plain Python (changed since `make compile`)", "proxy/room.py")
    tree.write("proxy/room.py", "HERE = 'source'\n")
    assert tree.ask()[0] == "compiled"


def test_a_source_that_is_gone_is_a_change(tree: Tree) -> None:
    tree.build()
    (tree.root / "proxy/room.py").unlink()
    tree.write("proxy/room/__init__.py", "")
    assert tree.ask()[1] == "proxy/room/__init__.py"


def test_libraries_of_another_python_are_not_looked_at(tree: Tree) -> None:
    tree.build("cpython-39-x86_64-linux-gnu")
    assert tree.ask() == ("plain Python (see `make compile`)", "proxy/room.py")


def test_they_can_be_switched_off(tree: Tree) -> None:
    tree.build()
    in_use, origin = tree.ask(HATZ_GATEWAY_COMPILED="off")
    assert (in_use, origin) == ("plain Python (HATZ_GATEWAY_COMPILED=off)", "proxy/room.py")


def test_where_they_are_required_nothing_starts_without(tree: Tree) -> None:
    assert "only plain Python" in tree.ask(HATZ_GATEWAY_COMPILED="required")[0]
    tree.build()
    assert tree.ask(HATZ_GATEWAY_COMPILED="required")[0] == "compiled"


def test_what_is_said_to_be_in_use_is_in_use() -> None:
    origins = {Path(import_module(_name(path)).__file__ or "").suffix for path in listed()}
    assert origins == {".so" if compiled.IN_USE == "compiled" else ".py"}


def test_all_that_listed_modules_import_counts_as_their_source() -> None:
    modules = listed()
    found = sources(modules)
    assert set(modules) < set(found)
    assert "proxy/domain/call.py" in found, "imported by most, compiled by none"
    assert compiled.LIST in found, "another list is another program"


@pytest.mark.parametrize("path", listed())
def test_structs_stay_with_the_interpreter(path: str) -> None:
    """mypyc forgets what stands beside the base of such a class: `frozen`, `gc`, `rename`."""
    tree = ast.parse((compiled.ROOT / path).read_text())
    bases = [
        ast.unparse(base)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for base in node.bases
    ]
    assert "msgspec.Struct" not in bases


def _name(path: str) -> str:
    return path.removesuffix(".py").replace("/", ".")
