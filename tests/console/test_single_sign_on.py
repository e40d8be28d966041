"""Signing in by a provider of identities: there and back over HTTP, whatever the provider does, and
by hand in a browser."""

import contextlib
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from playwright.sync_api import Browser, expect

from proxy.auth.sign_in import TRIES_OF_ONE_PLACE_MAX
from proxy.domain.identity import TROUBLES
from tests.console.conftest import Visits
from tests.console.floor import ADA, BOB, CARL, PASSWORD, ROOT_USER, Floor, beside, opened_floor
from tests.console.test_pages import faults
from tests.console.test_workspace import PICTURES
from tests.kit.browser import picture
from tests.kit.identity_provider import CLIENT, SECRET, IdentityProvider, identity_provider
from tests.kit.running import ROOT
from tests.kit.traveller import Traveller, location

LABEL = 'Sign in with <Acme> & "friends"'


@contextlib.contextmanager
def with_provider(place: Path, there: IdentityProvider, **settings: object) -> Iterator[Floor]:
    """A gateway whose people may sign in by the provider."""
    secret = place / "client-secret"
    secret.write_text(SECRET + "\n")
    wanted: dict[str, object] = {
        "server__public_url": "http://127.0.0.1:{port}",
        "console__client_address_header": "X-Real-IP",
        "oidc__enabled": "true",
        "oidc__issuer": there.url,
        "oidc__client_id": CLIENT,
        "oidc__client_secret": f"file:{secret}",
        "oidc__label": LABEL,
        "oidc__timeout_s": 2,
        **settings,
    }
    with beside(opened_floor(place, **wanted)) as floor:
        yield floor


@pytest.fixture(scope="module")
def provider() -> Iterator[IdentityProvider]:
    with identity_provider() as there:
        yield there


@pytest.fixture(scope="module")
def floor(tmp_path_factory: pytest.TempPathFactory, provider: IdentityProvider) -> Iterator[Floor]:
    with with_provider(tmp_path_factory.mktemp("sso"), provider) as opened:
        yield opened


@pytest.fixture
def there(provider: IdentityProvider) -> Iterator[IdentityProvider]:
    """As a good provider is, with nobody in it."""
    provider.people = {}
    provider.claims, provider.described, provider.troubles = {}, {}, {}
    provider.error, provider.signs, provider.tells_issuer = "", "key", None
    provider.userinfo = None
    yield provider
    assert provider.complaints == []


@pytest.fixture
def traveller(floor: Floor, there: IdentityProvider) -> Callable[[], Traveller]:
    return lambda: Traveller(floor.gateway, there)


Travellers = Callable[[], Traveller]


def known(email: str, **more: Any) -> dict[str, Any]:
    return {"email": email, "email_verified": True, **more}


def audit(floor: Floor, action: str) -> list[dict[str, Any]]:
    uri = f"file:{floor.gateway.place / 'gateway.db'}?mode=ro"
    with contextlib.closing(sqlite3.connect(uri, uri=True)) as database:
        database.row_factory = sqlite3.Row
        found = database.execute("SELECT * FROM audit WHERE action = ? ORDER BY at", (action,))
        return [dict(row) for row in found]


# ---------------------------------------------------------------- as it should be


def test_somebody_is_known_by_their_verified_address_and_later_by_who_they_are(
    traveller: Travellers, there: IdentityProvider, floor: Floor
) -> None:
    there.people = {"ada": known(ADA.upper())}
    here = traveller()
    assert here.sign_in("ada", "/workspace/keys?x=1") == "/workspace/keys?x=1"
    assert here.who() == ADA
    assert list(here.jar) == ["hatz_session"], "the other one is gone"
    (line,) = audit(floor, "identity.link")
    assert line["actor"] == ADA
    assert msgspec.json.decode(line["after"]) == {
        "issuer": there.url,
        "subject": "subject of ada",
    }
    # Another address by now, and not even verified: the link counts.
    there.people = {"ada": known("ada@elsewhere.example", email_verified=False)}
    again = traveller()
    assert again.sign_in("ada") == "/workspace/preferences"
    assert again.who() == ADA
    assert len(audit(floor, "identity.link")) == 1
    ways = [msgspec.json.decode(each["after"])["by"] for each in audit(floor, "session.begin")]
    assert ways[-2:] == ["oidc", "oidc"]


def test_the_question_is_bound_to_the_browser_and_the_code_to_the_question(
    traveller: Travellers, there: IdentityProvider, floor: Floor
) -> None:
    there.people = {"bob": known(BOB)}
    here = traveller()
    asked = here.begin()
    assert asked["redirect_uri"] == f"{floor.base}/console/oidc/callback"
    assert asked["scope"] == "openid email profile"
    assert len({asked["state"], asked["nonce"], asked["code_challenge"]}) == 3
    (cookie,) = here.set
    words = {word.strip().lower() for word in cookie.split(";")}
    assert {"httponly", "path=/", "samesite=lax", "max-age=600"} <= words
    assert asked["state"] not in cookie and asked["nonce"] not in cookie
    back = here.approved(asked, "bob")
    # Somebody else's browser, with an answer that is good in this one: nobody is signed in.
    other = traveller()
    assert location(other.ask(back)) == "/?trouble=over"
    busy = traveller()
    busy.begin()
    assert location(busy.ask(back)) == "/?trouble=over"
    assert busy.who() is None and other.who() is None
    assert location(here.ask(back)) == "/workspace/preferences"
    assert here.who() == BOB
    # And it is good once.
    assert location(here.ask(back)) == "/?trouble=over"


def test_what_the_browser_held_before_is_over(
    traveller: Travellers, there: IdentityProvider
) -> None:
    there.people = {"bob": known(BOB)}
    here = traveller()
    here.jar["hatz_session"] = "a" * 64
    here.sign_in("bob")
    first = here.jar["hatz_session"]
    assert first != "a" * 64
    here.sign_in("bob")
    assert here.jar["hatz_session"] != first
    old = traveller()
    old.jar["hatz_session"] = first
    assert old.who() is None


@pytest.mark.parametrize(
    "wanted",
    ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:1", "/a\r\nX: y"],
)
def test_nobody_is_sent_elsewhere_afterwards(
    traveller: Travellers, there: IdentityProvider, wanted: str
) -> None:
    there.people = {"bob": known(BOB)}
    assert traveller().sign_in("bob", wanted) == "/workspace/preferences"


def test_who_was_invited_accepts_by_coming(
    traveller: Travellers, there: IdentityProvider, floor: Floor
) -> None:
    acme = floor.run("tenant", "list")
    tenant_id = next(each["id"] for each in acme if each["name"] == "Acme")
    body = {"tenant_id": tenant_id, "users": [{"email": "guest@acme.example"}]}
    key = floor.key(ROOT_USER, "MSP")
    said = floor.gateway.ask(
        "POST", "/v1/admin/users/invite", {"X-Api-Key": key}, msgspec.json.encode(body)
    )
    assert said.status == 201, said.body
    there.people = {"guest": known("guest@acme.example")}
    here = traveller()
    here.sign_in("guest")
    assert here.who() == "guest@acme.example"


def test_the_address_may_stand_in_the_userinfo_if_it_is_the_same_person(
    traveller: Travellers, there: IdentityProvider
) -> None:
    there.people = {"carl": {}}
    there.userinfo = known(CARL)
    here = traveller()
    here.sign_in("carl")
    assert here.who() == CARL
    there.people = {"nobody": {}}
    there.userinfo = {**known(BOB), "sub": "subject of somebody else"}
    assert traveller().sign_in("nobody") == "/?trouble=distrusted"


def test_keys_are_asked_for_once_and_again_when_they_change(
    traveller: Travellers, there: IdentityProvider
) -> None:
    there.people = {"bob": known(BOB)}
    traveller().sign_in("bob")
    asked = there.count("/keys"), there.count("/.well-known/openid-configuration")
    for _ in range(3):
        traveller().sign_in("bob")
    assert (there.count("/keys"), there.count("/.well-known/openid-configuration")) == asked
    # The gateway asks no oftener than every ten seconds, so that wrong tokens are no lever.
    there.rotate("key-2")
    deadline = time.monotonic() + 60
    while (said := traveller().sign_in("bob")) != "/workspace/preferences":
        assert said == "/?trouble=distrusted"
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert there.count("/keys") == asked[0] + 1


def test_somebody_in_several_workspaces_chooses(
    traveller: Travellers, there: IdentityProvider, floor: Floor
) -> None:
    for tenant in ("Acme", "Zebra"):
        floor.run("user", "create", "both@people.example", "--tenant", tenant)
    there.people = {"both": known("both@people.example")}
    here = traveller()
    assert here.sign_in("both", "/workspace/keys") == "/?choose=1"
    assert here.who() is None
    found = here.ask("/console/oidc/choice").json()["tenants"]
    assert [each["name"] for each in found] == ["Acme", "Zebra"]
    wish = {"tenant_id": found[1]["id"]}
    forged = here.ask("/console/oidc/choice", "POST", wish, **{"Sec-Fetch-Site": "cross-site"})
    assert forged.status == 403
    stranger = here.ask("/console/oidc/choice", "POST", {"tenant_id": "tenant_msp"})
    assert (stranger.status, here.who()) == (401, None)
    said = here.ask("/console/oidc/choice", "POST", wish).json()
    assert said == {"signed_in": True, "next": "/workspace/keys"}
    assert here.ask("/console/session").json()["tenant"] == "Zebra"
    assert here.ask("/console/oidc/choice").status == 401, "the choice is made"
    # The other workspace's account is still to be had, and is linked when it is chosen.
    assert traveller().sign_in("both") == "/?choose=1"


# ---------------------------------------------------------------- as it should not be


@pytest.mark.parametrize(
    ("claims", "trouble"),
    [
        ({"nonce": "another"}, "distrusted"),
        ({"nonce": None}, "distrusted"),
        ({"nonce": ["list"]}, "distrusted"),
        ({"aud": "another client"}, "distrusted"),
        ({"aud": [CLIENT, "another"]}, "distrusted"),
        ({"aud": None}, "distrusted"),
        ({"azp": "another"}, "distrusted"),
        ({"iss": "https://another.example"}, "distrusted"),
        ({"iss": None}, "distrusted"),
        ({"exp": 1_700_000_000}, "distrusted"),
        ({"exp": None}, "distrusted"),
        ({"exp": "soon"}, "distrusted"),
        ({"iat": 99_999_999_999}, "distrusted"),
        ({"sub": None}, "distrusted"),
        ({"sub": ""}, "distrusted"),
        ({"sub": 7}, "distrusted"),
        ({"sub": "x" * 256}, "distrusted"),
        ({"email_verified": False}, "no_email"),
        ({"email_verified": None}, "no_email"),
        ({"email_verified": "false"}, "no_email"),
        ({"email": ["carl@acme.example"]}, "no_email"),
        ({"email": "nobody@acme.example"}, "not_known"),
    ],
    ids=str,
)
def test_a_token_that_is_not_right_lets_nobody_in(
    traveller: Travellers, there: IdentityProvider, claims: dict[str, Any], trouble: str
) -> None:
    there.people = {"new": known("help@msp.example", sub="a new subject")}
    there.claims = claims
    here = traveller()
    assert here.sign_in("new") == f"/?trouble={trouble}"
    assert here.who() is None and here.jar == {}
    shown = here.ask(f"/?trouble={trouble}").body.decode()
    assert TROUBLES[trouble].split("'")[0] in shown


def test_several_audiences_are_fine_where_it_is_said_to_whom_it_was_issued(
    traveller: Travellers, there: IdentityProvider
) -> None:
    there.people = {"bob": known(BOB)}
    there.claims = {"aud": [CLIENT, "another"], "azp": CLIENT, "exp": int(time.time()) - 30}
    here = traveller()
    here.sign_in("bob")
    assert here.who() == BOB, "half a minute is within what clocks may differ"


@pytest.mark.parametrize("way", ["nothing", "secret", "strange", "curve"])
def test_a_token_somebody_else_signed_lets_nobody_in(
    traveller: Travellers, there: IdentityProvider, way: str
) -> None:
    there.people = {"bob": known(BOB)}
    there.signs = way
    assert traveller().sign_in("bob") == "/?trouble=distrusted"


def test_an_address_that_went_to_somebody_else_opens_nothing(
    traveller: Travellers, there: IdentityProvider, floor: Floor
) -> None:
    floor.run("user", "create", "first@acme.example", "--tenant", "Acme")
    there.people = {
        "first": known("first@acme.example"),
        "second": known("first@acme.example"),
    }
    assert traveller().sign_in("first") == "/workspace/preferences"
    assert traveller().sign_in("second") == "/?trouble=linked"


def test_letters_that_only_look_like_others_are_others(
    traveller: Travellers, there: IdentityProvider, floor: Floor
) -> None:
    floor.run("user", "create", "kim@acme.example", "--tenant", "Acme")
    there.people = {
        "kelvin": known("\u212aim@acme.example"),
        "long": known("\u017fim@acme.example"),
    }
    assert traveller().sign_in("kelvin") == "/?trouble=linked"
    assert traveller().sign_in("long") == "/?trouble=not_known"


def test_a_suspended_user_stays_out(
    traveller: Travellers, there: IdentityProvider, floor: Floor
) -> None:
    made = floor.run("user", "create", "away@acme.example", "--tenant", "Acme")
    there.people = {"away": known("away@acme.example")}
    here = traveller()
    here.sign_in("away")
    body = msgspec.json.encode({"status": "Suspended"})
    key = floor.key(ROOT_USER, "MSP")
    said = floor.gateway.ask("PATCH", f"/v1/admin/users/{made['id']}", {"X-Api-Key": key}, body)
    assert said.status == 200
    assert here.who() is None
    assert traveller().sign_in("away") == "/?trouble=not_active"


def test_the_providers_no_is_told_in_our_words(
    traveller: Travellers, there: IdentityProvider
) -> None:
    there.people = {"bob": known(BOB)}
    there.error = "access_denied"
    here = traveller()
    assert here.sign_in("bob") == "/?trouble=denied"
    shown = here.ask("/?trouble=denied&error_description=<b>no</b>").body.decode()
    assert TROUBLES["denied"] in shown
    odd = here.ask("/?trouble=<script>alert(1)</script>").body.decode()
    assert "alert(1)" not in odd


def test_another_providers_answer_is_not_taken(
    traveller: Travellers, there: IdentityProvider
) -> None:
    there.people = {"bob": known(BOB)}
    there.tells_issuer = "https://another.example"
    assert traveller().sign_in("bob") == "/?trouble=distrusted"
    there.tells_issuer = there.url
    assert traveller().sign_in("bob") == "/workspace/preferences"


@pytest.mark.parametrize("trouble", [500, 3.5, "huge", "garbage", "elsewhere"], ids=str)
def test_a_token_endpoint_that_fails_lets_nobody_in(
    traveller: Travellers, there: IdentityProvider, trouble: int | float | str
) -> None:
    there.people = {"bob": known(BOB)}
    there.troubles = {"/token": trouble}
    began_s = time.monotonic()
    said = traveller().sign_in("bob")
    assert said == ("/?trouble=over" if trouble == "elsewhere" else "/?trouble=silent")
    assert time.monotonic() - began_s < 30
    assert "/else" not in there.asked, "a redirect would take the secret along"


@pytest.mark.parametrize("sealed", ["", "x", "x.y", "e30.aa", "é.é", "a" * 5000])
def test_a_cookie_that_is_not_ours_is_nothing(traveller: Travellers, sealed: str) -> None:
    here = traveller()
    here.jar["hatz_oidc"] = sealed
    assert location(here.ask("/console/oidc/callback?state=&code=1")) == "/?trouble=over"
    here.jar["hatz_oidc"] = sealed
    assert here.ask("/console/oidc/choice").status == 401


def test_tries_from_one_place_end(traveller: Travellers, there: IdentityProvider) -> None:
    here = traveller()
    said = [
        location(here.ask("/console/oidc/callback?state=a&code=b"))
        for _ in range(TRIES_OF_ONE_PLACE_MAX + 1)
    ]
    assert said == ["/?trouble=over"] * TRIES_OF_ONE_PLACE_MAX + ["/?trouble=too_many"]
    assert location(here.ask("/console/oidc")) == "/?trouble=too_many"
    there.people = {"bob": known(BOB)}
    assert traveller().sign_in("bob") == "/workspace/preferences"


def test_the_secret_of_the_client_stands_nowhere(
    traveller: Travellers,
    there: IdentityProvider,
    floor: Floor,
    caplog: pytest.LogCaptureFixture,
) -> None:
    there.people = {"bob": known(BOB)}
    there.claims = {"aud": "another"}
    here = traveller()
    asked = here.begin()
    back = here.approved(asked, "bob")
    here.ask(back)
    code = parse_qs(urlsplit(back).query)["code"][0]
    key = floor.key(ROOT_USER, "MSP")
    settings = floor.gateway.ask("GET", "/v1/admin/settings", {"X-Api-Key": key}).body.decode()
    assert '"issuer"' in settings
    said = caplog.text
    assert "nobody is signed in by" in said
    for hidden in (SECRET, code, asked["state"], asked["nonce"]):
        assert hidden not in said and hidden not in settings
    files = b"".join(each.read_bytes() for each in floor.gateway.place.glob("gateway.db*"))
    assert SECRET.encode() not in files and code.encode() not in files


# ---------------------------------------------------------------- other settings


def test_a_provider_that_does_not_answer_keeps_nobody_from_their_password(
    tmp_path: Path, there: IdentityProvider
) -> None:
    there.people = {"bob": known(BOB)}
    with with_provider(tmp_path, there) as floor:
        here = Traveller(floor.gateway, there)
        for trouble in (503, "garbage", "huge"):
            there.troubles = {"/.well-known/openid-configuration": trouble}
            assert location(here.ask("/console/oidc")) == "/?trouble=silent"
        asked = there.count("/.well-known/openid-configuration")
        assert location(here.ask("/console/oidc")) == "/?trouble=silent"
        assert there.count("/.well-known/openid-configuration") <= asked + 1
        said = here.ask("/console/session", "POST", {"email": BOB, "password": PASSWORD})
        assert said.status == 200
        there.troubles = {}
        there.described = {"token_endpoint": "ftp://somewhere/token"}
        deadline = time.monotonic() + 30
        time.sleep(3.1)  # so long a provider that failed is left alone
        assert location(here.ask("/console/oidc")) == "/?trouble=silent"
        there.described = {}
        while location(here.ask("/console/oidc")) == "/?trouble=silent":
            assert time.monotonic() < deadline
            time.sleep(0.2)


def test_newcomers_join_where_the_settings_say_so(tmp_path: Path, there: IdentityProvider) -> None:
    more = {
        "oidc__newcomers_tenant": "Acme",
        "oidc__newcomers_domains": '["acme.example"]',
        "oidc__newcomers_role": "chat_only_user",
        "console__password_sign_in": "false",
    }
    with with_provider(tmp_path, there, **more) as floor:
        there.people = {
            "new": known("New@Acme.example", given_name="Nora", family_name="New"),
            "other": known("new@evil-acme.example"),
            "sub": known("new@sub.acme.example"),
            "unproven": known("newer@acme.example", email_verified=False),
        }
        for who, trouble in (
            ("other", "not_known"),
            ("sub", "not_known"),
            ("unproven", "no_email"),
        ):
            assert Traveller(floor.gateway, there).sign_in(who) == f"/?trouble={trouble}"
        here = Traveller(floor.gateway, there)
        assert here.sign_in("new") == "/workspace/preferences"
        session = here.ask("/console/session").json()
        assert (session["email"], session["role"]) == ("New@Acme.example", "chat_only_user")
        assert (session["tenant"], session["passwords"]) == ("Acme", False)
        (line,) = [each for each in audit(floor, "user.create") if each["actor_id"] == "oidc"]
        assert msgspec.json.decode(line["after"])["first_name"] == "Nora"
        # Passwords are off, all their doors.
        body = {"email": ADA, "password": PASSWORD}
        refused = here.ask("/console/session", "POST", body)
        assert (refused.status, refused.headers["x-hatz-reason"]) == (403, "passwords_off")
        link = here.ask("/console/link", "POST", {"link": "a" * 64})
        assert link.status == 403
        page = Traveller(floor.gateway, there).ask("/").body.decode()
        assert 'id="sign-in-elsewhere"' in page and 'name="password"' not in page
        key = floor.key(ROOT_USER, "MSP")
        found = floor.run("user", "list")
        bob = next(each["id"] for each in found if each["email"] == BOB)
        made = floor.gateway.ask("POST", f"/v1/admin/users/{bob}/sign-in-link", {"X-Api-Key": key})
        assert made.status in (403, 409), made.body


def test_over_tls_its_cookie_is_bound_to_this_very_host(
    tmp_path: Path, there: IdentityProvider
) -> None:
    address = "https://ai.example.com"
    with with_provider(tmp_path, there, server__public_url=address) as floor:
        here = Traveller(floor.gateway, there)
        asked = here.begin()
        (cookie,) = here.set
        assert asked["redirect_uri"] == f"{address}/console/oidc/callback"
        assert cookie.startswith("__Host-hatz_oidc=")
        words = {word.strip().lower() for word in cookie.split(";")}
        assert {"secure", "httponly", "path=/", "samesite=lax"} <= words
        reply = here.ask("/console/oidc")
        headers = dict(reply.all_headers)
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"


def test_a_secret_that_cannot_be_had_keeps_nobody_else_out(
    tmp_path: Path, there: IdentityProvider, caplog: pytest.LogCaptureFixture
) -> None:
    with with_provider(tmp_path, there, oidc__client_secret="env:NOT_THERE") as floor:
        here = Traveller(floor.gateway, there)
        assert here.ask("/console/oidc").status == 404
        assert b"sign-in-elsewhere" not in here.ask("/").body
        said = here.ask("/console/session", "POST", {"email": BOB, "password": PASSWORD})
        assert said.status == 200
    assert "oidc.client_secret: env:NOT_THERE" in caplog.text


def test_who_does_not_want_it_does_not_pay_for_it() -> None:
    """Some ten megabytes and a tenth of a second."""
    look = (
        "import sys, proxy.assembly.house, proxy.cli.doctor, proxy.cli.serve;"
        "sys.exit(any(name.partition('.')[0] == 'joserfc' for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", look], cwd=ROOT, timeout=120).returncode == 0


def test_without_settings_there_is_no_such_door(tmp_path: Path) -> None:
    with beside(opened_floor(tmp_path)) as floor:
        for path in ("/console/oidc", "/console/oidc/callback?code=1&state=2"):
            assert floor.gateway.ask("GET", path).status == 404
        assert b"sign-in-elsewhere" not in floor.gateway.ask("GET", "/").body


# ---------------------------------------------------------------- by hand


def test_an_administrator_removes_a_link(
    visits: Visits, traveller: Travellers, there: IdentityProvider, floor: Floor
) -> None:
    floor.run("user", "create", "moved@acme.example", "--tenant", "Acme")
    there.people = {"old": known("moved@acme.example"), "new": known("moved@acme.example")}
    assert traveller().sign_in("old") == "/workspace/preferences"
    assert traveller().sign_in("new") == "/?trouble=linked"
    page = visits(ADA).go("/admin/users")
    page.get_by_role("button", name="Change moved@acme.example").click()
    expect(page.get_by_text(f"Linked at {there.url} since")).to_be_visible()
    page.get_by_role("button", name="Remove the link").click()
    page.get_by_role("button", name="Remove the link").last.click()
    expect(page.locator(".told")).to_contain_text("The link is removed.")
    assert traveller().sign_in("new") == "/workspace/preferences"
    (line,) = audit(floor, "identity.unlink")
    assert line["actor"] == ADA


def test_by_hand_in_a_browser(visits: Visits, there: IdentityProvider, browser: Browser) -> None:
    there.people = {"Ada Lovelace": known(ADA, sub="subject of ada")}
    here = visits()
    here.visited = (there.url,)
    page = here.go("/workspace/keys?x=1")
    picture(page, PICTURES, "single-sign-on")
    page.get_by_role("link", name=LABEL).click()
    page.get_by_role("link", name="Ada Lovelace").click()
    page.wait_for_selector("main[data-shown=yes]")
    assert page.url == f"{here.base}/workspace/keys?x=1"
    expect(page.locator("#who")).to_contain_text(ADA)
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_selector("#sign-in-title")
    assert here.context.cookies() == []
    there.error = "access_denied"
    page.get_by_role("link", name=LABEL).click()
    page.get_by_role("link", name="Ada Lovelace").click()
    expect(page.get_by_role("alert").first).to_have_text(TROUBLES["denied"])


@pytest.mark.parametrize("path", ["/", "/?trouble=denied", "/?choose=1"])
def test_the_page_to_sign_in_has_no_serious_fault(visits: Visits, path: str) -> None:
    here = visits(bypass_csp=True)
    here.expected.add(401)
    for scheme in ("light", "dark"):
        here.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        here.go(path)
        assert faults(here) == [], scheme


def test_a_workspace_is_chosen_by_hand(
    visits: Visits, there: IdentityProvider, floor: Floor
) -> None:
    for tenant in ("Acme", "Zebra"):
        floor.run("user", "create", "hand@people.example", "--tenant", tenant)
    there.people = {"hand": known("hand@people.example")}
    here = visits()
    here.visited = (there.url,)
    page = here.go("/")
    page.get_by_role("link", name=LABEL).click()
    page.get_by_role("link", name="hand").click()
    page.get_by_label("Go on in").select_option(label="Zebra")
    page.get_by_role("button", name="Go on").click()
    page.wait_for_selector("main[data-shown=yes]")
    expect(page.locator("#who")).to_contain_text("Zebra")
