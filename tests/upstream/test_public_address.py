"""Where requests may be led: a table of addresses, and what holds for all of them."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.upstream.public_address import is_public_address
from tests.kit.patience import examples

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.1",
    "168.63.129.15",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2001:200::1",
    "2606:4700:4700::1111",
    "2a00:1450:4001:800::200e",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2002:808:808::1",
]

NOT_PUBLIC = [
    # IPv4
    "0.0.0.0",
    "0.255.255.255",
    "10.0.0.0",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.255",
    "168.63.129.16",
    "169.254.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "192.168.255.255",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.7",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    # IPv6
    "::",
    "::1",
    "::7f00:1",
    "::8.8.8.8",
    "100::1",
    "64:ff9b:1::8.8.8.8",
    "2001::1",
    "2001:10::1",
    "2001:db8::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "2606:4700::1111%eth0",
    "fec0::1",
    "ff02::1",
    # one inside the other
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "::ffff:169.254.169.254",
    "::ffff:100.64.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2002:c0a8:101::1",
    # not an address as everybody writes it
    "",
    "localhost",
    "example.com",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "8.8.8.08",
    "8.8.8.8 ",
    "[2606:4700::1111]",
    "8.8.8.8:80",
    "256.8.8.8",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_it_is_of_the_open_internet(address: str) -> None:
    assert is_public_address(address)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_it_is_somebodys_inside(address: str) -> None:
    assert not is_public_address(address)


@examples(300)
@given(st.ip_addresses())
def test_what_the_registries_do_not_call_global_is_not_public(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    judged = getattr(address, "ipv4_mapped", None) or address
    if not judged.is_global and not _carries(address):
        assert not is_public_address(str(address))


def _carries(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """The registries have NAT64 and 6to4 as networks, whatever is inside."""
    if isinstance(address, ipaddress.IPv4Address):
        return False
    return address.sixtofour is not None or address in ipaddress.IPv6Network("64:ff9b::/96")


@examples(200)
@given(st.ip_addresses(v=4))
def test_an_address_is_judged_alike_however_it_is_carried(inner: ipaddress.IPv4Address) -> None:
    number = int(inner)
    expected = is_public_address(str(inner))
    for carrier in (
        f"::ffff:{inner}",
        f"64:ff9b::{inner}",
        f"2002:{number >> 16:x}:{number & 0xFFFF:x}::1",
    ):
        assert is_public_address(carrier) is expected


@examples(200)
@given(st.text(max_size=40))
def test_no_text_is_too_strange_to_be_judged(text: str) -> None:
    assert is_public_address(text) in (True, False)
