"""Invitations by mail, for whoever was invited and has not come yet."""

import logging
import os
from collections.abc import Sequence
from typing import Literal, Protocol

from proxy.domain.fault import Fault, Kind
from proxy.domain.letter import Letter, LetterKind
from proxy.domain.people import Actor, User
from proxy.notices.outbox import Post
from proxy.notices.wording import House, invitation

AGAIN_AFTER_MS = 60_000
"""Nobody's mailbox is filled by asking again and again."""
_LOG = logging.getLogger("proxy.notices")


class WrittenStore(Protocol):
    """Implemented by `storage/letters.py`."""

    async def last_written(self, user_id: str, kind: LetterKind, /) -> int | None:
        """When a user was last written to, Unix milliseconds."""


class Invitations:
    """Implements `admin.invitations.Mail`."""

    def __init__(self, store: WrittenStore, post: Post, house: House) -> None:
        self._store = store
        self._post = post
        self._house = house

    async def invite(
        self, users: Sequence[User], by: Actor
    ) -> Literal["queued", "no_room", "failed"]:
        """Write to all of them, and say what became of it."""
        try:
            taken = await self._post.post([self._letter(user, by) for user in users], by=by)
        except Fault as fault:
            # They are invited all the same, and can be written to later.
            _LOG.warning("invitations were not written: %s", fault.message)
            return "failed"
        return "queued" if taken else "no_room"

    async def invite_again(self, user: User, by: Actor) -> None:
        """Write to one once more. Raises Fault: RATE_LIMITED where they were written to just now,
        UNAVAILABLE where no more letters are taken."""
        last_ms = await self._store.last_written(user.id, "invitation")
        if last_ms is not None and by.at < last_ms + AGAIN_AFTER_MS:
            wait_s = (last_ms + AGAIN_AFTER_MS - by.at + 999) // 1000
            raise Fault(
                Kind.RATE_LIMITED,
                "user: They were written to less than a minute ago.",
                hint=f"Try again in {wait_s} seconds.",
                retry_after_s=wait_s,
            )
        if not await self._post.post([self._letter(user, by)], by=by):
            raise Fault(
                Kind.UNAVAILABLE,
                "Too many letters wait for the mail server; nothing was sent.",
                hint="Ask whoever runs the gateway to look at /readyz.",
                reason="mail_waits",
            )

    def _letter(self, user: User, by: Actor) -> Letter:
        inviter = by.name if "@" in by.name else ""
        words = invitation(user, inviter, self._house)
        return Letter(
            id=f"invitation.{user.id}.{os.urandom(6).hex()}",
            kind="invitation",
            tenant_id=user.tenant_id,
            user_id=user.id,
            recipient=user.email,
            subject=words.subject,
            body=words.body,
            created_at=by.at,
            reply_to=inviter,
        )
