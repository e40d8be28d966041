"""Who is let in, by which header: the same rules on the short lane and on aiohttp's side."""

from collections.abc import Iterator

import pytest

from tests.kit.provider import Provider
from tests.kit.raw_client import RawClient, Reply
from tests.kit.running import KEY, OTHER_KEY, RunningHouse, house, make_key, message, until

Headers = list[tuple[str, str]]

VENDOR = "sk-ant-a-leftover-key-of-the-vendor-0123456789"
LANE = ("POST", "/v1/anthropic/v1/messages", message(stream=False))
COUNT = ("POST", "/v1/anthropic/v1/messages/count_tokens", message())
LIST = ("GET", "/v1/anthropic/v1/models", None)
PRODUCT = ("GET", "/v1/chat/models", None)
on_every_road = pytest.mark.parametrize(
    "road", (LANE, COUNT, LIST, PRODUCT), ids=("messages", "count_tokens", "list", "product list")
)

ADMITTED: dict[str, Headers] = {
    "x-api-key": [("X-Api-Key", KEY)],
    "bearer": [("Authorization", f"Bearer {KEY}")],
    "lower case": [("authorization", f"bearer {KEY}")],
    "upper case": [("AUTHORIZATION", f"BEARER {KEY}")],
    "odd case": [("x-aPi-KeY", KEY)],
    "spaces around": [("X-Api-Key", f"  {KEY}\t ")],
    "spaces in between": [("Authorization", f"Bearer   {KEY}  ")],
    "both, equal": [("Authorization", f"Bearer {KEY}"), ("X-Api-Key", KEY)],
    "both, bearer is the vendor's": [("Authorization", f"Bearer {VENDOR}"), ("X-Api-Key", KEY)],
    "both, x-api-key is the vendor's": [("Authorization", f"Bearer {KEY}"), ("X-Api-Key", VENDOR)],
    "basic beside a key": [("Authorization", "Basic dXNlcjpwYXNz"), ("X-Api-Key", KEY)],
    "empty beside a key": [("Authorization", ""), ("X-Api-Key", KEY)],
    "empty x-api-key": [("Authorization", f"Bearer {KEY}"), ("X-Api-Key", "")],
}
REFUSED: dict[str, tuple[Headers, str]] = {
    "nothing": ([], "No API key was sent"),
    "empty": ([("X-Api-Key", "")], "No API key was sent"),
    "vendor's": ([("X-Api-Key", VENDOR)], "X-Api-Key"),
    "vendor's as bearer": ([("Authorization", f"Bearer {VENDOR}")], "Authorization"),
    "two of the vendor's": (
        [("Authorization", f"Bearer {VENDOR}"), ("X-Api-Key", VENDOR + "2")],
        "Authorization and X-Api-Key",
    ),
    "garbage": ([("X-Api-Key", "\xff\xfe ' OR 1=1 --")], "X-Api-Key"),
    "very long": ([("X-Api-Key", KEY + "x" * 20_000)], "X-Api-Key"),
    "beginning of a key": ([("X-Api-Key", KEY[:-1])], "X-Api-Key"),
    "other case": ([("X-Api-Key", KEY.upper())], "X-Api-Key"),
    "without scheme": ([("Authorization", KEY)], "Authorization"),
    "other scheme": ([("Authorization", f"Basic {KEY}")], "Authorization"),
    "scheme alone": ([("Authorization", "Bearer")], "Authorization"),
    "other header": ([("Api-Key", KEY)], "No API key was sent"),
    "cookie": ([("Cookie", f"X-Api-Key={KEY}")], "No API key was sent"),
}


def ask(client: RawClient, road: tuple[str, str, bytes | None], headers: Headers) -> Reply:
    method, path, body = road
    return client.ask(method, path, headers, body)


@on_every_road
@pytest.mark.parametrize("headers", ADMITTED.values(), ids=ADMITTED.keys())
def test_a_key_is_taken(
    client: RawClient, road: tuple[str, str, bytes | None], headers: Headers
) -> None:
    assert ask(client, road, headers).status == 200


@on_every_road
@pytest.mark.parametrize(("headers", "read"), REFUSED.values(), ids=REFUSED.keys())
def test_anything_else_is_401_once_and_for_all(
    client: RawClient, road: tuple[str, str, bytes | None], headers: Headers, read: str
) -> None:
    reply = ask(client, road, headers)
    assert reply.status == 401
    assert reply.headers["x-should-retry"] == "false"
    error = reply.json()["error"]
    assert error["type"] == "authentication_error"
    assert read in error["message"]
    assert "hatz-gateway key create" in error["message"]
    shown = reply.body.decode() + repr(reply.all_headers)
    for _, value in headers:
        for word in value.split():
            assert len(word) < 8 or word not in shown, "a credential is in the reply"


@on_every_road
def test_a_key_in_the_query_string_is_no_key(
    client: RawClient, road: tuple[str, str, bytes | None]
) -> None:
    method, path, body = road
    for name in ("api_key", "key", "x-api-key", "access_token"):
        reply = client.ask(method, f"{path}?{name}={KEY}", (), body)
        assert reply.status == 401
        assert KEY not in reply.body.decode()


@on_every_road
def test_a_refused_client_may_try_again_on_the_same_connection(
    client: RawClient, road: tuple[str, str, bytes | None]
) -> None:
    assert ask(client, road, []).status == 401
    assert ask(client, road, ADMITTED["bearer"]).status == 200
    assert ask(client, road, REFUSED["vendor's"][0]).status == 401
    assert ask(client, road, ADMITTED["x-api-key"]).status == 200


def test_of_two_good_keys_the_bearer_one_is_asked_for(
    gateway: RunningHouse, client: RawClient
) -> None:
    make_key(gateway.place / "gateway.toml", OTHER_KEY, "other@example.com")
    both = [("Authorization", f"Bearer {OTHER_KEY}"), ("X-Api-Key", KEY)]

    def owner(headers: Headers, request_id: str) -> str:
        tagged = [*headers, ("X-Request-ID", request_id)]
        reply = until(
            lambda: reply if (reply := ask(client, LANE, tagged)).status == 200 else None,
            "the new key counts",
        )
        assert reply.status == 200
        return str(gateway.row(request_id)["user_id"])

    other = owner([("X-Api-Key", OTHER_KEY)], "owner-other")
    assert owner(both, "owner-both") == other
    assert owner([("X-Api-Key", KEY)], "owner-own") != other


def test_no_credential_of_the_client_reaches_the_provider(
    client: RawClient, provider: Provider
) -> None:
    both = [("Authorization", f"Bearer {KEY}"), ("X-Api-Key", VENDOR), ("Cookie", "session=1")]
    assert ask(client, LANE, both).status == 200
    asked = provider.asked[-1]
    assert not {"authorization", "x-api-key", "cookie"} & set(asked.headers)
    assert KEY not in repr(asked) and VENDOR not in repr(asked)


@pytest.mark.parametrize("path", ("/v1/requests/some-id", "/v1/preferences/gateway-mapping"))
def test_a_bearer_key_does_not_count_on_the_product_api(client: RawClient, path: str) -> None:
    reply = client.ask("GET", path, ADMITTED["bearer"])
    assert (reply.status, reply.headers["x-should-retry"]) == (401, "false")
    error = reply.json()["error"]
    assert "Authorization is not read on this path" in error["message"]
    assert client.ask("GET", path, ADMITTED["x-api-key"]).status in (200, 404)
    assert client.ask("GET", path, ADMITTED["both, equal"]).status in (200, 404)


@pytest.fixture(scope="module")
def strict(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHouse]:
    """A gateway with `strict_bearer`."""
    place = tmp_path_factory.mktemp("strict")
    with house(place, provider.url, auth__strict_bearer="true") as running:
        yield running


def test_strict_bearer_shuts_the_product_list_only(strict: RunningHouse) -> None:
    with strict.connect() as client:
        assert ask(client, PRODUCT, ADMITTED["bearer"]).status == 401
        assert ask(client, PRODUCT, ADMITTED["x-api-key"]).status == 200
        for road in (LANE, COUNT, LIST):
            assert ask(client, road, ADMITTED["bearer"]).status == 200


def test_strict_bearer_holds_for_the_path_with_a_slash_too(strict: RunningHouse) -> None:
    with strict.connect() as client:
        reply = client.ask("GET", "/v1/chat/models/", ADMITTED["bearer"])
        assert reply.status == 401
