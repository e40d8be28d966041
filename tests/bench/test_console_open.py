"""People look on while the gateway works: pages are answered, requests hardly notice."""

import math
from collections import Counter

from bench.console_open import PAGES, Cost, Result, measured, report

BOUND = 2.0
"""What would be noticed on any machine, however busy; the figure itself is for a quiet one."""


def test_pages_are_answered_while_requests_pass() -> None:
    result = measured(consoles=2, rounds=2, duration_s=1.0)
    assert len(result.opened) == len(result.closed) == 2
    paths = {path.partition("?")[0] for _, some in PAGES for path in some}
    assert set(result.asked) == paths and not result.refused
    assert min(result.asked.values()) >= 2 * 2
    assert result.ratio("cpu_us") < BOUND


def test_the_ratio_is_that_of_the_middle_round() -> None:
    closed = [Cost(10.0, 1.0, 1.0)] * 3
    opened = [Cost(cpu_us, 1.0, 2.0) for cpu_us in (11.0, 90.0, 10.0)]
    result = Result(closed, opened, Counter(a=3), Counter({503: 1}))
    assert math.isclose(result.ratio("cpu_us"), 1.1)
    assert "3 answers to pages, 1 refused" in report(result)
    assert "2.000" in report(result)
