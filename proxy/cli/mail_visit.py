"""One visit to the mail server: is it reached, does TLS stand, does it take user and password?

Sends nothing.
"""

import ssl
import time
from collections.abc import Mapping

from proxy.assembly.mail import mail_account
from proxy.cli.finding import Finding, fail, ok
from proxy.config.secrets import SecretProblem
from proxy.config.settings import Mail
from proxy.upstream.mail_server import MailServer

WHAT = "mail"
_SAFE = {
    "starttls": "TLS stands (STARTTLS)",
    "implicit": "TLS stands",
    "none": "without TLS, as tls says",
}


async def visit_mail(mail: Mail, tls: ssl.SSLContext, environ: Mapping[str, str]) -> list[Finding]:
    """What a visit shows."""
    try:
        account = mail_account(mail, environ)
    except SecretProblem:
        return []  # told among the secrets
    began_s = time.monotonic()
    trouble = await MailServer(account, tls).look()
    place = f"{mail.host}:{mail.port}"
    if trouble:
        remedy = "are host, port, tls, user and password of [mail] right, does the server run?"
        return [fail(WHAT, f"{place}: {trouble}", remedy)]
    took_ms = round((time.monotonic() - began_s) * 1000)
    taken = "user and password accepted" if mail.user else "nobody logs in"
    return [ok(WHAT, f"{place} reached in {took_ms} ms; {_SAFE[mail.tls]}; {taken}")]
