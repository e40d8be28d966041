"""Settings of property tests: no deadlines, which only measure how busy the machine is."""

from hypothesis import HealthCheck, settings


def examples(count: int = 100) -> settings:
    """So many examples, however long they take."""
    return settings(max_examples=count, deadline=None, suppress_health_check=[HealthCheck.too_slow])
