"""What systemd hands to a service and wants to hear from it: a socket that outlives the process,
and when it is ready.

Knows the protocols of sd_listen_fds(3) and sd_notify(3) and nothing of the gateway. Started by
anything else, nothing happens here.
"""

import os
import socket
from collections.abc import Mapping

FIRST_FD = 3
"""SD_LISTEN_FDS_START."""


def inherited(environ: Mapping[str, str], pid: int) -> socket.socket | None:
    """The listening socket systemd opened for this process, if it did.

    It is the same one before and after a restart: connections that come in between wait in it.
    Raises OSError when more than one was handed over, or something else than a TCP listener.
    """
    if environ.get("LISTEN_PID") != str(pid):
        return None
    count = int(environ.get("LISTEN_FDS", "0"))
    if count != 1:
        raise OSError(0, f"systemd handed over {count} sockets; the gateway serves exactly one")
    listening = socket.socket(fileno=FIRST_FD)
    os.set_inheritable(FIRST_FD, False)
    listens = listening.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if listening.type != socket.SOCK_STREAM or not listens:
        raise OSError(0, "systemd handed over a socket that is no listening TCP socket")
    if listening.family not in (socket.AF_INET, socket.AF_INET6):
        raise OSError(0, "systemd handed over a socket that is no listening TCP socket")
    listening.setblocking(False)
    return listening


def notify(environ: Mapping[str, str], state: str) -> None:
    """Tell systemd, if it asked to be told (`Type=notify`): `READY=1`, `STOPPING=1`.

    A manager that does not listen is no reason not to serve.
    """
    address = environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as telling:
        try:
            telling.connect(address)
            telling.sendall(state.encode())
        except OSError:
            return
