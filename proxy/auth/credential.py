"""From header values to presented keys (client-contract.md 2, domain.md 3.1).

Owns which headers may carry a key and in which order they count. Refuses to know whether a key is
real: that is the gate's. Pure, on the hot path, and never raises: whatever cannot be a key is
simply not one, and the gate says so.

Both headers may come together, because machines carry leftover vendor keys and Claude Code's
`apiKeyHelper` fills both. The Bearer value goes first: it is the one a user sets for a gateway.
"""

from typing import Final

from proxy.domain.headers import Headers

AUTHORIZATION: Final = "Authorization"
X_API_KEY: Final = "X-Api-Key"
BOTH: Final = "Authorization and X-Api-Key"


class Presented:
    """The keys of one request, in the order they count, never empty strings, at most two.

    `headers_read` names the headers they came from, for the text of a refusal. Where there are no
    keys it names the header that held something else (Basic, or Bearer where it is not taken), or
    is empty when none was sent.
    """

    __slots__ = ("bearer_allowed", "digests", "headers_read", "keys")

    def __init__(
        self, keys: tuple[bytes, ...], headers_read: str, bearer_allowed: bool = True
    ) -> None:
        self.keys = keys
        self.headers_read = headers_read
        self.bearer_allowed = bearer_allowed
        self.digests: tuple[bytes, ...] = ()
        """The gate's note: what the keys are known by. Clients repeat their keys request by
        request."""

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Presented)
            and self.keys == other.keys
            and self.headers_read == other.headers_read
            and self.bearer_allowed == other.bearer_allowed
        )

    def __repr__(self) -> str:
        # A presented key must not reach a log or a traceback, so it is not shown at all.
        return f"Presented({len(self.keys)} keys, headers_read={self.headers_read!r})"


def presented_by(headers: Headers) -> Presented:
    """What the headers of a lane request present, read once for all requests with the same head."""
    if headers.presented is None:
        headers.presented = read(headers.get(b"authorization"), headers.get(b"x-api-key"))
    presented: Presented = headers.presented
    return presented


def read(
    authorization: bytes | None, x_api_key: bytes | None, *, bearer_allowed: bool = True
) -> Presented:
    """What the two raw header values present. Spaces around a key and the case of the word
    `Bearer` do not matter; an empty header counts as absent."""
    header_key = x_api_key.strip() if x_api_key else b""
    if authorization:
        words = authorization.split(None, 1)
        if bearer_allowed and len(words) == 2 and words[0].lower() == b"bearer":
            bearer = words[1].rstrip()
            if not header_key:
                return Presented((bearer,), AUTHORIZATION)
            if header_key == bearer:
                return Presented((bearer,), BOTH)
            return Presented((bearer, header_key), BOTH)
        if words and not header_key:
            return Presented((), AUTHORIZATION, bearer_allowed)
    if header_key:
        return Presented((header_key,), X_API_KEY, bearer_allowed)
    return Presented((), "", bearer_allowed)
