"""One visit to the provider of identities: is it reached, is it who it should be, does it show
keys, does it take our name and secret?

Nobody is signed in by it: a code that is none is sent to be refused, and how it is refused tells
whether the secret is right.
"""

import time
from collections.abc import Mapping

from proxy.assembly.single_sign_on import ProviderCalls, registration
from proxy.auth.id_token import DistrustedError
from proxy.auth.identity_provider import (
    CodeRefusedError,
    IdentityProvider,
    ProviderSilentError,
)
from proxy.cli.finding import Finding, fail, ok, warn
from proxy.config.secrets import SecretProblem
from proxy.config.settings import Settings
from proxy.storage.database import unix_ms

WHAT = "single sign-on"
_NO_CODE = "hatz-gateway-doctor-looks-whether-the-secret-is-right"


async def visit_oidc(settings: Settings, environ: Mapping[str, str]) -> list[Finding]:
    """What a visit shows."""
    try:
        registered = registration(settings, environ)
    except SecretProblem:
        return []  # told among the secrets
    calls = ProviderCalls(settings)
    provider = IdentityProvider(registered, calls, unix_ms)
    try:
        return [*await _looked(provider), await _asked(provider)]
    except ProviderSilentError as problem:
        remedy = "is oidc.issuer right, can this machine reach it, and is its certificate trusted?"
        return [fail(WHAT, f"{registered.issuer}: {problem}", remedy)]
    finally:
        await calls.close()


async def _looked(provider: IdentityProvider) -> list[Finding]:
    """Raises ProviderSilentError."""
    began_s = time.monotonic()
    found = await provider.discovery()
    took_ms = round((time.monotonic() - began_s) * 1000)
    keys = len(await provider.keys())
    if not keys:
        remedy = "nobody can be signed in by it; ask whoever runs it"
        return [
            fail(WHAT, f"{found.issuer} shows no key that signatures can be checked with", remedy)
        ]
    seen = f"{found.issuer} reached in {took_ms} ms, {keys} keys"
    return [ok(WHAT, f"{seen}; people come back to {provider.registration.redirect_uri}")]


async def _asked(provider: IdentityProvider) -> Finding:
    try:
        await provider.person(_NO_CODE, verifier="0" * 64, nonce="0")
    except CodeRefusedError as problem:
        if problem.is_ours:
            remedy = "are oidc.client_id and oidc.client_secret those of the application there?"
            return fail(WHAT, f"our name or secret is not accepted: {problem}", remedy)
        if problem.said == "invalid_grant":
            return ok(WHAT, "our name and secret are accepted")
        return warn(WHAT, f"whether our secret is right cannot be told: {problem}")
    except DistrustedError as problem:
        return warn(WHAT, f"it gave a token for a code that is none: {problem}")
    return warn(WHAT, "it gave a token for a code that is none")
