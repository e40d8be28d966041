"""Signatures of thinking that we showed: `GWs1.<family>.<base64url>` (translation.md 3.5).

They prove, without any memory, that a thinking block in a conversation came from this gateway, for
this tenant, from a model of this family. Where the client sees the thinking, the signature is a
keyed digest of it; where it must not (`display: "omitted"`) or where a provider wants more back
than text, the signature carries it sealed.

    payload = 0x01 || HMAC-SHA256(key, tenant, family, text)[:16]
            | 0x02 || nonce || AES-256-GCM(key, zlib(msgpack([text, extras])), tenant + family)

The nonce is a keyed digest of what is sealed: sealing the same twice gives the same bytes, so
nothing random is needed and nothing is told by them but that they are the same.
"""

import base64
import hashlib
import hmac
import re
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PREFIX = "GWs1."
_DIGEST_BYTES = 16
_NONCE_BYTES = 12
_SHOWN = b"\x01"
_SEALED = b"\x02"
_FORM = re.compile(r"GWs1\.([a-z0-9_-]{0,32})\.([A-Za-z0-9_-]{2,})", re.ASCII)
OPENED_BYTES_MAX = 16_777_216
"""What a sealed signature may hold once opened: a bomb is ours only if our key leaked, yet."""


class Opened(msgspec.Struct, frozen=True):
    """What a signature of ours vouches for. `extras` are bytes of the provider's own JSON."""

    family: str
    text: str
    extras: bytes = b""


class ThinkingSeal:
    """Signs with the first of `secrets`, believes all of them: that is how a key is exchanged."""

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self._keys = [hashlib.sha256(b"thinking seal " + secret).digest() for secret in secrets]
        assert self._keys, "nothing can be sealed without a secret"

    def sign(self, tenant_id: str, family: str, text: str) -> str:
        """The signature of thinking the client sees."""
        return _written(family, _SHOWN + _digest(self._keys[0], tenant_id, family, text))

    def seal(self, tenant_id: str, family: str, text: str, extras: bytes = b"") -> str:
        """The signature that carries thinking the client does not see, and what belongs to it."""
        held = zlib.compress(msgspec.msgpack.encode((text, extras)))
        about = _about(tenant_id, family)
        key = self._keys[0]
        nonce = hmac.digest(key, about + held, "sha256")[:_NONCE_BYTES]
        return _written(family, _SEALED + nonce + _cipher(key).encrypt(nonce, held, about))

    def open(self, tenant_id: str, signature: str, text: str) -> Opened | None:
        """What `signature`, on a block that shows `text`, vouches for; None when it is not ours,
        not this tenant's, or was tampered with."""
        form = _FORM.fullmatch(signature)
        if form is None:
            return None
        family = form[1]
        try:
            payload = base64.urlsafe_b64decode(form[2] + "=" * (-len(form[2]) % 4))
        except ValueError:
            return None
        if payload[:1] == _SHOWN:
            for key in self._keys:
                if hmac.compare_digest(payload[1:], _digest(key, tenant_id, family, text)):
                    return Opened(family, text)
        elif payload[:1] == _SEALED:
            for key in self._keys:
                opened = _unsealed(key, payload[1:], tenant_id, family)
                if opened is not None:
                    return opened
        return None


def is_ours(signature: str) -> bool:
    """Does it claim to be a signature of this gateway?"""
    return signature.startswith(PREFIX)


def _about(tenant_id: str, family: str) -> bytes:
    # Lengths in front: two pairs of names never read the same.
    return b"%d:%b%d:%b" % (
        len(tenant_id),
        tenant_id.encode(),
        len(family),
        family.encode(),
    )


def _digest(key: bytes, tenant_id: str, family: str, text: str) -> bytes:
    said = _about(tenant_id, family) + text.encode("utf-8", "surrogatepass")
    return hmac.digest(key, said, "sha256")[:_DIGEST_BYTES]


def _written(family: str, payload: bytes) -> str:
    return f"{PREFIX}{family}.{base64.urlsafe_b64encode(payload).rstrip(b'=').decode()}"


def _unsealed(key: bytes, payload: bytes, tenant_id: str, family: str) -> Opened | None:
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - see `_cipher`

    nonce, sealed = payload[:_NONCE_BYTES], payload[_NONCE_BYTES:]
    try:
        held = _cipher(key).decrypt(nonce, sealed, _about(tenant_id, family))
        whole = zlib.decompressobj().decompress(held, OPENED_BYTES_MAX)
        text, extras = msgspec.msgpack.decode(whole, type=tuple[str, bytes])
    except (InvalidTag, ValueError, zlib.error, msgspec.DecodeError):
        return None
    return Opened(family, text, extras)


def _cipher(key: bytes) -> "AESGCM":
    # Only few conversations ask for hidden thinking; the library is 8 MB of every process.
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

    return AESGCM(key)
