"""The console behind its pages: sessions and passwords over storage, and who is signed in for the
office."""

import os
import time
from typing import NamedTuple

from proxy.auth.passwords import Passwords
from proxy.auth.sessions import Furnish, Sessions
from proxy.auth.sign_in import SignIn
from proxy.config.settings import Settings
from proxy.console.assets import Assets
from proxy.console.session import Handler, Visitors, cookie_name
from proxy.console.shell import Shell
from proxy.server.admission import SignedIn
from proxy.storage.opening import OpenStorage
from proxy.storage.passwords import Passwords as StoredPasswords
from proxy.storage.sessions import Sessions as StoredSessions

HOUR_MS = 3_600_000
ASSET = "/console/{build:[0-9a-f]+}/{name}"


class Console(NamedTuple):
    """What the house joins: `signed_in` and `sign_in` are None while the console is off."""

    routes: list[tuple[str, str, Handler]]
    signed_in: SignedIn | None
    sign_in: SignIn | None


def open_console(settings: Settings, storage: OpenStorage, furnish: Furnish) -> Console:
    """All of it, by the settings at the start."""
    chosen = settings.console
    address = settings.server.public_url.rstrip("/")
    assets = Assets()
    files = [(method, ASSET, assets.read) for method in ("GET", "HEAD")]
    if not chosen.enabled:
        return Console([*files, *Shell(None, assets, address).routes()], None, None)
    sessions = Sessions(
        StoredSessions(storage.database),
        storage.hash_secret,
        os.urandom,
        idle_ms=int(chosen.session_idle_h * HOUR_MS),
        lifetime_ms=int(chosen.session_lifetime_h * HOUR_MS),
        furnish=furnish,
    )
    sign_in = SignIn(
        StoredPasswords(storage.database), Passwords(), storage.hash_secret, os.urandom
    )
    visitors = Visitors(
        sessions,
        sign_in,
        time.time,
        address=address,
        place_header=chosen.client_address_header,
    )
    return Console(
        [*files, *visitors.routes(), *Shell(visitors, assets, address).routes()],
        SignedIn(sessions, cookie_name(address)),
        sign_in,
    )
