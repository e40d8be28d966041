"""What the commands about people share where they set a password: given by reference, typed at a
terminal, or made here.
"""

import getpass
import os
import sys

from proxy.auth.passwords import NOISE_BYTES, Passwords, fault_of_chosen, suggested
from proxy.config.secrets import SecretProblem, resolve
from proxy.domain.fault import Fault, Kind


async def password_for(email: str, reference: str | None) -> tuple[str, str]:
    """Its hash, and the password itself where it was made here and must be shown. Raises Fault for
    one that cannot be a password."""
    if reference is not None:
        given, made = _resolved(reference), ""
    elif typed := _typed(email):
        given, made = typed, ""
    else:
        given = made = suggested(os.urandom(NOISE_BYTES))
    if fault := fault_of_chosen(given, email):
        raise Fault(Kind.BAD_REQUEST, f"password: {fault}")
    return await Passwords().hashed(given), made


def _typed(email: str) -> str:
    """What is typed, twice; empty: nobody is there to type, or they want one made."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return ""
    first = getpass.getpass(f"Password for {email} (empty: one is made): ", sys.stderr)
    if first and getpass.getpass("The same again: ", sys.stderr) != first:
        raise Fault(Kind.BAD_REQUEST, "password: The two are not the same.")
    return first


def _resolved(reference: str) -> str:
    try:
        return resolve(reference, os.environ).reveal()
    except SecretProblem as problem:
        raise Fault(Kind.BAD_REQUEST, f"--password: {problem}.") from None
