"""Requests on Anthropic's wire: the client's bytes with the model exchanged, under a head of ours.

Rules of translation.md 4.1 and client-contract.md 15: `anthropic-*` headers go on unchanged, the
client's credential never does, exactly one of our own is sent.
"""

from typing import Final

import msgspec

from proxy.domain.call import MESSAGE, Call
from proxy.domain.headers import Headers
from proxy.wire.body import Body
from proxy.wire.http import Origin, Piece

_FORWARDED: Final = frozenset(
    (
        b"user-agent",
        b"x-app",
        b"x-claude-code-session-id",
        b"x-claude-code-agent-id",
        b"x-claude-code-parent-agent-id",
    )
)
# These name a workspace and a user of the client's own account, which our credential is not.
_NOT_FORWARDED: Final = frozenset((b"anthropic-workspace-id", b"anthropic-user-profile-id"))
_DEFAULT_VERSION: Final = b"anthropic-version: 2023-06-01\r\n"


class RequestWriter:
    """Writes requests for one endpoint. `credential` is a header, name and value."""

    __slots__ = ("_count_target", "_fixed", "_forwards_query", "_message_target")

    def __init__(
        self,
        origin: Origin,
        prefix: str,
        credential: tuple[str, str] | None,
        *,
        forwards_query: bool = True,
    ) -> None:
        path = prefix.removesuffix("/v1") + "/v1/messages"
        self._message_target = f"POST {path}".encode()
        self._count_target = f"POST {path}/count_tokens".encode()
        self._forwards_query = forwards_query
        secret = f"{credential[0]}: {credential[1]}\r\n" if credential else ""
        self._fixed = (
            f" HTTP/1.1\r\nhost: {origin.authority}\r\n{secret}"
            "content-type: application/json\r\naccept: application/json\r\n"
            "accept-encoding: identity\r\n"
        ).encode("latin-1")

    def written(self, call: Call, body: Body, upstream_model: str, forwarded: bytes) -> list[Piece]:
        """The request in pieces, nothing of the body copied. `forwarded` are header lines."""
        arrival = call.arrival
        pieces: list[Piece]
        if upstream_model == body.model:
            pieces = [body.raw]
            size = len(body.raw)
        else:
            pieces = body.with_model(msgspec.json.encode(upstream_model))
            size = sum(map(len, pieces))
        is_message = arrival.errand is MESSAGE
        head = [self._message_target if is_message else self._count_target]
        if arrival.query and self._forwards_query:
            head.append(b"?" + arrival.query)
        head.append(self._fixed)
        head.append(forwarded)
        if call.onward:
            head.append(call.onward)
        head.append(
            b"x-request-id: %b\r\ncontent-length: %d\r\n\r\n" % (arrival.request_id.encode(), size)
        )
        pieces.insert(0, b"".join(head))
        return pieces


def forwarded_lines(headers: Headers) -> bytes:
    """The client's header lines that go on, made once for all requests with the same head."""
    if headers.forwarded is not None:
        return headers.forwarded
    lines: list[bytes] = []
    for name, value in headers.items():
        if name in _FORWARDED or (name.startswith(b"anthropic-") and name not in _NOT_FORWARDED):
            if name == b"anthropic-beta" and b"oauth-" in value:
                value = _without_oauth(value)
                if not value:
                    continue
            lines.append(b"%b: %b\r\n" % (name, value))
    if b"anthropic-version" not in headers:
        lines.append(_DEFAULT_VERSION)
    headers.forwarded = b"".join(lines)
    return headers.forwarded


def _without_oauth(betas: bytes) -> bytes:
    """OAuth betas belong to a login of the client's own, not to our key (translation.md 4.1)."""
    return b",".join([beta for beta in betas.split(b",") if not beta.strip().startswith(b"oauth-")])
