"""The MSP's catalogue: what there is, what is on, and that nothing is free in silence."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from proxy.admin.models import ModelDesk
from proxy.catalog.access import switched
from proxy.domain.model import Rates
from proxy.domain.permissions import MSP_MODELS, MSP_VIEW
from proxy.storage.models import ModelSwitches
from proxy.storage.rates import RateSheet
from tests.admin.office_floor import Visit
from tests.admin.usage_floor import BY, NOW_MS, Ledger, ledger
from tests.catalog.shop import make_catalog, make_model

PATH = "/v1/admin/models"
PRICED = make_model("gpt-5.2", rates=Rates(input=1000, output=5000), released="2025-12-11")
OFF = make_model("anthropic.claude-opus-4-7", family="opus", enabled=False)
FREE = make_model("someone.free", rates=None)
CONFIGURED = (PRICED, OFF, FREE)


@pytest.fixture
async def books(tmp_path: Path, aiohttp_client: Visit) -> AsyncIterator[Ledger]:
    async with ledger(tmp_path) as books:
        books.empower("root", MSP_MODELS)
        catalog = make_catalog(*switched(CONFIGURED, {}))
        desk = ModelDesk(
            lambda: catalog,
            lambda: {model.id: model for model in CONFIGURED},
            ModelSwitches(books.database),
            RateSheet(books.database),
        )
        await books.open(desk.endpoints(), aiohttp_client)
        yield books


async def test_every_model_is_listed_with_what_it_costs(books: Ledger) -> None:
    models = (await books.get(PATH))["models"]
    assert [(row["name"], row["state"], row["enabled"]) for row in models] == [
        ("anthropic.claude-opus-4-7", "disabled", False),
        ("gpt-5.2", "enabled", True),
        ("someone.free", "no_rates", False),
    ]
    assert models[1] == {
        "name": "gpt-5.2",
        "display_name": PRICED.display_name,
        "developer": "OpenAI",
        "family": None,
        "released": "2025-12-11",
        "context_window": 200_000,
        "max_output_tokens": 64_000,
        "vision": False,
        "base_level": False,
        "enabled": True,
        "state": "enabled",
        "switch": None,
        "rates": {
            "input": 1000,
            "output": 5000,
            "cache_write_5m": 0,
            "cache_write_1h": 0,
            "cache_read": 0,
        },
        "multiplier": 0.33,
        "deployments": [{"provider": "here", "model": "gpt-5.2"}],
    }
    assert (models[2]["rates"], models[2]["multiplier"]) == (None, None)
    assert await books.get(f"{PATH}/gpt-5.2") == models[1]


async def test_a_switch_wins_over_the_configuration_in_both_directions(books: Ledger) -> None:
    off = await books.done("PUT", f"{PATH}/gpt-5.2", {"enabled": False})
    assert (off["enabled"], off["state"], off["switch"]) == (False, "disabled", False)
    on = await books.done("PUT", f"{PATH}/{OFF.id}", {"enabled": True})
    assert (on["enabled"], on["state"], on["switch"]) == (True, "enabled", True)
    assert await ModelSwitches(books.database).switches() == {"gpt-5.2": False, OFF.id: True}
    assert (await books.get(f"{PATH}/gpt-5.2")) == off


async def test_null_is_as_configured_again(books: Ledger) -> None:
    await books.done("PUT", f"{PATH}/gpt-5.2", {"enabled": False})
    told = await books.done("PUT", f"{PATH}/gpt-5.2", {"enabled": None})
    assert (told["enabled"], told["switch"]) == (True, None)
    assert await ModelSwitches(books.database).switches() == {}
    assert [line[0] for line in await books.audited()] == ["model.switch", "model.switch"]


async def test_what_changes_nothing_leaves_no_line(books: Ledger) -> None:
    await books.done("PUT", f"{PATH}/gpt-5.2", {"enabled": None})
    await books.done("PUT", f"{PATH}/gpt-5.2", {"enabled": True})
    await books.done("PUT", f"{PATH}/gpt-5.2", {"enabled": True})
    assert len(await books.audited()) == 1


async def test_a_model_without_rates_is_not_switched_on(books: Ledger) -> None:
    said = await books.send("PUT", f"{PATH}/{FREE.id}", {"enabled": True})
    assert said.status == 400
    assert said.message.startswith("enabled: someone.free has no rates")
    assert await ModelSwitches(books.database).switches() == {}
    assert (await books.send("PUT", f"{PATH}/{FREE.id}", {"enabled": False})).status == 200
    rates = Rates(input=3000, output=15000)
    await RateSheet(books.database).set(FREE.id, rates, msgspec.structs.replace(BY, at=NOW_MS))
    on = await books.done("PUT", f"{PATH}/{FREE.id}", {"enabled": True})
    assert (on["state"], on["multiplier"], on["rates"]["input"]) == ("enabled", 1.0, 3000)


async def test_rates_that_are_still_to_come_do_not_help(books: Ledger) -> None:
    await RateSheet(books.database).set(FREE.id, Rates(1, 1), BY, effective_from=NOW_MS + 1)
    assert (await books.send("PUT", f"{PATH}/{FREE.id}", {"enabled": True})).status == 400


async def test_rates_that_were_set_are_those_shown(books: Ledger) -> None:
    await RateSheet(books.database).set("gpt-5.2", Rates(6000, 30000), BY)
    assert (await books.get(f"{PATH}/gpt-5.2"))["multiplier"] == 2.0


async def test_a_model_that_is_not_there_is_not_found(books: Ledger) -> None:
    assert (await books.ask(f"{PATH}/gpt-9")).status == 404
    assert (await books.send("PUT", f"{PATH}/gpt-9", {"enabled": False})).status == 404


@pytest.mark.parametrize("wish", [{}, {"enabled": "on"}, {"enabled": 1}, {"enable": True}])
async def test_a_wrong_body_is_refused(books: Ledger, wish: object) -> None:
    assert (await books.send("PUT", f"{PATH}/gpt-5.2", wish)).status == 400


@pytest.mark.parametrize(
    ("permissions", "reads", "writes"),
    [((MSP_MODELS,), 200, 200), ((MSP_VIEW,), 200, 403), (("models.disable",), 403, 403)],
)
async def test_who_may(
    books: Ledger, permissions: tuple[str, ...], reads: int, writes: int
) -> None:
    books.empower("ada", *permissions)
    assert (await books.ask(PATH, "ada")).status == reads
    assert (await books.ask(f"{PATH}/gpt-5.2", "ada")).status == reads
    said = await books.send("PUT", f"{PATH}/gpt-5.2", {"enabled": False}, "ada")
    assert said.status == writes
