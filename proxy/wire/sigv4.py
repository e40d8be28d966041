"""AWS Signature Version 4 as a pure function of request, keys and time.

The derived key holds for a day, a region and a service, so it is kept by the signer of these. The
path is encoded once more before it is signed: `%3A` on the wire is `%253A` in what is hashed
(translation.md 5.6, trap 41).
"""

import datetime as dt
import hashlib
import hmac
from collections.abc import Iterable, Sequence
from urllib.parse import quote

import msgspec

from proxy.wire.http import Piece

_ALGORITHM = "AWS4-HMAC-SHA256"
_UNSIGNED_SAFE = "/-_.~"


class AwsKeys(msgspec.Struct, frozen=True):
    """One set of AWS credentials. Never prints its secrets."""

    access_key: str
    secret_key: str
    token: str = ""
    """Of a session; empty for the keys of a user."""

    def __repr__(self) -> str:
        return f"AwsKeys({self.access_key[:4]}…)"


class Signer:
    """Signs requests to one service in one region with one set of keys."""

    __slots__ = ("_day", "_day_key", "_keys", "_region", "_service")

    def __init__(self, keys: AwsKeys, region: str, service: str) -> None:
        self._keys = keys
        self._region = region
        self._service = service
        self._day = ""
        self._day_key = b""

    def lines(
        self,
        method: str,
        target: str,
        headers: Iterable[tuple[str, str]],
        body: Sequence[Piece],
        now_s: float,
    ) -> list[tuple[str, str]]:
        """The headers that make the request authentic, to be sent beside `headers`, all of which
        are signed: names lower-case, each once. `target` is path and query as they are sent,
        without dot segments; `now_s` Unix seconds."""
        stamp = dt.datetime.fromtimestamp(int(now_s), dt.UTC).strftime("%Y%m%dT%H%M%SZ")
        made = [("x-amz-date", stamp)]
        if self._keys.token:
            made.append(("x-amz-security-token", self._keys.token))
        signed = sorted((name, " ".join(value.split())) for name, value in (*headers, *made))
        names = ";".join([name for name, _ in signed])
        path, _, query = target.partition("?")
        digest = hashlib.sha256()
        for piece in body:
            digest.update(piece)
        canonical = "\n".join(
            (
                method,
                quote(path, safe=_UNSIGNED_SAFE),
                _canonical_query(query),
                *[f"{name}:{value}" for name, value in signed],
                "",
                names,
                digest.hexdigest(),
            )
        )
        day = stamp[:8]
        scope = f"{day}/{self._region}/{self._service}/aws4_request"
        hashed = hashlib.sha256(canonical.encode()).hexdigest()
        text = f"{_ALGORITHM}\n{stamp}\n{scope}\n{hashed}"
        signature = _hmac(self._key_of(day), text).hex()
        made.append(
            (
                "authorization",
                f"{_ALGORITHM} Credential={self._keys.access_key}/{scope}, "
                f"SignedHeaders={names}, Signature={signature}",
            )
        )
        return made

    def _key_of(self, day: str) -> bytes:
        if day != self._day:
            key = _hmac(f"AWS4{self._keys.secret_key}".encode(), day)
            for part in (self._region, self._service, "aws4_request"):
                key = _hmac(key, part)
            self._day, self._day_key = day, key
        return self._day_key


def path_label(text: str) -> str:
    """A model id or ARN as one segment of a path, encoded as botocore does: all but unreserved
    characters, so `:` is `%3A` and the `/` of an ARN `%2F`."""
    return quote(text, safe="-._~")


def _canonical_query(query: str) -> str:
    pairs = sorted([part.partition("=")[::2] for part in query.split("&")]) if query else []
    return "&".join([f"{name}={value}" for name, value in pairs])


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
