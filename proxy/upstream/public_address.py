"""Is an IP address one of the open internet? Everything else is somebody's inside.

Pure. Owns the table of networks a request must not be led into: private, loopback, link-local (the
metadata services of clouds live there), shared, multicast and reserved ones (the IANA registries of
special-purpose addresses), and the addresses that carry another one inside. Refuses to know: names,
and who is excepted.
"""

import ipaddress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

_NOT_PUBLIC_4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this host, this network
            "10.0.0.0/8",  # private
            "100.64.0.0/10",  # shared behind a carrier's NAT; Alibaba's metadata service
            "127.0.0.0/8",  # loopback
            "168.63.129.16/32",  # Azure's own services, inside every machine of it
            "169.254.0.0/16",  # link-local; the metadata services
            "172.16.0.0/12",  # private
            "192.0.0.0/24",  # protocol assignments; Oracle's metadata service
            "192.0.2.0/24",  # documentation
            "192.31.196.0/24",  # AS112
            "192.52.193.0/24",  # AMT
            "192.88.99.0/24",  # 6to4 relays
            "192.168.0.0/16",  # private
            "192.175.48.0/24",  # AS112
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, broadcast
        ),
    )
)
_GLOBAL_6 = IPv6Network("2000::/3")
"""All that is handed out. Loopback, link-local, unique local and multicast lie outside."""
_NOT_PUBLIC_6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocol assignments, among them Teredo and ORCHID
            "2001:db8::/32",  # documentation
            "2620:4f:8000::/48",  # AS112
            "3fff::/20",  # documentation
        ),
    )
)
_MAPPED = IPv6Network("::ffff:0:0/96")
_NAT64 = IPv6Network("64:ff9b::/96")
"""How a network without IPv4 reaches it: the rest is an IPv4 address."""
_6TO4 = IPv6Network("2002::/16")


def is_public_address(text: str) -> bool:
    """False for all that is not the canonical form of a public address, names included."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv4Address):
        return _is_public_4(address)
    if address.scope_id is not None:  # `fe80::1%eth0`: a zone exists on this machine only
        return False
    inner = _carried(address)
    if inner is not None:
        return _is_public_4(inner)
    return address in _GLOBAL_6 and not any(address in network for network in _NOT_PUBLIC_6)


def _is_public_4(address: IPv4Address) -> bool:
    return not any(address in network for network in _NOT_PUBLIC_4)


def _carried(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that packets to this one end at."""
    number = int(address)
    if address in _MAPPED or address in _NAT64:
        return IPv4Address(number & 0xFFFF_FFFF)
    if address in _6TO4:
        return IPv4Address((number >> 80) & 0xFFFF_FFFF)
    return None
