"""Forged requests, stolen and planted sessions, names that are markup, secrets in pages, and tries
to guess a password."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from playwright.sync_api import expect

from proxy.auth.sign_in import TRIES_FROM_ONE_PLACE_MAX
from proxy.console.pages import PAGES
from tests.console.conftest import Visits
from tests.console.floor import ADA, BOB, PASSWORD, ROOT_USER, Floor, beside, opened_floor
from tests.kit.raw_client import Reply
from tests.kit.running import house

COOKIE = "hatz_session"
JSON = {"Content-Type": "application/json"}
MARKUP = "<img src=x onerror=alert(1)>\"'&amp;"


def send(floor: Floor, method: str, path: str, headers: dict[str, str], body: Any = None) -> Reply:
    """A request without a key."""
    with floor.gateway.connect() as client:
        data = None if body is None else msgspec.json.encode(body)
        return client.ask(method, path, headers, data)


def signed_in(floor: Floor, email: str = BOB, **more: str) -> dict[str, str]:
    """The cookie of a new session, as a header."""
    asked = {"email": email, "password": PASSWORD}
    reply = send(floor, "POST", "/console/session", {**JSON, **more}, asked)
    assert reply.status == 200, reply.body
    return {"Cookie": reply.headers["set-cookie"].partition(";")[0]}


def forgery_token(floor: Floor, cookie: dict[str, str]) -> str:
    return str(send(floor, "GET", "/console/session", cookie).json()["forgery_token"])


WRITES = (
    ("POST", "/v1/api-keys", {"name": "forged"}),
    ("PUT", "/v1/preferences/gateway-mapping", {"enabled": True}),
    ("DELETE", "/v1/api-keys/key_1", None),
    ("DELETE", "/v1/admin/api-keys/key_1", None),
    ("POST", "/v1/admin/users/user_1/invite", None),
    ("DELETE", "/v1/admin/users/user_1/identities", None),
    ("PUT", "/v1/admin/settings/web-search", {"enabled": True}),
    ("DELETE", "/console/session", None),
    ("DELETE", "/console/sessions", None),
    ("PUT", "/console/password", {"old_password": PASSWORD, "new_password": "forged by somebody"}),
)


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
def test_a_write_needs_the_sessions_own_token_and_our_own_site(
    floor: Floor, method: str, path: str, body: Any
) -> None:
    cookie, other = signed_in(floor), signed_in(floor)
    token = forgery_token(floor, cookie)
    forged: list[dict[str, str]] = [
        {},
        {"X-Forgery-Token": ""},
        {"X-Forgery-Token": token[:-1]},
        {"X-Forgery-Token": forgery_token(floor, other)},
        {"X-Forgery-Token": token, "Sec-Fetch-Site": "cross-site"},
        {"X-Forgery-Token": token, "Sec-Fetch-Site": "same-site"},
        {"X-Forgery-Token": token, "Sec-Fetch-Site": "none"},
    ]
    for headers in forged:
        reply = send(floor, method, path, {**cookie, **JSON, **headers}, body)
        assert (reply.status, reply.headers["x-hatz-reason"]) == (403, "forged_request"), headers
    assert send(floor, "GET", "/v1/me", cookie).status == 200
    assert send(floor, "GET", "/v1/api-keys", cookie).json() == {"data": []}
    # And with it, it is done.
    made = send(
        floor,
        *("POST", "/v1/api-keys"),
        {**cookie, **JSON, "X-Forgery-Token": token, "Sec-Fetch-Site": "same-origin"},
        {"name": "mine"},
    )
    assert made.status == 201
    gone = {**cookie, "X-Forgery-Token": token}
    assert send(floor, "DELETE", f"/v1/api-keys/{made.json()['id']}", gone).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {**JSON, "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_nobody_is_signed_in_by_another_site(floor: Floor, headers: dict[str, str]) -> None:
    asked = {"email": BOB, "password": PASSWORD}
    reply = send(floor, "POST", "/console/session", headers, asked)
    assert reply.status == 403
    assert "set-cookie" not in reply.headers


def test_a_planted_session_is_worth_nothing_before_and_after_signing_in(floor: Floor) -> None:
    planted = {"Cookie": f"{COOKIE}={'a' * 64}"}
    assert send(floor, "GET", "/console/session", planted).status == 401
    cookie = signed_in(floor, **planted)
    assert cookie != planted
    assert send(floor, "GET", "/console/session", planted).status == 401
    again = signed_in(floor, **cookie)
    assert again != cookie
    assert send(floor, "GET", "/console/session", cookie).status == 401
    assert send(floor, "GET", "/console/session", again).status == 200


def test_a_session_that_was_signed_out_cannot_be_used_again(floor: Floor) -> None:
    cookie = signed_in(floor)
    headers = {**cookie, "X-Forgery-Token": forgery_token(floor, cookie)}
    reply = send(floor, "DELETE", "/console/session", headers)
    assert reply.status == 200
    assert f'{COOKIE}=""' in reply.headers["set-cookie"]
    assert send(floor, "GET", "/v1/me", cookie).status == 401
    assert send(floor, "GET", "/workspace/keys", cookie).status == 303


def test_a_session_opens_the_office_and_the_lists_but_calls_no_model(floor: Floor) -> None:
    cookie = signed_in(floor)
    assert send(floor, "GET", "/v1/me", cookie).json()["email"] == BOB
    assert send(floor, "GET", "/v1/chat/models", cookie).status == 200
    headers = {**cookie, **JSON, "X-Forgery-Token": forgery_token(floor, cookie)}
    asked = {"model": "haiku", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
    for path in ("/v1/anthropic/v1/messages", "/v1/anthropic/v1/messages/count_tokens"):
        assert send(floor, "POST", path, headers, asked).status == 401


def test_a_key_beside_a_session_is_what_counts(floor: Floor) -> None:
    cookie = signed_in(floor, BOB)
    key = floor.key(ADA)
    said = send(floor, "GET", "/v1/me", {**cookie, "X-Api-Key": key})
    assert said.json()["email"] == ADA
    refused = send(floor, "GET", "/v1/me", {**cookie, "X-Api-Key": key + "x"})
    assert refused.status == 401


def test_a_key_opens_nothing_of_the_consoles_own(floor: Floor) -> None:
    headers = {"X-Api-Key": floor.key(ROOT_USER, "MSP"), **JSON}
    assert send(floor, "GET", "/console/session", headers).status == 401
    wish = {"old_password": PASSWORD, "new_password": "taken by a key of theirs"}
    assert send(floor, "PUT", "/console/password", headers, wish).status == 401
    assert send(floor, "DELETE", "/console/sessions", headers).status == 401


def test_every_document_has_the_headers_that_keep_strangers_out(floor: Floor) -> None:
    cookie = signed_in(floor, ROOT_USER)
    for path in ("/", "/choose-password", *[page.path for page in PAGES]):
        headers = send(floor, "GET", path, {} if path == "/" else cookie).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy, path
        assert "frame-ancestors 'none'" in policy and "http" not in policy.replace("'", "")
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert headers["cross-origin-opener-policy"] == "same-origin"


def test_files_are_kept_for_ever_under_their_hash_and_packed(floor: Floor) -> None:
    page = send(floor, "GET", "/", {}).body.decode()
    folder = page.partition('href="')[2].partition("/mark.svg")[0]
    for name in ("console.css", "frame.js", "chart.js"):
        plain = send(floor, "GET", f"{folder}/{name}", {})
        packed = send(floor, "GET", f"{folder}/{name}", {"Accept-Encoding": "gzip"})
        assert plain.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert packed.headers["content-encoding"] == "gzip"
        assert len(packed.body) < len(plain.body) / 2
    other = send(floor, "GET", "/console/0123456789abcdef/frame.js", {})
    assert (other.status, other.headers["cache-control"]) == (200, "no-store")
    for odd in ("../session.py", "%2e%2e/shell.py", "welcome.html", "no.js"):
        assert send(floor, "GET", f"{folder}/{odd}", {}).status == 404


def test_no_page_holds_a_secret_or_anything_of_anybody(floor: Floor) -> None:
    cookie = signed_in(floor, ROOT_USER)
    key = floor.key(ROOT_USER, "MSP")
    token = forgery_token(floor, cookie)
    secrets = [key, token, cookie["Cookie"].partition("=")[2], PASSWORD, ROOT_USER, "Acme"]
    for page in PAGES:
        body = send(floor, "GET", page.path, cookie).body.decode()
        assert not [secret for secret in secrets if secret in body], page.path


def test_guesses_are_stopped_and_the_right_password_too_from_there(tmp_path: Path) -> None:
    with opened(tmp_path, console__client_address_header="X-Real-IP") as floor:
        here, elsewhere = {"X-Real-IP": "203.0.113.7"}, {"X-Real-IP": "203.0.113.8"}
        wrong = {"email": BOB, "password": "wrong horse battery"}
        said = [
            send(floor, "POST", "/console/session", {**JSON, **here}, wrong).status
            for _ in range(TRIES_FROM_ONE_PLACE_MAX + 1)
        ]
        assert said == [401] * TRIES_FROM_ONE_PLACE_MAX + [429]
        right = {"email": BOB, "password": PASSWORD}
        late = send(floor, "POST", "/console/session", {**JSON, **here}, right)
        assert late.status == 429
        assert 0 < int(late.headers["retry-after"]) <= 900
        assert send(floor, "POST", "/console/session", {**JSON, **elsewhere}, right).status == 200
        other = {"email": ADA, "password": PASSWORD}
        assert send(floor, "POST", "/console/session", {**JSON, **here}, other).status == 200


@contextlib.contextmanager
def opened(place: Path, **settings: object) -> Iterator[Floor]:
    """A floor of this test's own."""
    with beside(opened_floor(place, **settings)) as floor:
        yield floor


def test_over_tls_the_cookie_is_bound_to_this_very_host(tmp_path: Path) -> None:
    with opened(tmp_path, server__public_url="https://ai.example.com") as floor:
        asked = {"email": BOB, "password": PASSWORD}
        cookie = send(floor, "POST", "/console/session", JSON, asked).headers["set-cookie"]
        assert cookie.startswith("__Host-hatz_session=")
        words = {word.strip().lower() for word in cookie.split(";")}
        assert {"secure", "httponly", "path=/", "samesite=lax"} <= words
        assert not [word for word in words if word.startswith("domain")]
        page = send(floor, "GET", "/", {})
        assert "max-age" in page.headers["strict-transport-security"]
        assert b"https://ai.example.com/v1/anthropic" in page.body


def test_a_session_that_is_not_used_is_over(tmp_path: Path) -> None:
    with opened(tmp_path, console__session_idle_h=0.0001) as floor:
        cookie = signed_in(floor)
        deadline = time.monotonic() + 30
        while send(floor, "GET", "/v1/me", cookie).status == 200:
            time.sleep(0.5)  # longer than the session may idle
            assert time.monotonic() < deadline


def test_the_console_can_be_left_out(tmp_path: Path) -> None:
    with beside(house(tmp_path, "http://127.0.0.1:9", console__enabled="false")) as gateway:
        reply = gateway.ask("GET", "/")
        assert reply.status == 200
        assert b"/v1/anthropic" in reply.body and b"<form" not in reply.body
        for method, path in (("POST", "/console/session"), ("GET", "/workspace/keys")):
            assert gateway.ask(method, path, JSON, b"{}").status == 404


def test_names_that_are_markup_are_text_on_every_page(visits: Visits, floor: Floor) -> None:
    """Of tenants, keys, roles, packages, people and clients; a script would be noticed twice, by
    the policy and by the dialog it opens."""
    floor.run("tenant", "create", MARKUP)
    floor.run("package", "create", MARKUP, "--monthly-credits", "1")
    floor.run("role", "create", "odd", "--tenant", "Acme", "--display-name", MARKUP)
    floor.run("user", "change", BOB, "--first-name", MARKUP)
    key = floor.key(ROOT_USER, "MSP")
    body = msgspec.json.encode(
        {"model": "haiku", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
    )
    headers = {"X-Api-Key": key, "User-Agent": f"{MARKUP}/1.0"}
    said = floor.gateway.ask("POST", "/v1/anthropic/v1/messages", headers, body)
    floor.gateway.row(said.headers["x-request-id"])
    here = visits(ROOT_USER)
    opened: list[str] = []
    here.page.on("dialog", lambda dialog: (opened.append(dialog.message), dialog.dismiss()))
    page = here.go("/workspace/keys")
    page.get_by_role("button", name="Make a key").first.click()
    page.get_by_label("Name").fill(MARKUP)
    page.get_by_role("button", name="Make the key").click()
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_role("row").filter(has_text=MARKUP)).to_be_visible()
    for each in PAGES:
        page = here.go(each.path)
        assert page.locator("img[src=x]").count() == 0, each.path
    for path in ("/admin/tenants", "/admin/packages", "/admin/users"):
        cells = here.go(path).get_by_role("cell").filter(has_text=MARKUP)
        expect(cells.first).to_be_visible()
    assert opened == []
