"""How many users there are at each moment of a load test: a ramp, a spike, a soak.

Arithmetic only, and no locust: importing that changes how the whole process waits.
"""

STEADY, RAMP, SPIKE, SOAK = "steady", "ramp", "spike", "soak"
SHAPES = (STEADY, RAMP, SPIKE, SOAK)
SHAPE_VARIABLE = "BENCH_SHAPE"
USERS_VARIABLE = "BENCH_SHAPE_USERS"
SECONDS_VARIABLE = "BENCH_SHAPE_S"

RAMP_STEPS = 5
RAMP_UP_SHARE = 0.8
"""A ramp climbs in steps and stays on its top for the rest."""
SPIKE_FLOOR_SHARE = 0.2
SPIKE_BEGINS, SPIKE_ENDS = 0.4, 0.6
SOAK_ENTRY_SHARE = 0.05
"""A soak's users come in over this share of the time, and in no more than a minute."""
SOAK_ENTRY_S_MAX = 60.0


def users_at(shape: str, now_s: float, *, users: int, seconds: float) -> int | None:
    """Users wanted `now_s` after the beginning, None when it is over. At least one while it runs.

    ramp: up in equal steps, then level. spike: a fifth of them, all at once for a fifth of the
    time, a fifth again. soak: all of them, level. steady: all of them from the beginning.
    """
    if now_s >= seconds:
        return None
    if shape == RAMP:
        step = int(now_s / (seconds * RAMP_UP_SHARE) * RAMP_STEPS) + 1
        return max(1, users * min(step, RAMP_STEPS) // RAMP_STEPS)
    if shape == SPIKE:
        if SPIKE_BEGINS <= now_s / seconds < SPIKE_ENDS:
            return users
        return max(1, int(users * SPIKE_FLOOR_SHARE))
    if shape == SOAK:
        entry_s = min(SOAK_ENTRY_S_MAX, seconds * SOAK_ENTRY_SHARE)
        return max(1, min(users, int(users * now_s / entry_s)))
    return users
