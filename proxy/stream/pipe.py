"""What a streamed reply runs through, whatever the wire.

A pipe is fed the provider's bytes as they come, cut anywhere, and gives what may go on to the
client: whole events of Anthropic's stream, ending in `message_stop` or in one `event: error`.
"""

from collections.abc import Callable
from enum import Enum
from typing import Final

from proxy.domain.fault import Fault
from proxy.domain.tally import Tally
from proxy.domain.usage import Usage


class At(Enum):
    """Where the stream stands."""

    BEGIN = "begin"
    """Nothing but pings and comments so far."""
    OPEN = "open"
    """`message_start` went by."""
    WHOLE = "whole"
    """`message_stop` went by; nothing may follow."""
    FAILED = "failed"
    """An error ended it after `message_start`; nothing may follow."""
    REFUSED = "refused"
    """An error came instead of a message; nothing may follow."""


# Plain names: found through its class, a member costs ten times as much (75 ns on 3.11).
BEGIN: Final = At.BEGIN
OPEN: Final = At.OPEN
WHOLE: Final = At.WHOLE
FAILED: Final = At.FAILED
REFUSED: Final = At.REFUSED


class Pipe:
    """One streamed reply. After an end (WHOLE, FAILED, REFUSED) `feed` gives nothing more.

    A base, not a protocol: what is asked for with every read is then found without its name. Not of
    `abc` either: mypyc knows no such classes with slots.
    """

    __slots__ = ("at", "fault", "stop_reason", "tally", "usage")

    def __init__(self) -> None:
        self.at: At = BEGIN
        self.usage = Usage()
        """Grows while bytes pass."""
        self.stop_reason = ""
        self.fault: Fault | None = None
        """Why it FAILED or was REFUSED."""
        self.tally = Tally()
        """What went by unread: counted by whoever forwards frames past the pipe, see
        `passes_frames`, or by `rewriter`."""

    @property
    def usage_estimated(self) -> bool:
        """Is `usage` ours, in part or whole, because the provider reported none?"""
        raise NotImplementedError

    @property
    def held_bytes(self) -> int:
        """Bytes kept back: of an event that is not whole, of calls that wait for their turn."""
        raise NotImplementedError

    @property
    def passes_frames(self) -> bool:
        """May whole plain events go by without being fed?"""
        return False

    @property
    def rewriter(self) -> Callable[[bytes], bytes | None] | None:
        """The short way of `feed`, if there is one: given the next bytes, all that may go on for
        them and never an end; or None, and then nothing has happened and they are to be fed."""
        return None

    @property
    def is_binary(self) -> bool:
        """May the provider's events end in any byte, and not only in a blank line?"""
        return False

    @property
    def said_all(self) -> bool:
        """Has the model finished, so that only its usage or the stream's own end may follow? Then
        silence is waited for a few seconds only, and `finish` ends the message well."""
        return False

    @property
    def cut_short(self) -> bool:
        """Did we end the message while the model still talks? Then its work is to be cancelled."""
        return False

    def feed(self, chunk: bytes) -> bytes:
        """What may go on, given the next bytes of the provider."""
        raise NotImplementedError

    def open(self) -> bytes:
        """The client is to see a beginning now although the provider has said nothing yet: the
        `message_start` if the pipe makes it itself (it is OPEN then), else nothing."""
        raise NotImplementedError

    def finish(self) -> bytes:
        """The provider's bytes are over: closing events, or an error event when they were cut."""
        raise NotImplementedError

    def fail(self, fault: Fault) -> bytes:
        """End the stream with `fault`; the open block is not closed (client-contract.md 8.3)."""
        raise NotImplementedError

    def estimate_usage(self) -> None:
        """The stream was left early: let the output count at least for what went by."""
        raise NotImplementedError
