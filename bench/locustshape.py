"""The shape locust follows when this file is given beside `locustfile.py` (sums: `shapes.py`).

    BENCH_SHAPE=spike BENCH_SHAPE_USERS=100 BENCH_SHAPE_S=300 \\
      python -m locust -f bench/locustfile.py,bench/locustshape.py --host http://HOST:PORT
"""

import os

from locust import LoadTestShape

from bench.shapes import SECONDS_VARIABLE, SHAPE_VARIABLE, STEADY, USERS_VARIABLE, users_at


class Shape(LoadTestShape):
    """What locust asks about once a second; which shape it is comes by environment."""

    def __init__(self) -> None:
        super().__init__()
        self._shape = os.environ.get(SHAPE_VARIABLE, STEADY)
        self._users = int(os.environ.get(USERS_VARIABLE, "20"))
        self._seconds = float(os.environ.get(SECONDS_VARIABLE, "20"))

    def tick(self) -> tuple[int, float] | None:
        """Users and how many of them may come or go in a second."""
        now_s = self.get_run_time()
        wanted = users_at(self._shape, now_s, users=self._users, seconds=self._seconds)
        return None if wanted is None else (wanted, float(self._users))
