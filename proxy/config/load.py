"""TOML and environment in, `Settings` out; or every problem at once, each with its line.

Relative paths in the settings (the SQLite file, the ledger's folder, `file:` secrets, `ca_file`)
are relative to the working directory of the process, not to the file. Secrets are not followed
here; see `secrets.py`.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from proxy.config.check import findings
from proxy.config.lines import Place, locate
from proxy.config.overrides import override
from proxy.config.settings import Settings

FILE_BYTES_MAX = 4_194_304
"""A configuration is no longer than this; what is longer is the wrong file."""

_POSITION = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_BARE = re.compile(r"[A-Za-z0-9_-]+")


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong: the line in the file (None: not in the file), the setting or the
    environment variable, and what to do."""

    line: int | None
    path: str
    message: str

    def __str__(self) -> str:
        place = f"line {self.line}: " if self.line is not None else ""
        return place + (f"{self.path}: {self.message}" if self.path else self.message)


class ConfigProblems(Exception):
    """A configuration that cannot be used, with everything that is wrong with it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        # What the environment set has no line and comes last.
        self.problems = sorted(problems, key=lambda problem: problem.line or 1 << 62)
        super().__init__("\n".join(map(str, self.problems)))


def load(path: Path, environ: Mapping[str, str]) -> Settings:
    """Read a configuration file, with the environment on top."""
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        remedy = f"there is no such file; `hatz-gateway init {path}` writes one to start from"
        raise ConfigProblems([Problem(None, str(path), remedy)]) from None
    except OSError as error:
        reason = f"cannot be read: {error.strerror or type(error).__name__}"
        raise ConfigProblems([Problem(None, str(path), reason)]) from None
    if len(content) > FILE_BYTES_MAX:
        reason = f"longer than {FILE_BYTES_MAX} bytes; is it the configuration?"
        raise ConfigProblems([Problem(None, str(path), reason)])
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        reason = "this is not UTF-8 text; save the file as UTF-8"
        raise ConfigProblems([Problem(line, "", reason)]) from None
    return parse(text, environ)


def parse(text: str, environ: Mapping[str, str]) -> Settings:
    """Read a configuration from its text, with the environment on top."""
    raw: dict[str, object]
    try:
        raw = tomllib.loads(text)
    except ValueError as error:  # TOMLDecodeError is one; Python's limit on digits another
        raise ConfigProblems([_syntax_problem(str(error), text)]) from None
    except RecursionError:
        raise ConfigProblems([Problem(None, "", "lists or tables are nested too deeply")]) from None
    variables, refused = override(raw, environ)
    lines = locate(text)
    problems = [Problem(None, variable, message) for variable, message in refused]
    for path, message in findings(raw):
        variable = variables.get(path[:2])
        if variable is not None:
            problems.append(Problem(None, variable, message))
        else:
            problems.append(Problem(lines.line_of(path), spelled(path), message))
    if problems:
        raise ConfigProblems(problems)
    return msgspec.convert(raw, Settings)


def spelled(path: Place) -> str:
    """A path as people write it: `models[0].rates.input`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if _BARE.fullmatch(part) else repr(part)
            text += f".{name}" if text else name
    return text


def _syntax_problem(message: str, text: str) -> Problem:
    position = _POSITION.search(message)
    if position is None:
        return Problem(None, "", "not TOML: a number has too many digits")
    line = int(position[1]) if position[1] else text.rstrip("\n").count("\n") + 1
    return Problem(line, "", f"not TOML: {message[: position.start()]}")
