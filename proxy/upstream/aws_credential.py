"""AWS keys that expire, and the signatures made with them.

Owns: when keys are fetched anew, by how much our clock is wrong, which headers are signed. Where
keys come from is `aws_login.py`'s; how a signature is made, `wire/sigv4.py`'s.
"""

import email.utils
from collections.abc import Awaitable, Callable, Mapping

from proxy.upstream.fresh_credential import Fetched, FreshCredential
from proxy.upstream.pool import StartTask
from proxy.wire.aws_fault import exception_name
from proxy.wire.chat_error import read_said
from proxy.wire.http import Piece
from proxy.wire.sigv4 import AwsKeys, Signer

SKEW_S_MIN = 30.0
"""A clock that is wrong by less is not why a signature is refused; AWS allows five minutes."""
_EXPIRED = frozenset(("expiredtokenexception", "expiredtoken", "unrecognizedclientexception"))
_MISSIGNED = frozenset(
    ("invalidsignatureexception", "signaturedoesnotmatch", "requesttimetooskewed")
)
_END = b"\r\n\r\n"


class AwsCredential(FreshCredential[AwsKeys]):
    """Signs requests of one account for one service in one region."""

    def __init__(
        self,
        provider: str,
        fetch: Callable[[], Awaitable[Fetched[AwsKeys]]],
        *,
        region: str,
        service: str,
        start_task: StartTask,
        wall: Callable[[], float],
    ) -> None:
        """As for `FreshCredential`."""
        super().__init__(provider, fetch, start_task=start_task, wall=wall)
        self._region = region
        self._service = service
        self._signer: Signer | None = None
        self._signers_keys: AwsKeys | None = None
        self._ahead_s = 0.0
        """Their clock less ours, where ours is wrong."""

    def signed(self, request: list[Piece]) -> list[Piece]:
        """See `providers/credential.py`."""
        keys = self.value
        if self._signer is None or keys is not self._signers_keys:
            self._signer = Signer(keys, self._region, self._service)
            self._signers_keys = keys
        head = bytes(request[0])
        opening, *lines = head.removesuffix(_END).decode("latin-1").split("\r\n")
        method, target, _ = opening.split(" ", 2)
        made = self._signer.lines(
            method, target, _signable(lines), request[1:], self._wall() + self._ahead_s
        )
        written = "".join([f"{name}: {value}\r\n" for name, value in made]).encode("latin-1")
        return [b"%b\r\n%b\r\n" % (head.removesuffix(_END), written), *request[1:]]

    def renew(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> bool:
        """See `providers/credential.py`: keys that ran out are fetched anew, a wrong clock is made
        up for."""
        if status not in (400, 401, 403):
            return False
        name = exception_name(headers.get(b"x-amzn-errortype", b"")).lower()
        said = read_said(body)
        names = {name, *said.names}
        if not _EXPIRED.isdisjoint(names) or "security token" in said.message.lower():
            self.refused()
            return True
        if not _MISSIGNED.isdisjoint(names) or "signature expired" in said.message.lower():
            return self._learn_time(headers.get(b"date", b""))
        return False

    def _learn_time(self, date: bytes) -> bool:
        """Is our clock wrong, going by theirs?"""
        try:
            theirs_s = email.utils.parsedate_to_datetime(date.decode("latin-1")).timestamp()
        except ValueError:
            return False
        ahead_s = theirs_s - self._wall()
        if abs(ahead_s - self._ahead_s) < SKEW_S_MIN:
            return False
        self._ahead_s = ahead_s if abs(ahead_s) >= SKEW_S_MIN else 0.0
        return True


def _signable(lines: list[str]) -> list[tuple[str, str]]:
    """What a proxy on the way has no business with (translation.md 5.6)."""
    parted = [line.partition(": ")[::2] for line in lines]
    return [
        (name, value)
        for name, value in parted
        if name in ("host", "content-type") or name.startswith("x-amz")
    ]
