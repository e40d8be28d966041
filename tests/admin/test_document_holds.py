"""What the document of the API says holds: requests made from it, right and wrong ones, are
answered as it says, and never with a 500."""

import asyncio
import itertools
import re
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

from proxy.admin.openapi import ApiDocument
from tests.admin.people_floor import RATES_TO_COME, Known, People
from tests.admin.test_matrix import CASES
from tests.admin.test_openapi import references
from tests.catalog.shop import KIMI

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    unsupported_method,
]
_NUMBERS = itertools.count()
LINE_BYTES_MAX = 1 << 20
WHO = "msp.msp_primary_admin"
READY = {
    "POST /v1/admin/users/{user_id}/invite": (
        "UPDATE users SET status = 'Invited' WHERE id = '{acme.target}'"
    )
}
"""What must be there for a request to make sense."""


class Open:
    """The office on a port of its own, in a thread of its own."""

    def __init__(self, template: Path, place: Path, known: Known) -> None:
        self.known = known
        self.url = ""
        self._template, self._place = template, place
        self._loop = asyncio.new_event_loop()
        self._is_open = threading.Event()
        self._thread = threading.Thread(target=self._run, name="office")
        self._thread.start()
        assert self._is_open.wait(10)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        assert not self._thread.is_alive()

    def make_ready(self, sql: str) -> None:
        """Change something past the office."""
        work = self._people.database.run([(sql, ())])
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._open())
        self._loop.run_forever()
        self._loop.run_until_complete(self._close())
        self._loop.close()

    async def _open(self) -> None:
        self._people = await People.open(self._template, self._place, self.known)
        document = ApiDocument(self._people.table, "test")
        self._runner = web.AppRunner(
            self._people.application(document.routes()),
            access_log=None,
            max_line_size=LINE_BYTES_MAX,  # the door caps heads in the house, not aiohttp
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        self._is_open.set()

    async def _close(self) -> None:
        await self._runner.cleanup()
        await self._people.database.close()


@pytest.fixture(scope="module")
def office(
    furnished: tuple[Path, Known], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Open]:
    file, known = furnished
    opened = Open(file, tmp_path_factory.mktemp("office"), known)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def schema(office: Open) -> Any:
    return schemathesis.openapi.from_url(f"{office.url}/v1/openapi.json")


def real_things(known: Known, method: str) -> dict[str, str]:
    """Things that are there, for the parts of paths and the fields that name things. What is
    deleted is not what the others look at."""
    owner = "beta" if method == "DELETE" else "acme"
    return {
        "tenant_id": known.ids[owner],
        "user_id": known.ids[f"{owner}.target"],
        "role_id": known.ids[f"{owner}.own_role"],
        "key_id": known.key_ids[f"{owner}.target"],
        "pack_id": known.ids[f"{owner}.pack"],
        "template_id": known.ids["Small"],
        "package_id": known.ids["Unused" if method == "DELETE" else "Professional"],
        "model": KIMI.id,
        "ids": f"{known.ids['acme.own_role']},role_general_user",
        "role": "chat_only_user",
        "effective_from": RATES_TO_COME,
    }


def put_in(document: Any, real: dict[str, str]) -> None:
    """Let fields of these names be these things, however deep they are."""
    for each in document if isinstance(document, list) else [document]:
        if isinstance(each, dict):
            for value in each.values():
                put_in(value, real)
            each.update({name: real[name] for name in each.keys() & real.keys()})
            if "role" in each:
                each.pop("custom_role_name", None)
            if "email" in each:
                each["email"] = f"fuzz{next(_NUMBERS)}@acme.example"


def test_the_whole_document_is_sound(schema: Any) -> None:
    document = schema.raw_schema
    operations = [
        (f"{method.upper()} {path}", operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]
    assert {name for name, _ in operations} >= CASES.keys()
    ids = [operation["operationId"] for _, operation in operations]
    assert len(ids) == len(set(ids))
    for reference in references(document):
        place = document
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]
    for name, operation in operations:
        in_path = {each["name"] for each in operation["parameters"] if each["in"] == "path"}
        assert in_path == set(re.findall(r"\{(\w+)\}", name))
        assert operation["summary"]


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("name", CASES)
def test_replies_are_as_described(
    schema: Any, office: Open, name: str, mode: GenerationMode
) -> None:
    method, _, path = name.partition(" ")
    operation = schema[path][method]
    real = real_things(office.known, method)
    if name in READY:
        office.make_ready(READY[name].replace("{acme.target}", office.known.ids["acme.target"]))
    if name == "DELETE /v1/admin/api-keys/{key_id}":
        # The usual one is gone: it was removed as one's own.
        real["key_id"] = office.known.key_ids["beta.workshop_user"]
    if name == "DELETE /v1/admin/users/{user_id}/identities":
        # The usual user is gone, too.
        real["user_id"] = office.known.ids["acme.target"]
    elsewhere = {**real, "tenant_id": office.known.ids["beta"]}
    statuses: set[int] = set()

    @settings(
        max_examples=25 if mode is GenerationMode.POSITIVE else 8,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        case=operation.as_strategy(generation_mode=mode),
        is_real=st.sampled_from([True, True, False]),
    )
    def holds(case: Any, is_real: bool) -> None:
        if is_real and mode is GenerationMode.POSITIVE:
            put_in(case.path_parameters, real)
            put_in(case.query, real)
            put_in(case.body, elsewhere)
        response = case.call_and_validate(
            base_url=office.url, headers={"X-API-Key": office.known.keys[WHO]}, checks=CHECKS
        )
        assert response.headers["x-request-id"]
        statuses.add(response.status_code)

    holds()
    if mode is GenerationMode.POSITIVE:
        assert min(statuses) < 300, f"not once did it work: {sorted(statuses)}"
