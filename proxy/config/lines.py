"""Where in a TOML text each table, key and array element stands; tomllib does not say.

It finds places and reads no values, in a text that tomllib has already accepted. It must never
stand in the way of an error message: what it cannot follow, it leaves out, and `line_of` then
answers with the nearest place around it.
"""

import re
import tomllib
from bisect import bisect_right

Place = tuple[str | int, ...]
"""The way from the top of the file to a setting: keys, and indexes of list elements."""

_BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
# The longer quotes first. Up to five quotes may end a multi-line string: the last three close it.
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})'
    r"|'''.*?'''(?:'{0,2})"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
# Numbers, words and dates; a date may hold a blank before its time of day.
_SCALAR = re.compile(r"[^,\]}#\n]+")


class _Lost(Exception):
    """The text is not what this reader takes for TOML."""


class Lines:
    """Places of a text: asked by path, answered in lines counted from 1."""

    def __init__(self, places: dict[Place, int]) -> None:
        self.places = places

    def line_of(self, path: Place) -> int:
        """The line of a path or, where it is not in the text, of the nearest thing around it."""
        for length in range(len(path), 0, -1):
            line = self.places.get(path[:length])
            if line is not None:
                return line
        return 1


def locate(text: str) -> Lines:
    """Find all places of a TOML text."""
    reader = _Reader(text.replace("\r\n", "\n"))
    try:
        reader.document()
    except (_Lost, RecursionError):
        pass  # a message without its exact line is better than no message
    return Lines(reader.places)


class _Reader:
    """Walks over the text once; `at` is how far it came."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.places: dict[Place, int] = {}
        self._tables_seen: dict[Place, int] = {}  # arrays of tables: how many elements so far
        self._line_ends = [match.start() for match in re.finditer("\n", text)]

    def document(self) -> None:
        table: Place = ()
        while True:
            self._skip(_BLANK)
            if self.at == len(self.text):
                return
            start = self.at
            if self._accept("[["):
                table = self._element(self._key(), start)
                self._expect("]]")
            elif self._accept("["):
                table = self._resolve(self._key())
                self._note_all(table, start)
                self.places[table] = self._line(start)  # its own header, not its first child's
                self._expect("]")
            else:
                self._pair(table)

    def _pair(self, table: Place) -> None:
        start = self.at
        path = table + self._key()
        self._note_all(path, start)
        self._expect("=")
        self._skip(_BLANK)
        self._value(path)

    def _value(self, path: Place) -> None:
        if self._accept("["):
            self._array(path)
        elif self._accept("{"):
            self._inline_table(path)
        elif self.text[self.at : self.at + 1] in ('"', "'"):
            self._take(_STRING)
        else:
            self._take(_SCALAR)

    def _array(self, path: Place) -> None:
        index = 0
        while not self._closes("]"):
            self.places[(*path, index)] = self._line(self.at)
            self._value((*path, index))
            index += 1
            self._skip(_BLANK)
            self._accept(",")

    def _inline_table(self, path: Place) -> None:
        while not self._closes("}"):
            self._pair(path)
            self._skip(_BLANK)
            self._accept(",")

    def _closes(self, bracket: str) -> bool:
        self._skip(_BLANK)
        return self._accept(bracket)

    def _key(self) -> tuple[str, ...]:
        parts: list[str] = []
        while True:
            self._skip(_BLANK)
            if self.text[self.at : self.at + 1] in ('"', "'"):
                parts.append(_unquoted(self._take(_STRING)))
            else:
                parts.append(self._take(_BARE))
            self._skip(_BLANK)
            if not self._accept("."):
                return tuple(parts)

    def _resolve(self, key: tuple[str, ...]) -> Place:
        """The path a table header means: below an array of tables it means its last element."""
        path: Place = ()
        for part in key:
            path = (*path, part)
            if path in self._tables_seen:
                path = (*path, self._tables_seen[path] - 1)
        return path

    def _element(self, key: tuple[str, ...], start: int) -> Place:
        array = (*self._resolve(key[:-1]), key[-1])
        count = self._tables_seen.get(array, 0)
        self._tables_seen[array] = count + 1
        self._note_all((*array, count), start)
        return (*array, count)

    def _note_all(self, path: Place, start: int) -> None:
        """Note a path and the tables it brings into being (`a.b.c = 1` makes `a` and `a.b`)."""
        line = self._line(start)
        for length in range(1, len(path) + 1):
            self.places.setdefault(path[:length], line)

    def _line(self, at: int) -> int:
        return bisect_right(self._line_ends, at - 1) + 1

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self.text, self.at)
        if match is not None:
            self.at = match.end()

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        if match is None:
            raise _Lost
        self.at = match.end()
        return match.group()

    def _accept(self, mark: str) -> bool:
        if not self.text.startswith(mark, self.at):
            return False
        self.at += len(mark)
        return True

    def _expect(self, mark: str) -> None:
        self._skip(_BLANK)
        if not self._accept(mark):
            raise _Lost


def _unquoted(raw: str) -> str:
    try:
        return str(tomllib.loads(f"key = {raw}")["key"])
    except tomllib.TOMLDecodeError:
        raise _Lost from None
