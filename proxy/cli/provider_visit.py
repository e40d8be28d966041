"""One visit to one provider: can it be reached, does it take our credential, is our clock right?

Goes the way requests go: the same authorities, the same proxy, the same headers; but asks for one
model of the list, which costs nothing. What it says names variables and files, never their content.
"""

import email.utils
import errno
import os
import ssl
import time
from collections.abc import Callable, Iterator, Mapping

import aiohttp

from proxy.cli.finding import Finding, fail, ok, warn
from proxy.config.secrets import SecretProblem, resolve
from proxy.config.settings import Provider, Upstream
from proxy.providers.openai_chat.dialects import dialect_for
from proxy.upstream.tunnel import proxy_for
from proxy.wire.http import split_base_url

ANSWER_TIMEOUT_S = 15.0
SKEW_S_MAX = 60.0


def trusted(upstream: Upstream) -> ssl.SSLContext | Finding:
    """Whom TLS connections trust: the system's authorities and `ca_file`."""
    what = "upstream.ca_file"
    context = ssl.create_default_context()
    if upstream.ca_file:
        try:
            context.load_verify_locations(upstream.ca_file)
        except ssl.SSLError:
            return fail(
                what,
                f"{upstream.ca_file} holds no certificate that can be read",
                "it must be a PEM file with the authorities' certificates",
            )
        except OSError as error:
            reason = error.strerror or type(error).__name__
            return fail(
                what,
                f"{upstream.ca_file} cannot be read ({reason})",
                "correct the path; it is relative to the directory the gateway is started in",
            )
    return context


async def visit(
    provider: Provider,
    upstream: Upstream,
    tls: ssl.SSLContext,
    environ: Mapping[str, str],
    wall: Callable[[], float] = time.time,
) -> list[Finding]:
    """What a visit shows: reached, credential, clock."""
    what = f"provider {provider.name}"
    key = _key(provider, environ)
    if not key.isascii():
        seen = f"{provider.api_key} has characters outside ASCII in it"
        return [fail(what, seen, "put the key there exactly as the provider shows it")]
    try:
        proxy, proxy_headers = way(provider, upstream)
    except ValueError as problem:
        remedy = "the gateway goes through http:// proxies only; correct the variable"
        return [fail(what, str(problem), remedy)]
    headers = _headers(provider, key)
    if proxy_headers and provider.base_url.startswith("http:"):
        headers |= proxy_headers  # without a tunnel the proxy reads the request itself
    timeout = aiohttp.ClientTimeout(total=ANSWER_TIMEOUT_S, connect=upstream.connect_timeout_s)
    began_s = time.monotonic()
    try:
        async with (
            # trust_env off: the proxy is chosen above, the way the gateway chooses it.
            aiohttp.ClientSession(timeout=timeout, trust_env=False) as session,
            session.get(
                _list_of_models(provider),
                headers=headers,
                ssl=tls,
                proxy=proxy,
                proxy_headers=proxy_headers,
                allow_redirects=False,
            ) as reply,
        ):
            took_ms = round((time.monotonic() - began_s) * 1000)
            date = reply.headers.get("date", "")
            status = reply.status
    except (aiohttp.ClientError, OSError) as problem:  # TimeoutError is an OSError
        return [unreachable(what, provider, problem, through(proxy))]
    found = [ok(what, f"{provider.base_url} reached in {took_ms} ms{through(proxy)}")]
    if key or not provider.api_key:  # a key that cannot be had is told among the secrets
        found.append(_judged(what, provider, status))
    return [*found, *clock(what, date, wall())]


def _key(provider: Provider, environ: Mapping[str, str]) -> str:
    try:
        return resolve(provider.api_key, environ).reveal() if provider.api_key else ""
    except SecretProblem:
        return ""


def _list_of_models(provider: Provider) -> str:
    """Something that costs nothing and wants the credential."""
    if provider.wire == "openai_chat":
        return provider.base_url + "/models"
    return provider.base_url.removesuffix("/v1") + "/v1/models?limit=1"


def _headers(provider: Provider, key: str) -> dict[str, str]:
    headers = {"accept": "application/json"}
    if provider.wire == "openai_chat":
        header = dialect_for(provider.dialect, "", provider.quirks).key_header
        if key:
            headers[header] = f"Bearer {key}" if header == "authorization" else key
        return headers
    headers["anthropic-version"] = "2023-06-01"
    if key and provider.auth_scheme == "bearer":
        headers["authorization"] = f"Bearer {key}"
    elif key:
        headers["x-api-key"] = key
    return headers


def way(provider: Provider, upstream: Upstream) -> tuple[str | None, dict[str, str] | None]:
    """The proxy's address and what it wants to hear, if the way leads through one."""
    origin, _ = split_base_url(provider.base_url)
    via = proxy_for(origin) if upstream.trust_env_proxies else None
    if via is None:
        return None, None
    host = f"[{via.host}]" if ":" in via.host else via.host
    name, _, value = via.authorization.decode("latin-1").strip().partition(": ")
    return f"http://{host}:{via.port}", {name: value} if name else None


def through(proxy: str | None) -> str:
    """Behind a place: that a proxy led there."""
    return "" if proxy is None else " through the proxy of the environment"


def _judged(what: str, provider: Provider, status: int) -> Finding:
    """What the status says about the credential and the address."""
    key = provider.api_key
    if status == 200:
        seen = "credential accepted" if key else "answers without a credential"
        return ok(what, seen)
    if status in (401, 403):
        if not key:
            remedy = f'write api_key = "env:NAME" for the provider {provider.name}'
            return fail(what, f"it wants a credential ({status})", remedy)
        place = key.partition(":")[2]
        where = "the variable" if key.startswith("env:") else "the file"
        remedy = f"look at {where} {place}: is the key whole, of this account, not revoked?"
        return fail(what, f"credential refused ({status})", remedy)
    if status == 402:
        remedy = "see to the account's billing at the provider"
        return fail(what, "the account cannot pay (402)", remedy)
    if status in (404, 405):
        remedy = "is base_url right? Some servers lack the list; then send a message to see"
        return warn(what, f"it has no list of models ({status})", remedy)
    if 300 <= status < 400:
        remedy = "the gateway follows none; write the final address into base_url"
        return fail(what, f"it redirects ({status})", remedy)
    if status == 429:
        remedy = "the credential was not checked; try again later"
        return warn(what, "it limits our rate at the moment (429)", remedy)
    if status >= 500:
        remedy = "the trouble is on its side; try again later, see its status page"
        return warn(what, f"it is in trouble ({status})", remedy)
    remedy = f"is base_url right, and does the server speak the wire {provider.wire}?"
    return warn(what, f"it answers {status} to a question for its models", remedy)


def clock(what: str, date: str, now_s: float) -> Iterator[Finding]:
    """Whether a reply's `date` agrees with the clock here; nothing where there is none."""
    try:
        theirs_s = email.utils.parsedate_to_datetime(date).timestamp()
    except ValueError:
        return  # no date, or none that can be read: nothing to compare with
    skew_s = now_s - theirs_s
    if abs(skew_s) > SKEW_S_MAX:
        side = "ahead of" if skew_s > 0 else "behind"
        yield warn(
            what,
            f"this machine's clock is {abs(skew_s):.0f} s {side} the provider's",
            "set it by NTP: the ledger's times and signed requests depend on it",
        )
    else:
        yield ok(what, f"clock right within {SKEW_S_MAX:.0f} s")


def unreachable(what: str, provider: Provider, problem: Exception, through: str) -> Finding:
    """The same few troubles everywhere, each with its own remedy."""
    goal = provider.base_url
    match problem:
        case aiohttp.ClientConnectorCertificateError():
            reason = getattr(problem.certificate_error, "verify_message", "") or "not trusted"
            seen = f"{goal}: its certificate is not accepted ({reason})"
            remedy = "if you trust its authority, put that one's PEM file into upstream.ca_file"
        case aiohttp.ClientHttpProxyError():
            seen = f"{goal}: the proxy of the environment answers {problem.status}"
            remedy = "look at HTTPS_PROXY, or name the host in NO_PROXY"
        case aiohttp.ClientConnectorDNSError():
            seen = f"{goal}: the name cannot be resolved{through}"
            remedy = "look at base_url and at this machine's DNS"
        case aiohttp.ClientConnectorSSLError():
            seen = f"{goal}: TLS fails{through}"
            remedy = "does the server speak TLS there? Otherwise base_url begins with http://"
        case aiohttp.ClientConnectorError():
            # asyncio's own text only repeats the address.
            reason = os.strerror(problem.os_error.errno or errno.ECONNABORTED).lower()
            seen = f"{goal}: no connection{through} ({reason})"
            remedy = "does the server run, is the port right, does a firewall forbid it?"
        case TimeoutError():
            seen = f"{goal}: no answer{through} in time"
            remedy = "does a firewall swallow it? Perhaps it needs a proxy: HTTPS_PROXY"
        case _:
            seen = f"{goal}: no HTTP comes back{through} ({type(problem).__name__})"
            remedy = "is base_url right? An https:// server does not answer http://"
    return fail(what, seen, remedy)
