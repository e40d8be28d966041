"""`doctor`: Claude on Google Cloud: is there a token, and may each model be asked with it?

A model is asked for something it must refuse, an empty conversation: who may ask it is told what is
wrong with the request, who may not is told that. Nothing is spent. No token is shown.
"""

import asyncio
import ssl
import time
from collections.abc import Callable, Iterable, Mapping

import aiohttp
import msgspec

from proxy.cli.finding import Finding, fail, ok, warn
from proxy.cli.provider_visit import ANSWER_TIMEOUT_S, clock, through, unreachable, way
from proxy.config.secrets import SecretProblem, resolve
from proxy.config.settings import Provider, Upstream
from proxy.providers.vertex_faults import lacks_model, remedy_of
from proxy.providers.vertex_place import base_url, model_path
from proxy.upstream.fresh_credential import CredentialTrouble
from proxy.upstream.google_token import open_google_login
from proxy.wire.google_error import read_google_error

_ASKED = b'{"anthropic_version":"vertex-2023-10-16","max_tokens":1,"messages":[]}'
_SAID_CHARS_MAX = 200


async def visit_vertex(
    provider: Provider,
    models: Iterable[str],
    upstream: Upstream,
    tls: ssl.SSLContext,
    environ: Mapping[str, str],
    wall: Callable[[], float] = time.time,
) -> list[Finding]:
    """What a visit shows: token, address, clock, each of `models` (as the provider calls them)."""
    what = f"provider {provider.name}"
    provider = msgspec.structs.replace(
        provider, base_url=provider.base_url or base_url(provider.region)
    )
    try:
        token, quota_project = await asyncio.to_thread(_token, provider, upstream, environ)
    except SecretProblem:
        return []  # told among the secrets
    except CredentialTrouble as trouble:
        return [fail(what, trouble.said, trouble.remedy)]
    try:
        proxy, proxy_headers = way(provider, upstream)
    except ValueError as problem:
        remedy = "the gateway goes through http:// proxies only; correct the variable"
        return [fail(what, str(problem), remedy)]
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    if quota_project:
        headers["x-goog-user-project"] = quota_project
    if proxy_headers and provider.base_url.startswith("http:"):
        headers |= proxy_headers
    found = [ok(what, "a token of Google was given")]
    dated = ""
    timeout = aiohttp.ClientTimeout(total=ANSWER_TIMEOUT_S, connect=upstream.connect_timeout_s)
    async with aiohttp.ClientSession(timeout=timeout, trust_env=False) as session:
        for model in dict.fromkeys(models):
            path = model_path(provider.project, provider.region, model, streamed=False)
            try:
                async with session.post(
                    provider.base_url + path,
                    data=_ASKED,
                    headers=headers,
                    ssl=tls,
                    proxy=proxy,
                    proxy_headers=proxy_headers,
                    allow_redirects=False,
                ) as reply:
                    body = await reply.read()
            except (aiohttp.ClientError, OSError) as problem:  # TimeoutError is an OSError
                return [*found, unreachable(what, provider, problem, through(proxy))]
            dated = dated or reply.headers.get("date", "")
            found.append(_judged(what, provider, model, reply.status, body))
    return [*found, *clock(what, dated, wall())]


def _token(provider: Provider, upstream: Upstream, environ: Mapping[str, str]) -> tuple[str, str]:
    document = ""
    if provider.credentials:
        document = resolve(provider.credentials, environ, document=True).reveal()
    login = open_google_login(
        document, ca_file=upstream.ca_file, trust_env_proxies=upstream.trust_env_proxies
    )
    fetched = login.fetch()
    return fetched.token, fetched.quota_project


def _judged(what: str, provider: Provider, model: str, status: int, body: bytes) -> Finding:
    """What the answer says about the model, the account and the project."""
    error = read_google_error(body)
    said = f"model {model}: {status}"
    if error is not None:
        words = " ".join(error.message.split())[:_SAID_CHARS_MAX]
        said = f"{said} {error.status}: {words}"
    if (status == 400 and error is None) or status == 200:
        return ok(what, f"model {model} can be asked")
    lacking = None if error is None else lacks_model(error)
    if lacking is not None:
        return fail(what, said, lacking)
    if status == 404:
        remedy = (
            f"enable it for the project {provider.project} in Model Garden, and look whether it is "
            f"offered in {provider.region} under this name"
        )
        return fail(what, said, remedy)
    if status in (401, 403):
        return fail(what, said, remedy_of(error))
    if status == 429:
        return warn(what, said, "ask for more quota of this model in this region")
    if status >= 500:
        return warn(what, said, "the trouble is on Google's side; try again later")
    return warn(what, said, "are project, region and base_url right?")
