"""The shape of API keys: made, digested, shown.

Owns what a key looks like and what of it may be kept. Only the digest is stored, and only a few
first characters are ever shown again. Random bytes are passed in. Clients must treat a key as
opaque, and so does the gate: any value an operator provisioned is as good as a minted one.
"""

import base64
from hashlib import blake2b

KEY_PREFIX = "hzat-"
NOISE_BYTES = 24
"""192 bits: beyond guessing even for who holds digests and hash secret. 160 is the least taken."""
GIVEN_KEY_CHARACTERS_MIN = 32
GIVEN_KEY_CHARACTERS_MAX = 512
DIGEST_BYTES = 32


def mint(noise: bytes) -> str:
    """A new key from at least 20 random bytes: `hzat-` and URL-safe characters."""
    if len(noise) < 20:
        raise ValueError("a key needs at least 20 random bytes")
    return KEY_PREFIX + base64.urlsafe_b64encode(noise).rstrip(b"=").decode("ascii")


def fault_of_given(key: str) -> str:
    """Why a value an operator chose cannot be a key ("" if it can). Never quotes the value."""
    if len(key) < GIVEN_KEY_CHARACTERS_MIN:
        return f"it must have at least {GIVEN_KEY_CHARACTERS_MIN} characters, it has {len(key)}"
    if len(key) > GIVEN_KEY_CHARACTERS_MAX:
        return f"it must have at most {GIVEN_KEY_CHARACTERS_MAX} characters, it has {len(key)}"
    if not key.isascii() or not key.isprintable() or " " in key:
        # It travels in a header, where anything else is trimmed, folded or refused on the way.
        return "it may hold only printable ASCII characters without spaces"
    return ""


def digest(key: bytes, hash_secret: bytes) -> bytes:
    """What is stored and looked up instead of the key. The secret has 1 to 64 bytes.

    Keyed, so that stolen digests cannot be tested against guesses without the secret. Looking one
    up in an index needs no constant-time comparison: who does not know the secret cannot steer
    the digest's bytes.
    """
    return blake2b(key, digest_size=DIGEST_BYTES, key=hash_secret).digest()


def shown_prefix(key: str) -> str:
    """The few characters by which an owner recognises a key in a list.

    Of a minted key four random characters (24 of its 192 bits); of a given one, whose randomness
    nobody vouches for, only the first four characters.
    """
    return key[: len(KEY_PREFIX) + 4] if key.startswith(KEY_PREFIX) else key[:4]
