"""The tree: defaults, addresses, and what its text form shows."""

import ast
from pathlib import Path

import msgspec
import pytest

from proxy.config import settings
from proxy.config.settings import Counters, Provider, Server, Settings, Storage, without_password


def test_every_setting_of_every_section_has_a_doc_line() -> None:
    tree = ast.parse(Path(settings.__file__).read_text(encoding="utf-8"))
    silent = []
    for struct in [node for node in tree.body if isinstance(node, ast.ClassDef)]:
        if struct.name == "Settings":  # its sections are classes with docstrings of their own
            continue
        for field, after in zip(struct.body, [*struct.body[1:], None], strict=True):
            documented = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            if isinstance(field, ast.AnnAssign) and not documented:
                silent.append(f"{struct.name}.{ast.unparse(field.target)}")
    assert silent == []


def test_the_defaults_are_those_of_the_interface() -> None:
    default = Settings()
    assert (default.server.host, default.server.port, default.server.workers) == (
        "127.0.0.1",
        8080,
        1,
    )
    assert default.server.body_bytes_max == 33_554_432
    assert default.server.drain_timeout_s == 30
    assert default.storage.url == "sqlite:///var/gateway.db"
    assert default.counters.url == "memory://"
    assert default.web_search.when_disabled == "auto"
    assert default.observability.log == "json"
    assert default.ledger.folder == "var/journal"
    assert (default.providers, default.models) == ((), ())


@pytest.mark.parametrize(
    ("server", "address"),
    [
        (Server(), "http://127.0.0.1:8080"),
        (Server(host="0.0.0.0", port=9000), "http://127.0.0.1:9000"),
        (Server(host="::"), "http://[::1]:8080"),
        (Server(host="gw.local"), "http://gw.local:8080"),
        (Server(public_url="https://gw.example.com/"), "https://gw.example.com"),
    ],
)
def test_the_address_is_one_a_client_can_call(server: Server, address: str) -> None:
    assert server.address == address


def test_a_slash_at_the_end_of_a_providers_url_is_dropped() -> None:
    provider = msgspec.convert(
        {"name": "a", "wire": "anthropic", "base_url": "https://api.anthropic.com/"}, Provider
    )
    assert provider.base_url == "https://api.anthropic.com"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:///var/gateway.db", "sqlite:///var/gateway.db"),
        ("postgresql://user@host/db", "postgresql://user@host/db"),
        ("postgresql://user:pw@host/db", "postgresql://user:***@host/db"),
        (
            "postgresql://user:p@w@host/db?sslmode=require",
            "postgresql://user:***@host/db?sslmode=require",
        ),
        ("redis://:pw@host:6379/0", "redis://:***@host:6379/0"),
        ("env:DATABASE_URL", "env:DATABASE_URL"),
    ],
)
def test_a_password_in_a_url_is_not_in_the_text_form(url: str, shown: str) -> None:
    assert without_password(url) == shown
    tree = Settings(storage=Storage(url=url), counters=Counters(url=url))
    assert repr(tree).count(shown) == 2
    assert "pw" not in repr(tree)
    assert "p@w" not in str(tree)
