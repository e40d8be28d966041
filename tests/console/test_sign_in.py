"""Signing in and out, by the page and by the keyboard alone."""

import re
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.console.conftest import Visits
from tests.console.floor import ADA, BOB, PASSWORD, ROOT_USER, Floor, beside, opened_floor
from tests.kit.browser import visit
from tests.kit.mail_server import mailbox
from tests.kit.running import until


def test_somebody_signs_in_goes_where_they_wanted_and_signs_out(visits: Visits) -> None:
    here = visits()
    page = here.go("/workspace/keys?x=1")
    assert "next=" in page.url
    page.get_by_label("Email address").fill(ADA.upper())
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_selector("main[data-shown=yes]")
    assert page.url == f"{here.base}/workspace/keys?x=1"
    expect(page.locator("#who")).to_contain_text(ADA)
    (cookie,) = here.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Lax", "/")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_selector("form#sign-in")
    assert here.context.cookies() == []
    assert "next=" in here.go("/workspace/keys").url


def test_a_wrong_password_and_an_unknown_address_are_refused_in_the_same_words(
    visits: Visits,
) -> None:
    here = visits()
    here.expected.add(401)
    page = here.go("/")
    said = []
    for email, password in ((ADA, "wrong horse battery"), ("nobody@acme.example", PASSWORD)):
        page.get_by_label("Email address").fill(email)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Sign in").click()
        expect(page.locator("#sign-in-error")).to_be_visible()
        said.append(page.locator("#sign-in-error").text_content())
        page.reload()
    assert said[0] == said[1]
    assert said[0] is not None and "not right" in said[0]


def test_an_empty_form_says_so_beside_the_field(visits: Visits) -> None:
    page = visits().go("/")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#email-error")).to_have_text("Please fill this in.")
    expect(page.get_by_label("Email address")).to_be_focused()
    expect(page.get_by_label("Email address")).to_have_attribute("aria-invalid", "true")


def test_the_keyboard_is_enough(visits: Visits) -> None:
    page = visits().go("/")
    expect(page.get_by_label("Email address")).to_be_focused()
    page.keyboard.type(BOB)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_selector("main[data-shown=yes]")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("switch", name="Use my mapping")).to_be_focused()
    page.keyboard.press("Space")
    expect(page.get_by_role("switch", name="Use my mapping")).to_be_checked()
    expect(page.locator(".told")).to_contain_text("The mapping is on.")


def test_the_next_page_is_never_somebody_elses(visits: Visits) -> None:
    for wish in ("https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:1"):
        here = visits()
        page = here.go(f"/?next={wish}")
        page.get_by_label("Email address").fill(BOB)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_selector("main[data-shown]")
        assert page.url.startswith(here.base + "/workspace/")


def test_signing_out_everywhere_ends_every_session(visits: Visits) -> None:
    first, second = visits(BOB), visits(BOB)
    page = first.go("/account")
    page.get_by_role("button", name="Sign out everywhere").click()
    page.wait_for_selector("form#sign-in")
    assert second.go("/workspace/keys").url.startswith(f"{second.base}/?next=")


def test_a_link_lets_somebody_choose_a_password_once(visits: Visits, floor: Floor) -> None:
    floor.run("user", "create", "new@acme.example", "--tenant", "Acme")
    admin = visits(ROOT_USER)
    page = admin.go("/admin/users")
    page.get_by_role("button", name="Sign-in link for new@acme.example").click()
    page.get_by_role("button", name="Make the link").click()
    link = page.locator("#sign-in-link").text_content()
    assert link is not None and re.fullmatch(r"http://\S+/choose-password#[0-9a-f]{64}", link)

    here = visits()
    page = here.page
    page.goto(link)
    expect(page.locator("#whose")).to_have_text("For new@acme.example in Acme.")
    assert "#" not in page.url
    here.expected.add(400)
    page.get_by_label("New password").fill("short")
    page.get_by_label("The same again").fill("short")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#password-error")).to_contain_text("at least 12 characters")
    page.get_by_label("New password").fill("a password of my own")
    page.get_by_label("The same again").fill("a password of my own")
    page.get_by_role("button", name="Save").click()
    page.wait_for_selector("main[data-shown=yes]")
    expect(page.locator("#who")).to_contain_text("new@acme.example")

    again = visits()
    again.expected.add(404)
    again.page.goto(link)
    expect(again.page.locator("#choose-error")).to_contain_text("no longer good")


def test_who_is_invited_by_mail_chooses_a_password_by_it(browser: Browser, tmp_path: Path) -> None:
    with mailbox() as box:
        wanted = {
            "server__public_url": "http://127.0.0.1:{port}",
            "mail__enabled": "true",
            "mail__host": "127.0.0.1",
            "mail__port": box.port,
            "mail__tls": "none",
            "mail__from_address": "gateway@example.com",
        }
        with beside(opened_floor(tmp_path, **wanted)) as floor:
            admin = visit(browser, floor.base)
            admin.sign_in(ROOT_USER, PASSWORD)
            page = admin.go("/admin/users")
            page.get_by_role("button", name="Invite people").click()
            page.get_by_label("Email addresses").fill("guest@msp.example")
            page.get_by_role("button", name="Invite", exact=True).click()
            expect(page.locator(".told")).to_contain_text("Invitations go out by mail.")
            until(lambda: box.mails, "the letter")
            (link,) = re.findall(r"http://\S+/choose-password#[0-9a-f]{64}", box.mails[0].text)
            # What opens an account lies nowhere in storage.
            files = b"".join(each.read_bytes() for each in tmp_path.glob("gateway.db*"))
            assert link.partition("#")[2].encode() not in files
            admin.expected.add(429)
            page.get_by_role("button", name="Change guest@msp.example").click()
            page.get_by_role("button", name="Send the invitation again").click()
            expect(page.locator(".told").last).to_contain_text("less than a minute ago")

            here = visit(browser, floor.base)
            here.page.goto(link)
            expect(here.page.locator("#whose")).to_have_text("For guest@msp.example in MSP.")
            here.page.get_by_label("New password").fill("a password of my own")
            here.page.get_by_label("The same again").fill("a password of my own")
            here.page.get_by_role("button", name="Save").click()
            here.page.wait_for_selector("main[data-shown=yes]")
            expect(here.page.locator("#who")).to_contain_text("guest@msp.example")
            assert [*admin.unexpected(), *here.unexpected()] == []
            admin.context.close()
            here.context.close()


def test_one_changes_ones_own_password(visits: Visits, floor: Floor) -> None:
    password = floor.gateway.place / "password"
    floor.run(
        *("user", "create", "changer@acme.example", "--tenant", "Acme"),
        *("--password", f"file:{password}"),
    )
    here, other = visits("changer@acme.example"), visits("changer@acme.example")
    here.expected.add(400)
    page = here.go("/account")

    def change(old: str) -> None:
        page.get_by_label("Password of now").fill(old)
        page.get_by_label("New password").fill("another password entirely")
        page.get_by_label("The new one again").fill("another password entirely")
        page.get_by_role("button", name="Change the password").click()

    change("not this one at all")
    expect(page.get_by_label("Password of now")).to_have_attribute("aria-invalid", "true")
    change(PASSWORD)
    expect(page.locator(".told")).to_contain_text("Your password is changed.")
    assert "next=" in other.go("/workspace/keys").url
    assert here.session()["email"] == "changer@acme.example"


def test_whoever_has_the_same_password_in_two_workspaces_chooses(
    visits: Visits, floor: Floor
) -> None:
    password = floor.gateway.place / "password"
    for tenant in ("Acme", "Zebra"):
        words = ("user", "create", "both@people.example", "--tenant", tenant)
        floor.run(*words, "--password", f"file:{password}")
    # Salted: the same password, two hashes.
    page = visits().go("/")
    page.get_by_label("Email address").fill("both@people.example")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Workspace").select_option(label="Zebra")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_selector("main[data-shown=yes]")
    expect(page.locator("#who")).to_contain_text("Zebra")
