"""The example is true: it loads, it shows every setting, and what it shows are the defaults."""

import re
from importlib import resources
from pathlib import Path

import msgspec

from proxy.config.cautions import unresolved, warnings
from proxy.config.check import field_types, table_type
from proxy.config.load import parse
from proxy.config.settings import Provider, Settings
from proxy.domain.model import FAMILIES

EXAMPLE = resources.files("proxy.config").joinpath("example.toml").read_text(encoding="utf-8")
UNCOMMENTED = re.sub(r"^#(?=[\[a-z])", "", EXAMPLE, flags=re.MULTILINE)


def test_the_example_in_the_package_is_the_one_at_the_root() -> None:
    root = Path(__file__).parents[2] / "config.example.toml"
    assert root.read_text(encoding="utf-8") == EXAMPLE


def test_the_example_loads_and_says_nothing_but_that_the_keys_are_missing() -> None:
    settings = parse(EXAMPLE, {})
    assert warnings(settings) == []
    names = ["ANTHROPIC_API_KEY", "MOONSHOT_API_KEY", "OPENAI_API_KEY"]
    missing = unresolved(settings, {})
    assert all(f"{name} is not set" in each for name, each in zip(names, missing, strict=True))
    assert unresolved(settings, dict.fromkeys(names, "sk-x")) == []


def test_the_sections_of_the_example_are_the_defaults() -> None:
    settings, default = parse(EXAMPLE, {}), Settings()
    assert msgspec.structs.replace(settings, providers=(), models=()) == default


def test_every_setting_is_shown_with_its_default() -> None:
    shown, default = parse(UNCOMMENTED, {}), Settings()
    for section, wanted in field_types(Settings).items():
        if (owner := table_type(wanted)) is None:
            continue
        body = re.split(r"^\[", EXAMPLE.partition(f"\n[{section}]\n")[2], flags=re.MULTILINE)[0]
        names = re.findall(r"^#(\w+) = ", body, flags=re.MULTILINE)
        assert names == [name for name in field_types(owner) if name != "aliases"]
        for name in names:
            assert getattr(getattr(shown, section), name) == getattr(
                getattr(default, section), name
            )


def test_every_setting_of_a_provider_is_explained() -> None:
    explained = EXAMPLE.partition("- providers\n")[2].partition("[[providers]]")[0]
    assert set(re.findall(r"^# (\w+)  ", explained, flags=re.MULTILINE)) == set(
        field_types(Provider)
    )


def test_what_is_commented_out_can_be_switched_on() -> None:
    settings = parse(UNCOMMENTED, {})
    assert settings.catalog.aliases == {"best": "anthropic.claude-opus-5-5"}
    names = [provider.name for provider in settings.providers]
    assert names == ["anthropic", "moonshot", "openai", "vertex", "bedrock", "local"]
    assert settings.providers[-1].quirks == {"tool_choice_required": False}
    [warned] = warnings(settings)
    assert "there is no api_key" in warned


def test_the_newest_of_each_family_is_the_current_one_and_ids_follow_the_provider() -> None:
    models = parse(EXAMPLE, {}).models
    newest = {
        family: max((m for m in models if m.family == family), key=lambda m: m.released).id
        for family in FAMILIES
    }
    assert newest == {family: f"anthropic.claude-{family}-5-5" for family in FAMILIES}
    for model in models:
        [deployment] = model.deployments
        if deployment.provider != "anthropic":
            assert model.family is None
            continue
        assert model.id == f"anthropic.{deployment.model}"
        assert model.family is not None
        assert f"-{model.family}-" in model.id


def test_cache_writes_cost_what_the_provider_asks_for_them() -> None:
    for model in parse(EXAMPLE, {}).models:
        rates = model.rates
        if model.developer != "Anthropic":
            continue
        assert rates is not None
        assert (rates.cache_write_5m, rates.cache_write_1h) == (
            rates.input * 5 // 4,
            rates.input * 2,
        )
        assert rates.output == rates.input * 5
        assert 0 < rates.cache_read <= rates.input // 10
