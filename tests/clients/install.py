"""Installs the real clients the gateway is tested with into `.clients/` (git-ignored).

    python tests/clients/install.py

Each part carries a stamp made of what was asked for, so a second run does nothing and a changed
version list renews that part only. The Python SDKs go in as plain folders, because two versions of
one package cannot share an environment. Claude Code and the Node the newest SDKs ask for come as
binaries inside npm packages: npm's install scripts are not run, and an older Node beside us does
not matter. Standard library only: this runs before anything else is known to work.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
CLIENTS = HERE.parents[1] / ".clients"
INSTALL_TIME_MAX_S = 1200


def main() -> int:
    """Bring every part up to date; 0 when all of them are there."""
    try:
        for age in ("new", "old"):
            install_python(age)
        install_node()
    except InstallFailed as failed:
        print(f"clients: {failed}", file=sys.stderr)
        return 1
    return 0


class InstallFailed(Exception):
    """One part could not be installed; says which command failed and what it printed."""


def install_python(age: str) -> None:
    """The Python SDK of this age, with its dependencies, in a folder of its own."""
    wanted = HERE / "python" / f"{age}.txt"
    folder = CLIENTS / f"python-{age}"
    stamp = stamp_of(wanted)
    if is_installed(folder, stamp):
        return
    clear(folder)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    # The list names every package, dependencies too, so pip has nothing to choose.
    pip += ["--no-deps", "--only-binary", ":all:", "--target", str(folder), "-r", str(wanted)]
    watch(f"the Python SDK ({age})", pip, folder)
    seal(folder, stamp)


def install_node() -> None:
    """The TypeScript SDKs, the AI SDKs, Claude Code, and a Node new enough for all of them."""
    wanted = HERE / "node" / "package.json"
    folder = CLIENTS / "node"
    stamp = stamp_of(wanted)
    if is_installed(folder, stamp):
        return
    require_npm()
    clear(folder)
    shutil.copy(wanted, folder)
    npm = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]
    # npm would warn that the Node it runs on is too old for the SDKs; theirs comes with them.
    npm += ["--loglevel=error", "--include=optional"]
    watch("the Node SDKs and Claude Code (about 600 MB on disk)", npm, folder, cwd=folder)
    seal(folder, stamp)


def require_npm() -> None:
    """Install npm from the system's packages when there is none."""
    if shutil.which("npm"):
        return
    if not shutil.which("apt-get") or os.geteuid() != 0:
        raise InstallFailed("npm is missing: install Node.js with npm, then run this again")
    apt = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]
    watch("the system's package lists", [*apt, "update", "-qq"], None)
    names = ["npm"] if shutil.which("node") else ["nodejs", "npm"]
    watch("npm", [*apt, "install", "-y", "-qq", "--no-install-recommends", *names], None)


def watch(
    what: str, command: Sequence[str], folder: Path | None, *, cwd: Path | None = None
) -> None:
    """Run one command, telling every few seconds that it still lives and how much has arrived."""
    print(f"clients: installing {what} ...", flush=True)
    log = CLIENTS / "install.log"
    CLIENTS.mkdir(exist_ok=True)
    began = time.monotonic()
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
        )
        try:
            while True:
                try:
                    process.wait(timeout=5)
                    break
                except subprocess.TimeoutExpired:
                    passed_s = time.monotonic() - began
                    if passed_s > INSTALL_TIME_MAX_S:
                        raise InstallFailed(f"{what}: not done after {passed_s:.0f} s") from None
                    arrived = f", {megabytes(folder)} MB" if folder else ""
                    print(f"clients:   {passed_s:3.0f} s{arrived}", flush=True)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if process.returncode:
        said = log.read_text(errors="replace")[-3000:]
        raise InstallFailed(f"{what}: `{' '.join(command)}` failed\n{said}")


def megabytes(folder: Path) -> int:
    """What the folder holds so far; files that vanish while we look count nothing."""
    size = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                size += os.lstat(os.path.join(place, name)).st_size
            except FileNotFoundError:
                continue
    return size // 1_000_000


def stamp_of(wanted: Path) -> str:
    """What was asked for, on which kind of machine."""
    kind = f"{platform.system()} {platform.machine()} {sys.version_info[:2]}"
    return hashlib.sha256(wanted.read_bytes() + kind.encode()).hexdigest()


def is_installed(folder: Path, stamp: str) -> bool:
    """The stamp is written last, so an interrupted installation is not taken for a whole one."""
    try:
        return (folder / ".stamp").read_text() == stamp
    except FileNotFoundError:
        return False


def seal(folder: Path, stamp: str) -> None:
    """Mark the part as whole."""
    (folder / ".stamp").write_text(stamp)


def clear(folder: Path) -> None:
    """An empty folder, whatever an earlier attempt left."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


if __name__ == "__main__":
    raise SystemExit(main())
