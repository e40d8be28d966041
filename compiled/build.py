"""Makes shared libraries of the modules a request passes, with mypyc.

    python -m compiled.build

`modules.txt` names the modules; they are compiled together, because calls and attributes cross
between them. GCC compiles them twice: a trial that counts its own steps under short loads
(`training.py`), then the libraries, laid out by these counts, what is never run far from what
always is. A request's code is larger than a CPU's nearest cache: where each line lies is a tenth of
its time. Another compiler compiles once.

Beside the libraries lies the list of all sources they were made of, with their digests:
`proxy/compiled.py` uses the libraries only while every one of these is unchanged, and nothing is
built again while that holds. Where there is no C compiler, a sentence says so, and the gateway runs
as plain Python.
"""

import ast
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from compiled import training
from proxy.compiled import ABI, BUILT, GROUP, LIST, ROOT, SOURCES, digest, is_current

_OPTIMISE = "2"
_INWARD = ["-fvisibility=hidden", "-fno-semantic-interposition", "-fno-plt"]
"""Nobody outside calls into the library but Python, so calls inside it need no table."""
_TRIAL = ["-fprofile-generate", "-fprofile-update=prefer-atomic"]
_COUNTED = ["-fprofile-use", "-fprofile-correction", "-Wno-missing-profile", "-flto=auto"]


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
    print(f"Compiling {len(modules)} modules with mypyc, about two minutes …", flush=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(dir=_place()) as work:
        made = _compile(modules, Path(work))
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
    compiler = _compiler()[0]
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


def _compile(modules: list[str], work: Path) -> Path:
    """The folder of the finished libraries, inside `work`."""
    from mypyc.build import mypycify  # noqa: PLC0415 - not there for those who only run

    os.chdir(ROOT)  # mypyc names modules by their paths from here
    extensions = mypycify(
        ["--config-file", "pyproject.toml", *modules],
        opt_level=_OPTIMISE,
        debug_level="0",
        multi_file=True,
        group_name=GROUP,
        target_dir=str(work / "c"),
    )
    builder = _Builder(modules, extensions, work / "objects")
    if not _is_gcc():
        return builder.build(work / "plain", [], [])
    trial = training.tree_of(work / "trial")
    builder.build(trial / BUILT.relative_to(ROOT) / ABI, [*_INWARD, *_TRIAL], _TRIAL[:1])
    trouble = training.train(trial)
    if trouble:
        print(f"Compiled without the counts of a trial: {trouble}")
        return builder.build(work / "untried", _INWARD, [])
    flags = [*_INWARD, *_COUNTED]
    return builder.build(work / "libraries", flags, [*flags, f"-O{_OPTIMISE}"])


def _compiler() -> list[str]:
    return shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")


def _is_gcc() -> bool:
    """Is the compiler GCC? Others keep their counts in other forms."""
    said = subprocess.run([*_compiler(), "--version"], capture_output=True, text=True, check=False)
    return "Free Software Foundation" in said.stdout


class _Builder:
    """Makes the libraries of one set of C files, again and again. The objects keep their paths:
    the counts of a trial lie beside them, and are looked for there."""

    def __init__(self, modules: list[str], extensions: list[Any], objects: Path) -> None:
        self._modules = modules
        self._extensions = extensions
        self._objects = objects
        self._arguments = [list(each.extra_compile_args) for each in extensions]

    def build(self, folder: Path, flags: list[str], link_flags: list[str]) -> Path:
        """Libraries and the list of their sources in `folder`, compiled and linked with flags."""
        from setuptools import Distribution  # noqa: PLC0415 - not there for those who only run

        for extension, own in zip(self._extensions, self._arguments, strict=True):
            extension.extra_compile_args = [*own, *flags]
            extension.extra_link_args = list(link_flags)
        given = {"name": GROUP, "ext_modules": self._extensions}
        command = Distribution(given).get_command_obj("build_ext")
        command.build_lib = str(folder)
        command.build_temp = str(self._objects)
        command.parallel = len(os.sched_getaffinity(0))
        command.force = True
        command.ensure_finalized()
        command.run()
        lines = [f"{digest(ROOT / path)}  {path}\n" for path in sources(self._modules)]
        (folder / SOURCES).write_text("".join(lines))
        return folder


if __name__ == "__main__":
    sys.exit(main())
