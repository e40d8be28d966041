"""How somebody who is invited comes in: what their letter says of it.

A link by which a password is chosen is made when the letter goes out, and not when it is written:
letters lie in storage, and nothing that opens an account does.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final

from msgspec.structs import replace

from proxy.domain.letter import Letter
from proxy.notices.wording import LINK_MARK

MADE_MAX: Final = 200
"""Links of letters that may be tried again."""
_CHOOSE: Final = "/choose-password"

MakeLink = Callable[[str, int], Awaitable[tuple[str, int]]]
"""A secret for a user, made now, and until when it is good; in Unix milliseconds."""


class WaysIn:
    """One per process. `link` is where links lead, without a path."""

    def __init__(self, make: MakeLink, link: str, wall_ms: Callable[[], int]) -> None:
        self._make = make
        self._link = link
        self._wall_ms = wall_ms
        self._made: OrderedDict[str, tuple[str, int]] = OrderedDict()

    async def finished(self, letter: Letter) -> Letter:
        """The letter as it goes out: the same link at every try. Raises Fault."""
        if LINK_MARK not in letter.body:
            return letter
        made = self._made.get(letter.id)
        if made is None:
            made = await self._make(letter.user_id, self._wall_ms())
            self._made[letter.id] = made
            if len(self._made) > MADE_MAX:
                self._made.popitem(last=False)
        secret, expires_at = made
        until = datetime.fromtimestamp(expires_at / 1000, UTC)
        # Behind the #: a browser sends it to nobody, and no log holds it.
        text = f"{self._link}{_CHOOSE}#{secret}\n\n(good once, until {until:%Y-%m-%d %H:%M} UTC)"
        return replace(letter, body=letter.body.replace(LINK_MARK, text, 1))
