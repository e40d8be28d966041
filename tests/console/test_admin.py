"""What administrators do, and that it counts with the next request of a client."""

import threading

import msgspec
from playwright.sync_api import expect

from proxy.config.settings import Upstream
from tests.console.conftest import Visits
from tests.console.floor import ADA, BOB, CARL, EVE, HAIKU, KIMI, OPUS, ROOT_USER, Floor
from tests.console.test_workspace import PICTURES
from tests.kit.browser import picture


def test_a_model_that_is_switched_off_is_gone_and_answers_404(visits: Visits, floor: Floor) -> None:
    key = floor.key(BOB)
    assert floor.say(key, KIMI).status == 200
    page = visits(ROOT_USER).go("/admin/models")
    page.get_by_role("switch", name=f"{KIMI} is on").uncheck()
    expect(page.locator(".told")).to_contain_text(f"{KIMI} is off.")
    picture(page, PICTURES, "models")
    assert floor.say(key, KIMI).status == 404
    assert KIMI.encode() not in floor.gateway.ask("GET", "/v1/chat/models", {"X-Api-Key": key}).body
    other = visits(BOB).go("/workspace/connect")
    assert "Kimi" not in " ".join(other.get_by_label("Model").locator("option").all_text_contents())
    page.get_by_role("switch", name=f"{KIMI} is on").check()
    expect(page.locator(".told")).to_contain_text(f"{KIMI} is on.")
    assert floor.say(key, KIMI).status == 200


def test_a_tenants_administrator_switches_a_model_off_for_it_alone(
    visits: Visits, floor: Floor
) -> None:
    page = visits(ADA).go("/admin/models")
    page.get_by_role("switch", name=f"{OPUS} is on").uncheck()
    expect(page.locator(".told")).to_contain_text(f"{OPUS} is off.")
    expect(page.get_by_role("row").filter(has_text=OPUS)).to_contain_text("tenant")
    assert floor.say(floor.key(BOB), OPUS).status == 404
    assert floor.say(floor.key("eve@beta.example", "Zebra"), OPUS).status == 200
    page.get_by_role("switch", name=f"{OPUS} is on").check()
    expect(page.locator(".told").last).to_contain_text(f"{OPUS} is on.")
    assert floor.say(floor.key(BOB), OPUS).status == 200


def test_rates_are_set_from_the_page(visits: Visits) -> None:
    page = visits(ROOT_USER).go("/admin/models")
    page.get_by_role("button", name="Rates of Kimi K2 Thinking").click()
    page.get_by_role("button", name="Set rates").click()
    page.get_by_label("Input").fill("700")
    page.get_by_role("button", name="Set", exact=True).click()
    expect(page.get_by_role("row").filter(has_text=KIMI)).to_contain_text("700 / 2,500")


def test_a_tenant_is_made_given_a_package_and_credits(visits: Visits) -> None:
    page = visits(ROOT_USER).go("/admin/tenants")
    page.get_by_role("button", name="New tenant").click()
    page.get_by_label("Name").fill("Gamma & <i>Sons</i>")
    page.get_by_label("Package").select_option(label="Starter · 10,000.00 a month")
    page.get_by_label("Its first administrator").fill("boss@gamma.example")
    page.get_by_role("button", name="Make the tenant").click()
    page.wait_for_url("**/admin/tenants?id=*")
    page.wait_for_selector("main[data-shown=yes]")
    expect(page.get_by_role("heading", level=1)).to_have_text("Gamma & <i>Sons</i>")
    page.get_by_role("button", name="Change the package").click()
    page.get_by_label("Package", exact=True).select_option(label="Professional · 20,000.00 a month")
    page.get_by_role("button", name="Change it").click()
    expect(page.locator(".told")).to_contain_text("next request")
    page.get_by_role("button", name="Add credits").click()
    page.get_by_label("Credits", exact=True).fill("500")
    page.get_by_role("button", name="Add it").click()
    expect(page.get_by_role("region", name="Credit packs")).to_contain_text("counts now")
    expect(page.get_by_text("of 20,500.00 credits")).to_be_visible()
    page.get_by_label("Web search").uncheck()
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".told").last).to_contain_text("Saved.")
    picture(page, PICTURES, "tenant")


def test_a_taken_name_is_refused_beside_its_field(visits: Visits) -> None:
    here = visits(ROOT_USER)
    here.expected |= {400, 409}
    page = here.go("/admin/packages")
    page.get_by_role("button", name="New package").click()
    page.get_by_label("Name").fill("Starter")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("dialog .field-error").first).to_contain_text("Starter")
    expect(page.get_by_label("Name")).to_have_attribute("aria-invalid", "true")


def test_people_are_invited_and_given_a_role_with_a_cap(visits: Visits, floor: Floor) -> None:
    page = visits(ADA).go("/admin/roles")
    page.get_by_role("button", name="New role").click()
    page.get_by_label("Slug").fill("data_team")
    page.get_by_label("Name").fill("Data team")
    page.get_by_label("Cap: credits a month for each user").fill("12.5")
    page.get_by_role("button", name="Make the role").click()
    row = page.get_by_role("row").filter(has_text="data_team")
    expect(row).to_contain_text("12.50 a month")
    page = visits(ADA).go("/admin/users")
    page.get_by_role("button", name="Invite people").click()
    page.get_by_label("Email addresses").fill("one@acme.example\ntwo@acme.example")
    page.get_by_label("Role").select_option("data_team")
    page.get_by_role("button", name="Invite", exact=True).click()
    row = page.get_by_role("row").filter(has_text="two@acme.example")
    expect(row).to_contain_text("data_team")
    expect(row).to_contain_text("Invited")
    assert "eve@beta.example" not in page.content()


def test_a_suspended_user_is_out_at_once_with_key_and_session(visits: Visits, floor: Floor) -> None:
    key = floor.key(CARL)
    theirs = visits(CARL)
    assert floor.say(key).status == 200
    page = visits(ROOT_USER).go("/admin/users")
    for status in ("Suspended", "Active"):
        page.get_by_role("button", name=f"Change {CARL}").click()
        page.get_by_label("Status").select_option(status)
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("row").filter(has_text=CARL)).to_contain_text(status)
        expected = (403, "next=") if status == "Suspended" else (200, "/workspace/keys")
        assert floor.say(key).status == expected[0]
        assert expected[1] in theirs.go("/workspace/keys").url


def test_a_key_of_somebody_is_found_and_revoked(visits: Visits, floor: Floor) -> None:
    holder = "holder@acme.example"
    floor.run("user", "create", holder, "--tenant", "Acme", "--role", "chat_only_user")
    key = floor.key(holder)
    assert floor.say(key).status == 200
    page = visits(ADA).go("/admin/keys")
    row = page.get_by_role("row").filter(has_text=holder)
    expect(row).to_have_count(1)
    assert "eve@beta.example" not in page.content()
    row.get_by_role("button", name=f"Revoke the key for a test of {holder}").click()
    page.get_by_role("button", name="Cancel").click()
    assert floor.say(key).status == 200
    row.get_by_role("button", name="Revoke").click()
    page.get_by_role("button", name="Revoke the key", exact=True).click()
    expect(page.locator(".told")).to_contain_text("The key is revoked.")
    expect(row).to_have_count(0)
    assert floor.say(key).status == 401
    page.get_by_label("Revoked ones, too").check()
    expect(row).to_contain_text("revoked")
    assert key not in page.content()
    everybody = visits(ROOT_USER).go("/admin/keys")
    floor.key("eve@beta.example", "Zebra")
    everybody.get_by_label("Tenant").select_option(label="Zebra")
    expect(everybody.get_by_role("row").filter(has_text="eve@beta.example").first).to_be_visible()
    expect(everybody.get_by_role("row").filter(has_text=ADA)).to_have_count(0)


def test_without_mail_an_invitation_is_not_said_to_be_sent_again(visits: Visits) -> None:
    here = visits(ADA)
    here.expected.add(409)
    page = here.go("/admin/users")
    page.get_by_role("button", name="Invite people").click()
    page.get_by_label("Email addresses").fill("later@acme.example")
    page.get_by_role("button", name="Invite", exact=True).click()
    expect(page.locator(".told")).to_contain_text("Mail is switched off")
    page.get_by_role("button", name="Change later@acme.example").click()
    page.get_by_role("button", name="Send the invitation again").click()
    expect(page.locator(".told")).to_contain_text("Nothing was sent.")


def searched(floor: Floor, key: str) -> int:
    """How many searches a request makes that asks for one."""
    body = {
        "model": KIMI,
        "max_tokens": 200,
        "tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 1}],
        "messages": [
            {"role": "user", "content": "Perform a web search for the query: tide tables"}
        ],
    }
    headers = {"X-Api-Key": key}
    said = floor.gateway.ask(
        "POST", "/v1/anthropic/v1/messages", headers, msgspec.json.encode(body)
    )
    if said.status != 200:
        assert b"administrator" in said.body, said.body
        return 0
    usage = said.json()["usage"].get("server_tool_use") or {}
    return int(usage.get("web_search_requests", 0))


def test_web_search_is_switched_for_the_installation(visits: Visits, floor: Floor) -> None:
    key = floor.key(BOB)
    assert searched(floor, key) == 0
    page = visits(ROOT_USER).go("/admin/limits")
    switch = page.get_by_role("switch", name="Search the web")
    expect(switch).not_to_be_checked()
    switch.check()
    expect(page.locator(".told")).to_contain_text("Web search is on.")
    expect(page.get_by_text("changed; the configuration says off")).to_be_visible()
    assert searched(floor, key) == 1
    seen = visits("help@msp.example").go("/admin/limits")
    expect(seen.get_by_role("switch", name="Search the web")).to_be_disabled()
    expect(seen.get_by_role("switch", name="Search the web")).to_be_checked()
    page.get_by_role("button", name="Web search as configured").click()
    expect(page.locator(".told").last).to_contain_text("Web search is off.")
    assert searched(floor, key) == 0
    page = visits(ROOT_USER).go("/admin/audit")
    expect(page.get_by_role("row").filter(has_text="web_search")).to_have_count(2)


def test_the_ladder_is_changed_and_taken_back(visits: Visits) -> None:
    page = visits(ROOT_USER).go("/admin/limits")
    page.get_by_role("button", name="Change the ladder").click()
    page.get_by_label("From % of the allowance").first.fill("90")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("region", name="Limits ladder")).to_contain_text("90 %")
    page.get_by_role("button", name="Back to the configuration").click()
    expect(page.get_by_role("region", name="Limits ladder")).to_contain_text("100 %")


def test_a_request_under_way_is_seen_and_then_gone(visits: Visits, floor: Floor) -> None:
    key = floor.key(BOB)
    page = visits(ROOT_USER).go("/admin/live")
    expect(page.get_by_text("Nothing is under way.")).to_be_visible()
    said = threading.Thread(target=lambda: floor.say(key, HAIKU, "SLOW 6"))
    said.start()
    try:
        row = page.get_by_role("row").filter(has_text=BOB)
        expect(row).to_contain_text(HAIKU)
        picture(page, PICTURES, "live")
        page.get_by_role("button", name="Pause").click()
    finally:
        said.join()
    expect(row).to_contain_text(HAIKU)  # what is paused stays
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_text("Nothing is under way.")).to_be_visible()


def test_other_tenants_requests_are_not_seen(visits: Visits, floor: Floor) -> None:
    """Nor their names, whoever looks at the same time."""
    said = threading.Thread(target=lambda: floor.say(floor.key(BOB), HAIKU, "SLOW 6"))
    said.start()
    try:
        all_ = visits(ROOT_USER).go("/admin/live")
        expect(all_.get_by_role("row").filter(has_text=BOB)).to_be_visible()
        own = visits(ADA).go("/admin/live")
        expect(own.get_by_role("row").filter(has_text=BOB)).to_be_visible()
        others = visits(EVE).go("/admin/live")
        expect(others.get_by_text("Nothing is under way.")).to_be_visible()
        assert BOB not in others.content()
    finally:
        said.join()


def test_a_deployment_that_fails_is_seen_to_be_out(visits: Visits, floor: Floor) -> None:
    key = floor.key(BOB)
    page = visits(ROOT_USER).go("/admin/providers")
    row = page.get_by_role("region", name="Deployments").get_by_role("row").filter(has_text=KIMI)
    expect(row).to_contain_text("well")
    for _ in range(Upstream().eject_failures):
        assert floor.say(key, KIMI, "ERROR 500").status >= 500
    expect(row).to_contain_text("out until")
    expect(row).to_contain_text("api_error")
    picture(page, PICTURES, "providers")
    assert floor.say(key, KIMI).status == 200
    expect(row).to_contain_text("well")
    expect(row).to_contain_text("% of")
    connections = page.get_by_role("region", name="Connections")
    expect(connections.get_by_role("row")).to_have_count(2)


def test_the_audit_says_who_changed_what(visits: Visits, floor: Floor) -> None:
    here = visits(ROOT_USER)
    page = here.go("/admin/packages")
    page.get_by_role("button", name="New package").click()
    page.get_by_label("Name").fill("Audited")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("row").filter(has_text="Audited")).to_be_visible()
    page = here.go("/admin/audit")
    row = page.get_by_role("row").filter(has_text="package.create").first
    expect(row).to_contain_text(ROOT_USER)
    row.get_by_role("button", name="Show").click()
    expect(page.locator("dialog")).to_contain_text("Audited")
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)


def test_support_finds_the_request_of_anybody(visits: Visits, floor: Floor) -> None:
    said = floor.say(floor.key(BOB))
    request_id = said.headers["x-request-id"]
    floor.gateway.row(request_id)
    page = visits("help@msp.example").go("/admin/requests")
    page.get_by_label("Request id").fill(request_id)
    page.get_by_role("button", name="Find").click()
    expect(page.locator("dialog")).to_contain_text(request_id)
