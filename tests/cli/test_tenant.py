"""`tenant`: workspaces and what was agreed with them, from the command line."""

import datetime as dt
from pathlib import Path

import pytest

from tests.cli.operating import MODELS, Operator


@pytest.fixture
def operator(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Operator:
    return Operator(tmp_path, capsys)


def test_a_tenant_is_created_and_listed(operator: Operator) -> None:
    operator.says("package", "create", "Starter")
    made = operator.json("tenant", "create", "Acme", "--package", "Starter")
    assert made == {
        "id": made["id"],
        "name": "Acme",
        "status": "Active",
        "created_at": made["created_at"],
        "user_count": 0,
        "package_id": made["package_id"],
        "primary_package_name": "Starter",
        "next_package_id": None,
        "next_package_name": None,
        "next_package_from": None,
        "credit_packs": [],
        "ladder": None,
        "burst": None,
        "tenant_config": {
            "beta_features": False,
            "mfa_required": False,
            "default_model_name": None,
            "web_search": True,
        },
        "disabled_model_names": [],
    }
    assert "The tenant Beta (tenant_" in operator.says("tenant", "create", "Beta")
    assert [row["name"] for row in operator.json("tenant", "list")] == ["Acme", "Beta"]
    _, acme, beta = operator.says("tenant", "list").splitlines()
    assert acme.split()[1:] == ["Acme", "Active", "0", "Starter", "-", "-", "-"]
    assert beta.split()[1:] == ["Beta", "Active", "0", "-", "-", "-", "-"]


def test_only_what_is_given_changes(operator: Operator) -> None:
    operator.says("tenant", "create", "Acme")
    changed = operator.json(
        *("tenant", "change", "Acme", "--name", "Acme Ltd", "--status", "Suspended"),
        *("--ladder", '[{"ratio": 1.0, "multiplier": 2.0}]', "--burst", '{"streams": 5}'),
        *("--tenant-config", '{"beta_features": true}'),
        *("--disabled-model-names", MODELS[0]),
    )
    assert (changed["name"], changed["status"]) == ("Acme Ltd", "Suspended")
    assert changed["ladder"] == [{"ratio": 1.0, "multiplier": 2.0}]
    assert changed["burst"]["streams"] == 5
    assert changed["tenant_config"]["beta_features"] is True
    assert changed["disabled_model_names"] == [MODELS[0]]
    again = operator.json(
        *("tenant", "change", changed["id"], "--ladder", "none", "--burst", "none"),
        *("--tenant-config", '{"mfa_required": true}', "--disabled-model-names", ""),
    )
    assert (again["ladder"], again["burst"], again["disabled_model_names"]) == (None, None, [])
    assert again["tenant_config"]["beta_features"] and again["tenant_config"]["mfa_required"]
    assert again["status"] == "Suspended"


def test_a_package_comes_at_once_or_with_the_next_month(operator: Operator) -> None:
    for name in ("Large", "Small"):
        operator.says("package", "create", name)
    operator.says("tenant", "create", "Acme")
    now = operator.json("tenant", "change", "Acme", "--package", "Large")
    assert now["primary_package_name"] == "Large"
    agreed = operator.json("tenant", "change", "Acme", "--package", "Small", "--from", "next-month")
    assert (agreed["primary_package_name"], agreed["next_package_name"]) == ("Large", "Small")
    begins = dt.datetime.fromisoformat(agreed["next_package_from"])
    today = dt.datetime.now(dt.UTC)
    assert (begins.day, begins.hour, begins.minute) == (1, 0, 0)
    assert dt.timedelta(0) < begins - today < dt.timedelta(days=32)
    assert f"Small from {agreed['next_package_from'][:10]}" in operator.says("tenant", "list")
    stayed = operator.json("tenant", "change", "Acme", "--cancel-next-package")
    assert (stayed["primary_package_name"], stayed["next_package_from"]) == ("Large", None)


def test_dates_are_of_the_configured_zone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    operator = Operator(tmp_path, capsys, '[limits]\ntime_zone = "Asia/Tokyo"\n')
    operator.says("package", "create", "Small")
    operator.says("tenant", "create", "Acme")
    change = ("tenant", "change", "Acme", "--package", "Small", "--from")
    assert operator.json(*change, "2900-01-01")["next_package_from"] == "2899-12-31T15:00:00.000Z"
    in_utc = operator.json(*change, "2900-01-01T00:00:00Z")
    assert in_utc["next_package_from"] == "2900-01-01T00:00:00.000Z"
    monthly = operator.json(*change, "next-month")["next_package_from"]
    assert monthly.endswith("T15:00:00.000Z")


def test_a_credit_pack_lasts_to_the_end_of_its_month_unless_told(operator: Operator) -> None:
    operator.says("tenant", "create", "Acme")
    add = ("tenant", "add-pack", "Acme", "--credits", "1500")
    pack = operator.json(*add, "--from", "2026-12-10")
    assert (pack["name"], pack["credits"]) == ("1500 Extra Credits", 1500)
    assert (pack["valid_from"], pack["valid_until"]) == (
        "2026-12-10T00:00:00.000Z",
        "2027-01-01T00:00:00.000Z",
    )
    standing = operator.json(*add, "--until", "none", "--name", "Standing")
    assert (standing["name"], standing["valid_until"]) == ("Standing", None)
    [tenant] = operator.json("tenant", "list")
    assert {each["id"] for each in tenant["credit_packs"]} == {pack["id"], standing["id"]}
    assert "is removed" in operator.says("tenant", "remove-pack", pack["id"])
    [tenant] = operator.json("tenant", "list")
    assert tenant["credit_packs"] == [standing]


def test_every_change_is_in_the_audit_under_the_operator(operator: Operator) -> None:
    operator.says("tenant", "create", "Acme")
    operator.says("tenant", "change", "Acme", "--status", "Archived")
    operator.says("tenant", "add-pack", "Acme", "--credits", "1")
    assert sorted((line.action, line.actor) for line in operator.audit()) == [
        ("pack.add", "operator"),
        ("tenant.change", "operator"),
        ("tenant.create", "operator"),
    ]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("change", "Nobody", "--status", "Active"), "There is no tenant 'Nobody'."),
        (("create", "Acme"), "name: there is already a tenant 'Acme'."),
        (("create", "x", "--package", "Gold"), "There is no package 'Gold'."),
        (("change", "Acme", "--package", "Gold"), "There is no package 'Gold'."),
        (("change", "Acme", "--package", "none", "--from", "2020-01-01"), "next_package_from: "),
        (("change", "Acme", "--tenant-config", '{"colour": "red"}'), "--tenant-config: "),
        (("change", "Acme", "--disabled-model-names", "gpt-9"), "There is no model 'gpt-9'"),
        (("add-pack", "Acme", "--credits", "1", "--until", "2020-01-01"), "valid_until: "),
        (("remove-pack", "pack_none"), "There is no credit pack 'pack_none'."),
    ],
)
def test_a_failed_action_exits_1_with_the_remedy(
    operator: Operator, words: tuple[str, ...], says: str
) -> None:
    operator.says("tenant", "create", "Acme")
    assert says in operator.fails("tenant", *words)


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("create",),
        ("change", "Acme", "--status", "asleep"),
        ("change", "Acme", "--from", "next-month"),
        ("change", "Acme", "--package", "x", "--from", "soon"),
        ("change", "Acme", "--package", "x", "--from", "0001-01-01"),
        ("change", "Acme", "--package", "x", "--cancel-next-package"),
        ("change", "Acme", "--burst", '{"streams": "many"}'),
        ("add-pack", "Acme"),
    ],
)
def test_wrong_use_exits_2(operator: Operator, words: tuple[str, ...]) -> None:
    assert "usage: hatz-gateway tenant" in operator.fails("tenant", *words, status=2)
