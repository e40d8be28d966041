import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from proxy.catalog.access import may_use
from proxy.catalog.catalog import NAMES_REMEMBERED_MAX, Catalog
from proxy.domain.alias_mapping import AliasMapping
from proxy.domain.caller import Caller
from proxy.domain.fault import Fault, Kind
from proxy.domain.model import FAMILIES
from tests.catalog.shop import (
    GPT,
    HAIKU_3_5,
    HAIKU_4_5,
    HAIKU_TO_KIMI,
    KIMI,
    MODELS,
    OPUS_4_6,
    OPUS_4_7,
    OPUS_4_10,
    SONNET_3_5,
    SONNET_4_5,
    SONNET_4_6,
    SWITCHED_OFF,
    make_caller,
    make_catalog,
    make_model,
)

PLAIN = make_caller()
MAPPED = make_caller(mapping=HAIKU_TO_KIMI)
MAPPED_OFF = make_caller(mapping=replace(HAIKU_TO_KIMI, enabled=False))
WITHOUT_NEWEST_OPUS = make_caller(disabled={OPUS_4_7.id})
WITHOUT_OPUS = make_caller(disabled={OPUS_4_7.id, OPUS_4_6.id, OPUS_4_10.id})
WITHOUT_KIMI = make_caller(mapping=HAIKU_TO_KIMI, disabled={KIMI.id})


def refusal(catalog: Catalog, asked: str, caller: Caller) -> Fault:
    with pytest.raises(Fault) as caught:
        catalog.resolve(asked, caller)
    fault = caught.value
    assert fault.kind is Kind.NOT_FOUND
    assert fault.retry is None  # only temporary and cureless states say anything about retrying
    return fault


# why, asked, caller, model, via
RESOLUTIONS = [
    # 1. exact ids
    ("a product id", "anthropic.claude-haiku-4-5", PLAIN, HAIKU_4_5, "exact"),
    ("any vendor's", "moonshot.kimi-k2-thinking", PLAIN, KIMI, "exact"),
    ("a bare id", "gpt-5.2", PLAIN, GPT, "exact"),
    ("letters' case aside", "Anthropic.Claude-Haiku-4-5", PLAIN, HAIKU_4_5, "exact"),
    ("trimmed", "  gpt-5.2\t", PLAIN, GPT, "exact"),
    ("long context wished for", "anthropic.claude-opus-4-7[1m]", PLAIN, OPUS_4_7, "exact"),
    ("long context, foreign", "gpt-5.2[1m]", PLAIN, GPT, "exact"),
    ("literal despite a mapping", "anthropic.claude-haiku-4-5", MAPPED, HAIKU_4_5, "exact"),
    ("literal, long context", "anthropic.claude-haiku-4-5[1m]", MAPPED, HAIKU_4_5, "exact"),
    # 2. aliases
    ("newest by day, not by text", "opus", PLAIN, OPUS_4_7, "alias"),
    ("a switched-off newer one", "sonnet", PLAIN, SONNET_4_6, "alias"),
    ("haiku", "haiku", PLAIN, HAIKU_4_5, "alias"),
    ("alias in capitals", "OPUS", PLAIN, OPUS_4_7, "alias"),
    ("alias, long context", "sonnet[1m]", PLAIN, SONNET_4_6, "alias"),
    ("newest hidden from caller", "opus", WITHOUT_NEWEST_OPUS, OPUS_4_6, "alias"),
    ("mapped", "haiku", MAPPED, KIMI, "mapping"),
    ("mapped, long context", "haiku[1m]", MAPPED, KIMI, "mapping"),
    ("mapping off, pick kept", "haiku", MAPPED_OFF, HAIKU_4_5, "alias"),
    ("another alias is mapped", "opus", MAPPED, OPUS_4_7, "alias"),
    # 3. native ids
    ("native", "claude-sonnet-4-6", PLAIN, SONNET_4_6, "native"),
    ("native, dated", "claude-haiku-4-5-20251001", PLAIN, HAIKU_4_5, "native"),
    ("native, dated, older", "claude-sonnet-4-5-20250929", PLAIN, SONNET_4_5, "native"),
    ("native, capitals", "Claude-Sonnet-4-6", PLAIN, SONNET_4_6, "native"),
    ("native, latest", "claude-opus-4-7-latest", PLAIN, OPUS_4_7, "native"),
    ("native, long context", "claude-sonnet-4-5[1m]", PLAIN, SONNET_4_5, "native"),
    ("Vertex", "claude-sonnet-4-5@20250929", PLAIN, SONNET_4_5, "native"),
    ("Bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", PLAIN, SONNET_4_5, "native"),
    ("Bedrock, no region", "anthropic.claude-haiku-4-5-20251001-v1:0", PLAIN, HAIKU_4_5, "native"),
    ("Bedrock, global", "global.anthropic.claude-opus-4-6-v1", PLAIN, OPUS_4_6, "native"),
    ("prefix", "anthropic/claude-opus-4-7", PLAIN, OPUS_4_7, "native"),
    ("prefix and point", "anthropic/claude-opus-4.7", PLAIN, OPUS_4_7, "native"),
    ("two digits are no ten", "claude-opus-4-10", PLAIN, OPUS_4_10, "native"),
    ("old order, old-order id", "claude-3-5-sonnet-20241022", PLAIN, SONNET_3_5, "native"),
    ("new order, old-order id", "claude-sonnet-3-5", PLAIN, SONNET_3_5, "native"),
    ("old order, new-order id", "claude-3-5-haiku-latest", PLAIN, HAIKU_3_5, "native"),
    ("native, mapped", "claude-haiku-4-5-20251001", MAPPED, KIMI, "mapping"),
    ("native, mapped, never heard of", "claude-haiku-5-5", MAPPED, KIMI, "mapping"),
    ("Bedrock, mapped", "us.anthropic.claude-haiku-4-5-v1:0", MAPPED, KIMI, "mapping"),
    ("native, mapping off", "claude-haiku-4-5", MAPPED_OFF, HAIKU_4_5, "native"),
    ("native, others mapped", "claude-opus-4-7", MAPPED, OPUS_4_7, "native"),
    (
        "a decorated product id is still ours",
        "anthropic.claude-haiku-4-5-20251001-v1:0",
        MAPPED,
        HAIKU_4_5,
        "native",
    ),
]


@pytest.mark.parametrize(
    ("asked", "caller", "model", "via"),
    [row[1:] for row in RESOLUTIONS],
    ids=[row[0] for row in RESOLUTIONS],
)
def test_a_name_leads_to_its_model(asked: str, caller: Caller, model: object, via: str) -> None:
    catalog = make_catalog()
    for _ in range(2):  # the second time from memory
        found = catalog.resolve(asked, caller)
        assert (found.model, found.via, found.asked) == (model, via, asked.strip())


# why, asked, caller, reason, what the message says
REFUSALS = [
    ("unknown", "claude-opus-9-9", PLAIN, "model_not_found", "/v1/chat/models"),
    ("unknown vendor", "acme.big", PLAIN, "model_not_found", "/v1/chat/models"),
    ("no silent move to another version", "claude-sonnet-4-7", PLAIN, "model_not_found", ""),
    ("switched off", SWITCHED_OFF.id, PLAIN, "model_disabled", "not enabled for your account"),
    ("switched off, native", "claude-sonnet-4-9", PLAIN, "model_disabled", ""),
    ("hidden from caller", OPUS_4_7.id, WITHOUT_NEWEST_OPUS, "model_disabled", ""),
    ("no fall back to the alias", "claude-opus-4-7", WITHOUT_NEWEST_OPUS, "model_disabled", ""),
    ("the whole family hidden", "opus", WITHOUT_OPUS, "model_disabled", "no opus model"),
    ("target hidden", "haiku", WITHOUT_KIMI, "mapping_target_disabled", KIMI.id),
    ("target hidden, native", "claude-haiku-5-5", WITHOUT_KIMI, "mapping_target_disabled", KIMI.id),
    ("auto", "auto", PLAIN, "model_not_found", "Hatz chat"),
    ("an agent", "agent-3f2a", PLAIN, "model_not_found", "Hatz chat"),
    ("no alias of ours", "best", PLAIN, "model_not_found", ""),
    ("no alias of ours, long", "opusplan", PLAIN, "model_not_found", ""),
    ("a family without alias", "fable", PLAIN, "model_not_found", ""),
    ("native of such a family", "claude-fable-5-2", PLAIN, "model_not_found", ""),
    ("a name for people", "Claude Haiku 4.5", PLAIN, "model_not_found", ""),
    ("nothing", "", PLAIN, "model_not_found", ""),
    ("Kelvin's letter", "hai\u212au", PLAIN, "model_not_found", ""),
    ("a line break inside", "gpt-5.2\r\nx: y", PLAIN, "model_not_found", ""),
    (
        "an unknown product id is not mapped",
        "anthropic.claude-haiku-9",
        MAPPED,
        "model_not_found",
        "",
    ),
]


@pytest.mark.parametrize(
    ("asked", "caller", "reason", "says"),
    [row[1:] for row in REFUSALS],
    ids=[row[0] for row in REFUSALS],
)
def test_what_leads_nowhere_is_refused(asked: str, caller: Caller, reason: str, says: str) -> None:
    fault = refusal(make_catalog(), asked, caller)
    assert fault.reason == reason
    assert fault.message.startswith(f"model: {asked.strip()}")
    assert says in fault.message


def test_every_unresolved_id_gets_the_list_to_look_at() -> None:
    for _, asked, caller, reason, _ in REFUSALS:
        message = refusal(make_catalog(), asked, caller).message
        remedy = "/v1/preferences/" if reason == "mapping_target_disabled" else "/v1/chat/models"
        assert remedy in message


def test_a_mapped_refusal_names_alias_target_and_the_place_to_change_it() -> None:
    message = refusal(make_catalog(), "claude-haiku-5-5", WITHOUT_KIMI).message
    assert message == (
        "model: claude-haiku-5-5 follows your mapping of haiku to moonshot.kimi-k2-thinking, which"
        " was not found, or it is not enabled for your account. Change the mapping of haiku in"
        " Workspace > AI Preferences or with PUT /v1/preferences/gateway-mapping."
    )


def test_a_target_that_left_the_catalogue_is_refused_like_a_disabled_one() -> None:
    caller = make_caller(mapping=AliasMapping(enabled=True, opus="gone.model"))
    assert refusal(make_catalog(), "opus", caller).reason == "mapping_target_disabled"


def test_hidden_and_unknown_models_are_refused_in_the_same_words() -> None:
    hidden = refusal(make_catalog(), OPUS_4_7.id, WITHOUT_NEWEST_OPUS).message
    others = [model for model in MODELS if model != OPUS_4_7]
    assert refusal(make_catalog(*others), OPUS_4_7.id, PLAIN).message == hidden


def test_close_ids_are_named_but_never_hidden_ones() -> None:
    catalog = make_catalog()
    assert OPUS_4_7.id in refusal(catalog, "anthropic.claude-opus-47", PLAIN).message
    message = refusal(catalog, "anthropic.claude-opus-47", WITHOUT_NEWEST_OPUS).message
    assert OPUS_4_7.id not in message and OPUS_4_6.id in message
    assert SWITCHED_OFF.id not in refusal(catalog, "claude-sonnet-4.9.1", PLAIN).message


@pytest.mark.parametrize(
    "asked", ["kimi", "kimi-k2", "Moonshot.Kimi-K2-Thinkin", "kimi-k2-thinking"]
)
def test_a_part_of_an_id_or_a_slip_of_the_pen_finds_it(asked: str) -> None:
    assert make_catalog().close_ids(asked, PLAIN)[0] == KIMI.id


def test_no_likeness_is_looked_for_where_it_would_be_dear() -> None:
    assert make_catalog().close_ids("anthropic.claude-" + "opus" * 20, PLAIN) == ()
    many = [make_model(f"vendor.model-{number}") for number in range(200)]
    assert make_catalog(*many).close_ids("vendor.model-1", PLAIN) == ()


def test_a_very_long_name_is_not_repeated_whole() -> None:
    assert len(refusal(make_catalog(), "x" * 100_000, PLAIN).message) < 500


def test_a_client_made_native_id_is_told_of_the_mapping() -> None:
    assert "map opus" in refusal(make_catalog(), "claude-opus-5-5", PLAIN).message
    catalog = make_catalog(mapping_applies_to_native_ids=False)
    assert "map opus" not in refusal(catalog, "claude-opus-5-5", PLAIN).message


def test_native_ids_are_literal_where_the_operator_says_so() -> None:
    catalog = make_catalog(mapping_applies_to_native_ids=False)
    assert catalog.resolve("claude-haiku-4-5-20251001", MAPPED).model == HAIKU_4_5
    assert catalog.resolve("haiku", MAPPED).model == KIMI


def test_a_catalogue_id_of_any_form_wins_literally() -> None:
    models = [make_model(id) for id in ("auto", "opus", "claude-opus-4-7", "agent-1", "Odd[1m]")]
    caller = make_caller(mapping=AliasMapping(enabled=True, opus="auto"))
    catalog = make_catalog(*models)
    for model in models:
        found = catalog.resolve(model.id, caller)
        assert (found.model, found.via) == (model, "exact")


def test_an_empty_pick_means_the_family_default() -> None:
    caller = make_caller(mapping=AliasMapping(enabled=True, opus="", sonnet=None))
    assert make_catalog().resolve("opus", caller).model == OPUS_4_7
    assert make_catalog().resolve("sonnet", caller).model == SONNET_4_6


def test_a_target_may_be_any_model_even_of_another_family() -> None:
    caller = make_caller(mapping=AliasMapping(enabled=True, opus=HAIKU_4_5.id))
    assert make_catalog().resolve("claude-opus-4-7", caller).model == HAIKU_4_5


class TestOfSeveralSnapshots:
    OLDER = make_model("anthropic.claude-3-5-sonnet-20240620", released="2024-06-20")
    NEWER = make_model("anthropic.claude-3-5-sonnet-20241022", released="2024-10-22")

    def test_a_date_asked_for_is_never_exchanged(self) -> None:
        catalog = make_catalog(self.OLDER, self.NEWER)
        asked = "us.anthropic.claude-3-5-sonnet-20240620-v1:0"
        assert catalog.resolve(asked, PLAIN).model == self.OLDER
        assert refusal(catalog, "claude-3-5-sonnet-20250101", PLAIN).reason == "model_not_found"
        hidden = make_caller(disabled={self.OLDER.id})
        assert refusal(catalog, asked, hidden).reason == "model_disabled"

    def test_without_a_date_the_newest_is_meant(self) -> None:
        catalog = make_catalog(self.OLDER, self.NEWER)
        assert catalog.resolve("claude-3-5-sonnet-latest", PLAIN).model == self.NEWER
        assert catalog.resolve("claude-sonnet-3.5", PLAIN).model == self.NEWER

    def test_an_id_without_a_date_comes_before_dated_ones(self) -> None:
        undated = make_model("anthropic.claude-3-5-sonnet", released="2024-06-20")
        catalog = make_catalog(self.OLDER, self.NEWER, undated)
        assert catalog.resolve("claude-3-5-sonnet", PLAIN).model == undated
        assert catalog.resolve("claude-sonnet-3-5", PLAIN).model == undated
        assert catalog.resolve("claude-sonnet-3-5-20241022", PLAIN).model == self.NEWER

    def test_a_decorated_catalogue_id_is_not_mistaken_for_the_plain_one(self) -> None:
        second = make_model("anthropic.claude-3-5-sonnet-v2", released="2024-10-22")
        catalog = make_catalog(SONNET_3_5, second)
        assert catalog.resolve("claude-3-5-sonnet-v2@20241022", PLAIN).model == second
        assert catalog.resolve("claude-3-5-sonnet", PLAIN).model == SONNET_3_5


ALIASES = {
    "best": OPUS_4_6.id,
    "Fable": "opus",
    "claude-fable-5-2": "claude-sonnet-4-6",
    "gone": "no.such",
    "opus": KIMI.id,
}


class TestCustomAliases:
    @pytest.mark.parametrize(
        ("asked", "model", "via"),
        [
            ("best", OPUS_4_6, "alias"),
            ("BEST[1m]", OPUS_4_6, "alias"),
            ("fable", OPUS_4_7, "alias"),
            ("claude-fable-5-2", SONNET_4_6, "alias"),
            ("opus", OPUS_4_7, "alias"),
        ],
    )
    def test_they_lead_to_an_id_or_to_one_of_the_three(
        self, asked: str, model: object, via: str
    ) -> None:
        found = make_catalog(custom_aliases=ALIASES).resolve(asked, PLAIN)
        assert (found.model, found.via) == (model, via)

    def test_one_that_stands_for_a_family_follows_the_mapping(self) -> None:
        caller = make_caller(mapping=AliasMapping(enabled=True, opus=KIMI.id))
        catalog = make_catalog(custom_aliases=ALIASES)
        assert catalog.resolve("fable", caller).model == KIMI
        assert catalog.resolve("best", caller).model == OPUS_4_6

    def test_a_refusal_names_the_target_and_who_set_it(self) -> None:
        catalog = make_catalog(custom_aliases=ALIASES)
        fault = refusal(catalog, "best", make_caller(disabled={OPUS_4_6.id}))
        assert fault.reason == "mapping_target_disabled"
        assert OPUS_4_6.id in fault.message and "configuration" in fault.message
        assert refusal(catalog, "gone", PLAIN).reason == "mapping_target_disabled"


def test_the_list_goes_by_developer_then_newest_first() -> None:
    assert make_catalog().visible(PLAIN) == (
        OPUS_4_7,
        SONNET_4_6,
        OPUS_4_6,
        HAIKU_4_5,
        SONNET_4_5,
        OPUS_4_10,
        HAIKU_3_5,
        SONNET_3_5,
        KIMI,
        GPT,
    )


def test_hidden_models_are_not_in_the_list() -> None:
    hidden = {model.id for model in MODELS if model not in (GPT, HAIKU_4_5)}
    assert make_catalog().visible(make_caller(disabled=hidden)) == (HAIKU_4_5, GPT)


def test_models_of_one_day_keep_the_order_of_the_configuration() -> None:
    twins = [make_model(f"v.{name}", family="opus", released="2026-01-01") for name in "bac"]
    catalog = make_catalog(*twins)
    assert catalog.current("opus", PLAIN) == twins[0]
    assert catalog.visible(PLAIN) == tuple(twins)


def test_current_is_the_newest_the_caller_may_use() -> None:
    catalog = make_catalog()
    assert catalog.current("opus", PLAIN) == OPUS_4_7
    assert catalog.current("opus", WITHOUT_NEWEST_OPUS) == OPUS_4_6
    assert catalog.current("opus", WITHOUT_OPUS) is None
    assert catalog.current("sonnet", PLAIN) == SONNET_4_6
    assert catalog.current("fable", PLAIN) is None


def test_what_is_remembered_of_names_has_a_bound() -> None:
    catalog = make_catalog()
    for number in range(NAMES_REMEMBERED_MAX + 10):
        refusal(catalog, f"nothing-{number}", PLAIN)
        catalog.resolve(f"claude-opus-4-7-20{number:06}", PLAIN)
    assert len(catalog._meanings) <= NAMES_REMEMBERED_MAX
    assert len(catalog._suggestions) <= NAMES_REMEMBERED_MAX
    refusal(catalog, "x" * 10_000, PLAIN)
    assert "x" * 10_000 not in catalog._meanings


# ---------------------------------------------------------------- laws

unhurried = settings(deadline=None)  # a busy machine is no failure

IDS = [model.id for model in MODELS]
NAMES = st.one_of(
    st.sampled_from(IDS),
    st.sampled_from([*FAMILIES, "auto", "agent-1", "best", "fable"]),
    st.text(max_size=30),
    st.builds(
        "".join,
        st.tuples(
            st.sampled_from(["", " ", "anthropic/", "us.anthropic.", "anthropic.", "vertex_ai/"]),
            st.sampled_from(["claude-", "claude-3-5-", "Claude-", "opus", ""]),
            st.sampled_from(["opus-4-7", "sonnet", "haiku-4-5", "opus-5-5", "sonnet-4-9", "-"]),
            st.sampled_from(["", "-latest", "-20250929", "@20241022", "-v1:0"]),
            st.sampled_from(["", "[1m]", "-v2:0", " "]),
        ),
    ),
)
TARGETS = st.sampled_from([None, "", "gone.model", *IDS])
MAPPINGS = st.builds(AliasMapping, st.booleans(), TARGETS, TARGETS, TARGETS)
CALLERS = st.builds(
    lambda disabled, mapping: make_caller(disabled=disabled, mapping=mapping),
    st.frozensets(st.sampled_from(IDS)),
    MAPPINGS,
)
CATALOG = make_catalog(custom_aliases={"best": OPUS_4_6.id, "fable": "opus"})


@unhurried
@given(NAMES, CALLERS)
def test_resolving_gives_a_visible_model_or_a_404(asked: str, caller: Caller) -> None:
    try:
        found = CATALOG.resolve(asked, caller)
    except Fault as fault:
        assert fault.kind is Kind.NOT_FOUND
        assert fault.reason in ("model_not_found", "model_disabled", "mapping_target_disabled")
    else:
        assert may_use(found.model, caller)
        assert found.model in CATALOG.visible(caller)
        assert found.asked.isascii() and found.asked.isprintable()


@unhurried
@given(NAMES, CALLERS)
def test_a_refusal_names_no_model_hidden_from_the_caller(asked: str, caller: Caller) -> None:
    try:
        CATALOG.resolve(asked, caller)
    except Fault as fault:
        if fault.reason == "mapping_target_disabled":
            return  # the caller's own pick, or the operator's own alias
        hint = fault.message.partition("/v1/chat/models, such as ")[2].partition(". ")[0]
        suggested = set(hint.removesuffix(".").split(", ")) - {""}
        assert suggested <= {model.id for model in CATALOG.visible(caller)}


@unhurried
@given(NAMES, MAPPINGS)
def test_one_users_mapping_never_affects_another(asked: str, mapping: AliasMapping) -> None:
    def outcome(catalog: Catalog) -> tuple[str, str]:
        try:
            found = catalog.resolve(asked, make_caller("user_b"))
        except Fault as fault:
            return fault.reason, fault.message
        return found.via, found.model.id

    shared = make_catalog()
    try:
        shared.resolve(asked, make_caller("user_a", mapping=mapping))
    except Fault:
        pass  # whether A is served does not matter here
    assert outcome(shared) == outcome(make_catalog())


@unhurried
@given(st.sampled_from(IDS), CALLERS)
def test_a_catalogue_id_is_literal_or_refused(asked: str, caller: Caller) -> None:
    try:
        found = CATALOG.resolve(asked, caller)
    except Fault as fault:
        assert fault.reason == "model_disabled"
    else:
        assert (found.model.id, found.via) == (asked, "exact")


@unhurried
@given(st.sets(st.sampled_from(IDS)), st.sampled_from(FAMILIES))
def test_an_alias_means_the_newest_day_among_what_is_left(hidden: set[str], family: str) -> None:
    caller = make_caller(disabled=hidden)
    days = [model.released for model in CATALOG.visible(caller) if model.family == family]
    current = CATALOG.current(family, caller)
    assert (current.released if current else dt.date.min) == max(days, default=dt.date.min)
