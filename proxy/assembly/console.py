"""The console behind its pages: sessions and passwords over storage, and who is signed in for the
office."""

import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from proxy.auth.passwords import Passwords
from proxy.auth.sessions import Furnish, Sessions
from proxy.auth.sign_in import SignIn
from proxy.config.settings import Settings
from proxy.console.assets import Assets
from proxy.console.session import Handler, Visitors, cookie_name
from proxy.console.shell import Shell, WaysIn
from proxy.server.admission import SignedIn
from proxy.storage.opening import OpenStorage
from proxy.storage.passwords import Passwords as StoredPasswords
from proxy.storage.sessions import Sessions as StoredSessions

if TYPE_CHECKING:
    from proxy.assembly.single_sign_on import ProviderCalls

HOUR_MS = 3_600_000
ASSET = "/console/{build:[0-9a-f]+}/{name}"


class Console(NamedTuple):
    """What the house joins: `signed_in` and `sign_in` are None while the console is off, `provider`
    while nobody signs in elsewhere."""

    routes: list[tuple[str, str, Handler]]
    signed_in: SignedIn | None = None
    sign_in: SignIn | None = None
    provider: "ProviderCalls | None" = None


def open_console(
    settings: Settings, environ: Mapping[str, str], storage: OpenStorage, furnish: Furnish
) -> Console:
    """All of it, by the settings at the start."""
    chosen = settings.console
    address = settings.server.public_url.rstrip("/")
    assets = Assets()
    files = [(method, ASSET, assets.read) for method in ("GET", "HEAD")]
    if not chosen.enabled:
        return Console([*files, *Shell(None, assets, address).routes()])
    sessions = Sessions(
        StoredSessions(storage.database),
        storage.hash_secret,
        os.urandom,
        idle_ms=int(chosen.session_idle_h * HOUR_MS),
        lifetime_ms=int(chosen.session_lifetime_h * HOUR_MS),
        furnish=furnish,
    )
    sign_in = SignIn(
        StoredPasswords(storage.database),
        Passwords(),
        storage.hash_secret,
        os.urandom,
        passwords_on=chosen.password_sign_in,
    )
    visitors = Visitors(
        sessions,
        sign_in,
        time.time,
        address=address,
        place_header=chosen.client_address_header,
        single_sign_on=settings.oidc.enabled,
    )
    routes = [*files, *visitors.routes()]
    provider = None
    if settings.oidc.enabled:
        # It costs memory and time that nobody should pay who signs in here only.
        from proxy.assembly.single_sign_on import door_elsewhere  # noqa: PLC0415

        more, provider = door_elsewhere(settings, environ, storage, visitors)
        routes += more
    ways = WaysIn(chosen.password_sign_in, settings.oidc.label if provider is not None else "")
    routes += Shell(visitors, assets, address, ways).routes()
    return Console(routes, SignedIn(sessions, cookie_name(address)), sign_in, provider)
