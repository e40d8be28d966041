"""Calm answers to probes."""

import pytest

from tests.kit.raw_client import RawClient


@pytest.mark.parametrize("path", ("/v1/anthropic", "/v1/anthropic/api/hello"))
def test_probes_get_a_small_document(client: RawClient, path: str) -> None:
    reply = client.ask("GET", path)
    assert (reply.status, reply.json()) == (200, {})
    assert client.ask("HEAD", path).body == b""
