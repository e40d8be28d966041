"""The document of the API: true of the table it is made from."""

import datetime as dt
from dataclasses import replace
from typing import Any, Literal, cast

import msgspec
import pytest
from aiohttp import web

from proxy.admin.endpoint import AnyEndpoint, NoQuery
from proxy.admin.openapi import PATH, ApiDocument, document
from tests.admin.office_floor import Visit, ask
from tests.admin.test_endpoint import ADD, LOOK, SHEET

THINGS = document([LOOK, ADD, SHEET], "1.2.3")


def references(document: object) -> set[str]:
    """Every `$ref` in it."""
    if isinstance(document, list):
        return set[str]().union(*map(references, document))
    if isinstance(document, dict):
        own = {document["$ref"]} if "$ref" in document else set()
        return own.union(*map(references, document.values()))
    return set()


def test_every_reference_leads_somewhere() -> None:
    found = references(THINGS)
    assert len(found) > 10
    for reference in found:
        place: Any = THINGS
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


def test_a_query_is_described_with_its_ranges() -> None:
    parameters = THINGS["paths"]["/v1/things/{name}"]["get"]["parameters"]
    named = {each["name"]: each for each in parameters}
    assert named["name"]["in"] == "path"
    assert named["limit"]["required"] is False
    assert named["limit"]["schema"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 1000,
        "default": 100,
    }
    assert named["limit"]["description"] == "Rows of this page."
    assert named["loud"]["schema"] == {"type": "boolean", "default": False}


class Narrow(msgspec.Struct, frozen=True):
    email: str
    tenant_id: str | None = None
    since: dt.datetime | int | None = None
    kind: Literal["a", "b"] | None = None


def test_what_may_be_null_may_be_left_out_of_a_query() -> None:
    endpoint = replace(cast(AnyEndpoint, LOOK), query=Narrow)
    parameters = document([endpoint], "1")["paths"]["/v1/things/{name}"]["get"]["parameters"]
    named = {each["name"]: each for each in parameters}
    assert (named["email"]["required"], named["email"]["schema"]) == (True, {"type": "string"})
    assert (named["tenant_id"]["required"], named["tenant_id"]["schema"]) == (
        False,
        {"type": "string"},
    )
    assert named["since"]["schema"] == {"anyOf": [{"type": "string"}, {"type": "integer"}]}
    assert named["kind"]["schema"] == {"enum": ["a", "b"]}


def test_an_endpoint_may_take_its_key_as_bearer() -> None:
    operation = document([replace(LOOK, bearer=True)], "1")["paths"]["/v1/things/{name}"]["get"]
    assert operation["security"] == [{"apiKey": []}, {"bearer": []}]


def test_a_body_is_described_and_takes_no_unknown_fields() -> None:
    operation = THINGS["paths"]["/v1/things"]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/People"}
    assert THINGS["components"]["schemas"]["People"]["additionalProperties"] is False
    assert operation["x-permissions"] == ["users.manage", "msp.users"]
    assert '"Manage the users of all tenants" (`msp.users`)' in operation["description"]


def test_replies_and_refusals_are_described() -> None:
    responses = THINGS["paths"]["/v1/things"]["post"]["responses"]
    assert set(responses) == {"201", "400", "401", "403", "413", "500", "503"}
    assert set(THINGS["paths"]["/v1/sheet"]["get"]["responses"]["200"]["content"]) == {
        "application/json",
        "text/csv",
    }
    assert "404" in THINGS["paths"]["/v1/things/{name}"]["get"]["responses"]


def test_keys_go_in_their_own_header_and_as_bearer_where_it_is_read() -> None:
    assert THINGS["security"] == [{"apiKey": []}]
    assert "security" not in THINGS["paths"]["/v1/things"]["post"]
    messages = THINGS["paths"]["/v1/anthropic/v1/messages"]["post"]
    assert messages["security"] == [{"apiKey": []}, {"bearer": []}]


def test_operations_have_names_of_their_own() -> None:
    names = [
        operation["operationId"]
        for operations in THINGS["paths"].values()
        for operation in operations.values()
    ]
    assert "get_things_name" in names
    assert len(names) == len(set(names))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_everybody_may_read_it(aiohttp_client: Visit, method: str) -> None:
    app = web.Application()
    for verb, path, handler in ApiDocument([LOOK, ADD, SHEET], "1.2.3").routes():
        app.router.add_route(verb, path, handler)
    said = await ask(await aiohttp_client(app), method, PATH)
    assert said.status == 200
    assert said.headers["content-type"].startswith("application/json")
    if method == "GET":
        assert said.json() == msgspec.json.decode(msgspec.json.encode(THINGS))


def test_an_endpoint_without_a_query_has_no_parameters() -> None:
    assert ADD.query is NoQuery
    assert THINGS["paths"]["/v1/things"]["post"]["parameters"] == []
