"""`role`: what people may do, from the command line."""

from pathlib import Path

import pytest

from tests.cli.operating import MODELS, Operator


@pytest.fixture
def operator(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Operator:
    return Operator(tmp_path, capsys)


def test_default_roles_are_listed_before_custom_ones(operator: Operator) -> None:
    operator.says("tenant", "create", "Acme")
    operator.says("role", "create", "testers", "--tenant", "Acme")
    names = [row["name"] for row in operator.json("role", "list")]
    assert names[-1] == "testers"
    assert {"client_admin", "general_user", "msp_primary_admin"} < set(names[:-1])
    operator.says("tenant", "create", "Other")
    rows = operator.json("role", "list", "--tenant", "Other")
    assert {row["role_source"] for row in rows} == {"default"}
    assert len(operator.says("role", "list").splitlines()) == len(names) + 1


def test_a_role_is_created_as_told(operator: Operator) -> None:
    tenant = operator.json("tenant", "create", "Acme")
    made = operator.json(
        *("role", "create", "testers", "--tenant", "Acme", "--display-name", "Testers"),
        *("--description", "They test.", "--permissions", "usage.view, gateway.use"),
        *("--user-credit-limit", "12.5", "--disabled-model-names", MODELS[0]),
    )
    assert made == {
        "id": made["id"],
        "name": "testers",
        "tenant_id": tenant["id"],
        "display_name": "Testers",
        "description": "They test.",
        "role_source": "custom",
        "user_credit_limit": 12.5,
        "permissions": ["gateway.use", "usage.view"],
        "disabled_model_names": [MODELS[0]],
        "assigned_users_count": 0,
    }


def test_only_what_is_given_changes(operator: Operator) -> None:
    operator.says("role", "create", "testers", "--permissions", "gateway.use")
    changed = operator.json("role", "change", "testers", "--user-credit-limit", "5")
    assert (changed["user_credit_limit"], changed["permissions"]) == (5, ["gateway.use"])
    changed = operator.json(
        *("role", "change", changed["id"], "--user-credit-limit", "none", "--name", "pros"),
        *("--permissions", ""),
    )
    assert (changed["user_credit_limit"], changed["permissions"], changed["name"]) == (
        None,
        [],
        "pros",
    )
    default = operator.json("role", "change", "general_user", "--user-credit-limit", "100")
    assert default["user_credit_limit"] == 100


def test_a_slug_means_a_tenants_own_role_where_the_tenant_is_named(operator: Operator) -> None:
    operator.says("tenant", "create", "Acme")
    own = operator.json("role", "create", "testers", "--tenant", "Acme")
    for_all = operator.json("role", "create", "testers")
    change = ("role", "change", "testers", "--description", "x")
    assert operator.json(*change, "--tenant", "Acme")["id"] == own["id"]
    assert operator.json(*change)["id"] == for_all["id"]


def test_only_a_custom_role_nobody_has_is_deleted(operator: Operator) -> None:
    operator.says("role", "create", "testers")
    operator.says("user", "create", "ada@example.com", "--role", "testers")
    assert "The role testers is in use." in operator.fails("role", "delete", "testers")
    operator.says("user", "change", "ada@example.com", "--role", "general_user")
    assert "is deleted" in operator.says("role", "delete", "testers")
    assert "is a default role" in operator.fails("role", "delete", "client_admin")
    assert [line.actor for line in operator.audit() if line.action == "role.delete"] == ["operator"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("change", "nothing", "--name", "x"), "There is no role 'nothing' for all."),
        (("create", "Big Boss"), "slug: "),
        (("create", "client_admin"), "slug: there is already a role"),
        (("create", "x", "--permissions", "fly"), "permissions: there is no permission 'fly'"),
        (("create", "x", "--tenant", "Acme", "--permissions", "msp.view"), "permissions: msp.view"),
        (("create", "x", "--tenant", "Nobody"), "There is no tenant 'Nobody'."),
        (("create", "x", "--disabled-model-names", "gpt-9"), "There is no model 'gpt-9'"),
    ],
)
def test_a_failed_action_exits_1_with_the_remedy(
    operator: Operator, words: tuple[str, ...], says: str
) -> None:
    operator.says("tenant", "create", "Acme")
    assert says in operator.fails("role", *words)


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("create",),
        ("create", "x", "--user-credit-limit", "-1"),
        ("create", "x", "--user-credit-limit", "lots"),
        ("create", "x", "--user-credit-limit", "inf"),
    ],
)
def test_wrong_use_exits_2(operator: Operator, words: tuple[str, ...]) -> None:
    assert "usage: hatz-gateway role" in operator.fails("role", *words, status=2)
