"""The post office: letters in storage, who writes them, and the mail server that takes them.

Nothing of it is there while mail is switched off.
"""

import asyncio
import logging
import random
import ssl
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from proxy.auth.sign_in import SignIn
from proxy.config.secrets import SecretProblem, resolve
from proxy.config.settings import Mail, Settings
from proxy.domain.fault import Fault
from proxy.domain.letter import Away
from proxy.domain.terms import Ladder
from proxy.limits.window import Months
from proxy.notices.invitations import Invitations
from proxy.notices.outbox import Carrier, Outbox, Patience, as_it_is
from proxy.notices.watch import AllowanceWatch
from proxy.notices.ways_in import WaysIn
from proxy.notices.wording import House as LetterHouse
from proxy.notices.wording import WayIn
from proxy.storage.database import Database, unix_ms
from proxy.storage.letters import Letters
from proxy.storage.packages import Packages
from proxy.storage.tenants import Tenants

if TYPE_CHECKING:
    from proxy.upstream.mail_server import MailAccount

_LOG = logging.getLogger("proxy.assembly")


class PostOffice:
    """One per process. `rules` gives the ladder and hard stop of now."""

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        database: Database,
        months: Months,
        rules: Callable[[], tuple[Ladder, bool]],
        sign_in: SignIn | None,
    ) -> None:
        mail = settings.mail
        house = _letter_house(settings, sign_in)
        letters = Letters(database)
        self.outbox = Outbox(
            letters,
            _carrier(settings, environ),
            wall_ms=unix_ms,
            waiting_max=mail.waiting_max,
            patience=Patience(give_up_after_s=mail.give_up_after_s),
            finish=as_it_is
            if sign_in is None
            else WaysIn(sign_in.mail_link, house.link, unix_ms).finished,
        )
        self.invitations = Invitations(letters, self.outbox, house)
        self._every_s = mail.notices_every_s
        self._watch = AllowanceWatch(
            letters,
            Tenants(database),
            Packages(database),
            self.outbox,
            months=months,
            rules=rules,
            house=house,
        )

    def standing_work(self) -> list[tuple[str, Coroutine[Any, Any, None]]]:
        """What runs as long as the process does."""
        return [
            ("send letters", self.outbox.run()),
            ("tell administrators of their allowance", self._tell()),
        ]

    async def _tell(self) -> None:
        # Workers that were started together do not all look at the same moment.
        await asyncio.sleep(self._every_s * random.random())
        while True:
            try:
                await self._watch.look(unix_ms())
            except Fault as fault:
                _LOG.warning("notices of allowances wait: %s", fault.message)
            await asyncio.sleep(self._every_s)


def open_post_office(
    settings: Settings,
    environ: Mapping[str, str],
    database: Database,
    months: Months,
    rules: Callable[[], tuple[Ladder, bool]],
    sign_in: SignIn | None,
) -> PostOffice | None:
    """None while mail is switched off. `sign_in` is None while the console is."""
    if not settings.mail.enabled:
        return None
    return PostOffice(settings, environ, database, months, rules, sign_in)


def _letter_house(settings: Settings, sign_in: SignIn | None) -> LetterHouse:
    mail = settings.mail
    way: WayIn = "told"
    if sign_in is not None:
        way = "password" if sign_in.passwords_on else "elsewhere"
    link = mail.link_url.rstrip("/") or settings.server.address
    return LetterHouse(
        link, mail.contact, way, settings.oidc.label if settings.oidc.enabled else ""
    )


class _NoServer:
    """Takes no letter: what is missing must be seen to first, and they wait."""

    def __init__(self, why: str) -> None:
        self._why = why

    async def carry(self, letters: object, /) -> Any:
        yield Away(self._why)


def mail_account(mail: Mail, environ: Mapping[str, str]) -> "MailAccount":
    """The account of the settings. Raises SecretProblem."""
    # The client costs memory and time that nobody should pay who sends no mail.
    from proxy.upstream.mail_server import MailAccount  # noqa: PLC0415

    return MailAccount(
        host=mail.host,
        port=mail.port,
        tls=mail.tls,
        sender=mail.from_address,
        user=mail.user,
        password=resolve(mail.password, environ).reveal() if mail.password else "",
        timeout_s=mail.timeout_s,
    )


def _carrier(settings: Settings, environ: Mapping[str, str]) -> Carrier:
    from proxy.upstream.mail_server import MailServer  # noqa: PLC0415

    try:
        account = mail_account(settings.mail, environ)
    except SecretProblem as problem:
        _LOG.error("mail: %s; letters wait", problem)
        return _NoServer(str(problem))
    trusted = ssl.create_default_context()
    if settings.upstream.ca_file:
        trusted.load_verify_locations(settings.upstream.ca_file)
    return MailServer(account, trusted)
