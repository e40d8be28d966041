import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from proxy.catalog.aliases import Form, native_twin, read_name, without_long_context

# asked, form, plain, family, date
CLAUDE_NAMES = [
    ("claude-opus-4-7", Form.NATIVE, "claude-opus-4-7", "opus", ""),
    ("Claude-Opus-4-7", Form.NATIVE, "claude-opus-4-7", "opus", ""),
    ("  claude-opus-4-7\n", Form.NATIVE, "claude-opus-4-7", "opus", ""),
    ("claude-opus-5-5", Form.NATIVE, "claude-opus-5-5", "opus", ""),
    ("claude-haiku-4-5-20251001", Form.NATIVE, "claude-haiku-4-5", "haiku", "20251001"),
    ("claude-haiku-4-5@20251001", Form.NATIVE, "claude-haiku-4-5", "haiku", "20251001"),
    ("claude-sonnet-4-5[1m]", Form.NATIVE, "claude-sonnet-4-5", "sonnet", ""),
    ("claude-sonnet-4-5-20250929[1M]", Form.NATIVE, "claude-sonnet-4-5", "sonnet", "20250929"),
    ("claude-3-5-sonnet-latest", Form.NATIVE, "claude-sonnet-3-5", "sonnet", ""),
    ("claude-3-5-sonnet-20241022", Form.NATIVE, "claude-sonnet-3-5", "sonnet", "20241022"),
    ("claude-3-5-sonnet-v2@20241022", Form.NATIVE, "claude-sonnet-3-5", "sonnet", "20241022"),
    ("claude-sonnet-3-5", Form.NATIVE, "claude-sonnet-3-5", "sonnet", ""),
    ("claude-3-opus-20240229", Form.NATIVE, "claude-opus-3", "opus", "20240229"),
    ("claude-opus-4-0", Form.NATIVE, "claude-opus-4", "opus", ""),
    ("claude-opus-4-20250514", Form.NATIVE, "claude-opus-4", "opus", "20250514"),
    ("claude-opus-4-1@default", Form.NATIVE, "claude-opus-4-1", "opus", ""),
    ("claude-opus-4-10", Form.NATIVE, "claude-opus-4-10", "opus", ""),
    ("anthropic/claude-sonnet-4.5", Form.NATIVE, "claude-sonnet-4-5", "sonnet", ""),
    ("anthropic/claude-3.5-sonnet", Form.NATIVE, "claude-sonnet-3-5", "sonnet", ""),
    ("vertex_ai/claude-haiku-4-5", Form.NATIVE, "claude-haiku-4-5", "haiku", ""),
    (
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        Form.NATIVE,
        "claude-sonnet-4-5",
        "sonnet",
        "20250929",
    ),
    ("global.anthropic.claude-opus-4-6-v1", Form.NATIVE, "claude-opus-4-6", "opus", ""),
    (
        "us-gov.anthropic.claude-3-haiku-20240307-v1:0:200k",
        Form.NATIVE,
        "claude-haiku-3",
        "haiku",
        "20240307",
    ),
    (
        "bedrock/eu.anthropic.claude-haiku-4-5-20251001-v1:0",
        Form.NATIVE,
        "claude-haiku-4-5",
        "haiku",
        "20251001",
    ),
    ("anthropic.claude-haiku-4-5", Form.PRODUCT, "claude-haiku-4-5", "haiku", ""),
    (
        "anthropic.claude-haiku-4-5-20251001-v1:0",
        Form.PRODUCT,
        "claude-haiku-4-5",
        "haiku",
        "20251001",
    ),
    ("claude-fable-5-2", Form.NATIVE, "claude-fable-5-2", "", ""),
    ("claude-mythos-5-2", Form.NATIVE, "claude-mythos-5-2", "", ""),
    ("claude-2.1", Form.NATIVE, "claude-2-1", "", ""),
]


@pytest.mark.parametrize(("asked", "form", "plain", "family", "date"), CLAUDE_NAMES)
def test_a_claude_id_is_read_in_all_its_spellings(
    asked: str, form: Form, plain: str, family: str, date: str
) -> None:
    name = read_name(asked)
    assert (name.form, name.plain, name.family, name.date) == (form, plain, family, date)


@pytest.mark.parametrize(
    ("asked", "form", "text"),
    [
        ("opus", Form.ALIAS, "opus"),
        (" Sonnet ", Form.ALIAS, "sonnet"),
        ("HAIKU[1m]", Form.ALIAS, "haiku"),
        ("auto", Form.HATZ_CHAT, "auto"),
        ("agent-3f2a", Form.HATZ_CHAT, "agent-3f2a"),
        ("best", Form.OTHER, "best"),
        ("opusplan", Form.OTHER, "opusplan"),
        ("fable", Form.OTHER, "fable"),
        ("opus-latest", Form.OTHER, "opus-latest"),
        ("gpt-5.2", Form.OTHER, "gpt-5.2"),
        ("moonshot.kimi-k2-thinking", Form.OTHER, "moonshot.kimi-k2-thinking"),
        ("claude", Form.OTHER, "claude"),
        ("my-claude-opus", Form.OTHER, "my-claude-opus"),
        ("", Form.OTHER, ""),
        ("[1m]", Form.OTHER, ""),
    ],
)
def test_other_names_are_told_apart(asked: str, form: Form, text: str) -> None:
    name = read_name(asked)
    assert (name.form, name.text, name.plain) == (form, text, "")


def test_letters_outside_ascii_do_not_turn_into_another_name() -> None:
    kelvin = "hai\u212au"
    assert kelvin.lower() == "haiku"
    assert read_name(kelvin).form is Form.OTHER


def test_spellings_go_from_the_fullest_to_the_barest() -> None:
    assert read_name("us.anthropic.claude-3-5-sonnet-20241022-v2:0").spellings == (
        "claude-3-5-sonnet-20241022-v2:0",
        "claude-3-5-sonnet-20241022",
        "claude-3-5-sonnet",
    )


def test_a_version_is_never_taken_for_a_date_or_decoration() -> None:
    plain = {read_name(f"claude-opus-4-{minor}").plain for minor in range(1, 20)}
    assert len(plain) == 19


@pytest.mark.parametrize("suffix", ["[1m]", "[200k]"])
def test_a_wish_for_long_context_is_no_part_of_the_name(suffix: str) -> None:
    assert without_long_context("gpt-5.2" + suffix) == "gpt-5.2"


def test_only_claude_ids_of_the_catalogue_have_a_native_twin() -> None:
    assert native_twin("anthropic.claude-haiku-4-5") == "claude-haiku-4-5"
    assert native_twin("moonshot.kimi-k2-thinking") is None
    assert native_twin("claude-haiku-4-5") is None


@settings(deadline=None)  # a busy machine is no failure
@given(st.text(max_size=200) | st.from_regex(r"[a-z.]*claude-[a-z0-9.\-@:\[\]]*", fullmatch=True))
@example("anthropic/" * 20)
@example("claude-" + "-v1" * 60)
@example("claude-")
def test_any_text_can_be_read_and_the_plain_name_stays_what_it_is(asked: str) -> None:
    name = read_name(asked)
    if name.plain:
        assert name.spellings[-1].startswith("claude")
        assert read_name(name.plain).family == name.family
