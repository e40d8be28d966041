"""Access tokens of Google Cloud, by google-auth: blocking, so it runs in threads only.

Owns: which credentials there are (a key of a service account, workload identity, a signed-in user,
the machine's own) and what their troubles mean to the operator. Loaded when it is first needed: the
libraries take some 200 ms. Never shows a token, a key or what it answered with.
"""

import datetime as dt
import ssl
from collections.abc import Mapping
from typing import Any, NamedTuple, NoReturn

import google.auth
import msgspec
from google.auth import (
    aws,
    exceptions,
    external_account_authorized_user,
    identity_pool,
    impersonated_credentials,
    pluggable,
)
from google.auth.transport.requests import Request
from google.oauth2 import credentials as user_credentials
from google.oauth2 import service_account
from requests import Session
from requests.adapters import HTTPAdapter

from proxy.upstream.fresh_credential import CredentialTrouble

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
CALL_TIMEOUT_S = 10.0
"""Of each question to Google or to the machine; google-auth asks up to three times."""
_SAID_CHARS_MAX = 200
_SIGNED_OUT_MARKS = ("expired or revoked", "invalid_rapt", "reauth")
"""Of the login of a user, which ends."""
_CLOCK_MARKS = ("reasonable timeframe", "iat and exp", "token used too early", "expired")
_WITHOUT = (
    'write credentials = "file:PATH" for the provider, set GOOGLE_APPLICATION_CREDENTIALS, or run '
    "where a metadata server answers (Compute Engine, GKE, Cloud Run)"
)


class GoogleToken(NamedTuple):
    """What requests carry. `quota_project` is who pays for a user's requests, mostly empty;
    `expires_s` Unix seconds."""

    token: str
    quota_project: str
    expires_s: float | None


class GoogleLogin:
    """One account. `document` is the JSON of its credentials; empty: what the environment offers
    (application default credentials)."""

    def __init__(self, document: str, *, ca_file: str = "", trust_env_proxies: bool = True) -> None:
        """Raises CredentialTrouble."""
        self._request = _BoundedRequest(_session(ca_file, trust_env_proxies))
        try:
            if document:
                self._credentials = _credentials_of(document)
            else:
                self._credentials, _ = google.auth.default(scopes=SCOPES, request=self._request)
        except exceptions.DefaultCredentialsError as problem:
            if document:
                raise _unusable(problem) from None
            raise CredentialTrouble("no credentials of Google are found", _WITHOUT) from None
        except (ValueError, TypeError, KeyError, AttributeError) as problem:
            raise _unusable(problem) from None

    def fetch(self) -> GoogleToken:
        """A new token. Raises CredentialTrouble."""
        held = self._credentials
        try:
            held.refresh(self._request)
        except exceptions.GoogleAuthError as problem:
            _raise(problem)
        except (ValueError, TypeError, KeyError) as problem:
            raise CredentialTrouble(
                f"the answer to the question for a token cannot be read ({_name(problem)})",
                "does the credentials' token_uri lead to Google?",
            ) from None
        if not isinstance(held.token, str) or not held.token.isascii():
            raise CredentialTrouble("no token came back", "are the credentials of the right kind?")
        expires_s: float | None = None
        if held.expiry is not None:
            expires_s = held.expiry.replace(tzinfo=dt.UTC).timestamp()
        return GoogleToken(held.token, getattr(held, "quota_project_id", "") or "", expires_s)


class _BoundedRequest(Request):
    """google-auth's own way to ask, no longer than `CALL_TIMEOUT_S`."""

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = CALL_TIMEOUT_S,
        **more: Any,
    ) -> Any:
        bounded_s = min(timeout or CALL_TIMEOUT_S, CALL_TIMEOUT_S)
        return super().__call__(url, method, body, headers, bounded_s, **more)


class _TrustingAdapter(HTTPAdapter):
    """TLS that trusts the operator's authorities too."""

    def __init__(self, ca_file: str) -> None:
        self._context = ssl.create_default_context()
        self._context.load_verify_locations(ca_file)
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **options)

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
        return super().proxy_manager_for(*args, ssl_context=self._context, **options)


def _session(ca_file: str, trust_env_proxies: bool) -> Session:
    session = Session()
    session.trust_env = trust_env_proxies
    if ca_file:
        session.mount("https://", _TrustingAdapter(ca_file))
    return session


def _credentials_of(document: str) -> Any:
    """Raises one of many kinds of errors, some with parts of the document in their text."""
    info = msgspec.json.decode(document, type=dict[str, Any])
    match info.get("type"):
        case "service_account":
            return service_account.Credentials.from_service_account_info(info, scopes=SCOPES)
        case "authorized_user":
            return user_credentials.Credentials.from_authorized_user_info(info, list(SCOPES))
        case "external_account":
            return _external(info).from_info(info, scopes=list(SCOPES))
        case "external_account_authorized_user":
            return external_account_authorized_user.Credentials.from_info(info)
        case "impersonated_service_account":
            return impersonated_credentials.Credentials.from_impersonated_service_account_info(
                info, scopes=list(SCOPES)
            )
        case _:
            raise CredentialTrouble(
                "the credentials are of no known type",
                "they are the JSON of a service account's key, of a workload identity pool "
                "(external_account) or of `gcloud auth application-default login`",
            )


def _external(info: Mapping[str, Any]) -> Any:
    """Which kind of workload identity: AWS, a program, or a token in a file or at an address."""
    if info.get("subject_token_type") == "urn:ietf:params:aws:token-type:aws4_request":
        return aws.Credentials
    source = info.get("credential_source")
    if isinstance(source, dict) and "executable" in source:
        return pluggable.Credentials
    return identity_pool.Credentials


def _unusable(problem: Exception) -> CredentialTrouble:
    # Its text may quote the key.
    return CredentialTrouble(
        f"the credentials cannot be used ({_name(problem)})",
        "put the JSON there exactly as Google Cloud gave it",
    )


def _raise(problem: exceptions.GoogleAuthError) -> NoReturn:
    said = _said(problem)
    if isinstance(problem, exceptions.TransportError):
        raise CredentialTrouble(
            "Google cannot be asked for a token",
            "look at the way out: DNS, HTTPS_PROXY, a firewall; on Google Cloud at the metadata "
            "server",
        ) from None
    if any(mark in said.lower() for mark in _SIGNED_OUT_MARKS):
        raise CredentialTrouble(
            f"Google refuses to give a token ({said})",
            "the login has ended: sign in anew with `gcloud auth application-default login`; a "
            "service account does not have to",
        ) from None
    if any(mark in said.lower() for mark in _CLOCK_MARKS):
        raise CredentialTrouble(
            f"Google refuses to give a token ({said})",
            "is this machine's clock right? Set it by NTP. Else the credentials have expired: "
            "make new ones",
        ) from None
    raise CredentialTrouble(
        f"Google refuses to give a token ({said})",
        "is the account or its key deleted or disabled? Make a new key, or sign in anew with "
        "`gcloud auth application-default login`",
    ) from None


def _said(problem: exceptions.GoogleAuthError) -> str:
    """OAuth's own words for it; nothing else of the answer, which might hold a token."""
    for argument in problem.args:
        if isinstance(argument, dict):
            words = [argument.get(name) for name in ("error", "error_description")]
            told = ": ".join([word for word in words if isinstance(word, str)])
            if told:
                return told[:_SAID_CHARS_MAX]
    return _name(problem)


def _name(problem: Exception) -> str:
    return type(problem).__name__
