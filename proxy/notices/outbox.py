"""Letters on their way: kept in storage, taken by one worker at a time, tried until the mail server
takes them or it is too late.

A letter goes out once: who takes it has it alone for a while. Only a process that dies between the
server's yes and the note of it lets another send it a second time, under the same Message-ID. While
the server is away all letters wait together; one that the server puts off waits for itself.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Protocol

import msgspec

from proxy.domain.fault import Fault
from proxy.domain.letter import Away, Fate, Letter, Notice, PutOff, Refused, Sent
from proxy.domain.people import Actor

LETTERS_PER_ROUND = 8
LEASE_MS = 600_000
"""How long a worker has what it took; longer than a round can take."""
ROUND_S = 300.0
CLOSE_S = 5.0
_LOG = logging.getLogger("proxy.notices")


class Carrier(Protocol):
    """Implemented by `upstream/mail_server.py`."""

    def carry(self, letters: Sequence[Letter], /) -> AsyncGenerator[Fate, None]:
        """What became of each, in order; ends with the first Away. Raises nothing."""


class Post(Protocol):
    """Where letters are handed in. The outbox."""

    async def post(
        self,
        letters: Sequence[Letter],
        *,
        notice: Notice | None = None,
        by: Actor | None = None,
    ) -> bool:
        """False: not taken. Raises Fault."""


class LetterStore(Protocol):
    """Implemented by `storage/letters.py`."""

    async def waiting(self) -> int:
        """How many letters are not over."""

    async def post(
        self, letters: Sequence[Letter], now_ms: int, *, notice: Notice | None, by: Actor | None
    ) -> bool:
        """False: the notice was given before."""

    async def take(self, now_ms: int, until_ms: int, letters_max: int, /) -> list[Letter]:
        """Letters that are due, for the caller alone until then."""

    async def put_back(self, letter_id: str, due_ms: int, /) -> None:
        """It is tried again from then on."""

    async def end(self, letter_id: str, outcome: str, now_ms: int, /) -> None:
        """It is over."""


class Patience(msgspec.Struct, frozen=True):
    """`look_s`: how often it is looked for letters of others. A letter that is put off waits
    `first_s`, then twice as long each time, at most `most_s`; while the server is away all of them
    wait likewise, from `away_first_s` to `away_most_s`. After `give_up_after_s` it is too late."""

    look_s: float = 5.0
    first_s: float = 30.0
    most_s: float = 3_600.0
    away_first_s: float = 5.0
    away_most_s: float = 300.0
    give_up_after_s: float = 86_400.0


Finish = Callable[[Letter], Awaitable[Letter]]
"""What a letter says that must not lie in storage. Raises Fault."""


async def as_it_is(letter: Letter) -> Letter:
    """A letter with nothing to add."""
    return letter


class Outbox:
    """One per process. `trouble` is what keeps letters from going out, empty: nothing; `outcomes`
    are counts."""

    def __init__(
        self,
        store: LetterStore,
        carrier: Carrier,
        *,
        wall_ms: Callable[[], int],
        waiting_max: int,
        patience: Patience,
        finish: Finish = as_it_is,
    ) -> None:
        self.trouble = ""
        self.outcomes: dict[str, int] = {}
        self._store = store
        self._carrier = carrier
        self._wall_ms = wall_ms
        self._waiting_max = waiting_max
        self._patience = patience
        self._finish = finish
        self._handed_in = asyncio.Event()
        self._closing = False
        self._closed = asyncio.Event()
        self._at_rest = asyncio.Event()
        self._at_rest.set()
        self._away_rounds = 0
        self._not_noted: list[str] = []

    async def post(
        self,
        letters: Sequence[Letter],
        *,
        notice: Notice | None = None,
        by: Actor | None = None,
    ) -> bool:
        """Have letters sent. False: the notice was given before, or so many wait that no more are
        taken. Raises Fault."""
        if await self._store.waiting() + len(letters) > self._waiting_max:
            self._count("no_room", len(letters))
            _LOG.warning("mail: %d letters wait already, no more are taken", self._waiting_max)
            return False
        if not await self._store.post(letters, self._wall_ms(), notice=notice, by=by):
            return False
        self._handed_in.set()
        return True

    async def run(self) -> None:
        """Send, until closed."""
        self._at_rest.clear()
        try:
            while not self._closing:
                self._handed_in.clear()
                try:
                    while await self.round():
                        pass
                except Fault as fault:
                    _LOG.warning("mail waits for storage: %s", fault.message)
                await self._pause()
        finally:
            self._at_rest.set()

    async def _pause(self) -> None:
        if self._closing:
            return
        if self.trouble:
            # Whoever hands in more does not bring the server back.
            await self._sleep(self._closed, self._away_s)
        else:
            # After a while: to look for what others left.
            await self._sleep(self._handed_in, self._patience.look_s)

    async def close(self) -> None:
        """Hand over the letter in hand, if the server is quick; the others wait in storage."""
        self._closing = True
        self._closed.set()
        self._handed_in.set()
        await self._sleep(self._at_rest, CLOSE_S)

    async def round(self) -> bool:
        """Try some of what is due. True: there may be more that can go at once. Raises Fault."""
        await self._note_sent()
        now_ms = self._wall_ms()
        letters = await self._store.take(now_ms, now_ms + LEASE_MS, LETTERS_PER_ROUND)
        if not letters:
            return False
        done = 0
        finished = [await self._finish(letter) for letter in letters]
        try:
            async with asyncio.timeout(ROUND_S), aclosing(self._carrier.carry(finished)) as fates:
                async for fate in fates:
                    if isinstance(fate, Away):
                        self._went_away(fate.why)
                        break
                    await self._settle(letters[done], fate)
                    done += 1
                    if self._closing:
                        break
        except TimeoutError:
            self._went_away("it takes too long")
        wait_s = self._away_s if self.trouble else 0.0
        for letter in letters[done:]:
            await self._back(letter, wait_s, self.trouble)
        return len(letters) == LETTERS_PER_ROUND and not self.trouble and not self._closing

    async def _settle(self, letter: Letter, fate: Sent | Refused | PutOff) -> None:
        self._came_back()
        match fate:
            case Sent():
                self._count("sent")
                self._not_noted.append(letter.id)
                await self._note_sent()
            case Refused(why):
                await self._give_up(letter, why)
            case PutOff(why):
                wait_s = self._patience.first_s * 2.0 ** min(letter.attempts - 1, 16)
                await self._back(letter, min(wait_s, self._patience.most_s), why)

    async def _back(self, letter: Letter, wait_s: float, why: str) -> None:
        now_ms = self._wall_ms()
        give_up_at = letter.created_at + round(self._patience.give_up_after_s * 1000)
        if why and now_ms >= give_up_at:
            await self._give_up(letter, why)
            return
        self._count("put_back")
        # When its time ends it is tried once more, not given up unheard.
        due_ms = min(now_ms + round(wait_s * 1000), max(give_up_at, now_ms))
        await self._store.put_back(letter.id, due_ms)

    async def _give_up(self, letter: Letter, why: str) -> None:
        self._count("given_up")
        # No address: logs are read by many.
        _LOG.error(
            "mail: the letter %s to user %s of tenant %s is given up after %d tries: %s",
            letter.kind,
            letter.user_id,
            letter.tenant_id,
            letter.attempts,
            why,
        )
        await self._store.end(letter.id, "given_up", self._wall_ms())

    @property
    def _away_s(self) -> float:
        """How long the server is let alone."""
        wait_s = self._patience.away_first_s * 2.0 ** min(max(self._away_rounds, 1) - 1, 16)
        return min(wait_s, self._patience.away_most_s)

    async def _note_sent(self) -> None:
        """What was sent must not be sent again because storage was away for a moment."""
        while self._not_noted:
            await self._store.end(self._not_noted[0], "sent", self._wall_ms())
            del self._not_noted[0]

    def _went_away(self, why: str) -> None:
        self._away_rounds += 1
        if not self.trouble:
            _LOG.warning("mail: the server takes no letters, they wait: %s", why)
        self.trouble = f"mail: the server takes no letters: {why}"

    def _came_back(self) -> None:
        self._away_rounds = 0
        if self.trouble:
            _LOG.info("mail: the server takes letters again")
        self.trouble = ""

    async def _sleep(self, until: asyncio.Event, most_s: float) -> None:
        try:
            async with asyncio.timeout(most_s):
                await until.wait()
        except TimeoutError:
            return

    def _count(self, outcome: str, number: int = 1) -> None:
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + number
