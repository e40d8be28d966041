"""Sockets: bound as asked, or refused with the address that could not be had."""

import socket

import pytest

from proxy.server.listener import bind


def test_a_free_port_is_chosen_for_port_0() -> None:
    with bind("127.0.0.1", 0, shared=False) as listening:
        host, port = listening.getsockname()
        assert host == "127.0.0.1" and port > 0
        with socket.create_connection((host, port), timeout=2):
            pass


def test_a_taken_port_is_named() -> None:
    with bind("127.0.0.1", 0, shared=False) as listening:
        port = listening.getsockname()[1]
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}: "):
            bind("127.0.0.1", port, shared=False)


def test_a_host_that_is_not_here_is_named() -> None:
    with pytest.raises(OSError, match=r"cannot listen on 192\.0\.2\.1:0: "):
        bind("192.0.2.1", 0, shared=False)


def test_a_shared_port_can_be_had_twice_and_one_may_only_keep_it() -> None:
    with bind("127.0.0.1", 0, shared=True, listens=False) as keeping:
        port = keeping.getsockname()[1]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=2)
        with (
            bind("127.0.0.1", port, shared=True) as first,
            bind("127.0.0.1", port, shared=True) as second,
        ):
            assert first.getsockname() == second.getsockname()


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine speaks no IPv6")
def test_an_ipv6_address_is_understood() -> None:
    try:
        listening = bind("::1", 0, shared=False)
    except OSError:
        pytest.skip("there is no IPv6 loopback here")
    with listening:
        assert listening.family is socket.AF_INET6
