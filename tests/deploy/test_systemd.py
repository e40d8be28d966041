"""The systemd units: systemd can read them, and they fit the gateway."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from proxy.config.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
UNITS = ROOT / "deploy/systemd"


class _Unit(configparser.RawConfigParser):
    def optionxform(self, optionstr: str) -> str:
        return optionstr


def unit(name: str) -> _Unit:
    read = _Unit(strict=False)
    read.read_string((UNITS / name).read_text("utf-8"))
    return read


def test_systemd_reads_the_units(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed (Debian's package systemd brings it)")
    program = tmp_path / "hatz-gateway"
    program.write_text("#!/bin/sh\n", "utf-8")
    program.chmod(0o755)
    for path in UNITS.iterdir():
        text = path.read_text("utf-8").replace("/opt/hatz-gateway/bin/hatz-gateway", str(program))
        (tmp_path / path.name).write_text(text, "utf-8")
    names = [str(tmp_path / path.name) for path in UNITS.iterdir()]
    done = subprocess.run([analyze, "verify", *names], capture_output=True, text=True, timeout=60)
    said = [line for line in done.stderr.splitlines() if "hatz-gateway" in line]
    assert (done.returncode, said) == (0, []), done.stderr


def test_the_service_takes_the_port_from_systemd_and_tells_when_it_serves() -> None:
    service = unit("hatz-gateway.service")
    assert service["Unit"]["Requires"] == "hatz-gateway.socket"
    assert service["Service"]["Type"] == "notify"
    assert service["Service"]["NotifyAccess"] == "all"
    assert service["Service"]["ExecReload"] == "/bin/kill -HUP $MAINPID"
    socket = unit("hatz-gateway.socket")["Socket"]
    assert re.fullmatch(r"127\.0\.0\.1:\d+", socket["ListenStream"])
    assert "Accept" not in socket  # one process for all connections


def test_streams_may_finish_before_the_service_is_killed() -> None:
    server = Settings().server
    stop_s = float(unit("hatz-gateway.service")["Service"]["TimeoutStopSec"])
    assert stop_s > server.drain_notice_s + server.drain_timeout_s


def test_it_is_nobody_and_may_write_only_its_own_folder() -> None:
    service = unit("hatz-gateway.service")["Service"]
    assert service["User"] == "hatz-gateway"
    assert service["ProtectSystem"] == "strict"
    assert service["WorkingDirectory"] == f"/var/lib/{service['StateDirectory']}"
    assert int(service["LimitNOFILE"]) >= Settings().server.connections_max * 2
