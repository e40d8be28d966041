"""One visit to Amazon Bedrock: are there credentials, does each model answer to them, is our clock
right?

Each deployment is asked something that its model must refuse: a body without a message. Whoever may
not use the model hears that before its body is read, so nothing is spent.
"""

import asyncio
import ssl
import time
from collections.abc import Callable, Mapping, Sequence

import aiohttp
import msgspec
from yarl import URL

from proxy.cli.bedrock_remedies import judged
from proxy.cli.finding import Finding, fail, ok
from proxy.cli.provider_visit import ANSWER_TIMEOUT_S, clock, through, unreachable, way
from proxy.config.places import place_of
from proxy.config.secrets import SecretProblem, resolve
from proxy.config.settings import Provider, Upstream
from proxy.domain.model import Deployment
from proxy.providers.bedrock.account import term_lines
from proxy.providers.bedrock.converse_request import on_terms
from proxy.providers.bedrock.surfaces import Deployment as Place
from proxy.providers.bedrock.surfaces import Surface
from proxy.upstream.aws_login import AwsLogin
from proxy.upstream.fresh_credential import CredentialTrouble
from proxy.wire.aws_fault import exception_name
from proxy.wire.chat_error import read_said
from proxy.wire.sigv4 import AwsKeys, Signer, path_label

MODELS_MAX = 20


async def visit_bedrock(
    provider: Provider,
    deployments: Sequence[Deployment],
    upstream: Upstream,
    tls: ssl.SSLContext,
    environ: Mapping[str, str],
    wall: Callable[[], float] = time.time,
) -> list[Finding]:
    """What a visit shows. `deployments` are those of models that run there."""
    what = f"provider {provider.name}"
    try:
        key = resolve(provider.api_key, environ).reveal() if provider.api_key else ""
    except SecretProblem:
        return []  # told among the secrets
    keys: AwsKeys | None = None
    ends_s: float | None = None
    if not key:
        try:
            fetched = await AwsLogin(provider.profile, provider.region, upstream.ca_file).fetch()
        except CredentialTrouble as trouble:
            return [fail(what, f"no AWS credentials: {trouble.said}", trouble.remedy)]
        keys, ends_s = fetched.value, fetched.expires_s
    found = [ok(what, _about(provider, keys, ends_s, wall()))]
    places = []
    for deployment in dict.fromkeys(deployments):
        try:
            places.append(place_of(provider, deployment))
        except ValueError as problem:
            found.append(fail(what, str(problem), "correct the deployment's `model`"))
    visits = [
        _Visit(what, provider, upstream, tls, wall).ask(place, key, keys)
        for place in places[:MODELS_MAX]
    ]
    told = [finding for each in await asyncio.gather(*visits) for finding in each]
    # The same for all of an endpoint: where it is, whether the clock is right.
    return [*found, *dict.fromkeys(told)]


def _about(provider: Provider, keys: AwsKeys | None, ends_s: float | None, now_s: float) -> str:
    if keys is None:
        return f"a Bedrock API key from {provider.api_key}"
    whose = f" of the profile {provider.profile}" if provider.profile else ""
    if ends_s is None:
        return f"AWS credentials{whose}, without an end"
    return f"AWS credentials{whose}, good for {max(0.0, ends_s - now_s) / 60:.0f} more minutes"


class _Visit:
    """To one deployment after the other of a provider."""

    def __init__(
        self,
        what: str,
        provider: Provider,
        upstream: Upstream,
        tls: ssl.SSLContext,
        wall: Callable[[], float],
    ) -> None:
        self._what = what
        self._provider = provider
        self._upstream = upstream
        self._tls = tls
        self._wall = wall

    async def ask(self, place: Place, key: str, keys: AwsKeys | None) -> list[Finding]:
        """What this one answers."""
        scheme = "https" if place.origin.secure else "http"
        base = f"{scheme}://{place.origin.authority}"
        there = msgspec.structs.replace(self._provider, base_url=base)
        target = place.prefix + _path(place)
        headers = {"host": place.origin.authority, "content-type": "application/json"}
        if place.surface is Surface.MESSAGES:
            headers["anthropic-version"] = "2023-06-01"
        if place.surface is Surface.INVOKE:
            lines = term_lines(place.terms).split("\r\n")[:-1]
            headers |= dict([line.split(": ", 1) for line in lines])
        if keys is None:
            headers["authorization"] = f"Bearer {key}"
        else:
            signed = {
                name: value
                for name, value in headers.items()
                if name in ("host", "content-type") or name.startswith("x-amz")
            }
            signer = Signer(keys, place.region, place.service)
            headers |= dict(
                signer.lines("POST", target, signed.items(), [_body(place)], self._wall())
            )
        timeout = aiohttp.ClientTimeout(
            total=ANSWER_TIMEOUT_S, connect=self._upstream.connect_timeout_s
        )
        try:
            proxy, proxy_headers = way(there, self._upstream)
        except ValueError as problem:
            remedy = "the gateway goes through http:// proxies only; correct the variable"
            return [fail(self._what, str(problem), remedy)]
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, trust_env=False) as session,
                session.post(
                    URL(base + target, encoded=True),
                    data=_body(place),
                    headers=headers,
                    ssl=self._tls,
                    proxy=proxy,
                    proxy_headers=proxy_headers,
                    allow_redirects=False,
                ) as reply,
            ):
                said = read_said(await reply.content.read(65536))
                named = exception_name(reply.headers.get("x-amzn-errortype", "")).lower()
                names = " ".join([named, *said.names])
                date = reply.headers.get("date", "")
                status = reply.status
        except (aiohttp.ClientError, OSError) as problem:  # TimeoutError is an OSError
            found = unreachable(self._what, there, problem, through(proxy))
            if isinstance(problem, aiohttp.ClientConnectorDNSError) and not proxy:
                remedy = f"is Bedrock offered in `region`, {place.region}? {found.remedy}"
                found = msgspec.structs.replace(found, remedy=remedy)
            return [found]
        return [
            ok(self._what, f"{base} reached{through(proxy)}"),
            judged(self._what, place, status, names, said.message),
            *clock(self._what, date, self._wall()),
        ]


def _path(place: Place) -> str:
    match place.surface:
        case Surface.MESSAGES:
            return "/anthropic/v1/messages/count_tokens"
        case Surface.CHAT:
            return "/v1/chat/completions"
        case Surface.INVOKE:
            return f"/model/{path_label(place.model)}/invoke"
        case Surface.CONVERSE:
            return f"/model/{path_label(place.model)}/converse"


def _body(place: Place) -> bytes:
    if place.surface in (Surface.MESSAGES, Surface.CHAT):
        return b'{"model":%b,"messages":[]}' % msgspec.json.encode(place.model)
    if place.surface is Surface.CONVERSE:
        return msgspec.json.encode(on_terms(place.terms))
    return b"{}"
