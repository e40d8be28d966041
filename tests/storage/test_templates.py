"""Templates: what new tenants are made from, in pages cut by when they were made."""

import pytest

from proxy.domain.fault import Fault, Kind
from proxy.domain.people import Actor, Template, TenantConfig
from proxy.storage.audit import Audit
from proxy.storage.database import Database
from proxy.storage.packages import Packages
from proxy.storage.templates import Templates

BY = Actor("user_root", "root@example.com", 1_000)


async def test_a_template_is_as_it_was_made(database: Database) -> None:
    package = await Packages(database).create("Starter", BY)
    templates = Templates(database)
    template = await templates.create(
        "New customer", BY, package_id=package.id, default_model_name="m", mfa_required=True
    )
    assert template == Template(
        template.id, "New customer", package.id, "Starter", "m", False, True, 1_000, 1_000
    )
    assert template.id.startswith("tentemplate_")
    assert template.config == TenantConfig(False, True, "m")
    assert await templates.get(template.id) == template


async def test_pages_lose_none_of_those_made_in_the_same_moment(database: Database) -> None:
    templates = Templates(database)
    for name in "abcde":
        await templates.create(name, BY)
    seen: list[str] = []
    cursor = None
    while page := await templates.page(2, cursor=cursor):
        seen += [template.name for template in page]
        cursor = page[-1].created_at
    assert seen == ["e", "d", "c", "b", "a"]


async def test_a_deleted_template_is_gone_and_its_line_stays(database: Database) -> None:
    templates = Templates(database)
    template = await templates.create("x", BY)
    await templates.delete(template.id, BY)
    assert await templates.get(template.id) is None
    assert sorted(line.action for line in await Audit(database).page()) == [
        "template.create",
        "template.delete",
    ]
    with pytest.raises(Fault) as refused:
        await templates.delete(template.id, BY)
    assert refused.value.kind is Kind.NOT_FOUND


async def test_a_template_needs_a_name_and_a_package_that_is_there(database: Database) -> None:
    with pytest.raises(Fault) as refused:
        await Templates(database).create("x", BY, package_id="package_none")
    assert refused.value.kind is Kind.NOT_FOUND
    with pytest.raises(Fault) as refused:
        await Templates(database).create(" ", BY)
    assert refused.value.kind is Kind.BAD_REQUEST
