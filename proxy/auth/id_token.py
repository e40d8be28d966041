"""Is an ID token of OpenID Connect what it says it is? The provider's keys and the token in, who it
is about or a refusal out.

Signatures are joserfc's work; this file says which of its algorithms count, which key, and what
must stand in a token (OpenID Connect Core 3.1.3.7). Knows no HTTP and no people. No text of an
error holds a token or anything out of one that is not checked.
"""

import base64
import warnings
from collections.abc import Sequence
from hmac import compare_digest
from typing import Any, Final

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from joserfc import jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey, import_key

from proxy.domain.identity import Person

ALGORITHMS: Final = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "Ed25519", "EdDSA"),
)
"""Signatures with a key of the provider's alone: never `none`, never one of the client's secret."""
KEYS_MAX: Final = 50
TOKEN_BYTES_MAX: Final = 32_768
SUBJECT_CHARACTERS_MAX: Final = 255
"""OpenID Connect Core 2: `sub` is no longer."""
RSA_BITS_MIN: Final = 2048
RSA_BITS_MAX: Final = 16_384
"""A longer one only takes time."""
_KINDS: Final[dict[str, type[RSAKey] | type[ECKey] | type[OKPKey]]] = {
    **{"RS": RSAKey, "PS": RSAKey},
    **{"ES": ECKey, "Ed": OKPKey},
}
_UNREADABLE: Final = (
    *(ValueError, TypeError, KeyError, AttributeError),
    *(OverflowError, RecursionError),
)
_TRUE: Final = (True, "true", 1, "1")
"""Some providers write booleans as text or numbers."""


class DistrustedError(Exception):
    """The token proves nothing. The text says why, for the log."""


class UnknownKeyError(DistrustedError):
    """Signed with a key that is not among those at hand; they may have changed."""


class Expectation(msgspec.Struct, frozen=True):
    """What must hold of a token. `nonce` is the one of this very sign-in, `leeway_s` how far the
    two clocks may differ."""

    issuer: str
    client_id: str
    nonce: str
    leeway_s: int = 60


class KeyRing:
    """The public keys a provider signs with."""

    def __init__(self, keys: Sequence[Key]) -> None:
        self._keys = tuple(keys)

    def __len__(self) -> int:
        return len(self._keys)

    @classmethod
    def read(cls, document: bytes) -> "KeyRing":
        """Out of a JWK set. What in it is for something else, or of a kind not known here, is left
        out, as RFC 7517 section 5 asks. Raises DistrustedError where it is none."""
        try:
            found = msgspec.json.decode(document, type=_JwkSet).keys
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise DistrustedError("the keys are no JWK set") from None
        return cls([key for each in found[:KEYS_MAX] if (key := _public_key(each)) is not None])

    def fitting(self, key_id: str | None, algorithm: str) -> Key:
        """The one a token was signed with. Raises UnknownKeyError."""
        kind = _KINDS[algorithm[:2]]
        able = [
            key
            for key in self._keys
            if isinstance(key, kind) and key.get("alg") in (None, algorithm)
        ]
        if key_id is not None:
            able = [key for key in able if key.get("kid") == key_id]
        if not able:
            raise UnknownKeyError("it is signed with a key the provider does not show")
        if len(able) > 1:
            raise DistrustedError("it does not say which of several keys it is signed with")
        return able[0]


class _JwkSet(msgspec.Struct, frozen=True):
    keys: list[dict[str, Any]]


class _Head(msgspec.Struct, frozen=True):
    alg: str
    kid: str | None = None


def verified(token: str, keys: KeyRing, expected: Expectation, now_s: float) -> dict[str, Any]:
    """The claims of a token that can be trusted. Raises DistrustedError."""
    if len(token) > TOKEN_BYTES_MAX:
        raise DistrustedError(f"it has more than {TOKEN_BYTES_MAX} bytes")
    try:
        head = _head(token)
        if head.alg not in ALGORITHMS:
            raise DistrustedError("it is signed in a way that proves nothing here")
        key = keys.fitting(head.kid, head.alg)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)  # of "EdDSA": only its name is old
            claims = jwt.decode(token, key, algorithms=[head.alg]).claims
        registry = jwt.JWTClaimsRegistry(
            now=int(now_s),
            leeway=expected.leeway_s,
            iss={"essential": True, "value": expected.issuer},
            aud={"essential": True, "value": expected.client_id},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
        )
        registry.validate(claims)
    except JoseError as problem:
        raise DistrustedError(_told(problem)) from None
    except (UnsupportedAlgorithm, *_UNREADABLE) as problem:
        raise DistrustedError(f"it cannot be read ({type(problem).__name__})") from None
    _check_rest(claims, expected)
    return claims


def person_of(claims: dict[str, Any], verified_claim: str) -> Person:
    """Who claims are about. Of an address counts only what the provider says was proven."""
    email = claims.get("email")
    proven = claims.get(verified_claim) in _TRUE
    return Person(
        subject=claims["sub"],
        email=email.strip() if isinstance(email, str) and proven else "",
        first_name=_name(claims.get("given_name")),
        last_name=_name(claims.get("family_name")),
    )


def _check_rest(claims: dict[str, Any], expected: Expectation) -> None:
    """What joserfc does not know of OpenID Connect."""
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not compare_digest(nonce.encode(), expected.nonce.encode()):
        raise DistrustedError("its nonce is not the one of this sign-in")
    audience, party = claims["aud"], claims.get("azp")
    if party is not None and party != expected.client_id:
        raise DistrustedError("it was issued to another client (azp)")
    if isinstance(audience, list) and len(audience) > 1 and party is None:
        raise DistrustedError("it is for several, and does not say to whom it was issued (azp)")
    subject = claims["sub"]
    is_text = isinstance(subject, str) and subject.isprintable()
    if not is_text or not 0 < len(subject) <= SUBJECT_CHARACTERS_MAX:
        raise DistrustedError("its subject is not one")


def _head(token: str) -> _Head:
    """Nothing of it is trusted: it says which of the provider's keys to try. Raises ValueError."""
    packed = token.partition(".")[0]
    return msgspec.json.decode(
        base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)), type=_Head
    )


def _public_key(document: dict[str, Any]) -> Key | None:
    if document.get("use", "sig") != "sig" or "d" in document:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)
            key = import_key(document)
    except (JoseError, UnsupportedAlgorithm, *_UNREADABLE):
        return None
    if isinstance(key, RSAKey):
        return key if RSA_BITS_MIN <= key.raw_value.key_size <= RSA_BITS_MAX else None
    return key if isinstance(key, ECKey | OKPKey) else None


def _told(problem: JoseError) -> str:
    """joserfc's name for it, and the claim it is about."""
    claim = getattr(problem, "claim", "")
    return f"{problem.error}{f' ({claim})' if claim else ''}"


def _name(value: object) -> str:
    return value.strip()[:100] if isinstance(value, str) and value.isprintable() else ""
