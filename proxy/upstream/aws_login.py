"""Where AWS keys come from: botocore's chain of environment, profiles, roles, web identity,
containers and instances, asked in a thread.

botocore is loaded with the first question only: it costs a tenth of a second and 15 MB that those
need not pay who have nothing at AWS. A session is made anew each time, so that changed files and
rotated tokens are seen, and nothing of botocore's own refreshing gets in the way of ours.
"""

import asyncio
import importlib
import time
from collections.abc import Callable, Mapping
from typing import Any

from proxy.upstream.fresh_credential import CredentialTrouble, Fetched
from proxy.wire.sigv4 import AwsKeys

LOGIN_TIMEOUT_S = 30.0
_METADATA_TIMEOUT_S = 2
_METADATA_ATTEMPTS = 2
_CONNECT_TIMEOUT_S, _READ_TIMEOUT_S = 5, 10
_SAID_CHARS_MAX = 300
_FOREVER_S = 1 << 30

_NONE = "there are no AWS credentials"
_REMEDY = (
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile, run where a role is "
    "attached, or give the provider an api_key"
)
_TROUBLES = {
    "ProfileNotFound": "correct `profile`; profiles stand in ~/.aws/config and ~/.aws/credentials",
    "PartialCredentialsError": "the key id, the secret or the token is missing beside the others",
    "UnauthorizedSSOTokenError": "run `aws sso login` for this profile",
    "SSOTokenLoadError": "run `aws sso login` for this profile",
    "TokenRetrievalError": "run `aws sso login` for this profile",
    "ConfigParseError": "correct the file; it is read by all of AWS's tools",
    "ClientError": "look at the role and who may assume it",
    "EndpointConnectionError": "this machine does not reach AWS's STS; look at network and region",
}


class AwsLogin:
    """One account: `profile`, or the default chain where it is empty."""

    def __init__(self, profile: str, region: str, ca_file: str = "") -> None:
        """`ca_file` holds further authorities to trust."""
        self._profile = profile
        self._region = region
        self._ca_file = ca_file
        self._loader: Any = None
        """botocore's descriptions of services: megabytes of JSON, parsed once. A parse holds up
        every thread of the process."""

    async def fetch(self) -> Fetched[AwsKeys]:
        """Keys that are good now. Raises CredentialTrouble."""
        try:
            async with asyncio.timeout(LOGIN_TIMEOUT_S):
                return await asyncio.to_thread(self._fetch)
        except TimeoutError:
            raise CredentialTrouble(
                f"AWS gave no credentials within {LOGIN_TIMEOUT_S:g} s", "look at the network"
            ) from None

    def _fetch(self) -> Fetched[AwsKeys]:
        exceptions = importlib.import_module("botocore.exceptions")
        try:
            found = self._session().get_credentials()
            if found is None:
                raise CredentialTrouble(_NONE, _REMEDY)
            frozen = found.get_frozen_credentials()
        except (exceptions.BotoCoreError, exceptions.ClientError) as problem:
            raise _trouble(problem) from None
        except OSError as problem:
            # A web identity token that is not where it should be, a file that may not be read.
            why = problem.strerror or type(problem).__name__
            raise CredentialTrouble(f"a file of credentials: {why}", _REMEDY) from None
        if not frozen.access_key or not frozen.secret_key:
            raise CredentialTrouble(_NONE, _REMEDY)
        keys = AwsKeys(frozen.access_key, frozen.secret_key, frozen.token or "")
        return Fetched(keys, _expires_s(found, time.time()))

    def _session(self) -> Any:
        config = importlib.import_module("botocore.config")
        if self._loader is None:
            self._loader = importlib.import_module("botocore.loaders").create_loader()
        session = importlib.import_module("botocore.session").Session(profile=self._profile or None)
        session.register_component("data_loader", self._loader)
        for name, value in _settings(self._region, self._ca_file).items():
            session.set_config_variable(name, value)
        session.set_default_client_config(
            config.Config(
                connect_timeout=_CONNECT_TIMEOUT_S,
                read_timeout=_READ_TIMEOUT_S,
                retries={"max_attempts": 2},
            )
        )
        return session


def _settings(region: str, ca_file: str) -> Mapping[str, object]:
    settings: dict[str, object] = {"ca_bundle": ca_file} if ca_file else {}
    return settings | {
        "region": region,
        "metadata_service_timeout": _METADATA_TIMEOUT_S,
        "metadata_service_num_attempts": _METADATA_ATTEMPTS,
    }


def _expires_s(found: Any, now_s: float) -> float | None:
    """When these keys end; those of a user never do.

    botocore tells only whether they end within a given time, so the second is searched for.
    """
    ends_within: Callable[[int], bool] | None = getattr(found, "refresh_needed", None)
    if ends_within is None or not ends_within(_FOREVER_S):
        return None
    least, most = 0, _FOREVER_S
    while most - least > 1:
        middle = (least + most) // 2
        if ends_within(middle):
            most = middle
        else:
            least = middle
    return now_s + least


def _trouble(problem: Exception) -> CredentialTrouble:
    """botocore's words name profiles, roles and files, and no secrets."""
    said = " ".join(str(problem).split())[:_SAID_CHARS_MAX]
    return CredentialTrouble(said, _TROUBLES.get(type(problem).__name__, _REMEDY))
