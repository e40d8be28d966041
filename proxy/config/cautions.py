"""What works but will surprise: said when a configuration is checked or started, never refused."""

from collections.abc import Iterator, Mapping

from proxy.config.secrets import SecretProblem, is_reference, resolve
from proxy.config.settings import Provider, Settings, password_of
from proxy.domain.model import NO_TERMS, Model
from proxy.providers.bedrock.surfaces import tells_itself
from proxy.providers.openai_chat.dialects import ROWS

_UNTIL_THEN = "its models answer 503 until then"


def warnings(settings: Settings) -> list[str]:
    """What the settings alone let expect."""
    return [
        *_providers(settings),
        *_models(settings),
        *_passwords(settings),
        *_mail(settings),
        *_sign_in(settings),
    ]


def unresolved(settings: Settings, environ: Mapping[str, str]) -> list[str]:
    """Secrets that cannot be had now, each with what will not work without it."""
    wanted = [
        (f"providers.{provider.name}.api_key", provider.api_key, _UNTIL_THEN)
        for provider in settings.providers
        if provider.wire != "vertex"
    ]
    wanted.append(("auth.key_hash_secret", settings.auth.key_hash_secret, "no key can be checked"))
    for name in ("secret", "former_secret"):
        reference = getattr(settings.sealing, name)
        wanted.append((f"sealing.{name}", reference, "the gateway cannot start"))
    wanted.append(("storage.url", _if_reference(settings.storage.url), "the gateway cannot start"))
    wanted.append(
        ("counters.url", _if_reference(settings.counters.url), "the gateway cannot start")
    )
    if settings.web_search.enabled:
        wanted.append(("web_search.api_key", settings.web_search.api_key, "searches fail"))
    if settings.oidc.enabled:
        wanted.append(("oidc.client_secret", settings.oidc.client_secret, "nobody signs in by it"))
    if settings.mail.enabled:
        wanted.append(("mail.password", settings.mail.password, "no mail is sent"))
    documents = [
        (f"providers.{provider.name}.credentials", provider.credentials, _UNTIL_THEN)
        for provider in settings.providers
        if provider.wire == "vertex"
    ]
    messages = []
    for place, reference, consequence in (*wanted, *documents):
        if not reference:
            continue
        try:
            resolve(reference, environ, document=place.endswith(".credentials"))
        except SecretProblem as problem:
            messages.append(f"{place}: {problem}; {consequence}")
    return messages


def _providers(settings: Settings) -> Iterator[str]:
    if not settings.providers:
        yield "there are no [[providers]]: no model can be reached"
    for provider in settings.providers:
        place = f"providers.{provider.name}"
        if provider.wire == "vertex":
            yield from _vertex(provider, place)
        elif not provider.api_key and provider.wire != "bedrock":
            yield f"{place}: there is no api_key; requests carry no credential"
        if provider.wire != "openai_chat" and (provider.dialect or provider.quirks):
            yield f"{place}: dialect and quirks are read for wire openai_chat only"
        if provider.wire != "bedrock" and (
            provider.profile or provider.surface or provider.signing_service
        ):
            yield f"{place}: profile, surface and signing_service are read for wire bedrock only"
        if provider.wire == "openai_chat" and not provider.dialect:
            yield (
                f"{place}: there is no dialect; only what every server knows is asked for. "
                f"There are: {', '.join(sorted(filter(None, ROWS)))}"
            )
        if provider.wire == "anthropic" and provider.base_url.endswith("/v1"):
            yield (
                f"{place}: base_url ends with /v1, which the anthropic wire adds by itself; "
                "leave it out"
            )


def _vertex(provider: Provider, place: str) -> Iterator[str]:
    if provider.api_key or provider.auth_scheme:
        yield f"{place}: api_key and auth_scheme are not read for wire vertex; use credentials"


def _models(settings: Settings) -> Iterator[str]:
    if not any(model.enabled for model in settings.models):
        yield "no model of the file is enabled: clients see those of storage only"
    for model in settings.models:
        if model.enabled and not model.deployments:
            yield f"models.{model.id}: there are no deployments; it answers 503"
        yield from _deployments(model, {each.name: each.wire for each in settings.providers})
    ids = {model.id.lower() for model in settings.models}
    for alias, target in settings.catalog.aliases.items():
        if target.lower() not in ids:
            yield f"catalog.aliases.{alias}: no model of the file has the id `{target}`"


def _deployments(model: Model, wires: Mapping[str, str]) -> Iterator[str]:
    for place in model.deployments:
        wire = wires.get(place.provider)
        if place.bedrock != NO_TERMS and wire != "bedrock":
            yield f"models.{model.id}: `bedrock` of a deployment is read for wire bedrock only"
        if wire == "bedrock" and not tells_itself(place.known_as):
            yield (
                f"models.{model.id}: the ARN {place.known_as} does not tell which model it is; set "
                "base_model to the id of the model behind it, else what it can do is guessed"
            )


def _passwords(settings: Settings) -> Iterator[str]:
    for place, url in (("storage", settings.storage.url), ("counters", settings.counters.url)):
        if password_of(url):
            yield (
                f"{place}.url: it carries a password in plain text; put the whole URL into a "
                f'variable and write url = "env:NAME"'
            )


def _mail(settings: Settings) -> Iterator[str]:
    mail = settings.mail
    if not mail.enabled:
        return
    if mail.tls == "none" and mail.host not in ("localhost", "127.0.0.1", "::1"):
        what = "user and password" if mail.user else "sign-in links of invitations"
        yield f"mail: tls is none, so that {what} cross the network in plain text"
    if not mail.link_url and not settings.server.public_url:
        yield (
            f"mail: links in letters lead to {settings.server.address}; set server.public_url or "
            "mail.link_url to an address that people can open"
        )


def _sign_in(settings: Settings) -> Iterator[str]:
    if not settings.oidc.enabled:
        return
    if not settings.console.enabled:
        yield "oidc: the console is off, so that nobody signs in"
    if not settings.server.public_url.startswith("https://"):
        yield "oidc: server.public_url is not https://; codes and sessions cross in plain text"
    if not settings.oidc.client_secret:
        yield "oidc: there is no client_secret; the provider must know a public client with PKCE"
    if "email" not in settings.oidc.scopes:
        yield "oidc: `email` is not among the scopes, and nobody is known by anything else at first"


def _if_reference(url: str) -> str:
    return url if is_reference(url) else ""
