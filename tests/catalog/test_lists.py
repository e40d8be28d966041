from collections.abc import Sequence

import msgspec
import pytest

from proxy.catalog.catalog import Catalog
from proxy.catalog.lists import Limited, ModelLists, Page, read_page
from proxy.domain.alias_mapping import AliasMapping
from proxy.domain.caller import Caller
from proxy.domain.fault import Fault, Kind
from proxy.domain.model import Rates
from tests.catalog.shop import (
    GPT,
    HAIKU_4_5,
    HAIKU_TO_KIMI,
    KIMI,
    MODELS,
    OPUS_4_6,
    OPUS_4_7,
    SONNET_4_6,
    SWITCHED_OFF,
    make_caller,
    make_catalog,
    make_model,
)

PLAIN = make_caller()
ALL = [model.id for model in make_catalog().visible(PLAIN)]


async def anthropic(
    catalog: Catalog, caller: Caller, *query: tuple[str, str], lists: ModelLists | None = None
) -> dict[str, object]:
    body = await (lists or ModelLists()).anthropic(catalog, caller, read_page(query))
    decoded: dict[str, object] = msgspec.json.decode(body)
    return decoded


def ids(decoded: dict[str, object]) -> list[str]:
    rows = decoded["data"]
    assert isinstance(rows, list)
    return [row["id"] for row in rows]


async def test_the_product_list_is_this_to_the_byte() -> None:
    body = await ModelLists().product(make_catalog(HAIKU_4_5, KIMI), PLAIN)
    assert body.decode() == (
        '{"data":['
        '{"name":"anthropic.claude-haiku-4-5","developer":"Anthropic",'
        '"display_name":"Claude Haiku 4 5","max_tokens":200000,"vision":true,'
        '"id":"anthropic.claude-haiku-4-5","object":"model","family":"haiku",'
        '"current_for_alias":["haiku"],"context_window":200000,"max_output_tokens":64000,"multiplier":0.33,'
        '"rate_limited":false,"rate_limit_scope":null,"resets_at":null},'
        '{"name":"moonshot.kimi-k2-thinking","developer":"Moonshot AI",'
        '"display_name":"Kimi K2 Thinking","max_tokens":262144,"vision":false,'
        '"id":"moonshot.kimi-k2-thinking","object":"model","family":null,'
        '"current_for_alias":[],"context_window":262144,"max_output_tokens":64000,"multiplier":0.33,'
        '"rate_limited":false,"rate_limit_scope":null,"resets_at":null}'
        "]}"
    )


async def test_the_anthropic_list_is_this_to_the_byte() -> None:
    body = await ModelLists().anthropic(make_catalog(OPUS_4_7, KIMI), PLAIN, Page())
    assert body.decode() == (
        '{"data":['
        '{"type":"model","id":"anthropic.claude-opus-4-7","display_name":"Claude Opus 4 7",'
        '"created_at":"2026-04-16T00:00:00Z","max_input_tokens":1000000,"max_tokens":64000,'
        '"lifecycle":"active","line":"opus","capabilities":null,"deprecated_at":null,'
        '"retires_at":null,"anthropic_family_tier":"opus","is_family_default":true,'
        '"supports_1m":true},'
        '{"type":"model","id":"moonshot.kimi-k2-thinking","display_name":"Kimi K2 Thinking",'
        '"created_at":"2025-11-06T00:00:00Z","max_input_tokens":262144,"max_tokens":64000,'
        '"lifecycle":"active","line":null,"capabilities":null,"deprecated_at":null,'
        '"retires_at":null,"anthropic_family_tier":null,"is_family_default":false,'
        '"supports_1m":false}'
        '],"has_more":false,"first_id":"anthropic.claude-opus-4-7",'
        '"last_id":"moonshot.kimi-k2-thinking"}'
    )


async def test_both_lists_hold_what_the_caller_may_use_and_nothing_else() -> None:
    caller = make_caller(disabled={OPUS_4_7.id, GPT.id, "of.another.house"})
    wanted = [id for id in ALL if id not in (OPUS_4_7.id, GPT.id)]
    product = msgspec.json.decode(await ModelLists().product(make_catalog(), caller))
    assert [row["name"] for row in product["data"]] == wanted
    assert ids(await anthropic(make_catalog(), caller)) == wanted
    assert SWITCHED_OFF.id not in wanted


async def test_a_hidden_model_leaves_no_trace() -> None:
    lists, others = ModelLists(), [model for model in MODELS if model != OPUS_4_7]
    hidden = make_caller(disabled={OPUS_4_7.id})
    bare = ModelLists()
    assert await lists.product(make_catalog(), hidden) == await bare.product(
        make_catalog(*others), PLAIN
    )
    assert await lists.anthropic(make_catalog(), hidden, Page()) == await bare.anthropic(
        make_catalog(*others), PLAIN, Page()
    )


async def test_each_family_has_one_default_and_it_is_the_callers_current() -> None:
    async def defaults(caller: Caller) -> list[str]:
        decoded = msgspec.json.decode(
            await ModelLists().anthropic(make_catalog(), caller, Page(limit=1000))
        )
        return [row["id"] for row in decoded["data"] if row["is_family_default"]]

    assert await defaults(PLAIN) == [OPUS_4_7.id, SONNET_4_6.id, HAIKU_4_5.id]
    assert await defaults(make_caller(disabled={OPUS_4_7.id})) == [
        SONNET_4_6.id,
        OPUS_4_6.id,
        HAIKU_4_5.id,
    ]


async def test_nobody_may_use_anything_is_an_empty_list() -> None:
    caller = make_caller(disabled=set(ALL))
    assert await ModelLists().product(make_catalog(), caller) == b'{"data":[]}'
    assert await anthropic(make_catalog(), caller) == {
        "data": [],
        "has_more": False,
        "first_id": None,
        "last_id": None,
    }


class TestPaging:
    MANY = make_catalog(*[make_model(f"vendor.model-{number:02}") for number in range(50)])
    EVERY = tuple([model.id for model in MANY.visible(PLAIN)])

    async def test_twenty_is_the_default(self) -> None:
        page = await anthropic(self.MANY, PLAIN)
        assert ids(page) == [*self.EVERY[:20]]
        assert page["has_more"] is True

    @pytest.mark.parametrize("limit", [1, 7, 20, 49, 50, 1000])
    async def test_following_the_last_id_sees_all_once(self, limit: int) -> None:
        lists, seen, cursor = ModelLists(), [], ()
        while True:
            query = (("limit", str(limit)), *cursor)
            page = await anthropic(self.MANY, PLAIN, *query, lists=lists)
            seen += ids(page)
            assert page["first_id"] == ids(page)[0] and page["last_id"] == ids(page)[-1]
            if not page["has_more"]:
                break
            cursor = (("after_id", str(page["last_id"])),)
        assert seen == [*self.EVERY]

    async def test_following_the_first_id_backwards_sees_all_once(self) -> None:
        seen: list[str] = []
        cursor = self.EVERY[-1]
        while True:
            page = await anthropic(self.MANY, PLAIN, ("limit", "8"), ("before_id", cursor))
            seen = ids(page) + seen
            cursor = str(page["first_id"])
            if not page["has_more"]:
                break
        assert seen == [*self.EVERY[:-1]]

    async def test_after_the_last_and_before_the_first_is_nothing(self) -> None:
        for query in (("after_id", self.EVERY[-1]), ("before_id", self.EVERY[0])):
            page = await anthropic(self.MANY, PLAIN, query)
            assert (page["data"], page["has_more"]) == ([], False)

    @pytest.mark.parametrize("parameter", ["after_id", "before_id"])
    async def test_a_cursor_not_in_the_callers_list_is_refused(self, parameter: str) -> None:
        hidden = make_caller(disabled={self.EVERY[3]})
        messages = set()
        for cursor in (self.EVERY[3], "no.such"):
            with pytest.raises(Fault) as caught:
                await anthropic(self.MANY, hidden, (parameter, cursor))
            assert caught.value.kind is Kind.BAD_REQUEST
            assert caught.value.message.startswith(f"{parameter}:")
            messages.add(caught.value.message)
        assert len(messages) == 1


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("0", "greater than or equal to 1"),
        ("-5", "greater than or equal to 1"),
        ("1001", "less than or equal to 1000"),
        ("999999999", "less than or equal to 1000"),
        ("", "valid integer"),
        ("ten", "valid integer"),
        ("1.5", "valid integer"),
        ("1e3", "valid integer"),
        ("٣", "valid integer"),
        ("9" * 10_000, "valid integer"),
    ],
)
def test_a_bad_limit_is_a_400_that_names_it(value: str, says: str) -> None:
    with pytest.raises(Fault) as caught:
        read_page([("limit", value)])
    assert caught.value.kind is Kind.BAD_REQUEST
    assert caught.value.message.startswith("limit: ") and says in caught.value.message


@pytest.mark.parametrize(
    ("query", "page"),
    [
        ([], Page()),
        ([("beta", "true"), ("who", "knows")], Page()),
        ([("limit", "1000")], Page(limit=1000)),
        ([("after_id", "a"), ("before_id", "")], Page(after_id="a")),
        ([("lifecycle", "active,retired")], Page(lifecycles=frozenset({"active", "retired"}))),
        (
            [("lifecycle[]", "active"), ("lifecycle[]", "deprecated")],
            Page(lifecycles=frozenset({"active", "deprecated"})),
        ),
    ],
)
def test_a_query_is_read(query: Sequence[tuple[str, str]], page: Page) -> None:
    assert read_page(query) == page


def test_both_cursors_at_once_are_refused() -> None:
    with pytest.raises(Fault) as caught:
        read_page([("after_id", "a"), ("before_id", "b")])
    assert caught.value.message.startswith("before_id:")


@pytest.mark.parametrize(
    ("asked", "count"), [("active", len(ALL)), ("retired", 0), ("deprecated,active", len(ALL))]
)
async def test_all_models_are_active(asked: str, count: int) -> None:
    page = await anthropic(make_catalog(), PLAIN, ("lifecycle", asked))
    assert len(ids(page)) == count


class TestOneModel:
    def row(self, asked: str, caller: Caller = PLAIN) -> dict[str, object]:
        decoded: dict[str, object] = msgspec.json.decode(
            ModelLists().one(make_catalog(), caller, asked)
        )
        return decoded

    @pytest.mark.parametrize(
        "asked", ["anthropic.claude-haiku-4-5", "haiku", "claude-haiku-4-5-20251001"]
    )
    async def test_any_name_that_resolves_is_found(self, asked: str) -> None:
        listed = await anthropic(make_catalog(HAIKU_4_5), PLAIN)
        assert [self.row(asked)] == listed["data"]

    def test_the_mapping_counts_as_it_does_for_a_request(self) -> None:
        assert self.row("haiku", make_caller(mapping=HAIKU_TO_KIMI))["id"] == KIMI.id

    @pytest.mark.parametrize("asked", ["no.such", SWITCHED_OFF.id, "auto", ""])
    def test_what_does_not_resolve_is_a_404(self, asked: str) -> None:
        with pytest.raises(Fault) as caught:
            self.row(asked)
        assert caught.value.kind is Kind.NOT_FOUND


class TestNativeTwins:
    async def test_they_follow_their_product_ids_and_carry_the_default(self) -> None:
        lists = ModelLists(list_native_ids=True)
        catalog = make_catalog(OPUS_4_7, OPUS_4_6, KIMI)
        decoded = msgspec.json.decode(await lists.anthropic(catalog, PLAIN, Page()))
        assert [(row["id"], row["is_family_default"]) for row in decoded["data"]] == [
            ("anthropic.claude-opus-4-7", False),
            ("claude-opus-4-7", True),
            ("anthropic.claude-opus-4-6", False),
            ("claude-opus-4-6", False),
            ("moonshot.kimi-k2-thinking", False),
        ]

    async def test_every_listed_id_resolves(self) -> None:
        catalog = make_catalog()
        page = await anthropic(
            catalog, PLAIN, ("limit", "1000"), lists=ModelLists(list_native_ids=True)
        )
        by_id = {id: catalog.resolve(id, PLAIN).model.id for id in ids(page)}
        assert {model.removeprefix("anthropic.") for model in by_id.values()} == {
            id.removeprefix("anthropic.") for id in by_id
        }

    async def test_the_default_of_a_bare_alias_follows_the_mapping(self) -> None:
        """Desktop sends the default's id where its user chose `opus`; only the twin is mapped."""
        catalog = make_catalog()
        caller = make_caller(mapping=AliasMapping(enabled=True, opus=KIMI.id))
        lists = ModelLists(list_native_ids=True)
        decoded = msgspec.json.decode(await lists.anthropic(catalog, caller, Page(limit=1000)))
        [default] = [
            row["id"]
            for row in decoded["data"]
            if row["anthropic_family_tier"] == "opus" and row["is_family_default"]
        ]
        assert catalog.resolve(default, caller).model == KIMI

    async def test_a_twin_that_is_a_catalogue_id_itself_is_listed_once(self) -> None:
        catalog = make_catalog(HAIKU_4_5, make_model("claude-haiku-4-5"))
        page = await anthropic(catalog, PLAIN, lists=ModelLists(list_native_ids=True))
        assert sorted(ids(page)) == ["anthropic.claude-haiku-4-5", "claude-haiku-4-5"]


class TestMemory:
    async def test_callers_of_the_same_rights_share_the_bytes(self) -> None:
        lists, catalog = ModelLists(), make_catalog()
        first = await lists.product(catalog, make_caller("user_a", disabled={"not.ours"}))
        mapped = make_caller("user_b", mapping=HAIKU_TO_KIMI)
        assert await lists.product(catalog, mapped) is first

    async def test_a_new_version_is_seen_at_once(self) -> None:
        lists = ModelLists()
        before = await lists.product(make_catalog(version=1), PLAIN)
        after = await lists.product(make_catalog(HAIKU_4_5, version=2), PLAIN)
        assert before != after
        assert ids(await anthropic(make_catalog(version=1), PLAIN, lists=lists)) == ALL
        page = await anthropic(make_catalog(HAIKU_4_5, version=2), PLAIN, lists=lists)
        assert ids(page) == [HAIKU_4_5.id]

    async def test_a_change_of_rights_is_seen_at_once(self) -> None:
        lists, catalog = ModelLists(), make_catalog()
        await lists.product(catalog, PLAIN)
        body = await lists.product(catalog, make_caller(disabled={KIMI.id}))
        assert KIMI.id.encode() not in body

    async def test_pages_are_kept_apart(self) -> None:
        lists, catalog = ModelLists(), make_catalog()
        one = await lists.anthropic(catalog, PLAIN, Page(limit=1))
        assert await lists.anthropic(catalog, PLAIN, Page(limit=1)) is one
        assert await lists.anthropic(catalog, PLAIN, Page(limit=2)) != one
        assert await lists.anthropic(catalog, PLAIN, Page(limit=1, after_id=ALL[0])) != one

    async def test_the_number_of_lists_has_a_bound(self) -> None:
        lists, catalog = ModelLists(lists_cached_max=3), make_catalog()
        for limit in range(1, 10):
            await lists.anthropic(catalog, PLAIN, Page(limit=limit))
        assert len(lists._kept._keys) == 3


LIMITED = {KIMI.id: Limited("tenant", "2026-12-01T00:00:00Z")}


class TestLimitedModels:
    """A limit is temporary: what it keeps from a caller stays in the list and says so."""

    async def rows(self, lists: ModelLists, **how: object) -> dict[str, dict]:
        body = await lists.product(make_catalog(), PLAIN, **how)
        return {row["name"]: row for row in msgspec.json.decode(body)["data"]}

    async def test_says_whose_limit_and_until_when(self) -> None:
        rows = await self.rows(ModelLists(), limited=LIMITED)
        said = [rows[KIMI.id][name] for name in ("rate_limited", "rate_limit_scope", "resets_at")]
        assert said == [True, "tenant", "2026-12-01T00:00:00Z"]
        free = rows[OPUS_4_7.id]
        assert (free["rate_limited"], free["rate_limit_scope"], free["resets_at"]) == (
            *(False, None, None),
        )

    async def test_is_left_out_where_only_available_ones_are_asked_for(self) -> None:
        lists = ModelLists()
        everything = await self.rows(lists, limited=LIMITED)
        available = await self.rows(lists, limited=LIMITED, available_only=True)
        assert set(everything) - set(available) == {KIMI.id}

    async def test_is_not_remembered_for_who_is_not_limited(self) -> None:
        lists = ModelLists()
        await self.rows(lists, limited=LIMITED)
        assert not (await self.rows(lists))[KIMI.id]["rate_limited"]

    async def test_multipliers_are_told_beside_the_reference(self) -> None:
        rows = await self.rows(ModelLists(reference=Rates(input=1000, output=5000)))
        assert rows[OPUS_4_7.id]["multiplier"] == 1.0


async def test_a_packages_list_decides_what_is_seen() -> None:
    lists = ModelLists()
    some = make_caller(allowed={KIMI.id, "not.there"})
    for caller, seen in ((some, [KIMI.id]), (PLAIN, ALL), (make_caller(allowed=set()), [])):
        body = await lists.product(make_catalog(), caller)
        assert [row["name"] for row in msgspec.json.decode(body)["data"]] == seen
        page = await lists.anthropic(make_catalog(), caller, Page())
        assert [row["id"] for row in msgspec.json.decode(page)["data"]] == seen
