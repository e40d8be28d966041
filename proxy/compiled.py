"""Modules as machine code, as long as they were made of these very sources.

`make compile` makes libraries of the modules a request passes (`compiled/build.py`) and a list of
the sources they were made of. They are taken in place of the sources only while every source on
that list is what it was: one changed byte, and all of it runs as plain Python again. Everything
works without them, and the tests hold for both.

HATZ_GATEWAY_COMPILED=off never takes them; `required` refuses to start without.
"""

import hashlib
import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
BUILT: Final = ROOT / "compiled" / "built"
ABI: Final = EXTENSION_SUFFIXES[0].strip(".").removesuffix(".so")
"""Of this interpreter on this platform; libraries of another are not looked at."""
LIST: Final = "compiled/modules.txt"
SOURCES: Final = "sources.txt"
GROUP: Final = "hatz_gateway"
"""mypyc puts the code of all modules into one library `GROUP__mypyc`; theirs only point to it."""


class _Libraries(MetaPathFinder):
    """Finds the compiled modules before Python finds their sources."""

    def __init__(self, folder: Path) -> None:
        suffix = EXTENSION_SUFFIXES[0]
        self._files = {
            str(file.relative_to(folder)).removesuffix(suffix).replace("/", "."): str(file)
            for file in folder.rglob(f"*{suffix}")
        }

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Of a compiled module; None for all others."""
        file = self._files.get(fullname)
        return None if file is None else spec_from_file_location(fullname, file)


def digest(source: Path) -> str:
    """What tells one state of a source from another; empty when it is not there."""
    try:
        return hashlib.sha256(source.read_bytes()).hexdigest()
    except OSError:
        return ""


def is_current() -> bool:
    """Are there libraries for this interpreter, made of the sources as they are now?"""
    try:
        lines = (BUILT / ABI / SOURCES).read_text().splitlines()
    except OSError:
        return False
    return all(digest(ROOT / line[66:]) == line[:64] for line in lines)


def _begin() -> str:
    """Take the libraries if they may be taken; what is in use, in words."""
    wish = os.environ.get("HATZ_GATEWAY_COMPILED", "")
    if wish == "off":
        return "plain Python (HATZ_GATEWAY_COMPILED=off)"
    if is_current():
        sys.meta_path.insert(0, _Libraries(BUILT / ABI))
        return "compiled"
    why = "changed since `make compile`" if (BUILT / ABI).is_dir() else "see `make compile`"
    if wish == "required":
        raise ImportError(f"HATZ_GATEWAY_COMPILED=required, but there is only plain Python; {why}")
    return f"plain Python ({why})"


IN_USE: Final = _begin()
"""`compiled`, or `plain Python` and why."""
