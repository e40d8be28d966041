"""A real SMTP server on loopback that keeps what it was sent; as rude as a test wants.

It lives on a thread of its own, so that tests, gateways in this process and gateways in other
processes may all talk to it, and can be stopped and begun again on the same port.
"""

import asyncio
import contextlib
import email
import email.policy
import ssl
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from bench.ports import free_port
from tests.kit.running import until

CERTIFICATE = Path(__file__).parents[1] / "cli" / "loopback.pem"
USER, PASSWORD = "gateway", "a password of the mail server"


@dataclass
class Mail:
    """One letter as it arrived."""

    sender: str
    recipients: list[str]
    message: EmailMessage

    @property
    def text(self) -> str:
        text: str = self.message.get_content()
        return text.replace("\r\n", "\n")


@dataclass
class Mailbox:
    """`refusals` are answers to recipients, `at_the_end` one to the letter itself (taken as often
    as there are), `silent_s` how long it thinks before it answers DATA. With `tls` it speaks it
    from the start ("implicit") or when asked ("starttls")."""

    port: int
    tls: str = "none"
    wants_user: bool = False
    knows_all_letters: bool = True
    refusals: dict[str, str] = field(default_factory=dict)
    sender_refused: str = ""
    at_the_end: list[str] = field(default_factory=list)
    silent_s: float = 0.0
    mails: list[Mail] = field(default_factory=list)
    logins: list[tuple[str, str]] = field(default_factory=list)
    connections: int = 0

    _loop: asyncio.AbstractEventLoop | None = None
    _thread: threading.Thread | None = None
    _server: asyncio.Server | None = None

    # ------------------------------------------------------------ as aiosmtpd asks

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.sender_refused:
            return self.sender_refused
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refusals:
            return self.refusals[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        await asyncio.sleep(self.silent_s)
        if self.at_the_end:
            return self.at_the_end.pop(0)
        assert isinstance(envelope.content, bytes) and envelope.mail_from is not None
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self.mails.append(Mail(envelope.mail_from, list(envelope.rcpt_tos), message))
        return "250 taken"

    def _login(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> Any:
        assert isinstance(data, LoginPassword)
        given = (data.login.decode(), data.password.decode())
        self.logins.append(given)
        return AuthResult(success=given == (USER, PASSWORD), handled=False)

    # ------------------------------------------------------------ up and down

    def start(self) -> None:
        """Take connections, on the port it had."""
        loop = asyncio.new_event_loop()
        self._loop = loop
        self._thread = threading.Thread(target=loop.run_forever, name="mail server", daemon=True)
        self._thread.start()

        async def serve() -> asyncio.Server:
            return await loop.create_server(
                self._protocol,
                "127.0.0.1",
                self.port,
                ssl=self._context() if self.tls == "implicit" else None,
            )

        self._server = asyncio.run_coroutine_threadsafe(serve(), loop).result(10)

    def stop(self) -> None:
        """Go away, connections and all."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None or self._server is None:
            return
        server = self._server

        async def end() -> None:
            server.close()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
            await asyncio.sleep(0)

        asyncio.run_coroutine_threadsafe(end(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
        self._loop = self._thread = self._server = None

    def got(self, count: int, within_s: float = 30.0) -> list[Mail]:
        """Wait for so many letters."""
        until(lambda: len(self.mails) >= count, f"{count} letters, of {len(self.mails)}", within_s)
        return self.mails

    def _protocol(self) -> SMTP:
        self.connections += 1
        with warnings.catch_warnings():
            # It would rather have TLS; here a test decides.
            warnings.simplefilter("ignore")
            return SMTP(
                self,
                hostname="localhost",
                tls_context=self._context() if self.tls == "starttls" else None,
                require_starttls=self.tls == "starttls",
                auth_required=self.wants_user,
                auth_require_tls=self.tls == "starttls",
                authenticator=self._login if self.wants_user else None,
                enable_SMTPUTF8=self.knows_all_letters,
                loop=self._loop,
            )

    def _context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
        return context


@contextlib.contextmanager
def mailbox(**settings: Any) -> Iterator[Mailbox]:
    """A server that is up."""
    server = Mailbox(free_port(), **settings)
    server.start()
    try:
        yield server
    finally:
        server.stop()
