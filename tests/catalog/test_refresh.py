import asyncio

import pytest

from proxy.catalog.refresh import Shelf, SwitchStore
from proxy.domain.fault import Fault
from proxy.domain.model import Rates
from tests.catalog.shop import (
    KIMI,
    MODELS,
    OPUS_4_6,
    OPUS_4_7,
    SONNET_4_6,
    SWITCHED_OFF,
    Switches,
    make_caller,
    make_model,
)

_: SwitchStore = Switches()


async def test_nothing_is_offered_before_the_switches_are_known() -> None:
    shelf = Shelf(MODELS, Switches())
    assert shelf.current.visible(make_caller()) == ()
    await shelf.refresh(1)
    assert OPUS_4_7 in shelf.current.visible(make_caller())


async def test_a_newly_enabled_newer_model_is_followed_without_restart() -> None:
    store = Switches()
    shelf = Shelf(MODELS, store)
    await shelf.refresh(1)
    assert shelf.current.resolve("sonnet", make_caller()).model == SONNET_4_6
    store.kept[SWITCHED_OFF.id] = True
    await shelf.refresh(2)
    assert shelf.current.resolve("sonnet", make_caller()).model.id == SWITCHED_OFF.id


async def test_a_disabled_newest_model_hands_its_alias_to_the_next() -> None:
    store = Switches()
    shelf = Shelf(MODELS, store)
    await shelf.refresh(1)
    store.kept[OPUS_4_7.id] = False
    await shelf.refresh(2)
    assert shelf.current.resolve("opus", make_caller()).model == OPUS_4_6
    with pytest.raises(Fault) as caught:
        shelf.current.resolve(OPUS_4_7.id, make_caller())
    assert (caught.value.status, caught.value.reason) == (404, "model_disabled")


async def test_all_of_a_family_disabled_leaves_its_alias_empty() -> None:
    store = Switches()
    store.kept = {model.id: False for model in MODELS if model.family == "opus"}
    shelf = Shelf(MODELS, store)
    await shelf.refresh(1)
    with pytest.raises(Fault) as caught:
        shelf.current.resolve("opus", make_caller())
    assert caught.value.status == 404


async def test_the_old_snapshot_stays_whole_for_who_holds_it() -> None:
    store = Switches()
    shelf = Shelf(MODELS, store)
    await shelf.refresh(1)
    held = shelf.current
    store.kept[KIMI.id] = False
    await shelf.refresh(2)
    assert held.resolve(KIMI.id, make_caller()).model == KIMI
    assert shelf.current is not held


async def test_a_known_version_costs_nothing() -> None:
    shelf = Shelf(MODELS, Switches())
    await shelf.refresh(7)
    held = shelf.current
    await shelf.refresh(7)
    assert shelf.current is held


async def test_new_settings_count_although_storage_is_the_same() -> None:
    shelf = Shelf(MODELS, Switches())
    await shelf.refresh(1)
    before = shelf.current
    shelf.restock([KIMI], mapping_applies_to_native_ids=False, custom_aliases={"best": KIMI.id})
    await shelf.refresh(1)
    assert shelf.current.models == (KIMI,)
    assert shelf.current.resolve("best", make_caller()).model == KIMI
    assert shelf.current.version != before.version


async def test_when_storage_fails_the_old_snapshot_stays() -> None:
    class Broken(Switches):
        async def switches(self) -> dict[str, bool]:
            if self.kept:
                raise OSError("no storage")
            return {}

    store = Broken()
    shelf = Shelf(MODELS, store)
    await shelf.refresh(1)
    held = shelf.current
    store.kept[KIMI.id] = False
    with pytest.raises(OSError, match="no storage"):
        await shelf.refresh(2)
    assert shelf.current is held


async def test_a_slow_reading_does_not_undo_a_later_one() -> None:
    class Slow(Switches):
        def __init__(self) -> None:
            super().__init__()
            self.answers: list[asyncio.Future[dict[str, bool]]] = []

        async def switches(self) -> dict[str, bool]:
            answer = asyncio.get_running_loop().create_future()
            self.answers.append(answer)
            return await answer

    store = Slow()
    shelf = Shelf(MODELS, store)
    older = asyncio.create_task(shelf.refresh(1))
    newer = asyncio.create_task(shelf.refresh(2))
    await asyncio.sleep(0)  # both have asked by then
    assert len(store.answers) == 2
    store.answers[1].set_result({KIMI.id: False})
    await newer
    store.answers[0].set_result({})
    await older
    assert KIMI not in shelf.current.visible(make_caller())


class Sheet:
    """Rates an administrator set: by the moment from which they count."""

    def __init__(self, **by_moment: Rates) -> None:
        self.read = 0
        self.by_moment = {int(moment[1:]): rates for moment, rates in by_moment.items()}

    async def current(self, now_ms: int, /) -> dict[str, Rates]:
        self.read += 1
        begun = [moment for moment in self.by_moment if moment <= now_ms]
        return {KIMI.id: self.by_moment[max(begun)]} if begun else {}

    async def next_change(self, now_ms: int, /) -> int | None:
        return min([moment for moment in self.by_moment if moment > now_ms], default=None)


async def test_an_administrators_rates_beat_the_files() -> None:
    dear = Rates(input=9_000, output=9_000)
    shelf = Shelf(MODELS, Switches(), Sheet(m1=dear))
    await shelf.refresh(1, 5)
    found = shelf.current.find(KIMI.id)
    assert found is not None and found.rates == dear
    other = shelf.current.find(OPUS_4_7.id)
    assert other is not None and other.rates == OPUS_4_7.rates


async def test_rates_come_into_effect_by_themselves_and_are_read_once() -> None:
    sheet = Sheet(m100=Rates(input=1, output=1), m200=Rates(input=2, output=2))
    shelf = Shelf(MODELS, Switches(), sheet)

    async def input_rate(now_ms: int) -> int | None:
        await shelf.refresh(1, now_ms)
        found = shelf.current.find(KIMI.id)
        assert found is not None and found.rates is not None
        return found.rates.input

    assert KIMI.rates is not None
    assert await input_rate(99) == KIMI.rates.input
    assert [await input_rate(now_ms) for now_ms in (100, 150, 199)] == [1, 1, 1]
    assert [await input_rate(now_ms) for now_ms in (200, 10_000)] == [2, 2]
    assert sheet.read == 3


async def test_rates_make_a_model_without_any_one_that_can_be_enabled() -> None:
    bare = make_model("vendor.bare", rates=None)
    assert bare.enabled
    shelf = Shelf([bare], Switches())
    await shelf.refresh(1)
    assert shelf.current.visible(make_caller()) == ()
    sheet = Sheet()
    sheet.current = lambda now_ms: _bare_rates(bare.id)  # type: ignore[method-assign]
    shelf = Shelf([bare], Switches(), sheet)
    await shelf.refresh(1)
    assert [model.id for model in shelf.current.visible(make_caller())] == [bare.id]


async def _bare_rates(model_id: str) -> dict[str, Rates]:
    return {model_id: Rates(input=1, output=1)}
