"""`env:NAME` and `file:PATH` references in, values that never print out.

A reference is followed when the value is needed, once per provider, and not while the file is
read: one missing provider key must not keep the whole gateway from starting. No message of this
module, and no text form of a `Secret`, ever holds the value.
"""

import re
from collections.abc import Mapping
from typing import NoReturn

SECRET_BYTES_MAX = 65_536
"""A secret's file is no longer than this; what is longer is the wrong file."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_REMEDY = (
    "secrets are given by reference: put the value in an environment variable and write "
    '"env:NAME", or in a file and write "file:PATH"'
)


class SecretProblem(Exception):
    """A secret that cannot be had. The text says which reference and what to do."""


class Secret:
    """A value that is only shown to those who ask for it with `reveal()`."""

    __slots__ = ("_value", "reference")

    def __init__(self, value: str, reference: str) -> None:
        self._value = value
        self.reference = reference

    def reveal(self) -> str:
        """The value itself; for the wire, never for a message."""
        return self._value

    def __repr__(self) -> str:
        return f"<secret {self.reference}>"

    def __str__(self) -> str:
        return repr(self)

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> NoReturn:
        # Copying to another process or to disk would write the value in plain.
        raise TypeError("a Secret is not pickled: resolve its reference where it is needed")


def is_reference(text: str) -> bool:
    """Does this text point at a secret, rightly or wrongly written?"""
    return text.startswith(("env:", "file:"))


def reference_fault(text: str) -> str | None:
    """What is wrong with a reference as written, or None. Does not look whether it leads
    anywhere, and does not repeat the text: it may be the secret itself."""
    kind, _, target = text.partition(":")
    if kind == "env" and not _NAME.fullmatch(target):
        return "`env:` is followed by the name of an environment variable: letters, digits and _"
    if kind == "file" and (not target or "\0" in target):
        return "`file:` is followed by a path"
    return None if is_reference(text) else _REMEDY


def resolve(reference: str, environ: Mapping[str, str], *, document: bool = False) -> Secret:
    """Follow a reference to its value. White space around the value is dropped: files end in a
    line break, and pasted keys in blanks. A `document` has lines and goes into no header."""
    fault = reference_fault(reference)
    if fault is not None:
        raise SecretProblem(fault)
    kind, _, target = reference.partition(":")
    value = (_variable(target, environ) if kind == "env" else _content(target)).strip()
    if not value:
        raise SecretProblem(f"{reference}: it is empty; put the secret there")
    if not document and _CONTROL.search(value):
        # It goes into a header, where a line break would begin another one.
        raise SecretProblem(f"{reference}: the value has line breaks or control characters in it")
    return Secret(value, reference)


def _variable(name: str, environ: Mapping[str, str]) -> str:
    if name not in environ:
        raise SecretProblem(
            f"env:{name}: the environment variable {name} is not set; "
            f"set it where the gateway is started"
        )
    return environ[name]


def _content(path: str) -> str:
    try:
        with open(path, "rb") as file:
            content = file.read(SECRET_BYTES_MAX + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SecretProblem(f"file:{path}: cannot be read ({reason})") from None
    if len(content) > SECRET_BYTES_MAX:
        raise SecretProblem(f"file:{path}: longer than {SECRET_BYTES_MAX} bytes; is it the file?")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        # `from None`: the decoder's own error carries the bytes it choked on.
        raise SecretProblem(f"file:{path}: it is not UTF-8 text") from None
