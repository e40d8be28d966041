"""What people do for themselves: choose models, make keys, see usage, find a request, connect."""

import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import APIResponse, Route, expect

from tests.clients.driving import folder_of
from tests.console.conftest import Visits
from tests.console.floor import ADA, BOB, CARL, HAIKU, KIMI, OPUS, Floor
from tests.kit.browser import picture
from tests.kit.running import ROOT, until

PICTURES = ROOT / ".pictures"
_SDK = """
import sys
from anthropic import Anthropic
client = Anthropic(base_url=sys.argv[1] + "/v1/anthropic", api_key=sys.argv[2])
message = client.messages.create(
    model="haiku", max_tokens=32, messages=[{"role": "user", "content": "Hello"}]
)
print(message.model)
"""


def sdk_says(base: str, key: str) -> str:
    """Which model the real SDK is answered by, asking for haiku."""
    done = subprocess.run(
        [sys.executable, "-S", "-c", _SDK, base, key],
        env={"PYTHONPATH": str(folder_of("python-new")), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.clients
def test_a_mapping_counts_with_the_sdks_next_request(visits: Visits, floor: Floor) -> None:
    key = floor.key(BOB)
    assert sdk_says(floor.base, key) == HAIKU
    page = visits(BOB).go("/workspace/preferences")
    expect(page.locator("[data-now=haiku]")).to_contain_text(HAIKU)
    page.get_by_role("switch", name="Use my mapping").check()
    expect(page.locator(".told")).to_contain_text("The mapping is on.")
    page.get_by_label("haiku", exact=True).select_option(KIMI)
    expect(page.locator("[data-now=haiku]")).to_contain_text(KIMI)
    expect(page.locator("[data-now=haiku]")).to_contain_text("available")
    picture(page, PICTURES, "preferences")
    assert sdk_says(floor.base, key) == KIMI
    page.get_by_role("switch", name="Use my mapping").uncheck()
    expect(page.locator("[data-now=haiku]")).to_contain_text(HAIKU)
    expect(page.get_by_label("haiku", exact=True)).to_have_value(KIMI)
    assert sdk_says(floor.base, key) == HAIKU


def test_a_choice_that_was_switched_off_is_kept_with_a_notice(visits: Visits, floor: Floor) -> None:
    page = visits(ADA).go("/workspace/preferences")
    page.get_by_role("switch", name="Use my mapping").check()
    page.get_by_label("opus", exact=True).select_option(KIMI)
    expect(page.locator("[data-now=opus]")).to_contain_text(KIMI)
    floor.run("model", "disable", KIMI)
    try:
        until(
            lambda: floor.say(floor.key(ADA), KIMI).status == 404, "the model is off in the gateway"
        )
        page.reload()
        expect(page.locator("[data-now=opus]")).to_contain_text("not available")
        expect(page.locator(".mapping-note")).to_contain_text("is kept in case it comes back")
        options = page.get_by_label("haiku", exact=True).locator("option").all_text_contents()
        assert not [text for text in options if "Kimi" in text]
    finally:
        floor.run("model", "enable", KIMI)


def test_changes_of_a_mapping_wait_for_those_before_them(visits: Visits) -> None:
    page = visits(ADA).go("/workspace/preferences")
    switch = page.get_by_role("switch", name="Use my mapping")
    if switch.is_checked():  # as a test before may have left it
        with page.expect_response("**/v1/preferences/gateway-mapping"):
            switch.uncheck()
        expect(switch).not_to_be_checked()
    held: list[tuple[Route, APIResponse]] = []

    def hold(route: Route) -> None:
        if route.request.method == "PUT" and not held:
            held.append((route, route.fetch()))  # done there, and long on its way back
        else:
            route.continue_()

    page.route("**/v1/preferences/gateway-mapping", hold)
    switch.click()
    page.get_by_label("sonnet", exact=True).select_option(KIMI)
    page.get_by_label("sonnet", exact=True).select_option(HAIKU)
    page.wait_for_timeout(300)
    (route, answer) = held[0]
    route.fulfill(response=answer)
    expect(page.locator("[data-now=sonnet]")).to_contain_text(HAIKU)
    expect(page.get_by_label("sonnet", exact=True)).to_have_value(HAIKU)
    page.reload()
    expect(page.locator("[data-now=sonnet]")).to_contain_text(HAIKU)


def test_a_key_is_made_copied_used_and_deleted(visits: Visits, floor: Floor) -> None:
    here = visits(BOB, permissions=["clipboard-read", "clipboard-write"])
    page = here.go("/workspace/keys")
    page.get_by_role("button", name="Make a key").first.click()
    page.get_by_role("button", name="Make the key").click()
    expect(page.locator("dialog .field-error").first).to_have_text("Please fill this in.")
    page.get_by_label("Name").fill("My <b>laptop</b>")
    page.get_by_role("button", name="Make the key").click()
    key = page.locator("#new-key").text_content() or ""
    assert re.fullmatch(r"hzat-[\w-]{32}", key)
    page.get_by_role("button", name="Copy the key").click()
    expect(page.locator(".told")).to_contain_text("The key is copied.")
    assert page.evaluate("navigator.clipboard.readText()") == key
    picture(page, PICTURES, "key-made")
    page.get_by_role("button", name="Done").click()
    # A closed dialog leaves the page one task later.
    expect(page.locator("#new-key")).to_have_count(0)
    row = page.get_by_role("row").filter(has_text="My <b>laptop</b>")
    expect(row).to_contain_text(key[:9])
    expect(row).to_contain_text("never")
    assert key not in page.content()
    assert floor.say(key).status == 200
    row.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete the key", exact=True).click()
    expect(page.locator(".told")).to_contain_text("The key is deleted.")
    expect(row).to_have_count(0)
    assert floor.say(key).status == 401


def test_whoever_may_make_no_keys_is_told_whom_to_ask(visits: Visits) -> None:
    page = visits(CARL).go("/workspace/keys")
    expect(page.get_by_text("Access to API keys is restricted")).to_be_visible()
    expect(page.get_by_role("button", name="Make a key")).to_have_count(0)


def test_the_connection_test_shows_the_text_as_it_arrives(visits: Visits, floor: Floor) -> None:
    here = visits(BOB)
    page = here.go("/workspace/connect")
    expect(page.locator("#base-url")).to_have_text(f"{floor.base}/v1/anthropic")
    page.get_by_label("Model").select_option(HAIKU)
    for name in ("Claude Code", "Claude Desktop", "Python", "TypeScript", "curl"):
        page.get_by_role("tab", name=name).click()
        shown = page.locator(".snippet pre").text_content() or ""
        assert f"{floor.base}/v1/anthropic" in shown and HAIKU in shown, name
    page.get_by_role("button", name="Test connection").click()
    # Seen growing: something has arrived while the message is not over.
    page.wait_for_selector("#arriving[data-pieces]")
    expect(page.locator("[data-step=stream]")).to_contain_text("running")
    early = page.locator("#arriving").text_content() or ""
    expect(page.get_by_text("The connection works.")).to_be_visible()
    whole = page.locator("#arriving").text_content() or ""
    assert whole.startswith(early) and len(whole) > len(early)
    for step in ("list", "count", "stream"):
        expect(page.locator(f"[data-step={step}]")).to_contain_text("ok")
        assert " ms" in (page.locator(f"[data-step={step}]").text_content() or "")
    picture(page, PICTURES, "connect")
    request_id = page.locator("#test-request-id").text_content() or ""
    row = floor.gateway.row(request_id)
    assert (row["model"], row["outcome"], row["streamed"]) == (HAIKU, "completed", 1)
    page = here.go("/workspace/keys")
    expect(page.get_by_text("Connection test")).to_have_count(0)


def test_a_request_is_found_by_its_id_and_its_diagnostics_copied(
    visits: Visits, floor: Floor
) -> None:
    said = floor.say(floor.key(BOB), text="a secret word: xyzzy")
    request_id = said.headers["x-request-id"]
    floor.gateway.row(request_id)
    here = visits(BOB, permissions=["clipboard-read", "clipboard-write"])
    page = here.go("/workspace/requests")
    expect(page.get_by_role("row").filter(has_text=request_id)).to_contain_text("completed")
    page.get_by_label("Request id").fill(request_id)
    page.get_by_role("button", name="Find").click()
    expect(page.locator("dialog")).to_contain_text(request_id)
    expect(page.locator("dialog")).to_contain_text(HAIKU)
    page.get_by_role("button", name="Copy diagnostics").click()
    expect(page.locator(".told")).to_contain_text("copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert f"request_id: {request_id}" in copied and "requested_model: haiku" in copied
    assert "xyzzy" not in copied and "hzat-" not in copied
    page.keyboard.press("Escape")
    here.expected.add(404)
    page.get_by_label("Request id").fill("req_nobodys")
    page.get_by_role("button", name="Find").click()
    expect(page.locator(".field-error")).to_contain_text("There is no request with this id")

    stranger = visits("eve@beta.example")
    stranger.expected.add(404)
    page = stranger.go("/workspace/requests")
    page.get_by_label("Request id").fill(request_id)
    page.get_by_role("button", name="Find").click()
    expect(page.locator(".field-error")).to_contain_text("There is no request with this id")


def test_usage_shows_what_was_used_and_hands_it_out_as_csv(
    visits: Visits, floor: Floor, tmp_path: Path
) -> None:
    said = floor.say(floor.key(BOB), OPUS)
    floor.gateway.row(said.headers["x-request-id"])
    here = visits(BOB)
    page = here.go("/workspace/usage")
    expect(page.locator(".tile").filter(has_text="Requests")).not_to_contain_text("none yet")
    expect(page.get_by_role("region", name="By model")).to_contain_text(OPUS)
    expect(page.get_by_role("region", name="By client")).to_contain_text("Claude Code")
    expect(page.get_by_role("region", name="Heat map")).to_be_visible()
    page.wait_for_function("() => document.querySelectorAll('canvas').length >= 3")
    picture(page, PICTURES, "usage")
    with page.expect_download() as arriving:
        page.get_by_text("Download the rows as CSV").click()
    file = tmp_path / "usage.csv"
    arriving.value.save_as(file)
    rows = file.read_text().splitlines()
    assert "request_id" in rows[0] and any(said.headers["x-request-id"] in row for row in rows)
    page.get_by_label("Range").select_option("own")
    here.expected.add(400)
    page.get_by_label("From", exact=True).fill("2020-01-01")
    expect(page.get_by_role("alert")).to_contain_text("at most 400 days")
    page.get_by_label("To, inclusive").fill("2020-01-31")
    expect(page.get_by_text("Nothing was used in this time.")).to_be_visible()


def test_a_cap_that_is_near_and_one_that_is_reached_have_a_banner(
    visits: Visits, floor: Floor
) -> None:
    floor.run(
        "role", "create", "tiny", "--tenant", "Acme", "--permissions", "gateway.use,keys.create"
    )
    password = floor.gateway.place / "password"
    floor.run(
        *("user", "create", "tom@acme.example", "--tenant", "Acme", "--role", "tiny"),
        *("--password", f"file:{password}"),
    )
    here = visits("tom@acme.example")
    page = here.go("/workspace/preferences")
    expect(page.locator("[data-banner]")).to_have_count(0)
    said = floor.say(floor.key("tom@acme.example"), OPUS)
    used = floor.gateway.row(said.headers["x-request-id"])
    credits = (used["credits_in"] + used["credits_out"]) / 1_000_000
    for share, kind, words in (
        (0.9, "warn", "% of your own monthly limit"),
        (1.0, "bad", "Your own monthly limit is used"),
    ):
        cap = msgspec.json.encode(round(credits / share, 6)).decode()
        floor.run("role", "change", "tiny", "--tenant", "Acme", "--user-credit-limit", cap)
        page = here.go("/workspace/usage")
        expect(page.locator(f"[data-banner={kind}]")).to_contain_text(words)
    picture(page, PICTURES, "cap-reached")
    refused = floor.say(floor.key("tom@acme.example"), HAIKU)
    assert refused.status == 429
