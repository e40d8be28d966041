"""As many client connections as there are files for them."""

import resource

import pytest

from proxy.assembly.capacity import FILES_BESIDE, connections_within


@pytest.mark.parametrize(
    ("files", "connections"),
    [(100_000, 20_000), (20_200, 10_000), (FILES_BESIDE + 2, 1), (10, 1), (-1, 20_000)],
)
def test_half_the_files_are_for_clients(
    monkeypatch: pytest.MonkeyPatch, files: int, connections: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))
    assert connections_within(20_000) == connections
