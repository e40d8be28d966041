"""People as they are shown: who is active, who acted, where a page goes on."""

import pytest

from proxy.domain.people import Actor, AuditLine, CreditPack, Template, TenantConfig, User
from proxy.domain.terms import Pack


@pytest.mark.parametrize("status", ["Active", "Invited", "Suspended", "Deleted"])
@pytest.mark.parametrize("tenant_status", ["Active", "Suspended", "Archived"])
def test_a_user_comes_in_only_where_they_and_their_tenant_are_active(
    status: str, tenant_status: str
) -> None:
    user = User("u", "t", "T", tenant_status, "a@b.c", "", "", "general_user", "r", status, 1)
    assert user.active == ((status, tenant_status) == ("Active", "Active"))


def test_a_pack_has_the_terms_limits_go_by() -> None:
    assert CreditPack("p", "t", "Extra", 5, 1, None, 1).terms == Pack(5, 1, None)


def test_a_template_becomes_a_configuration() -> None:
    template = Template("m", "x", None, None, "haiku", True, False, 1, 1)
    assert template.config == TenantConfig(True, False, "haiku")


def test_a_page_goes_on_after_its_last_line() -> None:
    line = AuditLine("audit_1", 7, "u", "a@b.c", "", "x.change", "x_1", None, None, "")
    assert line.cursor == "7.audit_1"


def test_the_operator_is_nobody_of_the_users() -> None:
    assert Actor.operator(5) == Actor("operator", "operator", 5, "")
