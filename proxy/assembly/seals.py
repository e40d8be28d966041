"""The secrets that what conversations carry is sealed with, out of settings."""

from collections.abc import Mapping

from proxy.config.secrets import SecretProblem, resolve
from proxy.config.settings import Sealing
from proxy.domain.fault import Fault, Kind, Source

CHARACTERS_MIN = 16


def seal_secrets(wanted: Sealing, environ: Mapping[str, str], hash_secret: bytes) -> list[bytes]:
    """The first seals, all open. `hash_secret` stands in for what is not set, so that the first
    exchange is one like any other. Raises Fault for a secret that cannot be had."""
    now = _given("secret", wanted.secret, environ)
    before = _given("former_secret", wanted.former_secret, environ)
    return list(dict.fromkeys([now or hash_secret, before or hash_secret]))


def _given(name: str, reference: str, environ: Mapping[str, str]) -> bytes:
    if not reference:
        return b""
    try:
        secret = resolve(reference, environ).reveal()
    except SecretProblem as problem:
        raise _mistake(f"sealing.{name}: {problem}.") from None
    if len(secret) < CHARACTERS_MIN:
        raise _mistake(
            f"sealing.{name}: {reference} is shorter than {CHARACTERS_MIN} characters; "
            "use a longer random value."
        )
    return secret.encode()


def _mistake(message: str) -> Fault:
    return Fault(Kind.HOUSE, message, source=Source.HOUSE, retry=False)
