"""Providers and the connections to them, built from settings: which deployments can be called."""

import logging
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from proxy.config.places import place_of
from proxy.config.secrets import SecretProblem, resolve
from proxy.config.settings import Provider as ProviderSettings
from proxy.config.settings import Settings, Upstream
from proxy.domain.call import Call
from proxy.domain.deployment import ConnectionHealth, WorkerHealth
from proxy.domain.model import Deployment
from proxy.gateway.drain import Drains
from proxy.gateway.means import Route
from proxy.gateway.tasks import Tasks
from proxy.gateway.wheel import Watched, Wheel
from proxy.providers.anthropic import Anthropic
from proxy.providers.anthropic_compat import AnthropicCompat
from proxy.providers.bedrock.account import Account
from proxy.providers.bedrock.converse import BedrockConverse
from proxy.providers.bedrock.converse_row import CONVERSE
from proxy.providers.bedrock.invoke import BedrockInvoke
from proxy.providers.bedrock.mantle import BedrockMantle
from proxy.providers.bedrock.surfaces import Deployment as Place
from proxy.providers.bedrock.surfaces import Surface
from proxy.providers.credential import Credential
from proxy.providers.openai_chat.dialects import dialect_for, dialect_of
from proxy.providers.openai_chat.provider import OpenAIChat
from proxy.providers.provider import Provider
from proxy.providers.vertex import Vertex
from proxy.providers.vertex_place import base_url
from proxy.upstream.aws_credential import AwsCredential
from proxy.upstream.aws_login import AwsLogin
from proxy.upstream.choice import Ejection, Standing
from proxy.upstream.google_token import GoogleCredential, open_google_login
from proxy.upstream.health import Health
from proxy.upstream.pacer import STEADY, Pacer
from proxy.upstream.pool import Pool, PoolLimits
from proxy.upstream.retry import RetryBudget
from proxy.upstream.tunnel import proxy_for
from proxy.wire.body import Body
from proxy.wire.http import Origin, split_base_url
from proxy.wire.seal import ThinkingSeal

_Maker = Callable[[Deployment], Provider]
"""A deployment of a model in, its provider out."""

_LOG = logging.getLogger("proxy.assembly")


class _Held(Credential, Watched, Protocol):
    """A credential that is fetched anew in time; the wheel tells it when."""


class Suppliers:
    """One per process: pools live as long as it does, providers as long as their settings."""

    def __init__(
        self,
        upstream: Upstream,
        environ: Mapping[str, str],
        seal: ThinkingSeal,
        without_searches: Callable[[Call, Body], Body],
        tasks: Tasks,
        wheel: Wheel,
        *,
        pacer: Pacer = STEADY,
    ) -> None:
        self.pools: dict[Origin, Pool] = {}
        self._upstream = upstream
        self._environ = environ
        self._seal = seal
        self._without_searches = without_searches
        self._routes: dict[str, tuple[Route, ...]] = {}
        self._credentials: dict[tuple[str, ...], _Held] = {}
        self._credentials_kept: set[tuple[str, ...]] = set()
        self.drains = Drains(
            upstream.drains_max, upstream.drain_deadline_s, upstream.drain_bytes_max
        )
        self._draining: set[str] = set()
        self._secrets: dict[str, bytes] = {}
        self._standings: dict[tuple[str, str], Standing] = {}
        self._healths: dict[Standing, Health] = {}
        self._tasks = tasks
        self._wheel = wheel
        self._pacer = pacer

    def routes(self, settings: Settings) -> dict[str, tuple[Route, ...]]:
        """Model id to its deployments, those whose provider can be called."""
        makers: dict[str, _Maker] = {}
        self._credentials_kept = set()
        self._secrets = self._revealed(settings.providers)
        for each in settings.providers:
            try:
                maker = self._maker(each)
            except (SecretProblem, ValueError) as problem:
                # One provider's trouble costs its own models only.
                said = "its key has characters no header can hold"
                if not isinstance(problem, UnicodeError):
                    said = str(problem)
                _LOG.error("provider %s: %s; its models answer 503", each.name, said)
                continue
            makers[each.name] = maker
        counters = {
            each.name: self._vertex(each, each.count_region)
            for each in settings.providers
            if each.wire == "vertex" and each.count_region and each.name in makers
        }
        self._draining = {each.name for each in settings.providers if each.on_disconnect == "drain"}
        routes: dict[str, tuple[Route, ...]] = {}
        for model in settings.models:
            retries = RetryBudget(self._upstream.retry_share)
            routes[model.id] = tuple(
                self._route(makers[each.provider], each, counters.get(each.provider), retries)
                for each in model.deployments
                if each.provider in makers
            )
        self._routes = routes
        for account in self._credentials.keys() - self._credentials_kept:
            self._wheel.unwatch(self._credentials.pop(account))
        return routes

    def out(self, now_s: float) -> dict[str, int]:
        """Deployments that are asked last because they failed: provider and model, parted by a tab,
        to 1."""
        return {
            f"{route.provider.name}\t{route.upstream_model}": 1
            for routes in self._routes.values()
            for route in routes
            if route.standing.is_out(now_s)
        }

    def note_health(self, now_s: float) -> None:
        """Remember how deployments stand, so that it can be said how they did lately."""
        for health in self._healths.values():
            health.note(now_s)

    def health(self, now_s: float) -> WorkerHealth:
        """How every deployment does that can be called, and the connections to them."""
        seen = {
            (route.provider.name, route.upstream_model): self._healths[route.standing]
            for routes in self._routes.values()
            for route in routes
        }
        return WorkerHealth(
            [health.seen(*names, now_s) for names, health in seen.items()],
            [_connections(pool) for pool in self.pools.values()],
        )

    @property
    def ejections(self) -> int:
        """How often a deployment was put out."""
        return sum([standing.ejections for standing in self._standings.values()])

    @property
    def retries_withheld(self) -> int:
        """Calls that might have gone on to another deployment but for the budget."""
        return sum([routes[0].retries.withheld for routes in self._routes.values() if routes])

    def learned(self, now_s: float) -> dict[str, int]:
        """What deployments refused and are not sent any more: provider, model and field, parted
        by tabs, to 1."""
        return {
            f"{route.provider.name}\t{route.upstream_model}\t{field}": 1
            for routes in self._routes.values()
            for route in routes
            for field in route.provider.learned(now_s)
        }

    def close(self) -> None:
        """Close every connection."""
        for pool in self.pools.values():
            pool.close()

    def _route(
        self, maker: _Maker, place: Deployment, counter: _Maker | None, retries: RetryBudget
    ) -> Route:
        counted_by = None if counter is None else self._route(counter, place, None, retries)
        provider = maker(place)
        return Route(
            provider,
            self._pool(provider.origin),
            place.model,
            counted_by,
            self._standing(provider.name, place.model),
            retries,
            self._secrets.get(provider.name, b""),
            self.drains if provider.name in self._draining else None,
        )

    def _vertex(self, each: ProviderSettings, region: str) -> _Maker:
        """Deployments in one region of Google Cloud."""
        document = ""
        if each.credentials:
            document = resolve(each.credentials, self._environ, document=True).reveal()
        origin, prefix = split_base_url(each.base_url or base_url(region))
        upstream = self._upstream

        def made() -> GoogleCredential:
            return GoogleCredential(
                each.name,
                lambda: open_google_login(
                    document,
                    ca_file=upstream.ca_file,
                    trust_env_proxies=upstream.trust_env_proxies,
                ),
                start_task=self._tasks.start,
                wall=time.time,
            )

        # The document itself: a changed file is another account.
        credential = self._credential(("vertex", each.name, document), made)
        return lambda place: Vertex(
            each.name,
            origin,
            prefix,
            project=each.project,
            region=region,
            model=place.model,
            credential=credential,
            betas=each.betas,
            event_bytes_max=upstream.event_bytes_max,
            without_searches=self._without_searches,
        )

    def _revealed(self, providers: Sequence[ProviderSettings]) -> dict[str, bytes]:
        """By provider; those that cannot be read are told elsewhere."""
        secrets: dict[str, bytes] = {}
        for each in providers:
            try:
                key = resolve(each.api_key, self._environ).reveal() if each.api_key else ""
                secrets[each.name] = key.encode("latin-1")
            except (SecretProblem, ValueError):
                continue
        return secrets

    def _maker(self, each: ProviderSettings) -> _Maker:
        """What makes the provider of a deployment, given the model's name there."""
        if each.wire == "vertex":
            return self._vertex(each, each.region)
        key = resolve(each.api_key, self._environ).reveal() if each.api_key else ""
        key.encode("latin-1")
        if each.wire == "bedrock":
            return lambda place: self._bedrock(each, key, place)
        origin, prefix = split_base_url(each.base_url)
        if each.wire == "openai_chat":
            dialect_for(each.dialect, "", each.quirks)  # what is wrong with it is wrong for all

            def chat(place: Deployment) -> Provider:
                return OpenAIChat(
                    each.name,
                    origin,
                    prefix,
                    key=key,
                    dialect=dialect_for(each.dialect, place.known_as, each.quirks),
                    seal=self._seal,
                    event_bytes_max=self._upstream.event_bytes_max,
                )

            return chat
        credential: tuple[str, str] | None = None
        if key:
            is_bearer = each.auth_scheme == "bearer"
            credential = ("authorization", f"Bearer {key}") if is_bearer else ("x-api-key", key)
        bytes_max = self._upstream.event_bytes_max
        if each.wire == "anthropic_compat":
            return lambda place: AnthropicCompat(
                each.name,
                origin,
                prefix,
                credential=credential,
                event_bytes_max=bytes_max,
                seal=self._seal,
                cites="claude" in place.known_as.lower(),
            )
        provider = Anthropic(
            each.name,
            origin,
            prefix,
            credential=credential,
            event_bytes_max=bytes_max,
            without_searches=self._without_searches,
        )
        return lambda _: provider

    def _bedrock(self, each: ProviderSettings, key: str, deployment: Deployment) -> Provider:
        """A deployment on the surface of Bedrock's that serves it."""
        place = place_of(each, deployment)
        credential = None if key else self._aws_credential(each, place)
        account = Account(each.name, place, key, credential, self._upstream.event_bytes_max)
        match place.surface:
            case Surface.CHAT:
                return OpenAIChat(
                    each.name,
                    place.origin,
                    place.prefix + "/v1",
                    key=key,
                    dialect=dialect_for("mantle", place.known_as, each.quirks),
                    seal=self._seal,
                    event_bytes_max=account.event_bytes_max,
                    credential=credential,
                )
            case Surface.CONVERSE:
                dialect = dialect_of(CONVERSE, place.known_as, each.quirks)
                return BedrockConverse(account, dialect, self._seal)
            case Surface.MESSAGES:
                return BedrockMantle(account, self._without_searches)
            case Surface.INVOKE:
                return BedrockInvoke(account, self._without_searches)

    def _aws_credential(self, each: ProviderSettings, place: Place) -> Credential:
        return self._credential(
            ("aws", each.name, each.profile, place.region, place.service),
            lambda: AwsCredential(
                each.name,
                AwsLogin(each.profile, place.region, self._upstream.ca_file).fetch,
                region=place.region,
                service=place.service,
                start_task=self._tasks.start,
                wall=time.time,
            ),
        )

    def _credential(self, account: tuple[str, ...], make: Callable[[], _Held]) -> Credential:
        """The credential of `account`: it outlives a reload that leaves the account as it is."""
        self._credentials_kept.add(account)
        held = self._credentials.get(account)
        if held is None:
            held = self._credentials[account] = make()
            self._wheel.watch(held)
        return held

    def _standing(self, provider: str, upstream_model: str) -> Standing:
        """What is known of a deployment outlives a change of the settings."""
        standing = self._standings.get((provider, upstream_model))
        if standing is None:
            upstream = self._upstream
            standing = self._standings[provider, upstream_model] = Standing(
                Ejection(upstream.eject_failures, upstream.eject_s, upstream.eject_max_s)
            )
            self._healths[standing] = Health(standing, time.monotonic())
        return standing

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
                    connection_age_max_s=upstream.connection_age_max_s,
                    warm=upstream.warm_connections,
                ),
                start_task=self._tasks.start,
                clock=time.monotonic,
                tls=self._tls() if origin.secure else None,
                via=proxy_for(origin) if upstream.trust_env_proxies else None,
                pacer=self._pacer,
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


def _connections(pool: Pool) -> ConnectionHealth:
    return ConnectionHealth(
        origin=f"{'https' if pool.origin.secure else 'http'}://{pool.origin.authority}",
        busy=pool.open_count - pool.idle_count,
        idle=pool.idle_count,
        connecting=pool.connecting_count,
        waiting=pool.waiting_count,
        opened=pool.opened,
        failed=pool.failed,
    )
