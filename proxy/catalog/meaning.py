"""What a name may stand for, and what it does for one caller, as data."""

from typing import Literal

from proxy.domain.model import Model

Via = Literal["exact", "alias", "mapping", "native"]


class Resolution:
    """What an asked name stands for. `asked` is trimmed; it is plain ASCII if no catalogue id has
    other letters, so it may go into a header."""

    __slots__ = ("asked", "model", "via")

    def __init__(self, model: Model, via: Via, asked: str) -> None:
        self.model = model
        self.via = via
        self.asked = asked


class Meaning:
    """What a name may stand for, whoever asks: `models` in the order they are tried. A saved
    mapping of `family` comes first; no family means no mapping applies."""

    __slots__ = ("asked", "family", "models", "via")

    def __init__(
        self, asked: str, via: Via, models: tuple[Model, ...] = (), family: str = ""
    ) -> None:
        self.asked = asked
        self.via = via
        self.models = models
        self.family = family
