"""Providers and the connections to them, built from settings: which deployments can be called."""

import logging
import ssl
import time
from collections.abc import Mapping

from proxy.config.cautions import WIRES_AVAILABLE
from proxy.config.secrets import SecretProblem, resolve
from proxy.config.settings import Provider as ProviderSettings
from proxy.config.settings import Settings, Upstream
from proxy.gateway.means import Route
from proxy.gateway.tasks import Tasks
from proxy.gateway.wheel import Wheel
from proxy.providers.anthropic import Anthropic
from proxy.upstream.pool import Pool, PoolLimits
from proxy.upstream.tunnel import proxy_for
from proxy.wire.http import Origin, split_base_url

_LOG = logging.getLogger("proxy.assembly")


class Suppliers:
    """One per process: pools live as long as it does, providers as long as their settings."""

    def __init__(
        self, upstream: Upstream, environ: Mapping[str, str], tasks: Tasks, wheel: Wheel
    ) -> None:
        self.pools: dict[Origin, Pool] = {}
        self._upstream = upstream
        self._environ = environ
        self._tasks = tasks
        self._wheel = wheel

    def routes(self, settings: Settings) -> dict[str, tuple[Route, ...]]:
        """Model id to its deployments, those whose provider can be called."""
        callable_providers: dict[str, tuple[Anthropic, Pool]] = {}
        for each in settings.providers:
            try:
                provider = self._provider(each)
                if provider is not None:
                    callable_providers[each.name] = provider, self._pool(provider.origin)
            except (SecretProblem, ValueError) as problem:
                # One provider's trouble costs its own models only.
                said = "its key has characters no header can hold"
                if not isinstance(problem, UnicodeError):
                    said = str(problem)
                _LOG.error("provider %s: %s; its models answer 503", each.name, said)
        routes: dict[str, tuple[Route, ...]] = {}
        for model in settings.models:
            routes[model.id] = tuple(
                Route(*callable_providers[each.provider], each.model)
                for each in model.deployments
                if each.provider in callable_providers
            )
        return routes

    def close(self) -> None:
        """Close every connection."""
        for pool in self.pools.values():
            pool.close()

    def _provider(self, each: ProviderSettings) -> Anthropic | None:
        if each.wire not in WIRES_AVAILABLE:
            return None
        credential: tuple[str, str] | None = None
        if each.api_key:
            key = resolve(each.api_key, self._environ).reveal()
            is_bearer = each.auth_scheme == "bearer"
            credential = ("authorization", f"Bearer {key}") if is_bearer else ("x-api-key", key)
        origin, prefix = split_base_url(each.base_url)
        return Anthropic(
            each.name,
            origin,
            prefix,
            credential=credential,
            event_bytes_max=self._upstream.event_bytes_max,
        )

    def _pool(self, origin: Origin) -> Pool:
        pool = self.pools.get(origin)
        if pool is None:
            upstream = self._upstream
            pool = Pool(
                origin,
                PoolLimits(
                    connections_max=upstream.connections_max,
                    waiting_max=upstream.waiting_max,
                    connect_timeout_s=upstream.connect_timeout_s,
                    idle_connection_timeout_s=upstream.idle_connection_timeout_s,
                ),
                start_task=self._tasks.start,
                clock=time.monotonic,
                tls=self._tls() if origin.secure else None,
                via=proxy_for(origin) if upstream.trust_env_proxies else None,
            )
            self.pools[origin] = pool
            self._wheel.watch(pool)
        return pool

    def _tls(self) -> ssl.SSLContext:
        # Made once per origin and only for secure ones: it costs some 20 ms of the start.
        context = ssl.create_default_context()
        if self._upstream.ca_file:
            context.load_verify_locations(self._upstream.ca_file)
        return context
