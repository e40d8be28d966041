"""Which addresses are those of the public web."""

import pytest

from proxy.web_search.addresses import is_address, is_public_host, split_public


@pytest.mark.parametrize(
    "host",
    [
        *(
            "example.com",
            "EXAMPLE.com.",
            "a.b.example.co.uk",
            "xn--bcher-kva.example",
            "1a.example",
        ),
        *("8.8.8.8", "134744072", "0x08080808", "8.526344", "010.8.8.8"),
        *("2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::"),
    ],
)
def test_a_host_of_the_public_web(host: str) -> None:
    assert is_public_host(host)


@pytest.mark.parametrize(
    "host",
    [
        *("", "localhost", "LOCALHOST.", "router", "a.local", "x.internal", "db.home.arpa", ".com"),
        *("127.0.0.1", "127.1", "0x7f.1", "0177.1", "2130706433", "0", "10.0.0.8", "192.168.0.1"),
        *("169.254.169.254", "100.64.0.1", "172.31.255.255", "0.0.0.0", "255.255.255.255"),
        *("224.0.0.1", "240.0.0.1", "192.0.2.1", "1.2.3.4.5", "256.1.1.1", "1.16777216", "1..1"),
        *("09.1.1.1", "a.1", "1.2.x.4", "99999999999999999999", "0x"),
        *("::1", "::", "fe80::1", "fd00::1", "ff02::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"),
        *("2002:7f00:1::", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "fe80::1%eth0", "1:2", ":::"),
    ],
)
def test_a_host_of_somebodys_own(host: str) -> None:
    assert not is_public_host(host)


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example/x?y=1&z=a|b#c",
        "http://a.example",
        "HTTPS://A.example:8443/",
        "https://a.example/ü",
    ],
)
def test_an_address_of_the_public_web(url: str) -> None:
    assert split_public(url) is not None


@pytest.mark.parametrize(
    "url",
    [
        *("", "a.example", "mailto:a@b.example", "ftp://a.example/", "https:///x", "https://"),
        *("https://a.example/ x", "https://a.example/\n", "https://a.example/\\x", 'https://a"b/'),
        *("https://u:p@a.example/", "https://a.example:port/", "https://[::1", "https://[x]/"),
        "https://a.example/" + "x" * 2048,
    ],
)
def test_an_address_nobody_should_follow(url: str) -> None:
    assert split_public(url) is None


@pytest.mark.parametrize(
    ("host", "numbers"),
    [
        ("127.0.0.1", True),
        ("127.1", True),
        ("0x7F", True),
        ("::1", True),
        ("[::1]", True),
        ("a.example", False),
        ("a.example:80", False),
    ],
)
def test_names_and_numbers_are_told_apart(host: str, numbers: bool) -> None:
    assert is_address(host) is numbers
