"""A socket from systemd is taken when it is meant for us and is one; readiness is told if asked."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from proxy.cli.systemd import inherited, notify

_TAKE = """
import os
from proxy.cli.systemd import inherited
try:
    taken = inherited(os.environ, os.getpid())
    print("none" if taken is None else taken.getsockname()[1], os.get_inheritable(3))
except OSError as problem:
    print(problem.strerror)
"""


def said_by_a_child(handed: socket.socket, setting: str = "LISTEN_PID=$$ LISTEN_FDS=1") -> str:
    """What a process makes of it that has `handed` as its file 3."""
    done = subprocess.run(
        [
            "bash",
            "-c",
            f'{setting} exec "$@" 3<&{handed.fileno()}',
            "bash",
            sys.executable,
            "-c",
            _TAKE,
        ],
        pass_fds=(handed.fileno(),),
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_socket_is_taken_and_not_handed_on() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        assert said_by_a_child(listening) == f"{listening.getsockname()[1]} False"


def test_a_socket_that_is_meant_for_another_process_is_left_alone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        assert said_by_a_child(listening, "LISTEN_PID=1 LISTEN_FDS=1").startswith("none")
    assert inherited({}, os.getpid()) is None


@pytest.mark.parametrize("count", (0, 2))
def test_exactly_one_is_wanted(count: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        said = said_by_a_child(listening, f"LISTEN_PID=$$ LISTEN_FDS={count}")
    assert said == f"systemd handed over {count} sockets; the gateway serves exactly one"


def test_what_does_not_listen_on_tcp_is_refused() -> None:
    with socket.socket() as silent, socket.socket(socket.AF_UNIX) as local:
        local.bind(f"\0hatz-gateway-test-{os.getpid()}")
        local.listen()
        for each in (silent, local):
            said = said_by_a_child(each)
            assert said == "systemd handed over a socket that is no listening TCP socket"


def test_the_manager_is_told_when_it_asks(tmp_path: Path) -> None:
    for address, bound in (
        (str(tmp_path / "notify"), str(tmp_path / "notify")),
        (f"@hatz-notify-{os.getpid()}", f"\0hatz-notify-{os.getpid()}"),
    ):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.settimeout(5)
            manager.bind(bound)
            notify({"NOTIFY_SOCKET": address}, "READY=1")
            assert manager.recv(100) == b"READY=1"


def test_nobody_to_tell_is_no_trouble(tmp_path: Path) -> None:
    notify({}, "READY=1")
    notify({"NOTIFY_SOCKET": str(tmp_path / "nobody")}, "READY=1")
    notify({"NOTIFY_SOCKET": "vsock:2:1"}, "READY=1")
    assert list(tmp_path.iterdir()) == []
