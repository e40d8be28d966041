"""The operator's mail server: letters handed over on one connection at a time.

Owns the conversation (TLS, log-in, one letter after the other) and what an answer means for a
letter; knows nothing of who is written to, nor when to try again. TLS is never left out quietly:
a server that does not offer what the settings say is not talked to. No text from here holds the
password; the server's own words are kept short.
"""

import email.errors
import email.utils
import socket
import ssl
from collections.abc import AsyncGenerator, Sequence
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from typing import Literal

import aiosmtplib
import msgspec

from proxy.domain.letter import Away, Fate, Letter, PutOff, Refused, Sent

Tls = Literal["starttls", "implicit", "none"]

WORDS_CHARACTERS_MAX = 200
_OVER_QUOTA = 552


class MailAccount(msgspec.Struct, frozen=True, kw_only=True):
    """How the server is reached and under which name. Without a user nobody logs in. `sender` is
    an address, with a name before it if one likes: `Gateway <gateway@example.com>`."""

    host: str
    port: int
    tls: Tls
    sender: str
    user: str = ""
    password: str = ""
    timeout_s: float = 15.0

    def __repr__(self) -> str:
        return f"MailAccount({self.host}:{self.port}, {self.tls})"


class MailServer:
    """`trusted`: whom TLS believes."""

    def __init__(self, account: MailAccount, trusted: ssl.SSLContext) -> None:
        self._account = account
        self._trusted = trusted
        name, address = email.utils.parseaddr(account.sender)
        self._sender = Address(display_name=name, addr_spec=address)

    async def carry(self, letters: Sequence[Letter], /) -> AsyncGenerator[Fate, None]:
        """What became of each, in order; ends with the first Away. Raises nothing."""
        connection = self._connection()
        try:
            why = await self._opened(connection)
            if why:
                yield Away(why)
                return
            for letter in letters:
                fate = await self._handed_over(connection, letter)
                yield fate
                if isinstance(fate, Away):
                    return
        finally:
            await _left(connection)

    async def look(self) -> str:
        """Connect, secure, log in and leave, without a letter. What went wrong, or empty."""
        connection = self._connection()
        try:
            return await self._opened(connection)
        finally:
            await _left(connection)

    def _connection(self) -> aiosmtplib.SMTP:
        account = self._account
        return aiosmtplib.SMTP(
            hostname=account.host,
            port=account.port,
            timeout=account.timeout_s,
            use_tls=account.tls == "implicit",
            start_tls=account.tls == "starttls",
            tls_context=self._trusted,
            # The library would look up the whole name, which may take the resolver seconds.
            local_hostname=_own_name(),
        )

    async def _opened(self, connection: aiosmtplib.SMTP) -> str:
        account = self._account
        try:
            await connection.connect()
            if account.user:
                await connection.login(account.user, account.password)
        except aiosmtplib.SMTPAuthenticationError as refusal:
            # Its words may repeat what was said to it.
            return f"it refuses user and password ({refusal.code})"
        except (aiosmtplib.SMTPException, OSError, ssl.CertificateError, ValueError) as trouble:
            return _words(trouble)
        return ""

    async def _handed_over(self, connection: aiosmtplib.SMTP, letter: Letter) -> Fate:
        try:
            message = self._message(letter)
        except (ValueError, IndexError, email.errors.MessageError):
            return Refused("its address or subject cannot be written into a letter")
        try:
            await connection.send_message(
                message, sender=self._sender.addr_spec, recipients=[letter.recipient]
            )
        except aiosmtplib.SMTPRecipientsRefused as refusal:
            return _judged(refusal.recipients[0].code, refusal.recipients[0].message)
        except aiosmtplib.SMTPSenderRefused as refusal:
            # It is the settings that are wrong, not this letter.
            return Away(f"it refuses the sender: {_words(refusal)}")
        except aiosmtplib.SMTPNotSupported as refusal:
            return Refused(_words(refusal))  # an address in letters the server does not know
        except aiosmtplib.SMTPResponseException as refusal:
            if refusal.code == aiosmtplib.SMTPStatus.domain_unavailable:  # 421: it is closing
                return Away(_words(refusal))
            return _judged(refusal.code, refusal.message)
        except UnicodeError:
            return Refused("its address has characters that no mail server knows")
        except (aiosmtplib.SMTPException, OSError) as trouble:
            return Away(_words(trouble))
        return Sent()

    def _message(self, letter: Letter) -> EmailMessage:
        message = EmailMessage(policy=SMTP_POLICY)
        message["From"] = self._sender
        message["To"] = _address(letter.recipient)
        message["Subject"] = letter.subject
        message["Date"] = email.utils.formatdate(letter.created_at / 1000)
        # The same at every try, by which a reader's server may tell doubles.
        message["Message-ID"] = f"<{letter.id}@{self._sender.domain}>"
        message["Auto-Submitted"] = "auto-generated"
        if letter.reply_to:
            message["Reply-To"] = _address(letter.reply_to)
        message.set_content(letter.body)
        return message


def _address(text: str) -> Address:
    """One address, and never a list of them. Raises ValueError or MessageError."""
    # The grammar knows ASCII only; letters of all others stand where letters stand.
    plain = "".join([each if each.isascii() else "x" for each in text])
    checked = Address(addr_spec=plain)
    if plain == text:
        return checked
    username, _, domain = text.rpartition("@")
    return Address(username=username, domain=domain)


async def _left(connection: aiosmtplib.SMTP) -> None:
    """Say goodbye where that is still possible."""
    try:
        if connection.is_connected:
            await connection.quit()
    except (aiosmtplib.SMTPException, OSError):
        pass  # it has hung up already; all that mattered was answered before
    finally:
        connection.close()


def _judged(code: int, words: str) -> Fate:
    """4xx: later; 5xx: never, but for a full mailbox, which may be emptied."""
    said = f"{code} {_short(words)}"
    return Refused(said) if 500 <= code < 600 and code != _OVER_QUOTA else PutOff(said)


def _words(trouble: Exception) -> str:
    if isinstance(trouble, aiosmtplib.SMTPResponseException):
        return f"{trouble.code} {_short(trouble.message)}"
    return _short(str(trouble)) or type(trouble).__name__


def _short(text: str) -> str:
    words = "".join([character if character.isprintable() else " " for character in text])
    return words[:WORDS_CHARACTERS_MAX]


def _own_name() -> str:
    name = socket.gethostname()
    return name if name and all(part.isalnum() or part in "-." for part in name) else "localhost"
