"""What is accepted and will surprise is said, each thing once."""

from pathlib import Path

import pytest

from proxy.config.cautions import unresolved, warnings
from proxy.config.load import ConfigProblems, parse

GOOD = """\
[[providers]]
name = "anthropic"
wire = "anthropic"
base_url = "https://api.anthropic.com"
api_key = "env:ANTHROPIC_API_KEY"

[[models]]
id = "m"
display_name = "M"
developer = "D"
released = 2025-01-01
context_window = 1000
max_output_tokens = 100
rates = { input = 1, output = 2 }
deployments = [ { provider = "anthropic", model = "m" } ]
"""


def test_nothing_is_said_about_settings_that_do_not_surprise() -> None:
    assert warnings(parse(GOOD, {})) == []


def test_a_chat_provider_without_a_dialect_is_told_which_there_are() -> None:
    chat = GOOD.replace('wire = "anthropic"', 'wire = "openai_chat"')
    [text] = warnings(parse(chat, {}))
    assert "providers.anthropic: there is no dialect" in text
    assert "moonshot" in text
    assert warnings(parse(chat.replace("[[models]]", 'dialect = "vllm"\n[[models]]', 1), {})) == []


@pytest.mark.parametrize("more", ['dialect = "vllm"', "quirks = { top_k = true }"])
def test_habits_of_another_wire_are_not_read(more: str) -> None:
    [text] = warnings(parse(GOOD.replace("[[models]]", f"{more}\n[[models]]", 1), {}))
    assert "read for wire openai_chat only" in text


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('api_key = "env:ANTHROPIC_API_KEY"', "", "there is no api_key"),
        ("anthropic.com", "anthropic.com/v1", "base_url ends with /v1"),
        (
            'deployments = [ { provider = "anthropic", model = "m" } ]',
            "",
            "models.m: there are no deployments",
        ),
        ("deployments", "enabled = false\ndeployments", "no model of the file is enabled"),
        (
            "[[providers]]",
            "[catalog.aliases]\nbest = 'n'\n[[providers]]",
            "no model of the file has the id `n`",
        ),
        (
            "[[providers]]",
            "[storage]\nurl = 'postgresql://u:hunter2@h/d'\n[[providers]]",
            "storage.url: it carries",
        ),
        (
            "[[providers]]",
            "[counters]\nurl = 'redis://:hunter2@h'\n[[providers]]",
            "counters.url: it carries",
        ),
    ],
)
def test_what_surprises_is_said_once_and_without_secrets(
    before: str, after: str, said: str
) -> None:
    [text] = warnings(parse(GOOD.replace(before, after), {}))
    assert said in text
    assert "hunter2" not in text


def test_an_empty_configuration_says_that_nothing_can_be_reached() -> None:
    assert len(warnings(parse("", {}))) == 2


def test_secrets_that_are_there_are_not_mentioned() -> None:
    assert unresolved(parse(GOOD, {}), {"ANTHROPIC_API_KEY": "sk-hunter2"}) == []


def test_secrets_that_are_missing_are_said_with_what_fails(tmp_path: Path) -> None:
    text = f"""\
[storage]
url = "env:DATABASE_URL"
[counters]
url = "env:COUNTERS_URL"
[auth]
key_hash_secret = "file:{tmp_path}/none"
[sealing]
secret = "env:SEAL"
former_secret = "file:{tmp_path}/none"
[web_search]
enabled = true
"""
    said = unresolved(parse(text + GOOD, {}), {"COUNTERS_URL": "redis://:hunter2@h"})
    assert [line.split(":")[0] for line in said] == [
        "providers.anthropic.api_key",
        "auth.key_hash_secret",
        "sealing.secret",
        "sealing.former_secret",
        "storage.url",
        "web_search.api_key",
    ]
    assert said[0].endswith("its models answer 503 until then")
    assert "hunter2" not in "".join(said)


VERTEX = GOOD.replace(
    'wire = "anthropic"\nbase_url = "https://api.anthropic.com"\napi_key = "env:ANTHROPIC_API_KEY"',
    'wire = "vertex"\nproject = "my-project"\nregion = "global"\ncredentials = "env:LOGIN"',
)


def test_the_credentials_of_google_may_have_lines() -> None:
    assert warnings(parse(VERTEX, {})) == []
    assert unresolved(parse(VERTEX, {}), {"LOGIN": '{\n  "type": "service_account"\n}\n'}) == []
    [said] = unresolved(parse(VERTEX, {}), {})
    assert said.startswith("providers.anthropic.credentials: env:LOGIN: ")
    assert said.endswith("its models answer 503 until then")
    assert unresolved(parse(VERTEX.replace('credentials = "env:LOGIN"', ""), {}), {}) == []


def test_a_key_where_tokens_are_used_is_said() -> None:
    settings = parse(VERTEX.replace("project =", 'api_key = "env:K"\nproject ='), {})
    assert unresolved(settings, {"LOGIN": "{}"}) == []
    [said] = warnings(settings)
    assert "api_key and auth_scheme are not read for wire vertex" in said


def test_a_name_of_a_model_goes_into_a_path() -> None:
    bad = VERTEX.replace('model = "m" }', 'model = "m/../../x" }')
    with pytest.raises(ConfigProblems) as problems:
        parse(bad, {})
    [problem] = problems.value.problems
    assert "expected a model of Vertex AI" in str(problem)


MAIL = """\
[mail]
enabled = true
host = "mail.example"
from_address = "Gateway <gateway@example.com>"
user = "gateway"
password = "env:MAIL_PASSWORD"
"""


def test_a_mail_password_is_looked_for_while_mail_is_on() -> None:
    environ = {"ANTHROPIC_API_KEY": "sk-x"}
    [said] = unresolved(parse(MAIL + GOOD, {}), environ)
    assert said.startswith("mail.password: ") and said.endswith("no mail is sent")
    assert unresolved(parse(MAIL.replace("true", "false") + GOOD, {}), environ) == []


def test_links_that_nobody_can_open_and_plain_passwords_are_said() -> None:
    [links] = warnings(parse(MAIL + GOOD, {}))
    assert "links in letters lead to http://127.0.0.1:8080" in links
    public = '[server]\npublic_url = "https://gateway.example.com"\n'
    assert warnings(parse(public + MAIL + GOOD, {})) == []
    plain = f'{public}{MAIL}tls = "none"\n{GOOD}'
    [said] = warnings(parse(plain, {}))
    assert "plain text" in said
    assert warnings(parse(plain.replace("mail.example", "localhost"), {})) == []
    assert warnings(parse(plain.replace("enabled = true\nhost", "enabled = false\nhost"), {})) == []


AMAZON = """\
[[providers]]
name = "aws"
wire = "bedrock"
region = "eu-central-1"
"""
ARN = "arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/a1"


def at_amazon(deployment: str) -> str:
    _, models = GOOD.split("[[models]]")
    old = 'provider = "anthropic", model = "m"'
    return f"{AMAZON}[[models]]{models.replace(old, deployment)}"


def test_an_arn_that_does_not_tell_which_model_it_is() -> None:
    [text] = warnings(parse(at_amazon(f'provider = "aws", model = "{ARN}"'), {}))
    assert "models.m: the ARN" in text and "set base_model" in text
    told = f'provider = "aws", model = "{ARN}", base_model = "amazon.nova-pro-v1:0"'
    assert warnings(parse(at_amazon(told), {})) == []


def test_terms_of_bedrock_elsewhere() -> None:
    place = 'provider = "anthropic", model = "m"'
    terms = f'{place}, bedrock = {{ service_tier = "flex" }}'
    [text] = warnings(parse(GOOD.replace(place, terms), {}))
    assert "models.m: `bedrock` of a deployment is read for wire bedrock only" in text
