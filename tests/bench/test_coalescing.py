"""Coalescing is measured with its switch off and as it comes, under the same streams."""

import os

from bench.coalescing import AUTOMATIC, OFF, Seen, measured, switched_off, written


def test_both_gateways_carry_the_streams_whole() -> None:
    seen = measured(20, [0, 1], rounds=1, duration_s=1.0)
    assert set(seen) == {(beside, name) for beside in (0, 1) for name in (OFF, AUTOMATIC)}
    for (beside, _), (window,) in seen.items():
        assert window.events_per_s > 20 * 50 / 2 and window.cpu_us > 0
        assert beside or not window.stalled  # taken by others, a CPU may well keep one waiting


def test_the_switch_is_off_for_those_started_inside_alone() -> None:
    before = dict(os.environ)
    with switched_off():
        assert os.environ["HATZ_GATEWAY__RELAY__COALESCE_LAG_MS"] == "0"
    assert dict(os.environ) == before


def test_medians_of_the_rounds_are_printed() -> None:
    windows = [Seen(cpu_us, 100.0, 1.0, 2.0, 0) for cpu_us in (3.0, 9.0, 4.0)]
    assert "4.0" in written({(2, OFF): windows}) and "9.0" not in written({(2, OFF): windows})
