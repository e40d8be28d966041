"""Signing in by a provider of identities, built from settings: its registration, the way to it."""

import logging
import os
from collections.abc import Mapping

from proxy.auth.identity_provider import IdentityProvider, ProviderSilentError, Registration
from proxy.auth.single_sign_on import SingleSignOn
from proxy.config.secrets import SecretProblem, resolve
from proxy.config.settings import Settings
from proxy.console.session import Handler, Visitors
from proxy.console.single_sign_on import BACK, SingleSignOnDoor
from proxy.storage.database import unix_ms
from proxy.storage.identities import Identities
from proxy.storage.opening import OpenStorage
from proxy.upstream.side_calls import CallFailed, SideCalls, SideLimits

REPLY_BYTES_MAX = 262_144
"""No description, set of keys or token is larger."""
_LOG = logging.getLogger("proxy.assembly")


class ProviderCalls:
    """Implements `auth.identity_provider.Web`. Only addresses come here that are the configured
    provider's own, or that its description names."""

    def __init__(self, settings: Settings) -> None:
        upstream = settings.upstream
        self._timeout_s = settings.oidc.timeout_s
        self._calls = SideCalls(
            SideLimits(
                connect_timeout_s=upstream.connect_timeout_s,
                idle_connection_timeout_s=upstream.idle_connection_timeout_s,
                ca_file=upstream.ca_file,
                trust_env_proxies=upstream.trust_env_proxies,
            )
        )

    async def get(self, url: str, headers: Mapping[str, str], /) -> tuple[int, bytes]:
        """Read an address."""
        try:
            self._calls.admit(url)
            reply = await self._calls.get(
                url, headers, timeout_s=self._timeout_s, bytes_max=REPLY_BYTES_MAX
            )
        except (CallFailed, ValueError) as problem:
            raise ProviderSilentError(str(problem)) from None
        return reply.status, reply.body

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, /) -> tuple[int, bytes]:
        """Send a form."""
        try:
            self._calls.admit(url)
            reply = await self._calls.post(
                url, headers, body, timeout_s=self._timeout_s, bytes_max=REPLY_BYTES_MAX
            )
        except (CallFailed, ValueError) as problem:
            raise ProviderSilentError(str(problem)) from None
        return reply.status, reply.body

    async def close(self) -> None:
        """Close its connections."""
        await self._calls.close()


def registration(settings: Settings, environ: Mapping[str, str]) -> Registration:
    """What the provider and we agreed on. Raises SecretProblem."""
    wanted = settings.oidc
    secret = wanted.client_secret
    return Registration(
        issuer=wanted.issuer,
        client_id=wanted.client_id,
        client_secret=resolve(secret, environ).reveal() if secret else "",
        redirect_uri=settings.server.address + BACK,
        scopes=wanted.scopes,
        verified_claim=wanted.verified_claim,
        leeway_s=wanted.clock_leeway_s,
    )


def door_elsewhere(
    settings: Settings, environ: Mapping[str, str], storage: OpenStorage, visitors: Visitors
) -> tuple[list[tuple[str, str, Handler]], ProviderCalls | None]:
    """The routes, and what is to be closed in the end. Nothing where the secret cannot be had: the
    rest of the gateway works."""
    wanted = settings.oidc
    try:
        registered = registration(settings, environ)
    except SecretProblem as problem:
        _LOG.error("oidc.client_secret: %s; nobody signs in by it", problem)
        return [], None
    calls = ProviderCalls(settings)
    made = SingleSignOn(
        IdentityProvider(registered, calls, unix_ms),
        Identities(
            storage.database,
            newcomer_tenant=wanted.newcomers_tenant,
            newcomer_role=wanted.newcomers_role,
        ),
        storage.hash_secret,
        os.urandom,
        newcomer_domains=frozenset(wanted.newcomers_domains if wanted.newcomers_tenant else ()),
    )
    return SingleSignOnDoor(made, visitors).routes(), calls
