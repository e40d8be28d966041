"""What a generation costs, and what one will probably cost, as data."""


class Charge:
    """Micro-credits of one generation: everything read, everything written, everything done."""

    __slots__ = ("credits_actions", "credits_in", "credits_out")

    def __init__(self, credits_in: int, credits_out: int, credits_actions: int) -> None:
        self.credits_in = credits_in
        self.credits_out = credits_out
        self.credits_actions = credits_actions

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Charge) and (
            (self.credits_in, self.credits_out, self.credits_actions)
            == (other.credits_in, other.credits_out, other.credits_actions)
        )

    @property
    def total(self) -> int:
        """What the generation costs altogether."""
        return self.credits_in + self.credits_out + self.credits_actions


class Forecast:
    """What a request will probably take: micro-credits, and tokens read."""

    __slots__ = ("credits", "input_tokens")

    def __init__(self, credits: int, input_tokens: int) -> None:
        self.credits = credits
        self.input_tokens = input_tokens

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Forecast)
            and self.credits == other.credits
            and self.input_tokens == other.input_tokens
        )
