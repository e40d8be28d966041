"""What the doctor says about one thing."""

from enum import StrEnum

import msgspec


class Level(StrEnum):
    """How bad a finding is; the words operators see."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


class Finding(msgspec.Struct, frozen=True):
    """One line: what was looked at, what was seen, what to do. Never holds a secret."""

    level: Level
    what: str
    seen: str
    remedy: str = ""

    def __str__(self) -> str:
        text = f"{self.level:<5} {self.what}: {self.seen}"
        return f"{text}; {self.remedy}" if self.remedy else text


def ok(what: str, seen: str) -> Finding:
    """Nothing to be done."""
    return Finding(Level.OK, what, seen)


def warn(what: str, seen: str, remedy: str = "") -> Finding:
    """The gateway works, but somebody should look at this."""
    return Finding(Level.WARN, what, seen, remedy)


def fail(what: str, seen: str, remedy: str = "") -> Finding:
    """The gateway, or part of it, cannot work so."""
    return Finding(Level.FAIL, what, seen, remedy)
