"""The rules of who may touch whom, for callers and roles of every kind."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.admin.scope import (
    CHANGE_ROLES,
    ORDINARY,
    PRIMARY_ADMIN,
    Reach,
    check_grant,
    check_role_change,
    check_role_grant,
    check_touch,
    is_open_to,
    role_within,
)
from proxy.domain.caller import Caller
from proxy.domain.fault import Fault, Kind
from proxy.domain.people import Role
from proxy.domain.permissions import (
    MANAGE_ROLES,
    MANAGE_USERS,
    MEANINGS,
    MSP_PERMISSIONS,
    MSP_ROLES,
    MSP_USERS,
)
from tests.catalog.shop import make_caller

REACH = Reach(own=(MANAGE_USERS,), msp=(MSP_USERS,))
permissions = st.frozensets(st.sampled_from(sorted(MEANINGS)))


def caller(*may: str, role: str = "custom") -> Caller:
    return make_caller().but(permissions=frozenset(may), role=role)


def role(*may: str, tenant_id: str | None = "tenant_1", slug: str = "one") -> Role:
    return Role("role_1", tenant_id, slug, slug, "", frozenset(may), None, (), False)


def kind(check: object, *arguments: object, **named: object) -> Kind | None:
    """What is refused with; None: nothing."""
    assert callable(check)
    try:
        check(*arguments, **named)
    except Fault as fault:
        return fault.kind
    return None


@pytest.mark.parametrize(
    ("may", "tenant_id", "refused"),
    [
        ([MSP_USERS], "tenant_1", None),
        ([MSP_USERS], "tenant_2", None),
        ([MANAGE_USERS], "tenant_1", None),
        ([MANAGE_USERS], "tenant_2", Kind.NOT_FOUND),
        ([MANAGE_USERS, MSP_ROLES], "tenant_2", Kind.NOT_FOUND),
        ([], "tenant_1", Kind.FORBIDDEN),
        ([], "tenant_2", Kind.FORBIDDEN),
    ],
)
def test_how_far_a_caller_reaches(may: list[str], tenant_id: str, refused: Kind | None) -> None:
    assert kind(REACH.check, caller(*may), tenant_id) is refused
    part = Kind.FORBIDDEN if refused else None
    assert kind(REACH.check_part, caller(*may), tenant_id, "part") is part


@given(permissions, permissions)
def test_nobody_gives_or_touches_what_they_do_not_have(
    has: frozenset[str], wanted: frozenset[str]
) -> None:
    fits = wanted - ORDINARY <= has
    expected = None if fits else Kind.FORBIDDEN
    assert kind(check_grant, caller(*has), wanted, "role") is expected
    assert kind(check_touch, caller(*has), role(*wanted)) is expected
    assert kind(check_role_grant, caller(*has), role(*wanted), "tenant_1", "role") is expected


def test_a_role_of_another_tenant_cannot_be_given() -> None:
    for tenant_id, refused in (("tenant_2", Kind.BAD_REQUEST), (None, None), ("tenant_1", None)):
        given_role = role(tenant_id=tenant_id)
        assert kind(check_role_grant, caller(), given_role, "tenant_1", "role") is refused


@given(permissions)
def test_only_a_primary_admin_has_to_do_with_primary_admins(has: frozenset[str]) -> None:
    primary = role(tenant_id=None, slug=PRIMARY_ADMIN)
    for slug, refused in (("custom", Kind.FORBIDDEN), (PRIMARY_ADMIN, None)):
        someone = caller(*has, role=slug)
        assert kind(check_touch, someone, primary) is refused
        assert kind(check_role_grant, someone, primary, "tenant_1", "role") is refused


@given(permissions, st.sampled_from([None, "tenant_1", "tenant_2"]))
def test_a_tenants_people_know_only_the_roles_they_can_have(
    has: frozenset[str], tenant_id: str | None
) -> None:
    one = role(*has, tenant_id=tenant_id)
    known = kind(role_within, caller(MANAGE_ROLES), one, one.id, CHANGE_ROLES) is None
    assert known == is_open_to(one, "tenant_1")
    assert known == (tenant_id == "tenant_1" or (tenant_id is None and not has & MSP_PERMISSIONS))
    assert kind(role_within, caller(MSP_ROLES), one, one.id, CHANGE_ROLES) is None


def test_what_is_there_for_all_is_changed_by_the_msp_only() -> None:
    for_all = role(tenant_id=None)
    assert kind(check_role_change, caller(MANAGE_ROLES), for_all) is Kind.FORBIDDEN
    assert kind(check_role_change, caller(MSP_ROLES), for_all) is None
    assert kind(check_role_change, caller(MANAGE_ROLES), role()) is None
