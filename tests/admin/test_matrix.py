"""Roles times endpoints: who may do what to their own tenant, and what to another's.

Made from the table of endpoints: an endpoint without an entry here fails. Whoever may not gets 403
where their role lacks what the endpoint needs, 404 where the thing is another tenant's; no reply to
a tenant's people holds a trace of another tenant, and no refused request changes anything.
"""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import pytest

from proxy.admin.endpoint import AnyEndpoint
from tests.admin.office_floor import Said
from tests.admin.people_floor import MSP_ROLES, RATES_TO_COME, TENANT_ROLES, People
from tests.catalog.shop import KIMI

ROLES = (*TENANT_ROLES, *MSP_ROLES)
SHORT = dict(zip(("ca", "gu", "cu", "wu", "pa", "ad", "tm", "bm", "hd"), ROLES, strict=True))
EVERYBODY = "ca gu cu wu pa ad tm bm hd"
MSP = "pa ad tm bm hd"
NOBODY = ""


class Case(NamedTuple):
    """`own` may do it where the target is of their own tenant, `other` where it is of another.
    Without `targeted` there is nothing in the request that belongs to a tenant, and `other` is not
    asked. The rest of the path, and the body, are made for the tenant of the target. `outside` is
    what a tenant's people get for another's. Without `changes` a write has nothing to change.
    `ready` is done to the target user first, where the request would make no sense otherwise."""

    own: str
    other: str = NOBODY
    targeted: bool = True
    query: str = ""
    outside: int = 404
    changes: bool = True
    ready: str = ""
    body: Callable[[People, str], Any] = lambda people, tenant: None


def body(**fields: Any) -> Callable[[People, str], Any]:
    """A body that is the same for every tenant."""
    return lambda people, tenant: fields


def nothing_of_anyone(own: str, **more: Any) -> Case:
    """An endpoint whose request names nothing of a tenant's."""
    return Case(own, targeted=False, **more)


CASES: dict[str, Case] = {
    "GET /v1/me": nothing_of_anyone(EVERYBODY),
    "GET /v1/api-keys": nothing_of_anyone(EVERYBODY),
    "POST /v1/api-keys": nothing_of_anyone("ca gu pa ad tm", body=body(name="new")),
    "DELETE /v1/api-keys/{key_id}": Case("ca pa ad tm hd", "pa ad tm hd"),
    "GET /v1/admin/api-keys": Case(f"ca {MSP}", MSP, query="?tenant_id={tenant_id}"),
    "DELETE /v1/admin/api-keys/{key_id}": Case("ca pa ad tm hd", "pa ad tm hd"),
    "GET /v1/admin/tenants": nothing_of_anyone(f"ca {MSP}"),
    "POST /v1/admin/tenants": nothing_of_anyone(
        "pa ad tm", body=body(tenants=[{"tenant_name": "New"}])
    ),
    "GET /v1/admin/tenants/msp": nothing_of_anyone(MSP),
    "GET /v1/admin/tenants/internal-admin": nothing_of_anyone(MSP),
    "GET /v1/admin/tenants/{tenant_id}": Case(f"ca {MSP}", MSP),
    "PATCH /v1/admin/tenants/{tenant_id}": Case(
        "ca pa ad tm", "pa ad tm", body=body(tenant_config={"beta_features": True})
    ),
    "GET /v1/admin/tenants/{tenant_id}/users": Case(f"ca {MSP}", MSP),
    "GET /v1/admin/tenants/{tenant_id}/usage": Case(f"ca {MSP}", MSP),
    "GET /v1/admin/tenants/{tenant_id}/package": Case(f"ca {MSP}", MSP),
    "PUT /v1/admin/tenants/{tenant_id}/package": Case(
        "pa ad bm",
        "pa ad bm",
        body=lambda people, tenant: {"package_id": people.id("Professional")},
    ),
    "DELETE /v1/admin/tenants/{tenant_id}/package": Case("pa ad bm", "pa ad bm", changes=False),
    "GET /v1/admin/tenants/{tenant_id}/models": Case(f"ca {MSP}", MSP),
    "PUT /v1/admin/tenants/{tenant_id}/models/{model}": Case(
        "ca pa ad tm", "pa ad tm", body=body(enabled=False)
    ),
    "GET /v1/admin/tenants/templates": nothing_of_anyone(MSP),
    "POST /v1/admin/tenants/templates": nothing_of_anyone("pa ad tm", body=body(name="New")),
    "GET /v1/admin/tenants/templates/{template_id}": nothing_of_anyone(MSP),
    "DELETE /v1/admin/tenants/templates/{template_id}": nothing_of_anyone("pa ad tm"),
    "GET /v1/admin/users": Case(f"ca {MSP}", MSP, query="?tenant_id={tenant_id}"),
    "POST /v1/admin/users/invite": Case(
        "ca pa ad tm hd",
        "pa ad tm hd",
        body=lambda people, tenant: {
            "tenant_id": people.id(tenant),
            "users": [{"email": "new@somewhere.example"}],
        },
    ),
    "POST /v1/admin/users/{user_id}/invite": Case(
        "ca pa ad tm hd",
        "pa ad tm hd",
        ready="UPDATE users SET status = 'Invited' WHERE id = ?",
    ),
    "GET /v1/admin/users/{user_id}": Case(f"ca {MSP}", MSP),
    "PATCH /v1/admin/users/{user_id}": Case(
        "ca pa ad tm hd", "pa ad tm hd", body=body(first_name="New")
    ),
    "DELETE /v1/admin/users/{user_id}": Case("ca pa ad tm hd", "pa ad tm hd"),
    "POST /v1/admin/users/{user_id}/sign-in-link": Case("ca pa ad tm hd", "pa ad tm hd"),
    "GET /v1/admin/users/{user_id}/identities": Case("ca pa ad tm hd", "pa ad tm hd"),
    "DELETE /v1/admin/users/{user_id}/identities": Case(
        "ca pa ad tm hd",
        "pa ad tm hd",
        ready="INSERT INTO identities VALUES ('https://id.example', 'subject', ?, 1)",
    ),
    "POST /v1/admin/users/{user_id}/transfer": Case(
        "pa ad tm hd",
        "pa ad tm hd",
        # Into the caller's own tenant: the theft of a user would look like this.
        body=lambda people, tenant: {
            "tenant_id": people.id("acme" if tenant == "beta" else "beta")
        },
    ),
    "GET /v1/admin/roles": Case(f"ca {MSP}", MSP, query="?tenant_id={tenant_id}"),
    "POST /v1/admin/roles": Case(
        "ca pa ad tm",
        "pa ad tm",
        body=lambda people, tenant: {"name": "new", "tenant_id": people.id(tenant)},
    ),
    "GET /v1/admin/roles/compare": Case(
        "ca pa ad tm bm hd", MSP, query="?ids={role_id},role_general_user"
    ),
    "GET /v1/admin/roles/{role_id}": Case(f"ca {MSP}", MSP),
    "PATCH /v1/admin/roles/{role_id}": Case(
        "ca pa ad tm", "pa ad tm", body=body(description="New")
    ),
    "DELETE /v1/admin/roles/{role_id}": Case("ca pa ad tm", "pa ad tm"),
    "GET /v1/admin/roles/{role_id}/models": Case(f"ca {MSP}", MSP),
    "PUT /v1/admin/roles/{role_id}/models/{model}": Case(
        "ca pa ad tm", "pa ad tm", body=body(enabled=False)
    ),
    "GET /v1/admin/permissions": nothing_of_anyone(f"ca {MSP}"),
    # What is used: the own rows for everybody, and 403 outside (domain.md 11).
    "GET /v1/usage": nothing_of_anyone(EVERYBODY),
    **{
        f"GET /v1/usage/{name}": Case(EVERYBODY, MSP, query="?tenant_id={tenant_id}", outside=403)
        for name in (
            *("limits", "summary", "models", "users", "sources"),
            *("trend", "heatmap", "events"),
        )
    },
    # What is agreed, and the installation: the MSP's own.
    "GET /v1/admin/packages": nothing_of_anyone(MSP),
    "POST /v1/admin/packages": nothing_of_anyone("pa ad bm", body=body(name="New")),
    "GET /v1/admin/packages/{package_id}": nothing_of_anyone(MSP),
    "PATCH /v1/admin/packages/{package_id}": nothing_of_anyone("pa ad bm", body=body(name="New")),
    "DELETE /v1/admin/packages/{package_id}": nothing_of_anyone("pa ad bm"),
    "GET /v1/admin/credit-packs": Case(MSP, MSP, query="?tenant_id={tenant_id}"),
    "POST /v1/admin/credit-packs": Case(
        "pa ad bm",
        "pa ad bm",
        body=lambda people, tenant: {"tenant_id": people.id(tenant), "credits": 5},
    ),
    "DELETE /v1/admin/credit-packs/{pack_id}": Case("pa ad bm", "pa ad bm"),
    "GET /v1/admin/limits": nothing_of_anyone(MSP),
    "PUT /v1/admin/limits": nothing_of_anyone("pa ad", body=body(hard_stop=True)),
    "GET /v1/admin/models": nothing_of_anyone(MSP),
    "GET /v1/admin/models/{model}": nothing_of_anyone(MSP),
    "PUT /v1/admin/models/{model}": nothing_of_anyone("pa ad tm", body=body(enabled=False)),
    "GET /v1/admin/rates": nothing_of_anyone(MSP),
    "PUT /v1/admin/rates": nothing_of_anyone(
        "pa ad tm", body=body(model=KIMI.id, rates={"input": 1, "output": 2})
    ),
    "DELETE /v1/admin/rates/{model}": nothing_of_anyone(
        "pa ad tm", query=f"?effective_from={RATES_TO_COME}"
    ),
    "GET /v1/admin/providers": nothing_of_anyone(MSP),
    "GET /v1/admin/providers/health": nothing_of_anyone(MSP),
    "GET /v1/admin/settings": nothing_of_anyone("pa ad"),
    "GET /v1/admin/settings/web-search": nothing_of_anyone(MSP),
    "PUT /v1/admin/settings/web-search": nothing_of_anyone("pa ad", body=body(enabled=True)),
    "POST /v1/admin/reload": nothing_of_anyone("pa ad"),
    "GET /v1/admin/in-flight": nothing_of_anyone(f"ca {MSP}"),
    "GET /v1/admin/audit": Case("pa ad", "pa ad", query="?tenant_id={tenant_id}"),
}


def name_of(endpoint: AnyEndpoint) -> str:
    return f"{endpoint.method} {endpoint.path}"


def test_every_endpoint_has_its_line(people: People) -> None:
    assert sorted(CASES) == sorted(map(name_of, people.table))


def test_every_tenants_role_is_tried_in_both_tenants() -> None:
    assert len(ROLES) == len(SHORT) == 9
    for case in CASES.values():
        assert set((case.own + " " + case.other).split()) <= SHORT.keys()


def home(role: str) -> str:
    """The tenant whose people have this role."""
    return "msp" if role in MSP_ROLES else "acme"


def target_url(people: People, path: str, query: str, tenant: str) -> str:
    """The path, to the things of a tenant."""
    values = {
        "tenant_id": people.id(tenant),
        "user_id": people.id(f"{tenant}.target"),
        "role_id": people.id(f"{tenant}.own_role"),
        "key_id": people.known.key_ids[f"{tenant}.target"],
        "template_id": people.id("Small"),
        "package_id": people.id("Unused"),
        "pack_id": people.id(f"{tenant}.pack"),
        "model": KIMI.id,
    }
    return (path + query).format(**values)


def traces(people: People, tenant: str) -> list[bytes]:
    """Whatever would tell of a tenant."""
    ids = [value for name, value in people.known.ids.items() if name.split(".")[0] == tenant]
    keys = [value for name, value in people.known.key_ids.items() if name.startswith(tenant)]
    return [each.encode() for each in (*ids, *keys, f"The {tenant} tenant", f"@{tenant}.example")]


async def everything(people: People) -> dict[str, list[tuple[Any, ...]]]:
    """All that an office could change."""
    tables = (
        *("tenants", "users", "roles", "keys", "packages", "credit_packs", "tenant_templates"),
        *("model_switches", "rates", "installation", "preferences", "audit", "letters"),
        *("passwords", "sessions", "sign_in_links", "identities"),
    )
    return {
        table: sorted(await people.database.fetch(f"SELECT * FROM {table}"), key=repr)
        for table in tables
    }


def tries(case: Case, role: str) -> list[tuple[str, bool]]:
    """Whose things somebody of this role tries to reach, and whether they may; another's first."""
    short = next(key for key, value in SHORT.items() if value == role)
    own = [(home(role), short in case.own.split())]
    return [("beta", short in case.other.split()), *own] if case.targeted else own


def has_no_trace_of_others(people: People, said: Said, asked: str) -> bool:
    """Is there nothing of another tenant in it, but for what was in the request?"""
    return not [
        trace
        for other in ("beta", "msp")
        for trace in traces(people, other)
        if trace in said.body and trace.decode() not in asked
    ]


@pytest.mark.parametrize("name", CASES)
async def test_who_may_not(people: People, name: str) -> None:
    case = CASES[name]
    endpoint = next(each for each in people.table if name_of(each) == name)
    before = await everything(people)
    for role in ROLES:
        own = home(role)
        caller = await people.keys.by_digest(people.digest(f"{own}.{role}"))
        assert caller is not None
        for tenant, allowed in tries(case, role):
            if allowed:
                continue
            url = target_url(people, endpoint.path, case.query, tenant)
            sent = case.body(people, tenant)
            said = await people.ask(f"{own}.{role}", endpoint.method, url, sent)
            if endpoint.needs and not caller.permissions & set(endpoint.needs):
                fits = {403}
            elif own == "acme" and tenant == "beta":
                fits = {case.outside}
            else:
                fits = {403, 404}
            assert said.status in fits, (role, tenant, said.body)
            assert own == "msp" or has_no_trace_of_others(people, said, url + repr(sent))
    assert await everything(people) == before


@pytest.mark.parametrize(
    ("name", "role"),
    [
        (name, role)
        for name, case in CASES.items()
        for role in ROLES
        if any(allowed for _, allowed in tries(case, role))
    ],
)
async def test_who_may(people: People, name: str, role: str) -> None:
    case = CASES[name]
    endpoint = next(each for each in people.table if name_of(each) == name)
    own = home(role)
    for tenant, allowed in tries(case, role):
        if not allowed:
            continue
        url = target_url(people, endpoint.path, case.query, tenant)
        sent = case.body(people, tenant)
        if case.ready:
            await people.database.run([(case.ready, (people.id(f"{tenant}.target"),))])
        before = set(await people.database.fetch("SELECT * FROM audit"))
        said = await people.ask(
            f"{own}.{role}", endpoint.method, url, sent, X_Request_ID=f"req.{tenant}"
        )
        assert said.status == endpoint.status, (tenant, said.body)
        audited = set(await people.database.fetch("SELECT * FROM audit")) - before
        assert bool(audited) == (endpoint.method != "GET" and case.changes)
        for _, _, actor_id, *_, request_id in audited:
            assert (actor_id, request_id) == (people.id(f"{own}.{role}"), f"req.{tenant}")
        assert own == "msp" or has_no_trace_of_others(people, said, url + repr(sent))


@pytest.mark.parametrize("name", CASES)
async def test_nobody_comes_in_without_a_live_key(people: People, name: str) -> None:
    method, _, path = name.partition(" ")
    case = CASES[name]
    url = target_url(people, path, case.query, "acme")
    before = await everything(people)
    sent = case.body(people, "acme")
    people.known.keys["stranger"] = "hzat-a-key-nobody-ever-made-0123456789"
    assert (await people.ask("stranger", method, url, sent)).status == 401
    await people.tenants.change(people.id("acme"), people.operator(), status="Suspended")
    await people.changed()
    for role in TENANT_ROLES:
        assert (await people.ask(f"acme.{role}", method, url, sent)).status == 403
    await people.tenants.change(people.id("acme"), people.operator(), status="Active")
    after = await everything(people)
    del before["audit"], after["audit"]
    assert after == before


async def test_the_things_of_another_tenant_look_like_things_that_are_not(people: People) -> None:
    for endpoint in people.table:
        case = CASES[name_of(endpoint)]
        if not case.targeted or "ca" not in case.own.split():
            continue
        foreign = target_url(people, endpoint.path, case.query, "beta")
        sent = case.body(people, "beta")
        known = [people.id("beta"), people.id("beta.target"), people.id("beta.own_role")]
        known.append(people.known.key_ids["beta.target"])
        sent_missing = None if sent is None else msgspec.json.encode(sent).decode()
        missing = foreign
        for each in known:
            missing = missing.replace(each, "nothing_at_all")
            sent_missing = sent_missing and sent_missing.replace(each, "nothing_at_all")
        admin = "acme.client_admin"
        first = await people.ask(admin, endpoint.method, foreign, sent)
        second = await people.ask(
            admin, endpoint.method, missing, sent_missing and sent_missing.encode()
        )
        assert first.status == second.status == case.outside, name_of(endpoint)
        worded = re.sub("|".join(known), "nothing_at_all", first.message)
        assert worded == second.message
