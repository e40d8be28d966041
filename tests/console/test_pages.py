"""What must hold for every page: who may see it, no complaint of the browser, no fault of
accessibility in light or dark, room on a phone, no request to anybody else."""

from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from playwright.sync_api import expect

from proxy.console.pages import PAGES, Page, open_to
from tests.console.conftest import Visits
from tests.console.floor import ADA, BOB, HAIKU, PASSWORD, ROLES, ROOT_USER, Floor
from tests.console.test_workspace import PICTURES
from tests.kit.browser import Visit, picture, visit

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text("utf-8")
SERIOUS = ("serious", "critical")
PHONE = {"width": 390, "height": 844}
EVERYBODY = [ROOT_USER, *ROLES]
pages = pytest.mark.parametrize("page", PAGES, ids=[page.path.strip("/") for page in PAGES])


@pytest.fixture(scope="module")
def used(floor: Floor) -> Floor:
    """Somebody has used it already, so that no page is empty."""
    key = floor.key(BOB)
    for model in ("haiku", "opus", "moonshot.kimi-k2-thinking"):
        assert floor.say(key, model).status == 200
    refused = floor.say(key, "no-such-model")
    assert refused.status == 404
    said = floor.say(key, HAIKU)
    floor.gateway.row(said.headers["x-request-id"])
    return floor


def faults(here: Visit) -> list[str]:
    """What axe-core finds that keeps somebody out."""
    here.page.evaluate(AXE)
    found: Any = here.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{each['id']} ({each['impact']}): {node['html'][:160]} {node['failureSummary'][:200]}"
        for each in found["violations"]
        if each["impact"] in SERIOUS
        for node in each["nodes"][:3]
    ]


@pages
def test_axe_finds_no_serious_fault_in_light_or_dark(
    used: Floor, visits: Visits, page: Page
) -> None:
    # Past the policy, because axe is a script of ours that the page would refuse.
    here = visits(ROOT_USER, bypass_csp=True)
    for scheme in ("light", "dark"):
        here.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        here.go(page.path)
        assert here.page.locator("main").get_attribute("data-shown") == "yes"
        assert faults(here) == [], scheme
        picture(here.page, PICTURES / scheme, page.path.strip("/").replace("/", "-"))


@pytest.mark.parametrize("path", ("/", "/choose-password"))
def test_the_pages_before_signing_in_have_no_serious_fault(visits: Visits, path: str) -> None:
    here = visits(bypass_csp=True)
    for scheme in ("light", "dark"):
        here.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        here.go(path)
        assert faults(here) == [], scheme
        picture(here.page, PICTURES / scheme, path.strip("/") or "welcome")


def test_windows_over_a_page_have_no_serious_fault(used: Floor, visits: Visits) -> None:
    here = visits(ROOT_USER, bypass_csp=True)
    for path, opener in (
        ("/workspace/keys", "Make a key"),
        ("/admin/users", "Invite people"),
        ("/admin/users", f"Change {BOB}"),
        ("/admin/keys", f"Revoke the key for a test of {BOB}"),
        ("/admin/roles", "New role"),
        ("/admin/limits", "Change the ladder"),
        ("/admin/packages", "New package"),
    ):
        page = here.go(path)
        page.get_by_role("button", name=opener).first.click()
        expect(page.locator("dialog")).to_be_visible()
        assert faults(here) == [], opener
        page.keyboard.press("Escape")
        expect(page.locator("dialog")).to_have_count(0)
        expect(page.get_by_role("button", name=opener).first).to_be_focused()


@pages
def test_a_phone_has_room_for_it(used: Floor, visits: Visits, page: Page) -> None:
    here = visits(ROOT_USER, viewport=PHONE)
    here.go(page.path)
    wide = here.page.evaluate("document.documentElement.scrollWidth")
    assert wide <= PHONE["width"], f"{wide} px wide"
    opener = here.page.get_by_role("button", name="Menu")
    expect(here.page.locator("#menu")).to_be_hidden()
    opener.click()
    expect(here.page.locator("#menu")).to_be_visible()
    assert here.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    here.page.keyboard.press("Escape")
    expect(here.page.locator("#menu")).to_be_hidden()
    picture(here.page, PICTURES / "phone", page.path.strip("/").replace("/", "-"))


@pages
def test_no_table_is_wider_than_a_small_laptop(used: Floor, visits: Visits, page: Page) -> None:
    here = visits(ROOT_USER, viewport={"width": 1280, "height": 800})
    here.go(page.path)
    wide = here.page.locator(".scroll").evaluate_all(
        "all => all.filter((each) => each.scrollWidth > each.clientWidth)"
        ".map((each) => `${each.getAttribute('aria-label')}: ${each.scrollWidth} px in"
        " ${each.clientWidth}`)"
    )
    assert wide == []


@pytest.mark.parametrize("email", EVERYBODY)
def test_everybody_sees_the_pages_of_their_role_and_no_other(
    used: Floor, visits: Visits, email: str
) -> None:
    here = visits(email)
    here.expected.add(403)
    permissions = frozenset(here.session()["permissions"])
    mine = [page for page in PAGES if open_to(page, permissions)]
    page = here.go("/workspace/preferences")
    shown = page.locator("#menu a").evaluate_all("all => all.map((a) => a.getAttribute('href'))")
    assert shown == [each.path for each in mine]
    for each in PAGES:
        reply = here.page.goto(here.base + each.path)
        here.page.wait_for_selector("main[data-shown]")
        is_mine = each in mine
        assert reply is not None and reply.status == (200 if is_mine else 403), each.path
        state = here.page.locator("main").get_attribute("data-shown")
        # A page that is shown must not be refused a part of what it shows.
        assert state == ("yes" if is_mine else "refused"), each.path
        if not is_mine:
            expect(here.page.get_by_role("alert")).to_contain_text("Ask your administrator")
        if email not in (ROOT_USER,) and "msp.view" not in permissions:
            others = ("eve@beta.example", "Zebra") if "acme" in email else (ADA, BOB, "Acme")
            text = here.page.locator("body").text_content() or ""
            assert not [other for other in others if other in text], each.path


def test_nobody_sees_a_page_without_a_session_whatever_key_they_send(floor: Floor) -> None:
    key = floor.key(ROOT_USER, "MSP")
    for page in PAGES:
        for headers in ({"X-Api-Key": key}, {"Authorization": f"Bearer {key}", "X-Api-Key": ""}):
            reply = floor.gateway.ask("GET", page.path, headers)
            assert reply.status == 303, page.path
            assert reply.headers["location"].startswith("/?next=")
            assert reply.body == b""


def test_two_people_in_one_browser_do_not_mix(used: Floor, visits: Visits) -> None:
    here = visits(ROOT_USER)
    here.go("/admin/tenants")
    here.sign_in(BOB, PASSWORD)
    here.expected.add(403)
    page = here.go("/admin/tenants")
    expect(page.locator("#who")).to_contain_text(BOB)
    assert page.locator("main").get_attribute("data-shown") == "refused"


def test_light_and_dark_can_be_chosen(visits: Visits) -> None:
    here = visits(BOB)
    page = here.go("/workspace/preferences")
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Light or dark").click()
    after = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert before != after
    page.reload()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == after


def test_a_visit_that_breaks_the_policy_or_asks_somebody_else_is_noticed(
    floor: Floor, browser: Any
) -> None:
    """The kit itself: what the tests above rely on."""
    here = visit(browser, floor.base)
    here.go("/")
    here.page.evaluate(
        "() => { const image = new Image(); image.src = 'http://127.0.0.1:9/x.png';"
        " document.body.append(image); }"
    )
    here.page.wait_for_function("() => document.images[document.images.length - 1].complete")
    assert any("127.0.0.1:9" in each or "CSP" in each for each in here.complaints)
    here.context.close()
