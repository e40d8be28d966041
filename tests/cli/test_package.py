"""`package`: what tenants get each month, from the command line."""

from pathlib import Path

import pytest

from tests.cli.operating import MODELS, Operator


@pytest.fixture
def operator(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Operator:
    return Operator(tmp_path, capsys)


def test_a_package_is_created_and_listed(operator: Operator) -> None:
    made = operator.json(
        *("package", "create", "Starter", "--monthly-credits", "1500.25"),
        *("--allowed-models", f"{MODELS[0].upper()}, {MODELS[1]}"),
        *("--ladder", '[{"ratio": 1.2}]'),
    )
    assert made == {
        "id": made["id"],
        "name": "Starter",
        "monthly_credits": 1500.25,
        "allowed_models": sorted(MODELS),
        "ladder": [{"ratio": 1.2, "multiplier": None}],
        "created_at": made["created_at"],
        "tenant_count": 0,
    }
    assert operator.json("package", "list") == [made]
    assert "is created" in operator.says("package", "create", "Free")
    headings, free, starter = operator.says("package", "list").splitlines()
    assert headings.split() == ["ID", "NAME", "CREDITS", "A", "MONTH", "MODELS", "TENANTS"]
    assert free.split()[1:] == ["Free", "no", "limit", "all", "0"]
    assert starter.split()[1:] == ["Starter", "1,500.25", "2", "0"]


def test_what_is_not_given_stays_and_none_takes_away(operator: Operator) -> None:
    operator.says("package", "create", "Starter", "--monthly-credits", "5", "--allowed-models", "")
    changed = operator.json("package", "change", "Starter", "--name", "Basic")
    assert (changed["name"], changed["monthly_credits"]) == ("Basic", 5)
    changed = operator.json("package", "change", changed["id"], "--monthly-credits", "none")
    assert changed["monthly_credits"] is None
    assert (
        operator.json("package", "change", "Basic", "--monthly-credits", "0")["monthly_credits"]
        == 0
    )


def test_only_a_package_nobody_has_is_deleted(operator: Operator) -> None:
    operator.says("package", "create", "Starter")
    operator.says("tenant", "create", "Acme", "--package", "Starter")
    assert "The package Starter is in use." in operator.fails("package", "delete", "Starter")
    operator.says("tenant", "change", "Acme", "--package", "none")
    assert "is deleted" in operator.says("package", "delete", "Starter")
    assert operator.json("package", "list") == []


def test_every_change_is_in_the_audit_under_the_operator(operator: Operator) -> None:
    operator.says("package", "create", "Starter")
    operator.says("package", "change", "Starter", "--monthly-credits", "1")
    operator.says("package", "delete", "Starter")
    assert sorted((line.action, line.actor) for line in operator.audit()) == [
        ("package.change", "operator"),
        ("package.create", "operator"),
        ("package.delete", "operator"),
    ]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("change", "Nothing"), "There is no package 'Nothing'. `hatz-gateway package list`"),
        (("delete", "Nothing"), "There is no package 'Nothing'."),
        (("create", "Taken"), "name: there is already a package 'Taken'."),
        (("create", " "), "name: "),
        (("create", "x", "--allowed-models", "opus-4-7"), "There is no model 'opus-4-7'"),
        (("create", "x", "--ladder", '[{"ratio": 0}]'), "ladder[0].ratio"),
    ],
)
def test_a_failed_action_exits_1_with_the_remedy(
    operator: Operator, words: tuple[str, ...], says: str
) -> None:
    operator.says("package", "create", "Taken")
    assert says in operator.fails("package", *words)


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("create",),
        ("sell", "x"),
        ("create", "x", "--monthly-credits", "many"),
        ("create", "x", "--monthly-credits", "-1"),
        ("create", "x", "--monthly-credits", "nan"),
        ("create", "x", "--monthly-credits", "0.0000001"),
        ("create", "x", "--ladder", "steep"),
        ("create", "x", "--ladder", '[{"ration": 1}]'),
    ],
)
def test_wrong_use_exits_2(operator: Operator, words: tuple[str, ...]) -> None:
    assert "usage: hatz-gateway package" in operator.fails("package", *words, status=2)
