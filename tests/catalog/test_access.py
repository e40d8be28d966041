from proxy.catalog.access import may_use, switched
from tests.catalog.shop import HAIKU_4_5, KIMI, SWITCHED_OFF, make_caller, make_model


def test_a_model_is_there_unless_somebody_hid_it() -> None:
    assert may_use(HAIKU_4_5, make_caller())
    assert not may_use(SWITCHED_OFF, make_caller())
    assert not may_use(HAIKU_4_5, make_caller(disabled={HAIKU_4_5.id}))
    assert may_use(HAIKU_4_5, make_caller(disabled={KIMI.id}))


def test_a_tenant_cannot_bring_back_what_the_operator_switched_off() -> None:
    assert not may_use(SWITCHED_OFF, make_caller(disabled=frozenset()))


def test_a_stored_switch_beats_the_file_both_ways() -> None:
    models = switched([HAIKU_4_5, SWITCHED_OFF], {HAIKU_4_5.id: False, SWITCHED_OFF.id: True})
    assert [model.enabled for model in models] == [False, True]


def test_without_a_switch_the_file_holds() -> None:
    assert switched([HAIKU_4_5, SWITCHED_OFF], {"gone": True}) == (HAIKU_4_5, SWITCHED_OFF)


def test_a_model_without_rates_stays_off_whatever_its_switch_says() -> None:
    free = make_model("free.model", rates=None)
    assert not switched([free], {})[0].enabled
    assert not switched([free], {free.id: True})[0].enabled
