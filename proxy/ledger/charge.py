"""What a generation costs, and what one will probably cost, as data."""

import msgspec


class Charge(msgspec.Struct, frozen=True, gc=False):
    """Micro-credits of one generation: everything read, everything written, everything done."""

    credits_in: int
    credits_out: int
    credits_actions: int

    @property
    def total(self) -> int:
        """What the generation costs altogether."""
        return self.credits_in + self.credits_out + self.credits_actions


class Forecast(msgspec.Struct, frozen=True, gc=False):
    """What a request will probably take: micro-credits, and tokens read."""

    credits: int
    input_tokens: int
