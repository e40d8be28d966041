"""`doctor`: looks at everything the gateway needs, and says what to do about what is missing.

It looks and changes nothing, so it may run beside a gateway that serves. Each finding is one line,
told as soon as it is known; the providers, which may take seconds to answer, come last.
"""

import argparse
import asyncio
import os
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from proxy import compiled
from proxy.assembly.telemetry import is_installed
from proxy.cli import premises
from proxy.cli.bedrock_visit import visit_bedrock
from proxy.cli.finding import Finding, Level, fail, ok, warn
from proxy.cli.mail_visit import visit_mail
from proxy.cli.provider_visit import trusted, visit
from proxy.cli.search_visit import visit_search
from proxy.cli.vertex_visit import visit_vertex
from proxy.config.cautions import unresolved, warnings
from proxy.config.load import ConfigProblems, load
from proxy.config.settings import Provider, Settings
from proxy.domain.model import Deployment

COLLECTOR_TIMEOUT_S = 3.0


def run(arguments: list[str]) -> int:
    """Look at everything; 0 when nothing FAILs, else 1."""
    parser = argparse.ArgumentParser(
        prog="hatz-gateway doctor",
        description="Look at everything the gateway needs, and say what to do.",
    )
    parser.add_argument("--config", required=True, metavar="FILE", help="the configuration")
    parser.add_argument("--json", action="store_true", help="as a JSON array")
    options = parser.parse_args(arguments)
    found = asyncio.run(_examined(Path(options.config), as_lines=not options.json))
    if options.json:
        print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    failed = sum(finding.level is Level.FAIL for finding in found)
    warned = sum(finding.level is Level.WARN for finding in found)
    if failed:
        print(f"hatz-gateway doctor: {failed} FAIL, {warned} warn", file=sys.stderr)
    return 1 if failed else 0


async def _examined(path: Path, *, as_lines: bool) -> list[Finding]:
    found = []
    async for finding in _findings(path):
        found.append(finding)
        if as_lines:
            print(finding, flush=True)
    return found


async def _findings(path: Path) -> AsyncIterator[Finding]:
    try:
        settings = load(path, os.environ)
    except ConfigProblems as problems:
        for problem in problems.problems:
            yield fail("configuration", str(problem), f"correct {path}")
        return
    for finding in _configuration(path, settings):
        yield finding
    for finding in await premises.storage(settings):
        yield finding
    for finding in await premises.counters(settings):
        yield finding
    port, serving = await premises.port(settings)
    yield port
    for finding in premises.journal(settings, serving=serving):
        yield finding
    yield premises.open_files(settings)
    yield ok("program", compiled.IN_USE)
    for finding in _traces(settings):
        yield finding
    for finding in await _web_search(settings):
        yield finding
    for finding in await _mail(settings):
        yield finding
    for finding in await _single_sign_on(settings):
        yield finding
    for finding in await _providers(settings):
        yield finding


def _configuration(path: Path, settings: Settings) -> Iterator[Finding]:
    enabled = sum(model.enabled for model in settings.models)
    seen = f"{path} loads; providers: {len(settings.providers)}, models enabled: {enabled}"
    yield ok("configuration", seen)
    for caution in warnings(settings):
        yield warn("configuration", caution)
    missing = unresolved(settings, os.environ)
    for problem in missing:
        yield fail("secrets", problem)
    if not missing:
        yield ok("secrets", "every reference leads to a value")


def _traces(settings: Settings) -> Iterator[Finding]:
    endpoint = settings.observability.otlp_endpoint
    if not endpoint:
        return
    if not is_installed():
        seen = "otlp_endpoint is set, but OpenTelemetry's SDK is not installed"
        yield fail("traces", seen, "install `hatz-messages-gateway[otlp]`")
        return
    parts = urlsplit(endpoint)
    place = (parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
    try:
        socket.create_connection(place, timeout=COLLECTOR_TIMEOUT_S).close()
    except OSError as problem:
        seen = f"no collector at {endpoint}: {problem.strerror or problem}"
        yield warn("traces", seen, "requests are served all the same; spans are dropped")
    else:
        yield ok("traces", f"a collector listens at {endpoint}")


async def _web_search(settings: Settings) -> list[Finding]:
    if not settings.web_search.enabled:
        return [ok("web search", "switched off")]
    tls = trusted(settings.upstream)
    if not isinstance(tls, ssl.SSLContext):
        return []  # said with the providers
    return await visit_search(settings, tls, os.environ)


async def _mail(settings: Settings) -> list[Finding]:
    if not settings.mail.enabled:
        return [ok("mail", "switched off")]
    tls = trusted(settings.upstream)
    if not isinstance(tls, ssl.SSLContext):
        return []  # said with the providers
    return await visit_mail(settings.mail, tls, os.environ)


async def _single_sign_on(settings: Settings) -> list[Finding]:
    if not settings.oidc.enabled:
        return [ok("single sign-on", "switched off")]
    if not isinstance(trusted(settings.upstream), ssl.SSLContext):
        return []  # said with the providers
    # What it needs costs time that nobody should wait who has no such provider.
    from proxy.cli.oidc_visit import visit_oidc  # noqa: PLC0415

    return await visit_oidc(settings, os.environ)


async def _providers(settings: Settings) -> list[Finding]:
    tls = trusted(settings.upstream)
    if not isinstance(tls, ssl.SSLContext):
        return [tls]
    visits = [_visited(provider, settings, tls) for provider in settings.providers]
    return [finding for found in await asyncio.gather(*visits) for finding in found]


def _visited(
    provider: Provider, settings: Settings, tls: ssl.SSLContext
) -> Awaitable[list[Finding]]:
    deployed = _deployed(settings, provider.name)
    if provider.wire == "bedrock":
        return visit_bedrock(provider, deployed, settings.upstream, tls, os.environ)
    if provider.wire == "vertex":
        return visit_vertex(
            provider, [each.model for each in deployed], settings.upstream, tls, os.environ
        )
    return visit(provider, settings.upstream, tls, os.environ)


def _deployed(settings: Settings, provider: str) -> list[Deployment]:
    """The models that run at a provider."""
    return [
        deployment
        for model in settings.models
        for deployment in model.deployments
        if model.enabled and deployment.provider == provider
    ]
