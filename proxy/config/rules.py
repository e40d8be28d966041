"""What must hold beyond shape: addresses, references, names, and what settings ask of each other.

Three kinds of rules: of one value, of one table, of the whole. They look at the file as it was
read and not at finished settings, so that one bad value does not hide the next. A message never
repeats a value that might hold a secret pasted into the wrong place: keys, URLs, free text.
"""

import difflib
import math
import re
from collections.abc import Callable, Iterator, Sequence
from email.utils import getaddresses
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from proxy.config.lines import Place
from proxy.config.places import place_of
from proxy.config.secrets import is_reference, reference_fault
from proxy.config.settings import (
    Auth,
    Counters,
    Ledger,
    Limits,
    Mail,
    Observability,
    Oidc,
    Provider,
    Sealing,
    Server,
    Storage,
    WebSearch,
)
from proxy.domain.model import FAMILIES, BedrockTerms, Deployment, Model, Rates
from proxy.domain.terms import Burst, Step
from proxy.providers.openai_chat.dialects import ROWS
from proxy.providers.vertex_place import MODEL_PATTERN, PROJECT_PATTERN, REGION_PATTERN

Finding = tuple[Place, str]
"""A place in the configuration, and what is wrong there."""

Table = dict[str, object]

WIRES_BY_ADDRESS = ("anthropic", "anthropic_compat", "openai_chat")
"""Wires that must be told where to go; the others know it by their region."""

WHOLE_NUMBER_MAX = 2**53
"""No setting needs more, and what stores it may not hold more."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_AWS_REGION = re.compile(r"[a-z]{2,4}(?:-[a-z]{2,12})+-\d{1,2}")
_GUARDRAIL = re.compile(
    r"[a-z0-9]{1,64}|arn:aws[a-z-]*:bedrock:[a-z0-9-]{1,20}:\d{12}:guardrail/[a-z0-9]{1,64}"
)
_GUARDRAIL_VERSION = re.compile(r"[1-9]\d{0,7}|DRAFT", re.ASCII)
_WHERE_NAMES = ("region", "surface")
_DOMAIN = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+")
_MODEL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/-]{0,127}")


def nearest(word: str, valid: Sequence[str]) -> str | None:
    """The valid word most like this one, if any is like it."""
    by_case = {name.lower(): name for name in valid}
    found = difflib.get_close_matches(word.lower(), list(by_case), n=1, cutoff=0.6)
    return by_case[found[0]] if found else None


# ---------------------------------------------------------------- one value


def value_fault(owner: type[msgspec.Struct], name: str, value: object) -> str | None:
    """What is wrong with a value of the right type, or None."""
    if isinstance(value, str):
        rule = _TEXT_RULES.get((owner, name))
        return rule(value) if rule else None
    if owner in (Burst, Step) and isinstance(value, int | float) and value <= 0:
        return "expected more than 0; leave it out for no limit"
    if isinstance(value, int) and value > WHOLE_NUMBER_MAX:
        return f"expected a whole number, {WHOLE_NUMBER_MAX} or less"
    if isinstance(value, int) and (owner, name) in _COUNTS and value < 1:
        return f"expected a whole number, 1 or more, found {value}"
    if isinstance(value, int) and owner is Rates and value < 0:
        return f"expected 0 or more credits per million tokens, found {value}"
    return None


def _web_address(text: str) -> str | None:
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "expected a URL such as https://host or http://host:8080"
    if parts.scheme not in ("http", "https") or not host or re.search(r"\s", text):
        return "expected a URL that begins with http:// or https:// and names a host"
    if "@" in parts.netloc:
        return "a URL here carries no user or password; keys have settings of their own"
    if parts.query or parts.fragment:
        return "expected a URL without `?` and `#`: paths are appended to it"
    return None


def _web_address_or_empty(text: str) -> str | None:
    return _web_address(text) if text else None


def _storage_url(text: str) -> str | None:
    if is_reference(text):
        return reference_fault(text)
    if text.startswith("sqlite:///") and len(text) > len("sqlite:///"):
        return None
    if text.startswith("sqlite:"):
        return "expected sqlite:///PATH, three slashes and a file (four: an absolute path)"
    return _server_url(text, ("postgresql",), "sqlite:///PATH or postgresql://user@host/db")


def _counters_url(text: str) -> str | None:
    if is_reference(text):
        return reference_fault(text)
    if text == "memory://":
        return None
    return _server_url(text, ("redis", "rediss"), "memory:// or redis://host:6379/0")


def _server_url(text: str, schemes: Sequence[str], wanted: str) -> str | None:
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return f"expected {wanted}"
    return None if parts.scheme in schemes and host else f"expected {wanted}"


def _time_zone(text: str) -> str | None:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return "expected a time zone such as UTC or Europe/Berlin"
    return None


def _secret_reference(text: str) -> str | None:
    return reference_fault(text) if text else None


def _host_or_empty(text: str) -> str | None:
    if not text or re.fullmatch(r"[A-Za-z0-9._:-]+", text):
        return None
    return "expected the name or address of a server, without scheme and port"


def _mail_address_or_empty(text: str) -> str | None:
    if not text:
        return None
    found = getaddresses([text])
    address = found[0][1] if len(found) == 1 else ""
    # Plain letters only: not every server takes others in a sender.
    if text.isprintable() and re.fullmatch(
        r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+", address
    ):
        return None
    return "expected an address such as gateway@example.com or Gateway <gateway@example.com>"


def _issuer(text: str) -> str | None:
    if not text:
        return None
    if (fault := _web_address(text)) is not None:
        return fault
    parts = urlsplit(text)
    if parts.scheme != "https" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        # Who can read or change what is sent there can be anybody here.
        return "expected an https:// address; http:// is for one on this machine, to try it out"
    if text.rstrip("/").endswith("/.well-known/openid-configuration"):
        return "expected the issuer itself, without /.well-known/openid-configuration"
    return None


def _label(text: str) -> str | None:
    if text.strip() and text.isprintable() and len(text) <= 60:
        return None
    return "expected a few words, 60 characters at most"


def _one_line(text: str) -> str | None:
    return None if text.isprintable() and len(text) <= 200 else "expected one line, 200 at most"


def _family(text: str) -> str | None:
    if text in FAMILIES:
        return None
    return _wanted(text, FAMILIES, f"expected one of {', '.join(FAMILIES)}, or no family at all")


def _provider_name(text: str) -> str | None:
    if _NAME.fullmatch(text):
        return None
    return "expected a name of letters, digits, `.`, `_` and `-`, at most 64"


def _dialect(text: str) -> str | None:
    if not text or text in ROWS:
        return None
    rows = sorted(filter(None, ROWS))
    return _wanted(text, rows, f"expected one of {', '.join(rows)}")


def _model_id(text: str) -> str | None:
    if _MODEL_ID.fullmatch(text):
        return None
    return "expected an id of letters, digits and `._:@/-`, at most 128"


def _google_region(text: str) -> str | None:
    if not text or REGION_PATTERN.fullmatch(text):
        return None
    return "expected a region of Google Cloud such as europe-west1, or us, eu, global"


def _google_project(text: str) -> str | None:
    if not text or PROJECT_PATTERN.fullmatch(text):
        return None
    return "expected the id of a project: small letters, digits and `-`"


def _guardrail(text: str) -> str | None:
    if not text or _GUARDRAIL.fullmatch(text):
        return None
    return "expected the id of a guardrail (small letters and digits), or its ARN"


def _guardrail_version(text: str) -> str | None:
    if not text or _GUARDRAIL_VERSION.fullmatch(text):
        return None
    return "expected the number of a version, or DRAFT"


def _filled(text: str) -> str | None:
    return None if text.strip() else "expected text, found nothing"


_TEXT_RULES: dict[tuple[type[msgspec.Struct], str], Callable[[str], str | None]] = {
    (Server, "host"): _filled,
    (Server, "public_url"): _web_address_or_empty,
    (Storage, "url"): _storage_url,
    (Counters, "url"): _counters_url,
    (Limits, "time_zone"): _time_zone,
    (WebSearch, "base_url"): _web_address,
    (WebSearch, "api_key"): _secret_reference,
    (Mail, "host"): _host_or_empty,
    (Mail, "password"): _secret_reference,
    (Mail, "from_address"): _mail_address_or_empty,
    (Mail, "link_url"): _web_address_or_empty,
    (Mail, "contact"): _one_line,
    (Observability, "otlp_endpoint"): _web_address_or_empty,
    (Auth, "key_hash_secret"): _secret_reference,
    (Oidc, "issuer"): _issuer,
    (Oidc, "client_id"): _one_line,
    (Oidc, "client_secret"): _secret_reference,
    (Oidc, "label"): _label,
    (Oidc, "verified_claim"): _filled,
    (Oidc, "newcomers_tenant"): _one_line,
    (Sealing, "secret"): _secret_reference,
    (Sealing, "former_secret"): _secret_reference,
    (Ledger, "folder"): _filled,
    (Provider, "name"): _provider_name,
    (Provider, "base_url"): _web_address_or_empty,
    (Provider, "api_key"): _secret_reference,
    (Provider, "dialect"): _dialect,
    (Provider, "project"): _google_project,
    (Provider, "credentials"): _secret_reference,
    (Provider, "count_region"): _google_region,
    (Model, "id"): _model_id,
    (Model, "display_name"): _filled,
    (Model, "developer"): _filled,
    (Model, "family"): _family,
    (Deployment, "provider"): _filled,
    (Deployment, "model"): _filled,
    (BedrockTerms, "guardrail"): _guardrail,
    (BedrockTerms, "guardrail_version"): _guardrail_version,
}

_COUNTS = {(Model, "context_window"), (Model, "max_output_tokens")}


# ---------------------------------------------------------------- one table


def table_findings(owner: type[msgspec.Struct], table: Table, path: Place) -> Iterator[Finding]:
    """What the settings of one table ask of each other."""
    if owner is Model:
        yield from _model(table, path)
    elif owner is Provider:
        wire = table.get("wire")
        if wire in WIRES_BY_ADDRESS and not table.get("base_url"):
            yield path, f"`base_url` is missing: wire {wire} must be told where the provider is"
        if wire == "bedrock":
            yield from _bedrock(table, path)
        if wire == "vertex":
            yield from _vertex(table, path)
    elif (
        owner is WebSearch
        and table.get("enabled") is True
        and table.get("api_key") == ""
        and table.get("base_url", WebSearch().base_url) == WebSearch().base_url
    ):
        yield (*path, "api_key"), 'a search needs a key: write "env:NAME" or "file:PATH"'
    elif owner is Limits:
        yield from _ladder(table, path)
    elif owner is Mail:
        yield from _mail(table, path)
    elif owner is Oidc:
        yield from _oidc(table, path)


def _mail(table: Table, path: Place) -> Iterator[Finding]:
    if table.get("enabled") is True:
        for name in ("host", "from_address"):
            if not table.get(name):
                yield path, f"`{name}` is missing: mail needs a server and a sender"
    if bool(table.get("user")) != bool(table.get("password")):
        yield path, "`user` and `password` are given together, or neither is"


def _oidc(table: Table, path: Place) -> Iterator[Finding]:
    if table.get("enabled") is True:
        for name in ("issuer", "client_id"):
            if not table.get(name):
                yield path, f"`{name}` is missing: the provider and our name there must be known"
    scopes = table.get("scopes")
    if isinstance(scopes, list) and "openid" not in scopes:
        yield (*path, "scopes"), "`openid` is missing: without it there is no token to sign in by"
    domains = table.get("newcomers_domains")
    if table.get("newcomers_tenant") and not domains:
        yield (
            path,
            "`newcomers_domains` is missing: write whose addresses may join "
            "`newcomers_tenant`; anybody with an account at the provider is nobody's intent",
        )
    for domain in domains if isinstance(domains, list) else ():
        if isinstance(domain, str) and not _DOMAIN.fullmatch(domain):
            yield (
                (*path, "newcomers_domains"),
                "expected domains such as example.com, in small letters",
            )
    role = table.get("newcomers_role")
    if isinstance(role, str) and (role.startswith("msp_") or not role):
        yield (
            (*path, "newcomers_role"),
            "expected the slug of a role of tenants; roles of the MSP are given by hand",
        )


def _bedrock(table: Table, path: Place) -> Iterator[Finding]:
    region = table.get("region")
    if not region:
        yield path, "`region` is missing: the one of AWS that runs the models, such as us-east-1"
    elif isinstance(region, str) and not _AWS_REGION.fullmatch(region):
        yield (*path, "region"), "expected a region of AWS such as us-east-1 or eu-central-1"


def _vertex(table: Table, path: Place) -> Iterator[Finding]:
    if not table.get("project"):
        yield path, "`project` is missing: the id of the project on Google Cloud that pays"
    region = table.get("region")
    if not region:
        yield (
            path,
            "`region` is missing: one of Google Cloud such as europe-west1, or us, eu, global",
        )
    elif isinstance(region, str) and (fault := _google_region(region)) is not None:
        yield (*path, "region"), fault


def _ladder(table: Table, path: Place) -> Iterator[Finding]:
    """Each step later than the one before it; from each on more is restricted than before."""
    ratio, multiplier = 0.0, math.inf
    for step in _tables(table.get("ladder")):
        at, bound = step.get("ratio"), step.get("multiplier")
        if isinstance(at, int | float):
            if at <= ratio:
                yield (*path, "ladder"), "each `ratio` must be larger than the one before it, and 0"
            ratio = at
        if isinstance(bound, int | float) and bound >= multiplier:
            yield (*path, "ladder"), "each `multiplier` must be smaller than the one before it"
        multiplier = bound if isinstance(bound, int | float) else -math.inf


def _model(table: Table, path: Place) -> Iterator[Finding]:
    rates = table.get("rates")
    if rates is None and table.get("enabled", True) is True:
        # Never silently free (domain.md 9).
        yield (
            path,
            "`rates` is missing, and a model without rates is not enabled; add them or write "
            "enabled = false",
        )
    if isinstance(rates, dict):
        for name in ("input", "output"):
            if name not in rates:
                yield (*path, "rates"), f"`{name}` is missing; write 0 if it is meant to be free"


# ---------------------------------------------------------------- the whole


def joint_findings(raw: Table) -> Iterator[Finding]:
    """What tables ask of each other."""
    yield from _repeated(raw, "providers", "name")
    yield from _repeated(raw, "models", "id")
    yield from _unknown_providers(raw)
    yield from _vertex_models(raw)
    yield from _bedrock_models(raw)
    yield from _shadowing_aliases(raw)
    yield from _way_in(raw)
    server, observability = _table(raw.get("server")), _table(raw.get("observability"))
    metrics_port = observability.get("metrics_port", 0)
    if metrics_port and metrics_port == server.get("port", Server().port):
        yield (
            ("observability", "metrics_port"),
            "the server has this port; write 0 for metrics on the main port, or another one",
        )


def _way_in(raw: Table) -> Iterator[Finding]:
    """How people get into the console."""
    is_on = _table(raw.get("oidc")).get("enabled") is True
    if is_on and not _table(raw.get("server")).get("public_url"):
        yield (
            ("oidc", "enabled"),
            "`server.public_url` is missing: the provider sends people back to it",
        )
    if _table(raw.get("console")).get("password_sign_in") is False and not is_on:
        yield (
            ("console", "password_sign_in"),
            "nobody could sign in: switch on [oidc], or leave passwords on",
        )


def _repeated(raw: Table, array: str, name: str) -> Iterator[Finding]:
    seen: set[str] = set()
    for index, table in enumerate(_tables(raw.get(array))):
        value = table.get(name)
        if not isinstance(value, str):
            continue
        if value.lower() in seen:  # ids are compared without regard to case (domain.md 5)
            yield (array, index, name), f"`{value}` is there twice; every {name} is used once"
        seen.add(value.lower())


def _unknown_providers(raw: Table) -> Iterator[Finding]:
    names = [
        name
        for table in _tables(raw.get("providers"))
        if isinstance(name := table.get("name"), str)
    ]
    for index, model in enumerate(_tables(raw.get("models"))):
        for place, deployment in enumerate(_tables(model.get("deployments"))):
            name = deployment.get("provider")
            if not isinstance(name, str) or not name or name in names:
                continue
            known = (
                f"the providers are: {', '.join(names)}" if names else "there are no [[providers]]"
            )
            yield (
                ("models", index, "deployments", place, "provider"),
                _wanted(name, names, f"no provider is named `{name}`; {known}"),
            )


def _vertex_models(raw: Table) -> Iterator[Finding]:
    """Names that go into a path."""
    there = {
        table.get("name")
        for table in _tables(raw.get("providers"))
        if table.get("wire") == "vertex"
    }
    for index, model in enumerate(_tables(raw.get("models"))):
        for place, deployment in enumerate(_tables(model.get("deployments"))):
            name = deployment.get("model")
            if deployment.get("provider") not in there or not isinstance(name, str):
                continue
            if name and MODEL_PATTERN.fullmatch(name) is None:
                yield (
                    ("models", index, "deployments", place, "model"),
                    "expected a model of Vertex AI such as claude-sonnet-4-5@20250929",
                )


def _bedrock_models(raw: Table) -> Iterator[Finding]:
    """Ids that are none, terms that cannot be kept."""
    there = {
        table.get("name"): table
        for table in _tables(raw.get("providers"))
        if table.get("wire") == "bedrock"
    }
    for index, model in enumerate(_tables(raw.get("models"))):
        for place, deployment in enumerate(_tables(model.get("deployments"))):
            at: Place = ("models", index, "deployments", place)
            provider = there.get(deployment.get("provider"))
            if provider is None:
                continue
            try:
                # Its other settings may be nonsense, and have nothing to say here.
                asked = {name: provider[name] for name in _WHERE_NAMES if name in provider}
                place_of(
                    msgspec.convert({"name": "a", "wire": "bedrock", **asked}, Provider),
                    msgspec.convert(deployment, Deployment),
                )
            except msgspec.ValidationError:
                continue  # told already
            except ValueError as problem:
                yield (*at, "bedrock" if "bedrock" in deployment else "model"), str(problem)


def _shadowing_aliases(raw: Table) -> Iterator[Finding]:
    ids = {
        id.lower() for table in _tables(raw.get("models")) if isinstance(id := table.get("id"), str)
    }
    for alias in _table(_table(raw.get("catalog")).get("aliases")):
        path = ("catalog", "aliases", alias)
        if alias.lower() in FAMILIES:
            yield (
                path,
                f"`{alias}` already means the newest model of its family; choose another name",
            )
        elif alias.lower() in ids:
            yield path, f"`{alias}` is the id of a model, and ids come first; choose another name"


def _wanted(word: str, valid: Sequence[str], message: str) -> str:
    near = nearest(word, valid)
    return f"{message}; did you mean `{near}`?" if near else message


def _table(value: object) -> Table:
    return value if isinstance(value, dict) else {}


def _tables(value: object) -> list[Table]:
    return [_table(item) for item in value] if isinstance(value, list) else []
