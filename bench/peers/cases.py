"""What is measured when we stand beside others, as a table; the shapes are those of `scenarios.py`.

Closed cases run in every round; the rest once, in the last round's fresh process of each target,
the one that may overload it last.
"""

import dataclasses

from bench.scenarios import Scenario

SIZES = ("1k", "60k", "200k", "1m")
CONNECTIONS = {"1k": 32, "60k": 16, "200k": 16, "1m": 8}
REPLY_EVENTS = 20
WARMUP_S = 0.3

STREAM_PERIOD_MS = 20
STREAMS_MAX = 1600
"""More than the load and the upstream carry on one CPU."""
STREAMS_GROWTH = 1.25

PACED = Scenario(
    name="paced",
    words=f"100 streams, one event each {STREAM_PERIOD_MS} ms",
    unit="event",
    body="1k",
    connections=100,
    duration_s=3.0,
    period_ms=STREAM_PERIOD_MS,
    ramp_s=1.0,
)
BURST = Scenario(
    name="burst",
    words="200 events as fast as possible, 32 connections",
    unit="event",
    body="1k",
    connections=32,
    duration_s=1.5,
    events=200,
)
FIRST = Scenario(
    name="first",
    words="one connection, streamed: time to the first event",
    unit="request",
    body="1k",
    connections=1,
    duration_s=1.5,
    events=5,
)


def request(size: str, *, streamed: bool) -> Scenario:
    """Requests of one size, each answered in one piece or in a short stream."""
    return Scenario(
        name=f"{'streamed' if streamed else 'whole'}-{size}",
        words=f"{size} in, {f'{REPLY_EVENTS} events' if streamed else '1k'} out, "
        f"{CONNECTIONS[size]} connections",
        unit="request",
        body=size,
        connections=CONNECTIONS[size],
        duration_s=1.0,
        events=REPLY_EVENTS if streamed else 0,
    )


REQUESTS = tuple(request(size, streamed=streamed) for streamed in (False, True) for size in SIZES)
CLOSED = (*REQUESTS, BURST, FIRST)

TLS_REQUESTS = dataclasses.replace(request("1k", streamed=False), name="tls-whole", tls=True)
TLS_PACED = dataclasses.replace(PACED, name="tls-paced", tls=True)
TLS = (TLS_REQUESTS, TLS_PACED)

SMALL = dataclasses.replace(
    request("1k", streamed=False), name="small", connections=2, duration_s=1.5
)
"""What somebody else waits for while a big or a bad request is at work."""
BIG = dataclasses.replace(request("1m", streamed=False), name="big", connections=4)
FLOOD = dataclasses.replace(request("1k", streamed=False), name="flood", connections=16)
BESIDE_BIG, BESIDE_FLOOD = "small-beside-big", "small-beside-flood"


HELD = dataclasses.replace(PACED, name="held", duration_s=2.0, ramp_s=1.5)
"""One step of the search for how many streams can be held."""

EVERY = (PACED, *CLOSED, *TLS, SMALL, BIG, FLOOD, HELD)


def quick(scenario: Scenario) -> Scenario:
    """The same over a window just long enough for a look."""
    return scenario.lasting(scenario.duration_s * 0.4)
