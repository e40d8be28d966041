"""One visit to the search service: can it be reached, does it take our key?

Asks for what is left of the account, which costs nothing; a service of one's own has no such thing
and is only reached.
"""

import ssl
import time
from collections.abc import Mapping

import aiohttp

from proxy.cli.finding import Finding, fail, ok, warn
from proxy.config.secrets import SecretProblem, resolve
from proxy.config.settings import Settings
from proxy.upstream.tunnel import proxy_for
from proxy.wire.http import split_base_url

ANSWER_TIMEOUT_S = 15.0
WHAT = "web search"


async def visit_search(
    settings: Settings, tls: ssl.SSLContext, environ: Mapping[str, str]
) -> list[Finding]:
    """What a visit shows."""
    wanted = settings.web_search
    try:
        key = resolve(wanted.api_key, environ).reveal() if wanted.api_key else ""
    except SecretProblem:
        return []  # told among the secrets
    origin, _ = split_base_url(wanted.base_url)
    via = proxy_for(origin) if settings.upstream.trust_env_proxies else None
    proxy = None if via is None else f"http://{via.host}:{via.port}"
    timeout = aiohttp.ClientTimeout(
        total=ANSWER_TIMEOUT_S, connect=settings.upstream.connect_timeout_s
    )
    began_s = time.monotonic()
    try:
        async with (
            # trust_env off: the proxy is chosen above, the way the gateway chooses it.
            aiohttp.ClientSession(timeout=timeout, trust_env=False) as session,
            session.get(
                wanted.base_url.rstrip("/") + "/v2/team/credit-usage",
                headers={"authorization": f"Bearer {key}"} if key else {},
                ssl=tls,
                proxy=proxy,
                allow_redirects=False,
            ) as reply,
        ):
            status = reply.status
    except (aiohttp.ClientError, OSError) as problem:  # TimeoutError is an OSError
        seen = f"{wanted.base_url}: no answer ({type(problem).__name__})"
        return [fail(WHAT, seen, "is web_search.base_url right, does the service run?")]
    took_ms = round((time.monotonic() - began_s) * 1000)
    return [ok(WHAT, f"{wanted.base_url} reached in {took_ms} ms"), _judged(status)]


def _judged(status: int) -> Finding:
    if status == 200:
        return ok(WHAT, "key accepted")
    if status in (401, 403):
        remedy = "look at web_search.api_key: is the key whole, of this account, not revoked?"
        return fail(WHAT, f"key refused ({status})", remedy)
    if status == 402:
        return fail(WHAT, "the account is used up (402)", "see to it at the search service")
    if status == 404:
        return ok(WHAT, "a service of its own kind: whether it searches shows at the first search")
    return warn(WHAT, f"it answers {status} to a question for the account", "try again later")
