"""Good files become settings; bad ones are told everything that is wrong, line by line."""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.config.check import table_type
from proxy.config.load import FILE_BYTES_MAX, ConfigProblems, load, parse
from proxy.config.settings import Provider, Settings
from proxy.domain.model import Deployment, Model, Rates
from tests.kit.patience import examples

NO_ENVIRON: Mapping[str, str] = {}

GOOD = """\
[server]
host = "0.0.0.0"
port = 9000
public_url = "https://gw.example.com"
header_timeout_s = 2.5

[storage]
url = "postgresql://user@host/db"

[counters]
url = "redis://host:6379/0"

[web_search]
enabled = true
when_disabled = "message"

[catalog.aliases]
best = "anthropic.claude-haiku-4-5"

[[providers]]
name = "anthropic"
wire = "anthropic"
base_url = "https://api.anthropic.com/"
api_key = "env:ANTHROPIC_API_KEY"

[[providers]]
name = "moonshot"
wire = "openai_chat"
dialect = "moonshot"
base_url = "https://api.moonshot.ai/v1"
api_key = "file:/run/secrets/moonshot"

[[models]]
id = "anthropic.claude-haiku-4-5"
display_name = "Claude Haiku 4.5"
developer = "Anthropic"
family = "haiku"
released = 2025-10-15
context_window = 200000
max_output_tokens = 64000
vision = true
enabled = true
rates = { input = 1000, output = 5000, cache_write_5m = 1250, cache_read = 100 }
deployments = [ { provider = "anthropic", model = "claude-haiku-4-5" } ]

[[models]]
id = "moonshot.kimi-k2-thinking"
display_name = "Kimi K2 Thinking"
developer = "Moonshot AI"
released = 2025-11-06
context_window = 262144
max_output_tokens = 32768
enabled = false
deployments = [ { provider = "moonshot", model = "kimi-k2-thinking" } ]
"""


def problems(
    text: str, environ: Mapping[str, str] = NO_ENVIRON
) -> list[tuple[int | None, str, str]]:
    with pytest.raises(ConfigProblems) as caught:
        parse(text, environ)
    return [(problem.line, problem.path, problem.message) for problem in caught.value.problems]


def test_an_empty_file_is_all_defaults() -> None:
    assert parse("", NO_ENVIRON) == Settings()


def test_a_good_file_becomes_settings() -> None:
    settings = parse(GOOD, NO_ENVIRON)
    assert settings.server.port == 9000
    assert settings.server.header_timeout_s == 2.5
    assert settings.server.address == "https://gw.example.com"
    assert settings.storage.url == "postgresql://user@host/db"
    assert settings.catalog.aliases == {"best": "anthropic.claude-haiku-4-5"}
    assert [provider.name for provider in settings.providers] == ["anthropic", "moonshot"]
    assert settings.providers[0].base_url == "https://api.anthropic.com"
    assert settings.models[0] == Model(
        id="anthropic.claude-haiku-4-5",
        display_name="Claude Haiku 4.5",
        developer="Anthropic",
        family="haiku",
        released=dt.date(2025, 10, 15),
        context_window=200_000,
        max_output_tokens=64_000,
        vision=True,
        enabled=True,
        rates=Rates(1000, 5000, 1250, 0, 100),
        deployments=(Deployment("anthropic", "claude-haiku-4-5"),),
    )
    assert settings.models[1].rates is None


AMAZON = """\
[[providers]]
name = "a"
wire = "bedrock"
region = "eu-central-1"
[[models]]
id = "m"
display_name = "M"
developer = "D"
released = 2026-01-01
context_window = 1000
max_output_tokens = 10
rates = { input = 1, output = 1 }
deployments = [ { provider = "a", """
MODEL = """\
[[models]]
id = "m"
display_name = "M"
developer = "D"
released = 2025-01-01
context_window = 1000
max_output_tokens = 100
rates = { input = 1, output = 2 }
"""

PROVIDER = """\
[[providers]]
name = "p"
wire = "anthropic"
base_url = "https://host"
"""

# text, line, path, what the message says
BAD = {
    "unknown setting": (
        "[server]\nhost = 'a'\nprot = 1\n",
        (3, "server.prot", "unknown setting; did you mean `port`?"),
    ),
    "unknown section": (
        "\n[servr]\nport = 1\n",
        (2, "servr", "unknown setting; did you mean `server`?"),
    ),
    "setting of another section": (
        "[server]\nping_after_s = 1\n",
        (2, "server.ping_after_s", "unknown setting here; it belongs to [upstream]"),
    ),
    "setting at the top": (
        "port = 1\n",
        (1, "port", "unknown setting here; it belongs to [server]"),
    ),
    "nothing like it": (
        "[storage]\nzzz = 1\n",
        (2, "storage.zzz", "unknown setting; there are: url"),
    ),
    "unknown key of an inline table": (
        MODEL.replace("output = 2", "output = 2, cache_red = 3"),
        (8, "models[0].rates.cache_red", "did you mean `cache_read`?"),
    ),
    "unknown key of a deployment": (
        MODEL + "deployments = [\n  {provider = 'p', model = 'x', modle = 'y'},\n]\n" + PROVIDER,
        (10, "models[0].deployments[0].modle", "did you mean `model`?"),
    ),
    "text for a number": (
        '[server]\nport = "8080"\n',
        (2, "server.port", "expected a whole number from 0 to 65535, found other text"),
    ),
    "port out of range": (
        "[server]\nport = 65536\n",
        (2, "server.port", "expected a whole number from 0 to 65535, found 65536"),
    ),
    "zero where one is least": (
        "[server]\nworkers = 0\n",
        (2, "server.workers", "expected a whole number, 1 or more, found 0"),
    ),
    "true for a number": (
        "[server]\nworkers = true\n",
        (2, "server.workers", "found true"),
    ),
    "a timeout of nothing": (
        "[upstream]\nidle_timeout_s = 0\n",
        (2, "upstream.idle_timeout_s", "expected a number above 0, at most 86400, found 0"),
    ),
    "an endless timeout": (
        "[upstream]\nidle_timeout_s = inf\n",
        (2, "upstream.idle_timeout_s", "found inf"),
    ),
    "a timeout that is no number": (
        "[upstream]\nidle_timeout_s = nan\n",
        (2, "upstream.idle_timeout_s", "found nan"),
    ),
    "a negative drain": (
        "[server]\ndrain_timeout_s = -1\n",
        (2, "server.drain_timeout_s", "expected a number from 0 to 86400, found -1"),
    ),
    "a number nobody can hold": (
        "[server]\nbody_bytes_max = 0x" + "f" * 5000 + "\n",
        (2, "server.body_bytes_max", "expected a whole number"),
    ),
    "a number too large to be meant": (
        "[server]\nbody_bytes_max = 99999999999999999\n",
        (2, "server.body_bytes_max", "9007199254740992 or less"),
    ),
    "a number for a switch": (
        "[auth]\nstrict_bearer = 1\n",
        (2, "auth.strict_bearer", "expected true or false, found 1"),
    ),
    "a word that is no choice": (
        '[observability]\nlog = "jsn"\n',
        (
            2,
            "observability.log",
            'expected one of "console", "json", found other text; did you mean `json`?',
        ),
    ),
    "a table where a value belongs": (
        "[server]\nhost.name = 'x'\n",
        (2, "server.host", "expected text in quotes, found a table"),
    ),
    "a list where a value belongs": (
        "[server]\nhost = [\n'x']\n",
        (2, "server.host", "found a list"),
    ),
    "a date where text belongs": (
        "[server]\nhost = 2025-01-01\n",
        (2, "server.host", "found a date or time"),
    ),
    "empty host": ("[server]\nhost = ' '\n", (2, "server.host", "found nothing")),
    "a value where a section belongs": (
        "server = 3\n",
        (1, "server", "expected a table: write [server] once"),
    ),
    "two brackets for a section": (
        "[[server]]\nport = 1\n",
        (1, "server", "expected a table: write [server] once"),
    ),
    "one bracket for a list": (
        "\n[providers]\nname = 'x'\n",
        (2, "providers", "expected a list of tables: write [[providers]], once for each"),
    ),
    "one deployment without its list": (
        MODEL + "deployments = { provider = 'p', model = 'x' }\n",
        (9, "models[0].deployments", "expected a list of tables in [ ]"),
    ),
    "a list of something else": (
        "providers = [\n 1,\n]\n",
        (2, "providers[0]", "expected a table, found 1"),
    ),
    "public_url without scheme": (
        '[server]\npublic_url = "gw.example.com"\n',
        (2, "server.public_url", "begins with http:// or https://"),
    ),
    "base_url of another scheme": (
        PROVIDER.replace("https", "ftp"),
        (4, "providers[0].base_url", "begins with http:// or https://"),
    ),
    "base_url with a password": (
        PROVIDER.replace("https://", "https://u:hunter2@"),
        (4, "providers[0].base_url", "carries no user or password"),
    ),
    "base_url with a query": (
        PROVIDER.replace("host", "host/?a=1"),
        (4, "providers[0].base_url", "without `?` and `#`"),
    ),
    "base_url with a port that is none": (
        PROVIDER.replace("host", "host:99999"),
        (4, "providers[0].base_url", "expected a URL such as"),
    ),
    "base_url missing": (
        PROVIDER.replace('base_url = "https://host"\n', ""),
        (1, "providers[0]", "`base_url` is missing: wire anthropic must be told"),
    ),
    "bedrock: no id of a model": (
        AMAZON + 'model = "a b" } ]\n',
        (13, "models[0].deployments[0].model", "no id of a model of Bedrock's"),
    ),
    "bedrock: half a guardrail": (
        AMAZON + 'model = "amazon.nova-pro-v1:0", bedrock = { guardrail = "gr1" } } ]\n',
        (13, "models[0].deployments[0].bedrock", "given together"),
    ),
    "bedrock: a guardrail that is none": (
        AMAZON + 'model = "amazon.nova-pro-v1:0", bedrock = { guardrail = "x\\r\\ny", '
        'guardrail_version = "1" } } ]\n',
        (13, "models[0].deployments[0].bedrock.guardrail", "expected the id of a guardrail"),
    ),
    "bedrock: a version that is none": (
        AMAZON + 'model = "amazon.nova-pro-v1:0", bedrock = { guardrail = "gr1", '
        'guardrail_version = "1.2" } } ]\n',
        (13, "models[0].deployments[0].bedrock.guardrail_version", "expected the number"),
    ),
    "bedrock: a tier nobody has": (
        AMAZON + 'model = "amazon.nova-pro-v1:0", bedrock = { service_tier = "flexx" } } ]\n',
        (13, "models[0].deployments[0].bedrock.service_tier", "did you mean `flex`"),
    ),
    "bedrock: a guardrail where there are none": (
        AMAZON.replace("region", 'surface = "mantle"\nregion')
        + 'model = "anthropic.claude-haiku-4-5", bedrock = { latency = "optimized" } } ]\n',
        (14, "models[0].deployments[0].bedrock", "mantle has no guardrails"),
    ),
    "bedrock: InvokeModel for another than Claude": (
        AMAZON.replace("region", 'surface = "invoke"\nregion') + 'model = "amazon.nova" } ]\n',
        (14, "models[0].deployments[0].model", "with Claude only"),
    ),
    "vertex without a project": (
        '[[providers]]\nname = "g"\nwire = "vertex"\nregion = "global"\n',
        (1, "providers[0]", "`project` is missing"),
    ),
    "vertex without a region": (
        '[[providers]]\nname = "g"\nwire = "vertex"\nproject = "my-project"\n',
        (1, "providers[0]", "`region` is missing"),
    ),
    "vertex in no region": (
        '[[providers]]\nname = "g"\nwire = "vertex"\nproject = "my-project"\nregion = "a/../b"\n',
        (5, "providers[0].region", "expected a region of Google Cloud"),
    ),
    "vertex counted in no region": (
        '[[providers]]\nname = "g"\nwire = "vertex"\nproject = "my-project"\nregion = "eu"\n'
        'count_region = "Europe"\n',
        (6, "providers[0].count_region", "expected a region of Google Cloud"),
    ),
    "vertex of no project": (
        '[[providers]]\nname = "g"\nwire = "vertex"\nproject = "My Project"\nregion = "eu"\n',
        (4, "providers[0].project", "expected the id of a project"),
    ),
    "vertex with credentials in the file": (
        '[[providers]]\nname = "g"\nwire = "vertex"\nproject = "my-project"\nregion = "eu"\n'
        'credentials = "hunter2"\n',
        (6, "providers[0].credentials", "secrets are given by reference"),
    ),
    "sqlite with two slashes": (
        '[storage]\nurl = "sqlite://gateway.db"\n',
        (2, "storage.url", "three slashes"),
    ),
    "another database": (
        '[storage]\nurl = "mysql://host/db"\n',
        (2, "storage.url", "expected sqlite:///PATH or postgresql://user@host/db"),
    ),
    "a broken database url": (
        '[storage]\nurl = "postgresql://[host/db"\n',
        (2, "storage.url", "expected sqlite:///PATH or postgresql://user@host/db"),
    ),
    "a zone nobody knows": (
        '[limits]\ntime_zone = "Mars/Olympus"\n',
        (2, "limits.time_zone", "expected a time zone such as UTC or Europe/Berlin"),
    ),
    "a zone that is a path": (
        '[limits]\ntime_zone = "../UTC"\n',
        (2, "limits.time_zone", "expected a time zone"),
    ),
    "a ladder that goes down": (
        "[limits]\nladder = [ { ratio = 1.1 }, { ratio = 1.0 } ]\n",
        (2, "limits.ladder", "each `ratio` must be larger than the one before it"),
    ),
    "a ladder that lets go": (
        "[limits]\nladder = [ { ratio = 1, multiplier = 0.5 }, { ratio = 2, multiplier = 1.0 } ]\n",
        (2, "limits.ladder", "each `multiplier` must be smaller than the one before it"),
    ),
    "a ladder's word": (
        "[limits]\nladder = [ { ratio = 1, mulitplier = 0.5 } ]\n",
        (2, "limits.ladder[0].mulitplier", "did you mean"),
    ),
    "no burst at all": (
        "[limits]\nkey = { requests_per_minute = 0 }\n",
        (2, "limits.key.requests_per_minute", "expected more than 0; leave it out for no limit"),
    ),
    "another counter": (
        '[counters]\nurl = "memory"\n',
        (2, "counters.url", "expected memory:// or redis://host:6379/0"),
    ),
    "a reference written wrongly": (
        '[counters]\nurl = "env:"\n',
        (2, "counters.url", "name of an environment variable"),
    ),
    "plain key": (
        PROVIDER + 'api_key = "sk-plain"\n',
        (
            5,
            "providers[0].api_key",
            'put the value in an environment variable and write "env:NAME"',
        ),
    ),
    "plain hash secret": (
        '[auth]\nkey_hash_secret = "plain"\n',
        (2, "auth.key_hash_secret", "secrets are given by reference"),
    ),
    "search without a key": (
        '[web_search]\nenabled = true\napi_key = ""\n',
        (3, "web_search.api_key", "a search needs a key"),
    ),
    "single sign-on without a provider": (
        '[server]\npublic_url = "https://ai.example"\n[oidc]\nenabled = true\nclient_id = "x"\n',
        (3, "oidc", "`issuer` is missing"),
    ),
    "single sign-on without an address to come back to": (
        '[oidc]\nenabled = true\nissuer = "https://id.example"\nclient_id = "x"\n',
        (2, "oidc.enabled", "`server.public_url` is missing"),
    ),
    "a provider whose answers anybody can change": (
        '[oidc]\nissuer = "http://id.example"\n',
        (2, "oidc.issuer", "expected an https:// address"),
    ),
    "a provider's description in place of its name": (
        '[oidc]\nissuer = "https://id.example/.well-known/openid-configuration"\n',
        (2, "oidc.issuer", "without /.well-known/openid-configuration"),
    ),
    "a secret pasted in place of a reference to it": (
        '[oidc]\nclient_secret = "hunter2-hunter2"\n',
        (2, "oidc.client_secret", "secrets are given by reference"),
    ),
    "single sign-on without a token to sign in by": (
        '[oidc]\nscopes = ["email"]\n',
        (2, "oidc.scopes", "`openid` is missing"),
    ),
    "a tenant that anybody in the world may join": (
        '[oidc]\nnewcomers_tenant = "Acme"\n',
        (1, "oidc", "`newcomers_domains` is missing"),
    ),
    "domains that are none": (
        '[oidc]\nnewcomers_tenant = "Acme"\nnewcomers_domains = ["acme.example", "*"]\n',
        (3, "oidc.newcomers_domains", "expected domains such as example.com"),
    ),
    "newcomers who would administer the installation": (
        '[oidc]\nnewcomers_role = "msp_admin"\n',
        (2, "oidc.newcomers_role", "roles of the MSP are given by hand"),
    ),
    "a console nobody can come into": (
        "[console]\npassword_sign_in = false\n",
        (2, "console.password_sign_in", "nobody could sign in"),
    ),
    "mail without a server": (
        '[mail]\nenabled = true\nfrom_address = "a@b.example"\n',
        (1, "mail", "`host` is missing"),
    ),
    "mail without a sender": (
        '[mail]\nenabled = true\nhost = "mail.example"\n',
        (1, "mail", "`from_address` is missing"),
    ),
    "a mail server with a scheme": (
        '[mail]\nhost = "smtp://mail.example"\n',
        (2, "mail.host", "without scheme and port"),
    ),
    "a sender that is none": (
        '[mail]\nfrom_address = "Gateway <gateway>"\n',
        (2, "mail.from_address", "expected an address such as"),
    ),
    "two senders": (
        '[mail]\nfrom_address = "a@b.example, c@d.example"\n',
        (2, "mail.from_address", "expected an address such as"),
    ),
    "a sender with a header in it": (
        '[mail]\nfrom_address = "a@b.example\\nBcc: c@d.example"\n',
        (2, "mail.from_address", "expected an address such as"),
    ),
    "a mail user without a password": (
        '[mail]\nuser = "gateway"\n',
        (1, "mail", "are given together"),
    ),
    "a plain mail password": (
        '[mail]\nuser = "gateway"\npassword = "hunter2"\n',
        (3, "mail.password", "secrets are given by reference"),
    ),
    "a contact of two lines": (
        '[mail]\ncontact = "a\\nb"\n',
        (2, "mail.contact", "expected one line"),
    ),
    "TLS of another kind": (
        '[mail]\ntls = "ssl"\n',
        (2, "mail.tls", ""),
    ),
    "wire that is none": (
        PROVIDER.replace('"anthropic"', '"antropic"'),
        (3, "providers[0].wire", "did you mean `anthropic`?"),
    ),
    "wire missing": (
        PROVIDER.replace('wire = "anthropic"\n', ""),
        (1, "providers[0]", "`wire` is missing"),
    ),
    "provider name with blanks": (
        PROVIDER.replace('"p"', '"p q"'),
        (2, "providers[0].name", "expected a name of letters"),
    ),
    "provider twice": (
        PROVIDER + PROVIDER,
        (6, "providers[1].name", "`p` is there twice"),
    ),
    "model twice, by case": (
        MODEL + MODEL.replace('"m"', '"M"', 1),
        (10, "models[1].id", "`M` is there twice"),
    ),
    "model id with blanks": (
        MODEL.replace('"m"', '"my model"', 1),
        (2, "models[0].id", "expected an id of letters"),
    ),
    "family that is none": (
        MODEL + "family = 'sonet'\n",
        (
            9,
            "models[0].family",
            "expected one of opus, sonnet, haiku, or no family at all; did you mean `sonnet`?",
        ),
    ),
    "released that is no date": (
        MODEL.replace("2025-01-01", '"last week"'),
        (5, "models[0].released", "expected a date such as 2025-10-15"),
    ),
    "no context window": (
        MODEL.replace("1000", "0"),
        (6, "models[0].context_window", "expected a whole number, 1 or more, found 0"),
    ),
    "context window missing": (
        MODEL.replace("context_window = 1000\n", ""),
        (1, "models[0]", "`context_window` is missing"),
    ),
    "enabled without rates": (
        MODEL.replace("rates = { input = 1, output = 2 }", "enabled = true"),
        (1, "models[0]", "`rates` is missing, and a model without rates is not enabled"),
    ),
    "enabled by default without rates": (
        MODEL.replace("rates = { input = 1, output = 2 }\n", ""),
        (1, "models[0]", "`rates` is missing"),
    ),
    "rates without the output": (
        MODEL.replace(", output = 2", ""),
        (8, "models[0].rates", "`output` is missing; write 0 if it is meant to be free"),
    ),
    "negative rate": (
        MODEL.replace("output = 2", "output = -2"),
        (8, "models[0].rates.output", "expected 0 or more credits per million tokens, found -2"),
    ),
    "half a credit": (
        MODEL.replace("output = 2", "output = 2.5"),
        (8, "models[0].rates.output", "expected a whole number, found 2.5"),
    ),
    "deployment of an unknown provider": (
        MODEL
        + "deployments = [{provider = 'q', model = 'x'}, {provider = 'p', model = 'x'}]\n"
        + PROVIDER,
        (9, "models[0].deployments[0].provider", "no provider is named `q`; the providers are: p"),
    ),
    "deployment without any provider": (
        MODEL + "deployments = [ {provider = 'q', model = 'x'} ]\n",
        (9, "models[0].deployments[0].provider", "there are no [[providers]]"),
    ),
    "alias of a family's name": (
        "[catalog]\naliases = { Opus = 'm' }\n",
        (2, "catalog.aliases.Opus", "already means the newest model of its family"),
    ),
    "alias of a model's id": (
        MODEL + "[catalog.aliases]\nm = 'x'\n",
        (10, "catalog.aliases.m", "is the id of a model"),
    ),
    "alias that is no text": (
        "[catalog.aliases]\na = 1\n",
        (2, "catalog.aliases.a", "expected text in quotes, found 1"),
    ),
    "aliases that are no table": (
        "[catalog]\naliases = 'a'\n",
        (2, "catalog.aliases", "expected a table such as"),
    ),
    "alias with an odd name": (
        "[catalog.aliases]\n'a b' = 1\n",
        (2, "catalog.aliases.'a b'", "expected text in quotes"),
    ),
    "metrics on the server's port": (
        "[observability]\nmetrics_port = 8080\n",
        (2, "observability.metrics_port", "the server has this port"),
    ),
    "no toml": ("[server]\nport = = 1\n", (2, "", "not TOML: Invalid value")),
    "toml that ends too early": ('[server]\nhost = """\n\n', (2, "", "not TOML: ")),
    "a key twice": (
        "[server]\nport = 1\nport = 2\n",
        (3, "", "not TOML: Cannot overwrite a value"),
    ),
    "more digits than Python reads": ("a = " + "9" * 5000, (None, "", "too many digits")),
    "deeper than Python goes": ("a = " + "[" * 5000, (None, "", "nested too deeply")),
}


@pytest.mark.parametrize(("text", "wanted"), BAD.values(), ids=BAD)
def test_a_bad_file_is_told_what_is_wrong_and_where(
    text: str, wanted: tuple[int | None, str, str]
) -> None:
    [(line, path, message)] = problems(text)
    assert (line, path) == wanted[:2]
    assert wanted[2] in message


def test_everything_that_is_wrong_is_told_at_once_in_the_order_of_the_file() -> None:
    text = """\
[servr]
port = 1
[storage]
url = "mysql://x"
[[providers]]
nam = "p"
wire = "http"
api_key = "sk-plain"
[[models]]
id = "m"
display_name = "M"
developer = "D"
released = 2025-01-01
context_window = 0
deployments = [ { provider = "p" } ]
"""
    assert [(line, path) for line, path, _ in problems(text)] == [
        (1, "servr"),
        (4, "storage.url"),
        (5, "providers[0]"),  # name
        (6, "providers[0].nam"),
        (7, "providers[0].wire"),
        (8, "providers[0].api_key"),
        (9, "models[0]"),  # max_output_tokens
        (9, "models[0]"),  # rates
        (14, "models[0].context_window"),
        (15, "models[0].deployments[0]"),  # model
        (15, "models[0].deployments[0].provider"),
    ]


def test_the_text_of_the_exception_holds_every_line() -> None:
    with pytest.raises(ConfigProblems) as caught:
        parse("[server]\nprot = 1\nport = -1\n", {"HATZ_GATEWAY__X": "1"})
    first, second, third = str(caught.value).splitlines()
    assert first == "line 2: server.prot: unknown setting; did you mean `port`?"
    assert second.startswith("line 3: server.port: expected")
    assert third.startswith("HATZ_GATEWAY__X: no such setting")


# ---------------------------------------------------------------- the environment on top

OVERRIDES = {
    "number": ("SERVER__PORT", "9001", lambda s: s.server.port, 9001),
    "number with blanks": ("SERVER__PORT", " 9001 ", lambda s: s.server.port, 9001),
    "seconds": ("UPSTREAM__PING_AFTER_S", "2.5", lambda s: s.upstream.ping_after_s, 2.5),
    "whole seconds": ("UPSTREAM__PING_AFTER_S", "2", lambda s: s.upstream.ping_after_s, 2.0),
    "switch": ("WEB_SEARCH__ENABLED", "TRUE", lambda s: s.web_search.enabled, True),
    "text": ("SERVER__HOST", "0.0.0.0", lambda s: s.server.host, "0.0.0.0"),
    "text that looks like a number": ("SERVER__HOST", "1", lambda s: s.server.host, "1"),
    "choice": ("OBSERVABILITY__LOG", "console", lambda s: s.observability.log, "console"),
    "reference": ("AUTH__KEY_HASH_SECRET", "env:X", lambda s: s.auth.key_hash_secret, "env:X"),
    "table": ("CATALOG__ALIASES", '{ a = "b" }', lambda s: s.catalog.aliases, {"a": "b"}),
}


@pytest.mark.parametrize(("name", "value", "read", "wanted"), OVERRIDES.values(), ids=OVERRIDES)
@pytest.mark.parametrize(
    "text", ["", "[server]\nport = 1\nhost = 'x'\n[catalog.aliases]\nc = 'd'\n"]
)
def test_a_variable_overrides_its_setting(
    text: str, name: str, value: str, read: object, wanted: object
) -> None:
    assert callable(read)
    assert read(parse(text, {f"HATZ_GATEWAY__{name}": value, "PATH": "/bin"})) == wanted


def test_a_variable_mends_a_bad_value_of_the_file() -> None:
    assert parse("[server]\nport = 'x'\n", {"HATZ_GATEWAY__SERVER__PORT": "1"}).server.port == 1


BAD_OVERRIDES = {
    "no number": (
        "SERVER__PORT",
        "80a",
        "expected a whole number from 0 to 65535, found other text",
    ),
    "out of range": ("SERVER__PORT", "70000", "found 70000"),
    "empty": ("SERVER__PORT", "", "found nothing"),
    "endless": ("UPSTREAM__PING_AFTER_S", "inf", "expected a number above 0"),
    "no switch": ("WEB_SEARCH__ENABLED", "yes", "expected true or false"),
    "no choice": ("OBSERVABILITY__LOG", "consol", "did you mean `console`?"),
    "rule": ("STORAGE__URL", "mysql://x", "expected sqlite:///PATH"),
    "plain secret": ("AUTH__KEY_HASH_SECRET", "plain", "secrets are given by reference"),
    "no table": ("CATALOG__ALIASES", "a=b", "expected a table such as"),
    "table of numbers": ("CATALOG__ALIASES", "{ a = 1 }", "expected text in quotes, found 1"),
    "two values": ("CATALOG__ALIASES", "{}\nother = 1", "found other text"),
    "misspelled": ("SERVER__PROT", "1", "did you mean HATZ_GATEWAY__SERVER__PORT?"),
    "one underscore": ("SERVER_PORT", "1", "did you mean HATZ_GATEWAY__SERVER__PORT?"),
    "nothing like it": ("QQQ__ZZZ", "1", "no such setting"),
    "list": ("PROVIDERS__NAME", "x", "[[providers]] are set in the file only"),
}


@pytest.mark.parametrize(("name", "value", "message"), BAD_OVERRIDES.values(), ids=BAD_OVERRIDES)
def test_a_bad_variable_is_told_by_its_name_without_a_line(
    name: str, value: str, message: str
) -> None:
    [(line, path, told)] = problems("\n\n[server]\nhost = 'x'\n", {f"HATZ_GATEWAY__{name}": value})
    assert (line, path) == (None, f"HATZ_GATEWAY__{name}")
    assert message in told


def test_a_variable_for_a_section_that_is_no_table_does_not_hide_the_mistake() -> None:
    [(line, path, _)] = problems("server = 3\n", {"HATZ_GATEWAY__SERVER__PORT": "1"})
    assert (line, path) == (1, "server")


# ---------------------------------------------------------------- nothing secret is shown

SECRET = "sk-ant-hunter2-0123456789"


@pytest.mark.parametrize(
    "text",
    [
        f'{PROVIDER}api_key = "{SECRET}"\n',
        f'{PROVIDER}apikey = "{SECRET}"\n',
        f'{PROVIDER}auth_scheme = "{SECRET}"\ndialect = ["{SECRET}"]\n',
        f'[[providers]]\nname = "a b {SECRET}"\nwire = "{SECRET}"\napi_key = "env:{SECRET}"\n',
        PROVIDER.replace("host", SECRET + " x"),
        PROVIDER.replace("host", f"u:{SECRET}@host"),
        f'[storage]\nurl = "mysql://u:{SECRET}@h/db"\n[counters]\nurl = "{SECRET}"\n',
        f'[server]\nport = "{SECRET}"\nhost = ["{SECRET}"]\n[observability]\nlog = "{SECRET}"\n',
        f'[auth]\nkey_hash_secret = ["{SECRET}"]\n',
        f'[auth]\nkey_hash_secret = "{SECRET}"\n = broken',
    ],
)
def test_a_secret_in_the_file_is_in_no_message(text: str) -> None:
    with pytest.raises(ConfigProblems) as caught:
        parse(text, NO_ENVIRON)
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(caught.value)
    assert SECRET not in repr(caught.value.problems)


def test_a_secret_that_is_a_number_is_in_no_message() -> None:
    assert "4711" not in str(problems("[auth]\nkey_hash_secret = 4711\n"))


def test_a_secret_in_the_environment_is_in_no_message() -> None:
    environ = {
        "HATZ_GATEWAY__AUTH__KEY_HASH_SECRET": SECRET,
        "HATZ_GATEWAY__SERVER__PORT": SECRET,
        "HATZ_GATEWAY__CATALOG__ALIASES": SECRET,
    }
    assert SECRET not in str(problems("", environ))


# ---------------------------------------------------------------- whatever is in the file

ANYTHING = st.one_of(
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.sampled_from(["env:KEY", "https://h", "sqlite:///x", "anthropic", "json", "bearer", "opus"]),
    st.lists(st.integers(), max_size=2),
    st.just({"input": 1}),
    st.just([{"provider": "p", "model": "m"}]),
)


def toml_of(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case float() | int():
            return str(value)
        case str():
            return '"' + "".join(f"\\U{ord(character):08X}" for character in value) + '"'
        case list():
            return "[" + ", ".join(toml_of(item) for item in value) + "]"
        case dict():
            return "{" + ", ".join(f"{key} = {toml_of(item)}" for key, item in value.items()) + "}"
        case _:
            raise AssertionError(value)


@examples(100)
@given(st.data())
def test_any_values_become_settings_or_problems_at_lines_that_are_there(
    data: st.DataObject,
) -> None:
    text = ""
    for field in msgspec.structs.fields(Settings):
        wanted = table_type(field.type) or {"providers": Provider, "models": Model}[field.name]
        names = [setting.name for setting in msgspec.structs.fields(wanted)]
        text += f"[{field.name}]\n" if table_type(field.type) else f"[[{field.name}]]\n"
        for name in data.draw(st.lists(st.sampled_from(names), unique=True, max_size=4)):
            text += f"{name} = {toml_of(data.draw(ANYTHING))}\n"
    try:
        settings = parse(text, NO_ENVIRON)
    except ConfigProblems as found:
        assert found.problems
        assert all(1 <= (problem.line or 0) <= text.count("\n") for problem in found.problems)
    else:
        assert isinstance(settings, Settings)


# ---------------------------------------------------------------- files


def test_a_file_is_read_with_the_environment_on_top(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_bytes(b"\xef\xbb\xbf[server]\r\nport = 1\r\nworkers = 2\r\n")
    settings = load(path, {"HATZ_GATEWAY__SERVER__PORT": "2"})
    assert (settings.server.port, settings.server.workers) == (2, 2)


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (None, None, "there is no such file; `hatz-gateway init"),
        (b"[server]\nhost = '\xff'\n", 2, "not UTF-8"),
        (b"#" * (FILE_BYTES_MAX + 1), None, "longer than"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(
    tmp_path: Path, content: bytes | None, line: int | None, message: str
) -> None:
    path = tmp_path / "gateway.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigProblems) as caught:
        load(path, NO_ENVIRON)
    [problem] = caught.value.problems
    assert problem.line == line
    assert message in problem.message


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigProblems, match="cannot be read"):
        load(tmp_path, NO_ENVIRON)


def test_a_search_service_of_ones_own_needs_no_key() -> None:
    text = '[web_search]\nenabled = true\nbase_url = "http://10.0.0.7:3002"\napi_key = ""\n'
    assert parse(text, NO_ENVIRON).web_search.enabled


CHAT = """
[[providers]]
name = "kimi"
wire = "openai_chat"
base_url = "https://api.moonshot.ai/v1"
"""


def test_quirks_are_those_of_a_dialect() -> None:
    text = f'{CHAT}dialect = "moonshot"\nquirks = {{ top_k = true, think_tags = ["think"] }}\n'
    [provider] = parse(text, NO_ENVIRON).providers
    assert provider.quirks == {"top_k": True, "think_tags": ["think"]}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('dialect = "moonshoot"', "did you mean `moonshot`?"),
        ("quirks = { top_kk = true }", "unknown setting; did you mean `top_k`?"),
        ('quirks = { top_k = "yes" }', "expected true or false"),
        ('quirks = { stop = "nowhere" }', 'expected one of "local", "native"'),
        ("quirks = { max_output_tokens = -1 }", "expected a whole number, 0 or more"),
        ('quirks = "all"', "expected a table"),
    ],
)
def test_a_quirk_nobody_knows_is_an_error_with_its_line(line: str, said: str) -> None:
    with pytest.raises(ConfigProblems) as found:
        parse(f"{CHAT}{line}\n", NO_ENVIRON)
    assert said in str(found.value)
