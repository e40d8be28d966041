"""Passwords: what one must be like, and hashes that are slow to guess.

argon2id by argon2-cffi with the least that OWASP's cheat sheet asks for (19 MiB, two passes, one
lane): 30 ms of one core for a sign-in, and as much for every guess. A hash says by which parameters
it was made, so they may grow. The work is done on a thread, one at a time: who signs in waits for a
moment, messages do not.
"""

import asyncio
import base64
import unicodedata
from collections.abc import Callable
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

PASSWORD_CHARACTERS_MIN = 12
PASSWORD_CHARACTERS_MAX = 200
WAITING_MAX = 64
NOISE_BYTES = 15

_DECOY = (
    "$argon2id$v=19$m=19456,t=2,p=1$Z2F0ZXdheS1kZWNveS1zYWx0$"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)
_T = TypeVar("_T")


class Busy(Exception):
    """So many are signing in that one more would only wait."""


class Passwords:
    """One per process."""

    def __init__(self) -> None:
        self._argon = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def hashed(self, password: str) -> str:
        """What is stored of a password. Raises Busy."""
        return await self._in_turn(lambda: self._argon.hash(_plain(password)))

    async def matches(self, password: str, password_hash: str | None) -> bool:
        """Is it this one? Without a hash the answer is no, after the same time. Raises Busy."""

        def compared() -> bool:
            try:
                return self._argon.verify(password_hash or _DECOY, _plain(password))
            except (Argon2Error, InvalidHashError):
                return False

        return await self._in_turn(compared) and password_hash is not None

    async def _in_turn(self, work: Callable[[], _T]) -> _T:
        if self._waiting >= WAITING_MAX:
            raise Busy
        self._waiting += 1
        try:
            async with self._turn:
                return await asyncio.get_running_loop().run_in_executor(None, work)
        finally:
            self._waiting -= 1


def fault_of_chosen(password: str, email: str) -> str:
    """Why this cannot be somebody's password ("" if it can). Length is all that is asked for, as
    NIST SP 800-63B recommends. Never quotes it."""
    length = len(_plain(password))
    if length < PASSWORD_CHARACTERS_MIN:
        return f"It must have at least {PASSWORD_CHARACTERS_MIN} characters."
    if length > PASSWORD_CHARACTERS_MAX:
        return f"It must have at most {PASSWORD_CHARACTERS_MAX} characters."
    if len(set(password)) < 5:
        return "It repeats too few characters."
    if password.casefold().strip() in (email.casefold(), email.partition("@")[0].casefold()):
        return "It must not be your email address."
    return ""


def suggested(noise: bytes) -> str:
    """A password out of at least 15 random bytes: 120 bits, in groups that can be read aloud."""
    if len(noise) < NOISE_BYTES:
        raise ValueError(f"a password needs at least {NOISE_BYTES} random bytes")
    letters = base64.b32encode(noise[:NOISE_BYTES]).decode("ascii").lower()
    return "-".join([letters[start : start + 6] for start in range(0, len(letters), 6)])


def _plain(password: str) -> str:
    # The same password may be typed in several ways of putting characters together.
    return unicodedata.normalize("NFKC", password)
