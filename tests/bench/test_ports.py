"""Ports for processes that are still to start."""

import socket
from pathlib import Path

from bench import ports


def test_nobody_has_it() -> None:
    with socket.socket() as own:
        own.bind(("127.0.0.1", ports.free_port()))


def test_no_outgoing_connection_gets_it() -> None:
    outgoing = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    assert all(ports.free_port() < int(outgoing[0]) for _ in range(20))


def test_a_taken_one_is_passed_over() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        taken = other.getsockname()[1]
        assert ports.is_free(taken) is False
    assert ports.is_free(taken) is True
