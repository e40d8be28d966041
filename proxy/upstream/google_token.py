"""The credential of Google Cloud: an access token in the head of each request.

Tokens are fetched in a thread, ahead of their end (`fresh_credential.py`); a request reads the one
at hand. Refuses to know: where tokens come from (`google_login.py`).
"""

import asyncio
import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from proxy.providers.credential import Waiter
from proxy.upstream.fresh_credential import Fetched, FreshCredential
from proxy.upstream.pool import StartTask
from proxy.wire.http import Piece

if TYPE_CHECKING:
    from proxy.upstream.google_login import GoogleLogin

_END = b"\r\n\r\n"

OpenLogin = Callable[[], "GoogleLogin"]
"""Blocks. Raises CredentialTrouble."""


class GoogleCredential:
    """One account. See `providers/credential.py`."""

    def __init__(
        self,
        provider: str,
        open_login: OpenLogin,
        *,
        start_task: StartTask,
        wall: Callable[[], float],
    ) -> None:
        self._open_login = open_login
        self._login: GoogleLogin | None = None
        self._lines: FreshCredential[bytes] = FreshCredential(
            provider, self._fetch, start_task=start_task, wall=wall
        )

    def __repr__(self) -> str:
        return f"GoogleCredential({self._lines!r})"

    def ready(self, waiter: Waiter) -> bool:
        """Is a token at hand?"""
        return self._lines.ready(waiter)

    def forget(self, waiter: Waiter) -> None:
        """The waiter left."""
        self._lines.forget(waiter)

    def signed(self, request: list[Piece]) -> list[Piece]:
        """The request with the token in its head."""
        head = bytes(request[0])
        return [head.removesuffix(_END) + self._lines.value, *request[1:]]

    def renew(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> bool:
        """A token may end before its time: when it is revoked, or a clock is wrong."""
        if status != 401:
            return False
        self._lines.refused()
        return True

    def tick(self, now_s: float) -> None:
        """See `Watched`: fetches in time."""
        self._lines.tick(now_s)

    async def _fetch(self) -> Fetched[bytes]:
        return await asyncio.to_thread(self._fetched)

    def _fetched(self) -> Fetched[bytes]:
        login = self._login
        if login is None:
            login = self._login = self._open_login()
        token, quota_project, expires_s = login.fetch()
        lines = f"\r\nauthorization: Bearer {token}"
        if quota_project:
            lines += f"\r\nx-goog-user-project: {quota_project}"
        return Fetched(lines.encode("ascii") + _END, expires_s)


def open_google_login(document: str, *, ca_file: str, trust_env_proxies: bool) -> "GoogleLogin":
    """The account of `document`, or of the environment. Blocks: the first time its libraries are
    loaded. Raises CredentialTrouble."""
    login: type[GoogleLogin] = importlib.import_module("proxy.upstream.google_login").GoogleLogin
    return login(document, ca_file=ca_file, trust_env_proxies=trust_env_proxies)
