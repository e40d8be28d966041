"""What a name may stand for, and what it does for one caller, as data."""

from typing import Literal

import msgspec

from proxy.domain.model import Model

Via = Literal["exact", "alias", "mapping", "native"]


class Resolution(msgspec.Struct, frozen=True, gc=False):
    """What an asked name stands for. `asked` is trimmed; it is plain ASCII if no catalogue id has
    other letters, so it may go into a header."""

    model: Model
    via: Via
    asked: str


class Meaning(msgspec.Struct, frozen=True, gc=False):
    """What a name may stand for, whoever asks: `models` in the order they are tried. A saved
    mapping of `family` comes first; no family means no mapping applies."""

    asked: str
    via: Via
    models: tuple[Model, ...] = ()
    family: str = ""
