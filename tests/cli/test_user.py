"""`user`: the people, from the command line."""

import asyncio
from pathlib import Path

import pytest

from proxy.auth.passwords import Passwords
from proxy.storage.database import Database
from proxy.storage.keys import Keys
from proxy.storage.passwords import Passwords as StoredPasswords
from tests.cli.operating import Operator


@pytest.fixture
def operator(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Operator:
    return Operator(tmp_path, capsys)


def test_the_first_administrator_needs_no_command_before(operator: Operator) -> None:
    made = operator.json("user", "create", "root@example.com", "--admin", "--first-name", "Ro")
    assert made == {
        "id": made["id"],
        "email": "root@example.com",
        "first_name": "Ro",
        "last_name": "",
        "role": "msp_primary_admin",
        "role_id": "role_msp_primary_admin",
        "status": "Active",
        "tenant_id": made["tenant_id"],
        "tenant_name": "Default",
        "created_at": made["created_at"],
        "password": made["password"],
    }
    assert len(made["password"]) >= 24
    other = operator.json("user", "create", "boss@example.com", "--admin", "--tenant", "MSP")
    assert other["tenant_name"] == "MSP"


def test_somebody_new_is_a_general_user_unless_told(operator: Operator) -> None:
    operator.says("tenant", "create", "Acme")
    create = ("user", "create")
    assert operator.json(*create, "ada@example.com")["role"] == "general_user"
    told = operator.json(*create, "bob@example.com", "--tenant", "Acme", "--role", "client_admin")
    assert (told["role"], told["tenant_name"]) == ("client_admin", "Acme")
    assert "is created in Acme as general_user" in operator.says(
        *create, "cy@example.com", "--tenant", "Acme"
    )


def test_the_list_is_of_all_or_of_a_tenant(operator: Operator) -> None:
    operator.says("tenant", "create", "Acme")
    operator.says("user", "create", "bob@example.com", "--tenant", "Acme", "--last-name", "B")
    operator.says("user", "create", "ada@example.com")
    emails = [row["email"] for row in operator.json("user", "list")]
    assert emails == ["ada@example.com", "bob@example.com"]
    [bob] = operator.json("user", "list", "--tenant", "Acme")
    assert bob["email"] == "bob@example.com"
    _, line = operator.says("user", "list", "--tenant", "Acme").splitlines()
    assert line.split()[1:6] == ["bob@example.com", "B", "general_user", "Active", "Acme"]


def test_only_what_is_given_changes(operator: Operator) -> None:
    operator.says("user", "create", "ada@example.com", "--first-name", "Ada")
    changed = operator.json(
        "user", "change", "ADA@example.com", "--status", "Suspended", "--role", "chat_only_user"
    )
    assert (changed["status"], changed["role"], changed["first_name"]) == (
        "Suspended",
        "chat_only_user",
        "Ada",
    )
    again = operator.json("user", "change", changed["id"], "--last-name", "L")
    assert (again["status"], again["last_name"]) == ("Suspended", "L")


def test_which_of_several_must_be_said(operator: Operator) -> None:
    for tenant in ("Acme", "Beta"):
        operator.says("tenant", "create", tenant)
        operator.says("user", "create", "ada@example.com", "--tenant", tenant)
    change = ("user", "change", "ada@example.com", "--role", "client_admin")
    assert "ada@example.com is in several tenants: Acme, Beta." in operator.fails(*change)
    assert operator.json(*change, "--tenant", "Beta")["tenant_name"] == "Beta"
    rows = operator.json("user", "list")
    assert {row["tenant_name"]: row["role"] for row in rows} == {
        "Acme": "general_user",
        "Beta": "client_admin",
    }


def test_somebody_moves_without_their_rights(operator: Operator) -> None:
    operator.says("tenant", "create", "Acme")
    operator.says("user", "create", "ada@example.com", "--role", "client_admin")
    moved = operator.json("user", "move", "ada@example.com", "--to", "Acme")
    assert (moved["tenant_name"], moved["role"]) == ("Acme", "general_user")
    assert "There is no tenant 'Nowhere'." in operator.fails(
        "user", "move", "ada@example.com", "--to", "Nowhere"
    )


def test_a_deleted_user_is_gone_with_their_keys(operator: Operator) -> None:
    operator.says("key", "create", "--user", "ada@example.com")
    assert operator.json("user", "delete", "ada@example.com")["status"] == "Deleted"
    assert operator.json("user", "list") == []
    [key] = operator.asked(lambda database: Keys(database).all())
    assert key.revoked_at is not None
    assert "There is no user 'ada@example.com'." in operator.fails(
        "user", "delete", "ada@example.com"
    )
    assert "is created" in operator.says("user", "create", "ada@example.com")


def test_every_change_is_in_the_audit_under_the_operator(operator: Operator) -> None:
    operator.says("user", "create", "ada@example.com")
    operator.says("user", "change", "ada@example.com", "--status", "Suspended")
    operator.says("user", "delete", "ada@example.com")
    assert sorted((line.action, line.actor) for line in operator.audit()) == [
        ("tenant.create", "operator"),
        ("user.change", "operator"),
        ("user.create", "operator"),
        ("user.delete", "operator"),
    ]


def test_a_password_is_made_and_shown_once_and_stored_as_a_hash_only(
    operator: Operator, tmp_path: Path
) -> None:
    operator.says("user", "create", "ada@example.com")
    said = operator.says("user", "password", "ada@example.com")
    made = said.rpartition(": ")[2].strip()
    assert len(made) >= 24
    for file in tmp_path.glob("gateway.db*"):
        assert made.encode() not in file.read_bytes()

    async def hashed(database: Database) -> str:
        accounts = await StoredPasswords(database).accounts("ADA@example.com")
        return accounts[0].password_hash or ""

    stored = operator.asked(hashed)
    assert asyncio.run(Passwords().matches(made, stored))
    assert operator.says("user", "password", "ada@example.com") != said
    assert operator.asked(hashed) != stored


def test_a_given_password_is_taken_and_not_printed(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADAS_PASSWORD", "correct horse battery staple")
    given = ("--password", "env:ADAS_PASSWORD")
    said = operator.says("user", "create", "ada@example.com", *given)
    assert "horse" not in said and "Password" not in said
    monkeypatch.setenv("ADAS_PASSWORD", "short")
    refused = operator.fails("user", "password", "ada@example.com", *given)
    assert "password: It must have at least 12 characters." in refused
    assert "ADAS_ABSENT" in operator.fails(
        "user", "password", "ada@example.com", "--password", "env:ADAS_ABSENT"
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("create", "ada@example.com"), "email: ada@example.com is already a user"),
        (("create", "ada"), "email: "),
        (("create", "bob@example.com", "--role", "emperor"), "role: there is no role 'emperor'"),
        (("create", "bob@example.com", "--tenant", "Nowhere"), "There is no tenant 'Nowhere'."),
        (("change", "bob@example.com", "--status", "Active"), "There is no user"),
        (("list", "--tenant", "Nowhere"), "There is no tenant 'Nowhere'."),
    ],
)
def test_a_failed_action_exits_1_with_the_remedy(
    operator: Operator, words: tuple[str, ...], says: str
) -> None:
    operator.says("user", "create", "ada@example.com")
    assert says in operator.fails("user", *words)


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("create",),
        ("create", "ada@example.com", "--admin", "--role", "general_user"),
        ("change", "ada@example.com", "--status", "Deleted"),
        ("move", "ada@example.com"),
    ],
)
def test_wrong_use_exits_2(operator: Operator, words: tuple[str, ...]) -> None:
    assert "usage: hatz-gateway user" in operator.fails("user", *words, status=2)
