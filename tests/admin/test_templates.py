import pytest

from tests.admin.people_floor import People
from tests.catalog.shop import KIMI

PATH = "/v1/admin/tenants/templates"
PRIMARY = "msp.msp_primary_admin"
MANAGER = "msp.msp_tenant_manager"


async def test_a_template_is_made_read_and_deleted(people: People) -> None:
    wish = {
        "name": " Careful ",
        "package_id": people.id("Professional"),
        "default_model_name": KIMI.id.upper(),
        "beta_features": True,
        "mfa_required": True,
    }
    made = await people.done(PRIMARY, "POST", PATH, wish)
    assert made["id"].startswith("tentemplate_")
    assert {**made, "id": "", "created_at": "", "updated_at": ""} == {
        "id": "",
        "name": "Careful",
        "package_id": people.id("Professional"),
        "package_name": "Professional",
        "default_model_name": KIMI.id,
        "beta_features": True,
        "mfa_required": True,
        "created_at": "",
        "updated_at": "",
    }
    assert await people.done("msp.msp_helpdesk", "GET", f"{PATH}/{made['id']}") == made
    assert (await people.last_audit())[1:] == ("template.create", made["id"])
    gone = await people.done(PRIMARY, "DELETE", f"{PATH}/{made['id']}")
    assert gone == {"id": made["id"], "deleted": True}
    await people.refused(404, PRIMARY, "GET", f"{PATH}/{made['id']}")
    await people.refused(404, PRIMARY, "DELETE", f"{PATH}/{made['id']}")


async def test_pages_go_on_where_the_last_one_ended(people: People) -> None:
    for number in range(6):
        await people.done(PRIMARY, "POST", PATH, {"name": f"Template {number}"})
    seen: list[str] = []
    cursor = ""
    pages = 0
    while True:
        page = await people.done(PRIMARY, "GET", f"{PATH}?limit=3{cursor}")
        seen += [row["name"] for row in page["templates"]]
        pages += 1
        if page["next_cursor"] is None:
            break
        assert page["next_cursor"] == page["templates"][-1]["created_at"]
        cursor = f"&cursor={page['next_cursor']}"
    assert pages == 3
    assert seen == [*[f"Template {number}" for number in range(5, -1, -1)], "Small"]


@pytest.mark.parametrize(
    ("query", "field"),
    [("limit=0", "limit"), ("limit=101", "limit"), ("cursor=yesterday", "cursor")],
)
async def test_a_wrong_page_is_refused(people: People, query: str, field: str) -> None:
    message = await people.refused(400, PRIMARY, "GET", f"{PATH}?{query}")
    assert message.startswith(f"{field}: ")


@pytest.mark.parametrize("cursor", ["0001-01-01", "9999-12-31T23:59:59-12:00", "2030-01-01"])
async def test_a_cursor_far_away_is_still_a_cursor(people: People, cursor: str) -> None:
    page = await people.done(PRIMARY, "GET", f"{PATH}?cursor={cursor}")
    assert page["next_cursor"] is None


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x", "package_id": "x"}, "package_id"),
        ({"name": "x", "default_model_name": "x"}, "default_model_name"),
        ({"name": "x", "id": "x"}, "id"),
    ],
)
async def test_a_wrong_template_is_refused(people: People, wish: object, field: str) -> None:
    message = await people.refused(400, PRIMARY, "POST", PATH, wish)
    assert message.startswith(f"{field}: ")


async def test_a_template_is_no_way_to_a_package(people: People) -> None:
    wish = {"name": "x", "package_id": people.id("Professional")}
    await people.refused(403, MANAGER, "POST", PATH, wish)
    assert (await people.done(MANAGER, "POST", PATH, {"name": "x"}))["package_id"] is None
