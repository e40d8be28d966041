"""Settings of property tests: no deadlines, which only measure how busy the machine is.

`make fuzz` looks longer: the environment variable FUZZ multiplies the examples of every law.
"""

import os

from hypothesis import HealthCheck, settings

TIMES = int(os.environ.get("FUZZ", "1"))


def examples(count: int = 100) -> settings:
    """So many examples, however long they take."""
    return settings(
        max_examples=count * TIMES,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
        print_blob=True,
    )
