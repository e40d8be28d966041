"""Every setting in one frozen tree: its default, its unit (last in the name), one line that says
what it is for. The names are the operator's interface: what is written here is what is written in
the file and in `HATZ_GATEWAY__SECTION__NAME`.

It knows shapes and ranges only. What must hold between settings stands in `rules.py`; reading a
file stands in `load.py`. Secrets are references here (`env:NAME`, `file:PATH`), never values.
"""

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from proxy.domain.model import REFERENCE_RATES, Model, Rates
from proxy.domain.terms import DEFAULT_LADDER, NO_BURST_LIMIT, Burst, Ladder

Count = Annotated[int, Meta(ge=1)]
Milliseconds = Annotated[int, Meta(ge=1, le=60_000)]
Port = Annotated[int, Meta(ge=0, le=65_535)]
# A day at most: TOML knows `inf`, and timers of the event loop do not.
Seconds = Annotated[float, Meta(gt=0, le=86_400)]
SecondsOrZero = Annotated[float, Meta(ge=0, le=86_400)]
Hours = Annotated[float, Meta(gt=0, le=8_760)]
SecretReference = Annotated[str, Meta(extra={"secret": True})]

Wire = Literal["anthropic", "anthropic_compat", "openai_chat", "bedrock", "vertex"]


class Server(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The front door: where it listens, and what one client may take of it."""

    host: str = "127.0.0.1"
    """Address to listen on; `0.0.0.0` or `::` for every interface."""
    port: Port = 8080
    """Port to listen on; 0 lets the system choose a free one."""
    workers: Count = 1
    """Processes; all share the port."""
    public_url: str = ""
    """The address clients use, shown in examples and links; empty: made of host and port."""
    body_bytes_max: Count = 33_554_432
    """Largest request body, decompressed; more is answered 413."""
    bodies_bytes_max: Count = 536_870_912
    """Bytes of bodies over a megabyte held at a time, per process; more are answered 529."""
    header_bytes_max: Count = 65_536
    """Largest request head; a longer one is refused."""
    header_timeout_s: Seconds = 15.0
    """Within this time the whole request head must have arrived."""
    body_idle_timeout_s: Seconds = 30.0
    """Longest silence while a request body arrives."""
    keepalive_timeout_s: Seconds = 120.0
    """How long an idle connection stays open; longer than clients keep theirs."""
    write_stall_timeout_s: Seconds = 300.0
    """A client that reads nothing of its reply for this long is let go."""
    drain_timeout_s: SecondsOrZero = 30.0
    """On stop, open streams may run on for this long."""
    drain_notice_s: SecondsOrZero = 0.0
    """On stop, new connections are still taken for this long while `/readyz` says 503: a balancer
    needs time to see it."""
    reuse_port: bool = False
    """Let another gateway of the same system user open the port while this one still serves, and
    take over; several workers always do."""
    connections_max: Count = 20_000
    """Open client connections per process."""
    in_flight_max: Count = 10_000
    """Messages requests carried at a time, per process."""
    queue_max: Annotated[int, Meta(ge=0)] = 100
    """So many more may wait for a place; then 529."""
    queue_wait_s: SecondsOrZero = 1.0
    """How long one may wait for a place; then 529."""
    lag_max_ms: Milliseconds = 250
    """While the event loop stays behind by more than this, fewer requests are carried."""
    pipelined_bytes_max: Count = 1_048_576
    """Bytes kept of requests sent ahead on one connection, before reading pauses."""

    @property
    def address(self) -> str:
        """The URL clients use, without a slash at its end."""
        if self.public_url:
            return self.public_url.rstrip("/")
        # "Every interface" is no address to call; a caller on this machine reaches it by loopback.
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


class Storage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What survives a restart."""

    url: str = "sqlite:///var/gateway.db"
    """`sqlite:///PATH` (relative to the working directory; four slashes: absolute) or
    `postgresql://user@host/db`. May be a reference, `env:NAME`, when it carries a password."""

    def __repr__(self) -> str:
        return f"Storage(url={without_password(self.url)!r})"


class Counters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where limits are counted."""

    url: str = "memory://"
    """`memory://`, or `redis://host:6379/0`, needed for more than one machine. May be a
    reference, `env:NAME`, when it carries a password."""

    def __repr__(self) -> str:
        return f"Counters(url={without_password(self.url)!r})"


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much and how fast, where a package, tenant or role does not say otherwise."""

    time_zone: str = "UTC"
    """The zone whose calendar months allowances are for, such as `Europe/Berlin`."""
    ladder: Ladder = DEFAULT_LADDER
    """What is restricted once a tenant's allowance is used, in steps: from `ratio` of it on, models
    of at least `multiplier`; without one everything that is not of the base level."""
    hard_stop: bool = False
    """Restrict every model as soon as the allowance is used."""
    reference_rates: Rates = REFERENCE_RATES
    """The rates whose multiplier is 1."""
    search_fee_credits: Count = 10
    """What one executed web search costs."""
    key: Burst = NO_BURST_LIMIT
    """How fast one API key may be used."""
    user: Burst = NO_BURST_LIMIT
    """How fast one user may be."""
    tenant: Burst = NO_BURST_LIMIT
    """How fast a whole tenant may be, unless it has terms of its own."""
    exchange_ms: Milliseconds = 100
    """How often workers tell each other what they hold."""
    margin: Annotated[float, Meta(ge=0, le=1)] = 0.02
    """Within this share of a limit a request waits until the other workers have been asked."""
    when_counters_lost: Literal["open", "closed"] = "open"
    """While the other workers cannot be asked: go on with what is known, or refuse whoever is near
    a limit."""


class WebSearch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The search tool for models whose provider has none."""

    enabled: bool = False
    """Carry out searches; off: see `when_disabled`."""
    base_url: str = "https://api.firecrawl.dev"
    """The search service."""
    api_key: SecretReference = "env:FIRECRAWL_API_KEY"
    """Its key, as `env:NAME` or `file:PATH`."""
    when_disabled: Literal["auto", "error", "message"] = "auto"
    """What a request for a search gets while it is off."""
    api_version: Literal["v2", "v1"] = "v2"
    """What the service speaks: Firecrawl's own v2, or v1 of older ones that one hosts oneself."""
    results: Annotated[int, Meta(ge=1, le=10)] = 5
    """Pages per search."""
    deep: bool = False
    """Have the pages themselves read, too: dearer and slower."""
    concurrent_max: Count = 32
    """Searches under way at a time, per process; more wait."""
    cache_s: SecondsOrZero = 300.0
    """How long the outcome of a search is kept for whoever asks the same; 0: not at all."""


class Mail(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Letters to people: invitations, and what administrators are told of their allowance."""

    enabled: bool = False
    """Send mail."""
    host: str = ""
    """The mail server (SMTP)."""
    port: Annotated[int, Meta(ge=1, le=65_535)] = 587
    """Its port: 587 for `starttls`, 465 for `implicit`, 25 within one's own network."""
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    """How the connection is made safe; a server that cannot is not talked to."""
    user: str = ""
    """Who logs in; empty: nobody does."""
    password: SecretReference = ""
    """Their password, as `env:NAME` or `file:PATH`."""
    from_address: str = ""
    """The sender: `gateway@example.com` or `Gateway <gateway@example.com>`."""
    link_url: str = ""
    """Where links in letters lead; empty: `server.public_url`."""
    contact: str = ""
    """Whom letters say to ask for more credits or help: a name, an address, a link."""
    timeout_s: Seconds = 15.0
    """Longest silence of the server."""
    notices_every_s: Seconds = 60.0
    """How often it is looked whether administrators have to be told of their allowance."""
    waiting_max: Count = 1_000
    """Letters that may wait for the server; more are not taken."""
    give_up_after_s: Seconds = 86_400.0
    """How long a letter is tried."""


class Observability(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the gateway tells about itself."""

    log: Literal["json", "console"] = "json"
    """One JSON object per line, or text for people."""
    access_log: bool = True
    """One line per request; never content."""
    otlp_endpoint: str = ""
    """Traces and metrics go there over OTLP/HTTP when set: `http://collector:4318`."""
    trace_ratio: Annotated[float, Meta(ge=0, le=1)] = 0.01
    """Share of the requests that are traced where the caller does not say (`traceparent`)."""
    trace_providers: bool = True
    """Tell providers of a trace in `traceparent`."""
    metrics_host: str = ""
    """Address of the metrics port; empty: that of the server."""
    metrics_port: Port = 0
    """A port of its own for `/metrics`; 0: on the main port."""


class Auth(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who may come in."""

    key_hash_secret: SecretReference = ""
    """Secret the stored keys are hashed with, as `env:NAME` or `file:PATH`; empty: the gateway
    makes one and keeps it in storage. Changing it makes every key invalid."""
    keys_cached_max: Count = 10_000
    """Keys remembered per process between looks into storage."""
    lookups_max: Count = 100
    """Keys never seen before that are looked up in storage at a time; more are answered 529."""
    strict_bearer: bool = False
    """Take a key as bearer token on the messages paths only, not on `/v1/chat/models`."""


class Sealing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What conversations carry sealed: signatures of thinking, results of searches."""

    secret: SecretReference = ""
    """Seals and opens, as `env:NAME` or `file:PATH`; empty: `auth.key_hash_secret`."""
    former_secret: SecretReference = ""
    """Opens what was sealed before the secret was exchanged; empty: `auth.key_hash_secret`."""


class Console(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The pages at `/`."""

    enabled: bool = True
    """Serve them; off: a page for newcomers only, and nobody signs in."""
    session_idle_h: Hours = 12.0
    """A session that is not used for so long is over."""
    session_lifetime_h: Hours = 168.0
    """A session lasts this long at most."""
    client_address_header: str = ""
    """The header in which a proxy in front tells the client's address, such as `X-Real-IP`; tries
    to sign in are counted by it. Empty: by the address of the connection."""
    password_sign_in: bool = True
    """Sign in by email address and password; off: by `[oidc]` only."""


class Oidc(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Signing in to the console by way of a provider of identities (OpenID Connect)."""

    enabled: bool = False
    """Offer it on the page to sign in."""
    issuer: str = ""
    """The provider, as it calls itself: `https://accounts.google.com`."""
    client_id: str = ""
    """What the gateway is called there."""
    client_secret: SecretReference = ""
    """Its secret, as `env:NAME` or `file:PATH`; empty: a public client, with PKCE alone."""
    label: str = "Single sign-on"
    """What the button says."""
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    """What is asked for."""
    verified_claim: str = "email_verified"
    """The claim that says the address was proven; Microsoft Entra ID calls it `xms_edov`."""
    newcomers_tenant: str = ""
    """The tenant that people join whom nobody has invited; empty: they are not let in."""
    newcomers_domains: tuple[str, ...] = ()
    """Domains of the addresses of those who may, such as example.com."""
    newcomers_role: str = "general_user"
    """What they are there: the slug of a role."""
    clock_leeway_s: Annotated[int, Meta(ge=0, le=300)] = 60
    """How far the provider's clock may differ."""
    timeout_s: Seconds = 10.0
    """How long the provider may take to answer the gateway."""


class Upstream(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Connections to providers."""

    connect_timeout_s: Seconds = 5.0
    """Until a connection stands, TLS included."""
    first_byte_timeout_s: Seconds = 600.0
    """From the request to the first byte of the reply."""
    idle_timeout_s: Seconds = 300.0
    """Longest silence inside a reply; the whole stream has no limit."""
    connections_max: Count = 10_000
    """Connections per origin and process; further requests wait."""
    idle_connection_timeout_s: Seconds = 60.0
    """How long an unused connection is kept for the next request."""
    connection_age_max_s: Seconds = 600.0
    """An older connection is closed after its call: new ones follow a name to its new address."""
    warm_connections: Annotated[int, Meta(ge=0, le=1000)] = 0
    """Connections per origin and process that are kept ready ahead of requests."""
    waiting_max: Count = 10_000
    """Requests that may wait for a connection; more are answered 503."""
    eject_failures: Count = 5
    """So many failures in a row, and the other deployments of a model are asked first."""
    eject_s: Seconds = 5.0
    """For how long; twice as long each time it fails again."""
    eject_max_s: Seconds = 300.0
    """At most for so long."""
    drain_deadline_s: Seconds = 60.0
    """How long an answer is read on whose client left (`on_disconnect = "drain"`)."""
    drain_bytes_max: Count = 16_777_216
    """So much of it at most."""
    drains_max: Count = 100
    """So many answers at a time, per process; further ones are cancelled."""
    retry_share: Annotated[float, Meta(ge=0, le=1)] = 0.2
    """Share of a model's calls that may go on to another deployment; ten a second always may."""
    ping_after_s: Seconds = 10.0
    """Silence after which the client gets a ping."""
    commit_after_s: Seconds = 10.0
    """How long the reply's status is held back for the provider's; then the stream opens."""
    finish_grace_s: Seconds = 5.0
    """After a model of the OpenAI wire has finished: how long its usage is waited for."""
    count_timeout_s: Seconds = 3.0
    """How long a provider may take to count tokens; then an estimate answers."""
    held_bytes_max: Count = 1_048_576
    """Bytes held per stream for a slow client, before the provider is paused."""
    event_bytes_max: Count = 16_777_216
    """Largest single event of a stream; more is a protocol error."""
    reply_bytes_max: Count = 67_108_864
    """Largest reply that is not a stream."""
    ca_file: str = ""
    """PEM file with further certificate authorities to trust."""
    trust_env_proxies: bool = True
    """Follow `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`."""


class Relay(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How events pass from providers to clients."""

    coalesce_ms: Annotated[float, Meta(ge=0, le=1000)] = 0.0
    """A stream is read again after this long at the earliest, so that its events go out together;
    0: at once, unless the event loop is behind. The first event never waits."""
    coalesce_lag_ms: Annotated[float, Meta(ge=0, le=10_000)] = 50.0
    """While the event loop stays behind by more than this, streams are read every 20 ms; 0:
    never for this reason."""


class Catalog(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How names become models."""

    list_native_ids: bool = False
    """Model lists also show native ids (`claude-opus-4-7`) beside catalogue ids."""
    mapping_applies_to_native_ids: bool = True
    """A user's mapping of `opus`, `sonnet`, `haiku` also catches native ids of that family."""
    refresh_s: Seconds = 1.0
    """How often a process looks whether models, keys or mappings changed in storage."""
    aliases: dict[str, str] = {}
    """Further names for models: `best = "anthropic.claude-opus-5-5"`."""


class Ledger(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The books."""

    folder: str = "var/journal"
    """Finished generations wait here for storage (relative to the working directory)."""
    flush_ms: Milliseconds = 250
    """How often waiting entries go to storage."""
    spool_bytes_max: Count = 1_073_741_824
    """Space the folder may take while storage cannot be reached; then new requests are refused."""


class Provider(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One account at one upstream; deployments name it."""

    name: str
    """What deployments call it."""
    wire: Wire
    """The protocol it speaks."""
    base_url: str = ""
    """Where it is: for `anthropic` without `/v1`, for `openai_chat` with it."""
    api_key: SecretReference = ""
    """Its key, as `env:NAME` or `file:PATH`; empty: requests carry none."""
    dialect: str = ""
    """The row of provider quirks for `openai_chat`; empty: those of a careful stranger."""
    quirks: dict[str, Any] = {}
    """Single quirks that differ from the row, such as `{ tool_choice_required = false }`."""
    auth_scheme: Literal["", "x-api-key", "bearer"] = ""
    """How the key is sent; empty: `x-api-key` on the Anthropic wires, else `bearer`."""
    region: str = ""
    """Where the cloud runs the models: `us-east-1` for `bedrock`, `global` for `vertex`."""
    profile: str = ""
    """The profile of AWS's own files whose credentials sign requests; empty: AWS's usual chain."""
    surface: Literal["", "mantle", "invoke", "converse"] = ""
    """Which API of Bedrock's serves the models; empty: what the id of each tells."""
    signing_service: str = ""
    """The service that signatures to Bedrock's mantle name; empty: `bedrock-mantle`."""
    project: str = ""
    """`vertex`: the project on Google Cloud that pays."""
    credentials: SecretReference = ""
    """`vertex`: the JSON of a service account, of workload identity or of a signed-in user; empty:
    what the environment offers (application default credentials)."""
    count_region: str = ""
    """`vertex`: where tokens are counted, if not in `region`: only some regions can."""
    betas: tuple[str, ...] = ()
    """`vertex`: betas beside the known ones that work there; `name-*` for all that begin so."""

    on_disconnect: Literal["cancel", "drain"] = "cancel"
    """When a client leaves: cancel the call, or read its answer on, for a provider that bills the
    whole of it anyway, so that the ledger has what it cost."""

    def __post_init__(self) -> None:
        # Paths are appended to it; `https://host/` must not become `https://host//v1/messages`.
        if self.base_url.endswith("/"):
            msgspec.structs.force_setattr(self, "base_url", self.base_url.rstrip("/"))


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole configuration. Swapped whole on reload, never changed in place."""

    server: Server = Server()
    storage: Storage = Storage()
    counters: Counters = Counters()
    limits: Limits = Limits()
    web_search: WebSearch = WebSearch()
    mail: Mail = Mail()
    observability: Observability = Observability()
    auth: Auth = Auth()
    sealing: Sealing = Sealing()
    console: Console = Console()
    oidc: Oidc = Oidc()
    upstream: Upstream = Upstream()
    relay: Relay = Relay()
    catalog: Catalog = Catalog()
    ledger: Ledger = Ledger()
    providers: tuple[Provider, ...] = ()
    models: tuple[Model, ...] = ()


def password_of(url: str) -> str | None:
    """The password inside a URL, if it carries one."""
    try:
        return urlsplit(url).password or None
    except ValueError:
        return None


def without_password(url: str) -> str:
    """The URL fit for a log: a password in it is replaced by stars."""
    head, scheme_end, rest = url.partition("://")
    netloc, slash, path = rest.partition("/")
    login, at, host = netloc.rpartition("@")
    if not at:
        return url
    user, colon, _ = login.partition(":")
    return f"{head}{scheme_end}{user}{colon}{'***' if colon else ''}@{host}{slash}{path}"
