"""Which addresses of found pages are passed on: those of the public web and no others.

A page inside somebody's network is no search result; a model or client that followed such a link
would be led there. Owns the many spellings of an address; refuses to look names up.
"""

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

URL_CHARS_MAX = 2048
_UNFIT = re.compile(r"[\x00-\x20\x7f<>\"\\]")
_PRIVATE_ENDINGS = (
    *("localhost", "local", "localdomain", "internal", "intranet", "lan", "home", "corp"),
    *("private", "invalid", "test", "onion", "home.arpa"),
)
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def split_public(url: str) -> SplitResult | None:
    """The parts of a page's address; None when it is none of the public web."""
    if len(url) > URL_CHARS_MAX or _UNFIT.search(url) is not None:
        return None
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port  # raises where it is none
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc:
        return None
    return parts if is_public_host(host) else None


def is_public_host(host: str) -> bool:
    """May a page of the public web be there? Names are not looked up: only what is private by its
    spelling is told."""
    host = host.lower().removesuffix(".")
    if ":" in host:
        try:
            return _is_public(ipaddress.IPv6Address(host))
        except ValueError:
            return False
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]) is not None:
        address = _read_ipv4(labels)
        return address is not None and _is_public(address)
    if len(labels) < 2 or not all(labels):
        return False
    return not any(host == ending or host.endswith("." + ending) for ending in _PRIVATE_ENDINGS)


def is_address(host: str) -> bool:
    """Is it an IP address, in whatever spelling, and no name?"""
    host = host.lower()
    return (
        host[:1] == "["
        or host.count(":") > 1
        or _NUMBER.fullmatch(host.rpartition(".")[2]) is not None
    )


def _is_public(address: _Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return _is_public(inner)
        if address.teredo is not None:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _read_ipv4(labels: list[str]) -> ipaddress.IPv4Address | None:
    """As browsers read it: one to four numbers, decimal, octal or hexadecimal, the last of which
    fills what is left (`127.1`, `0x7f000001`)."""
    if len(labels) > 4:
        return None
    numbers: list[int] = []
    for label in labels:
        if _NUMBER.fullmatch(label) is None:
            return None
        try:
            numbers.append(_read_number(label))
        except ValueError:
            return None
    *front, last = numbers
    if any(number > 255 for number in front) or last >= 256 ** (4 - len(front)):
        return None
    value = last
    for place, number in enumerate(front):
        value += number << (8 * (3 - place))
    return ipaddress.IPv4Address(value)


def _read_number(label: str) -> int:
    if label.startswith("0x"):
        return int(label[2:] or "0", 16)
    if label.startswith("0") and len(label) > 1:
        return int(label, 8)
    return int(label[:16])
