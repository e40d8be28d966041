"""Reads a `.case`: why it exists, what comes in, what must come out, both halves in one file.

    why: what went wrong somewhere, in a sentence
    see: where (optional)
    >>> upstream
    …
    <<< downstream
    …

The last line end of a half belongs to it. `\\r` at the end of a line stands for a carriage return,
a line `\\eof` for the end of the half without a line end.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Case:
    """One golden case."""

    name: str
    why: str
    given: bytes
    expected: bytes


def read_case(path: Path) -> Case:
    """One case file."""
    head, _, rest = path.read_text(encoding="utf-8").partition("\n>>> ")
    given, divider, expected = rest.partition("\n<<< ")
    assert divider, f"{path.name} has no second half"
    why = head.splitlines()[0].removeprefix("why: ")
    assert why, f"{path.name} does not say why"
    return Case(path.stem, why, _half(given + "\n"), _half(expected))


def read_cases(folder: Path) -> list[Case]:
    """All cases of a folder, by name."""
    return [read_case(path) for path in sorted(folder.glob("*.case"))]


def _half(text: str) -> bytes:
    _, _, body = text.partition("\n")
    body = body.replace("\\r\n", "\r\n")
    before, cut, _ = body.partition("\\eof\n")
    return (before.removesuffix("\n") if cut else body).encode()
