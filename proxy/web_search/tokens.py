"""`encrypted_content` and `encrypted_index` of searches we made (translation.md 9.7): what was
found, sealed, so that the next request brings it back and nothing is remembered here.

    token   = GWc1. <key id, 6 characters> <base64url(payload)>
    payload = nonce || AES-256-GCM(key, zlib(msgpack), kind + tenant)

They are as `wire/seal.py` makes signatures: the nonce is a keyed digest of what is sealed, so the
same gives the same bytes. The id of the key is told openly: a token whose key was given up is not
tampered with, only old.
"""

import base64
import hashlib
import hmac
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import msgspec

from proxy.web_search.hit import Hit
from proxy.wire.messages_request import bad

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PREFIX = "GWc1."
_KEY_ID_CHARS = 6
_NONCE_BYTES = 12
OPENED_BYTES_MAX = 1_048_576
"""What a token may hold once opened: extracts are a thousandth of that."""
_Kind = Literal[b"hit", b"index"]


class _SealedHit(msgspec.Struct, array_like=True):
    url: str
    title: str
    text: str
    age: str | None
    n: int
    iat: int


class Index(msgspec.Struct, array_like=True, frozen=True):
    """What a citation was: the page's number, and the mark as the model wrote it."""

    number: int
    span: str


class SearchSeal:
    """Seals with the first of `secrets`, opens with all: that is how a key is exchanged."""

    def __init__(self, secrets: Sequence[bytes]) -> None:
        assert secrets, "nothing can be sealed without a secret"
        keys = [hashlib.sha256(b"search seal " + secret).digest() for secret in secrets]
        self._keys = {_key_id(key): key for key in keys}
        self._first = keys[0]

    def seal_hit(self, tenant_id: str, hit: Hit, issued_s: int) -> str:
        """A page the model was told of; `issued_s` is Unix seconds."""
        held = _SealedHit(hit.url, hit.title, hit.text, hit.age, hit.number, issued_s)
        return self._seal(tenant_id, b"hit", msgspec.msgpack.encode(held))

    def open_hit(self, tenant_id: str, token: str, where: str) -> Hit | None:
        """The page in a token of ours; None where its key was given up. Raises Fault 400 for one
        that was altered or is another tenant's; `where` is its block's path."""
        held = self._open(tenant_id, b"hit", token)
        if held is None:
            return None
        try:
            hit = msgspec.msgpack.decode(held, type=_SealedHit)
        except msgspec.DecodeError:
            raise bad(f"{where}: Invalid encrypted_content") from None
        return Hit(hit.url, hit.title, hit.text, hit.age, hit.n)

    def seal_index(self, tenant_id: str, index: Index) -> str:
        """A citation."""
        return self._seal(tenant_id, b"index", msgspec.msgpack.encode(index))

    def open_index(self, tenant_id: str, token: str, where: str) -> Index | None:
        """The citation in a token of ours; None where its key was given up. Raises Fault 400 as
        `open_hit` does."""
        held = self._open(tenant_id, b"index", token)
        if held is None:
            return None
        try:
            return msgspec.msgpack.decode(held, type=Index)
        except msgspec.DecodeError:
            raise bad(f"{where}: Invalid encrypted_index") from None

    def _seal(self, tenant_id: str, kind: _Kind, content: bytes) -> str:
        held = zlib.compress(content)
        about = _about(tenant_id, kind)
        nonce = hmac.digest(self._first, about + held, "sha256")[:_NONCE_BYTES]
        sealed = nonce + _cipher(self._first).encrypt(nonce, held, about)
        return f"{PREFIX}{_key_id(self._first)}{_coded(sealed)}"

    def _open(self, tenant_id: str, kind: _Kind, token: str) -> bytes | None:
        """None: the key is none of ours any more. Empty: altered, which nothing sealed ever is."""
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - see `_cipher`

        coded = token.removeprefix(PREFIX)
        key = self._keys.get(coded[:_KEY_ID_CHARS])
        if key is None:
            return None
        coded = coded[_KEY_ID_CHARS:]
        try:
            payload = base64.b64decode(
                coded + "=" * (-len(coded) % 4), altchars=b"-_", validate=True
            )
            if _coded(payload) != coded:
                return b""  # bits that nobody reads were altered
            nonce, sealed = payload[:_NONCE_BYTES], payload[_NONCE_BYTES:]
            held = _cipher(key).decrypt(nonce, sealed, _about(tenant_id, kind))
            return zlib.decompressobj().decompress(held, OPENED_BYTES_MAX)
        except (InvalidTag, ValueError, zlib.error):
            return b""


def is_ours(token: str) -> bool:
    """Does it claim to be a token of this gateway?"""
    return token.startswith(PREFIX)


def _about(tenant_id: str, kind: _Kind) -> bytes:
    return kind + b":" + tenant_id.encode()


def _key_id(key: bytes) -> str:
    return _coded(hmac.digest(key, b"key id", "sha256"))[:_KEY_ID_CHARS]


def _coded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _cipher(key: bytes) -> "AESGCM":
    # Only few conversations search; the library is 8 MB of every process.
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

    return AESGCM(key)
