"""Credentials that expire: what a provider needs at hand before it can be asked.

The holder (`upstream/fresh_credential.py` and its neighbours) fetches one off the hot path and
ahead of its end; whoever asks reads the current one without waiting. Only the first request of a
process, or one after an outage of the issuer, waits.
"""

from collections.abc import Mapping
from typing import Protocol

from proxy.domain.fault import Fault
from proxy.wire.http import Piece


class Waiter(Protocol):
    """Who waits for a credential. Told once, either way; never from within `ready`."""

    def credential_ready(self) -> None:
        """It is at hand now."""
        ...

    def lease_failed(self, fault: Fault) -> None:
        """None can be had."""
        ...


class Credential(Protocol):
    """One credential, as a request needs it."""

    def ready(self, waiter: Waiter) -> bool:
        """Is it at hand? If not, it is fetched and `waiter` told. Raises Fault 502 where it could
        not be had a moment ago."""
        ...

    def forget(self, waiter: Waiter) -> None:
        """The waiter left; nothing happens when it was not waiting."""
        ...

    def signed(self, request: list[Piece]) -> list[Piece]:
        """`request` with the header lines that prove who asks. Its first piece is its whole head,
        blank line and all; the rest is its body. Only after `ready`, and last: nothing of it may
        change afterwards."""
        ...

    def renew(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> bool:
        """The provider refused with `status`. Was that about this credential, and may it be
        better the next time? Then ask once more, after `ready`. Header names are lower-case."""
        ...
