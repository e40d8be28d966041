"""Usage and the installation's endpoints hold what the document of the API says of them: requests
made from it are answered as it says, and never with a 500."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from proxy.admin.audit import AuditPages
from proxy.admin.credit_packs import PackDesk
from proxy.admin.endpoint import AnyEndpoint
from proxy.admin.installation import InstallationPages
from proxy.admin.limits import LimitDesk
from proxy.admin.models import ModelDesk
from proxy.admin.openapi import ApiDocument
from proxy.admin.packages import PackageDesk
from proxy.admin.providers import ProviderPages
from proxy.admin.rates import RateDesk
from proxy.admin.usage import UsageSums
from proxy.admin.usage_events import UsageEvents
from proxy.admin.usage_limits import Rules, UsageLimits
from proxy.admin.usage_time import UsageTimes
from proxy.config.settings import Settings
from proxy.domain.permissions import MEANINGS
from proxy.domain.terms import DEFAULT_LADDER
from proxy.limits.window import Months
from proxy.storage.audit import Audit
from proxy.storage.installation import Installation
from proxy.storage.models import ModelSwitches
from proxy.storage.month_use import MonthUse
from proxy.storage.notes import Notes
from proxy.storage.packages import CreditPacks, Packages
from proxy.storage.rates import RateSheet
from proxy.storage.tenants import Tenants
from proxy.storage.usage import Usage
from tests.admin.office_floor import floor
from tests.admin.usage_floor import BY, NOW_MS, Ledger, ledger
from tests.catalog.shop import KIMI, MODELS, make_catalog

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    unsupported_method,
]


async def _no_problem() -> list[str]:
    return []


def table(books: Ledger) -> list[AnyEndpoint]:
    """Every endpoint of usage and of the installation, over the real stores."""
    database = books.database
    usage, months, rules = Usage(database), Months("UTC"), Rules(DEFAULT_LADDER, False)
    packages, tenants = Packages(database), Tenants(database)
    catalog = make_catalog()
    known = {model.id: model for model in MODELS}
    limits = UsageLimits(
        MonthUse(database),
        usage,
        tenants,
        packages,
        catalog=lambda: catalog,
        rules=lambda: rules,
        months=months,
    )
    desks = [
        *(UsageSums(usage, "UTC"), UsageTimes(usage, "UTC"), UsageEvents(usage, "UTC"), limits),
        PackageDesk(packages, lambda: known),
        PackDesk(CreditPacks(database), tenants, months),
        LimitDesk(Installation(database), lambda: rules),
        ModelDesk(lambda: catalog, lambda: known, ModelSwitches(database), RateSheet(database)),
        RateDesk(RateSheet(database), lambda: known),
        ProviderPages(Settings),
        InstallationPages(Settings, _no_problem, Notes(database)),
        AuditPages(Audit(database)),
    ]
    return [endpoint for desk in desks for endpoint in desk.endpoints()]


NAMES = [f"{each.method} {each.path}" for each in table(Ledger(None))]  # type: ignore[arg-type]


class Open:
    """The office on a port of its own, in a thread of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.url = ""
        self.real: dict[str, str] = {}
        self._loop = asyncio.new_event_loop()
        self._end = asyncio.Event()
        self._is_open = threading.Event()
        self._thread = threading.Thread(target=self._run, name="office")
        self._thread.start()
        assert self._is_open.wait(10)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        async with ledger(self._folder) as books:
            books.empower("root", *MEANINGS)
            await books.used("ada")
            package = await Packages(books.database).create("P", BY)
            ada = books.callers["ada"]
            self.real = {
                "tenant_id": ada.tenant_id,
                "user_id": ada.user_id,
                "package_id": package.id,
                "model": KIMI.id,
                "start_date": "2026-11-02",
                "end_date": "2026-11-20T12:00:00Z",
                "timezone": "Asia/Kolkata",
                "effective_from": "2027-01-01T00:00:00Z",
            }
            endpoints = table(books)
            document = ApiDocument(endpoints, "test")
            app = floor(endpoints, books.admit, wall=lambda: NOW_MS / 1000, more=document.routes())
            runner = web.AppRunner(app, access_log=None)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            host, port = runner.addresses[0][:2]
            self.url = f"http://{host}:{port}"
            self._is_open.set()
            await self._end.wait()
            await runner.cleanup()


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    opened = Open(tmp_path_factory.mktemp("office"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def schema(office: Open) -> Any:
    return schemathesis.openapi.from_url(f"{office.url}/v1/openapi.json")


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("name", NAMES)
def test_replies_are_as_described(
    schema: Any, office: Open, name: str, mode: GenerationMode
) -> None:
    method, _, path = name.partition(" ")
    operation = schema[path][method]
    statuses: set[int] = set()

    @settings(
        max_examples=10,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), is_real=st.booleans())
    def holds(case: Any, is_real: bool) -> None:
        if is_real and mode is GenerationMode.POSITIVE:
            for part in (case.path_parameters, case.query, case.body):
                if isinstance(part, dict):
                    part.update({key: office.real[key] for key in part.keys() & office.real})
        response = case.call_and_validate(
            base_url=office.url, headers={"X-API-Key": "root"}, checks=CHECKS
        )
        assert response.headers["x-request-id"]
        statuses.add(response.status_code)

    holds()
    assert statuses
