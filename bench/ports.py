"""Free loopback ports for the processes the benchmark and the tests start."""

import random
import socket

_OURS = range(12_000, 32_000)
"""Below those a system gives to outgoing connections (from 32,768 on Linux): one of these may
become a connection's own while the process that was promised it still starts."""
_TRIES = 1_000


def free_port() -> int:
    """A loopback port nobody has at this moment, and which no outgoing connection will get."""
    for port in random.sample(_OURS, _TRIES):
        if is_free(port):
            return port
    raise OSError(f"{_TRIES} ports between {_OURS.start} and {_OURS.stop} are all taken")


def is_free(port: int) -> bool:
    """Could a process listen there now?"""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
