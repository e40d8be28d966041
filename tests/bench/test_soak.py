"""A soak passes a gateway whose memory is flat and that loses nothing, and no other."""

import pathlib

import pytest

from bench import soak
from bench.soak import Memory

MB = 1024


def test_memory_that_fills_up_and_then_stays_is_flat() -> None:
    assert Memory([40 * MB + min(n, 100) * MB // 5 for n in range(400)]).flat


def test_memory_that_grows_to_the_end_is_not() -> None:
    grows = Memory([60 * MB + n * 100 for n in range(400)])
    assert grows.after_kb > grows.before_kb
    assert not grows.flat


def test_one_high_sample_is_no_growth_and_no_sample_is_no_pass() -> None:
    assert Memory([60 * MB] * 390 + [200 * MB] + [60 * MB] * 9).flat
    assert not Memory([]).flat


def test_a_short_soak_of_the_gateway_with_a_worker_of_its_own_passes(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = tmp_path / "report.html"
    result = soak.main(["--seconds", "5", "--users", "6", "--html", str(written)])
    said = capsys.readouterr().out
    assert result == 0, said
    assert "memory flat" in said
    assert "6 users, soak, 5 s, 1 workers" in said
    assert "stream 1k paced" in written.read_text()
