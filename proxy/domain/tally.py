"""How much of a stream has passed without being looked at.

Owns: two figures, kept by whoever lets the bytes pass and read by whoever estimates or times them.
"""


class Tally:
    """Bytes and events, since the stream began. A class for itself so that its figures are read and
    raised for each event without a look-up by name."""

    __slots__ = ("passed_bytes", "passed_events")

    def __init__(self) -> None:
        self.passed_bytes = 0
        self.passed_events = 0
