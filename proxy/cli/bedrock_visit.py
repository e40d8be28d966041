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

from proxy.cli.finding import Finding, fail, ok, warn
from proxy.cli.provider_visit import ANSWER_TIMEOUT_S, clock, through, unreachable, way
from proxy.config.secrets import SecretProblem, resolve
from proxy.config.settings import Provider, Upstream
from proxy.providers.bedrock.surfaces import MANTLE, Deployment, Surface, deployment_of
from proxy.upstream.aws_login import AwsLogin
from proxy.upstream.fresh_credential import CredentialTrouble
from proxy.wire.aws_fault import exception_name
from proxy.wire.chat_error import read_said
from proxy.wire.sigv4 import AwsKeys, Signer, path_label

MODELS_MAX = 20
_WRONG_MODEL = ("model identifier is invalid", "on-demand throughput", "does not exist")
_OUR_CREDENTIAL = ("unrecognizedclient", "invalidsignature", "expiredtoken", "missingauth")
_BODY = b"{}"


async def visit_bedrock(
    provider: Provider,
    models: Sequence[str],
    upstream: Upstream,
    tls: ssl.SSLContext,
    environ: Mapping[str, str],
    wall: Callable[[], float] = time.time,
) -> list[Finding]:
    """What a visit shows. `models` are those that are deployed there."""
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
    for model in dict.fromkeys(models):
        try:
            places.append(_place(provider, model))
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


def _place(provider: Provider, model: str) -> Deployment:
    return deployment_of(
        model,
        asked=provider.surface,
        region=provider.region,
        base_url=provider.base_url,
        signing_service=provider.signing_service,
    )


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

    async def ask(self, place: Deployment, key: str, keys: AwsKeys | None) -> list[Finding]:
        """What this one answers."""
        scheme = "https" if place.origin.secure else "http"
        base = f"{scheme}://{place.origin.authority}"
        there = msgspec.structs.replace(self._provider, base_url=base)
        target = place.prefix + _path(place)
        headers = {"host": place.origin.authority, "content-type": "application/json"}
        if place.surface is Surface.MESSAGES:
            headers["anthropic-version"] = "2023-06-01"
        if keys is None:
            headers["authorization"] = f"Bearer {key}"
        else:
            signed = {name: headers[name] for name in ("host", "content-type")}
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
            return [unreachable(self._what, there, problem, through(proxy))]
        return [
            ok(self._what, f"{base} reached{through(proxy)}"),
            self._judged(place, status, names, said.message),
            *clock(self._what, date, self._wall()),
        ]

    def _judged(self, place: Deployment, status: int, names: str, message: str) -> Finding:
        what = self._what
        where = f"{place.model} ({place.surface.value}, {place.region})"
        if status in (401, 403) and any(name in names for name in _OUR_CREDENTIAL):
            remedy = "are the keys of this account, not revoked, and is this machine's clock right?"
            return fail(what, f"credentials refused: {message or names}", remedy)
        if status in (401, 403):
            actions = "bedrock:InvokeModel and bedrock:InvokeModelWithResponseStream"
            if place.surface in MANTLE:
                actions = "bedrock-mantle:CreateInference"
            remedy = (
                "request access to the model in the Bedrock console, and allow the role "
                f"{actions} on it"
            )
            return fail(what, f"{where}: no access ({status}): {message}", remedy)
        if status == 404 or any(words in message for words in _WRONG_MODEL):
            remedy = (
                "is the id right and served in this region? Newer models want an inference "
                "profile, such as eu. or global. before their id, or its ARN"
            )
            return fail(what, f"{where}: not known there ({status}): {message}", remedy)
        if status == 429:
            return warn(what, f"{where}: rate limited (429)", "access was not checked; try later")
        if status >= 500:
            return warn(what, f"{where}: it is in trouble ({status})", "try again later")
        return ok(what, f"{where}: access granted")


def _path(place: Deployment) -> str:
    match place.surface:
        case Surface.MESSAGES:
            return "/anthropic/v1/messages/count_tokens"
        case Surface.CHAT:
            return "/v1/chat/completions"
        case Surface.INVOKE:
            return f"/model/{path_label(place.model)}/invoke"
        case Surface.CONVERSE:
            return f"/model/{path_label(place.model)}/converse"


def _body(place: Deployment) -> bytes:
    if place.surface in (Surface.MESSAGES, Surface.CHAT):
        return b'{"model":%b,"messages":[]}' % msgspec.json.encode(place.model)
    return _BODY
