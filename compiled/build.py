"""Makes shared libraries of the modules a request passes, with mypyc.

    python -m compiled.build

`modules.txt` names the modules; they are compiled together, because calls and attributes cross
between them. Beside the libraries lies the list of all sources they were made of, with their
digests: `proxy/compiled.py` uses the libraries only while every one of these is unchanged, and
nothing is built again while that holds. Where there is no C compiler, a sentence says so, and the
gateway runs as plain Python.
"""

import ast
import os
import shlex
import shutil
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from proxy.compiled import ABI, BUILT, GROUP, LIST, ROOT, SOURCES, digest, is_current

_OPTIMISE = "3"


def main() -> int:
    """Build what is not built yet; the exit status."""
    if is_current():
        print("The compiled modules are up to date.")
        return 0
    lacking = _lacking()
    if lacking:
        print(f"Not compiled, because {lacking} is missing: the gateway runs as plain Python.")
        return 0
    modules = listed()
    print(f"Compiling {len(modules)} modules with mypyc, about a minute …", flush=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(dir=_place()) as work:
        made = Path(work) / "libraries"
        _compile(modules, Path(work), made)
        lines = [f"{digest(ROOT / path)}  {path}\n" for path in sources(modules)]
        (made / SOURCES).write_text("".join(lines))
        shutil.rmtree(BUILT / ABI, ignore_errors=True)
        made.rename(BUILT / ABI)
    print(f"Compiled in {time.monotonic() - began:.0f} s.")
    return 0


def listed() -> list[str]:
    """The modules to compile, as paths from the root."""
    lines = (ROOT / LIST).read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def sources(modules: Iterable[str]) -> list[str]:
    """Those modules, all of ours they import, and so on: the code is made for what they say."""
    found = {LIST}
    waiting = list(modules)
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += _imported(path)
    return sorted(found)


def _imported(path: str) -> Iterator[str]:
    for node in ast.walk(ast.parse((ROOT / path).read_bytes())):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *[f"{node.module}.{alias.name}" for alias in node.names]]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            file = name.replace(".", "/") + ".py"
            if name.startswith("proxy.") and (ROOT / file).is_file():
                yield file


def _lacking() -> str:
    """What a build needs and this machine has not; empty when it has all."""
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")[0]
    if shutil.which(compiler) is None:
        return f"a C compiler ({compiler})"
    header = Path(sysconfig.get_paths()["include"]) / "Python.h"
    if not header.is_file():
        return f"Python's header file {header}"
    try:
        import mypyc.build  # noqa: F401, PLC0415 - asked for only here
        import setuptools  # noqa: F401, PLC0415
    except ImportError as problem:
        return f"the Python package {problem.name}"
    return ""


def _place() -> Path:
    BUILT.mkdir(exist_ok=True)
    return BUILT


def _compile(modules: list[str], work: Path, made: Path) -> None:
    from mypyc.build import mypycify  # noqa: PLC0415 - not there for those who only run
    from setuptools import Distribution  # noqa: PLC0415

    os.chdir(ROOT)  # mypyc names modules by their paths from here
    extensions = mypycify(
        ["--config-file", "pyproject.toml", *modules],
        opt_level=_OPTIMISE,
        debug_level="0",
        multi_file=True,
        group_name=GROUP,
        target_dir=str(work / "c"),
    )
    build = Distribution({"name": GROUP, "ext_modules": extensions}).get_command_obj("build_ext")
    build.build_lib = str(made)
    build.build_temp = str(work / "objects")
    build.parallel = len(os.sched_getaffinity(0))
    build.ensure_finalized()
    build.run()


if __name__ == "__main__":
    sys.exit(main())
