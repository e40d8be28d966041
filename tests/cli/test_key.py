"""`key`: one key printed once, provisioned ones silent, all of it beside a running gateway."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest

from proxy.auth.credential import read
from proxy.auth.gate import Gate
from proxy.cli.key import run
from proxy.config.load import load
from proxy.domain.caller import Caller
from proxy.domain.fault import Fault
from proxy.domain.people import AuditLine
from proxy.storage.audit import Audit
from proxy.storage.keys import Keys
from proxy.storage.opening import OpenStorage, open_storage

ROOT = Path(__file__).parents[2]
GIVEN = "a-value-of-the-operator-of-40-characters"

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "gateway.toml"
    file.write_text(f'[storage]\nurl = "sqlite:///{tmp_path}/var/gateway.db"\n')
    return file


@pytest.fixture
def key(config: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run one command; exit status, standard output, standard error."""

    def call(command: str, *arguments: str) -> tuple[int, str, str]:
        status = run([command, "--config", str(config), *arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


def admitted(config: Path, value: str) -> Caller | int:
    """What the gate says to a key: its caller, or the status of the refusal."""

    async def ask() -> Caller | int:
        storage = await open_storage(load(config, {}), {})
        gate = Gate(Keys(storage.database), storage.hash_secret, keys_cached_max=10)
        try:
            return await gate.lookup(read(None, value.encode()), 0)
        except Fault as fault:
            return fault.status
        finally:
            await storage.database.close()

    return asyncio.run(ask())


def change(config: Path, sql: str) -> None:
    """What another command or release may have done to the storage."""

    async def work() -> None:
        storage = await open_storage(load(config, {}), {})
        await storage.database.run([(sql, ())])
        await storage.database.close()

    asyncio.run(work())


def listed(key: Run) -> list[dict[str, object]]:
    status, out, _ = key("list", "--json")
    assert status == 0
    return msgspec.json.decode(out, type=list[dict[str, object]])


def test_a_new_key_is_printed_alone_and_opens_the_gate(key: Run, config: Path) -> None:
    status, out, err = key("create", "--user", "ada@example.com", "--name", "laptop")
    assert (status, err) == (0, "")
    value = out.removesuffix("\n")
    assert value.startswith("hzat-")
    assert "\n" not in value
    caller = admitted(config, value)
    assert isinstance(caller, Caller)
    assert (caller.email, caller.tenant, caller.role) == (
        "ada@example.com",
        "Default",
        "client_admin",
    )
    assert admitted(config, value[:-1]) == 401


def test_the_first_user_administers_the_next_one_does_not_unless_told(key: Run) -> None:
    key("create", "--user", "ada@example.com")
    key("create", "--user", "bob@example.com")
    key("create", "--user", "cy@example.com", "--role", "chat_only_user")
    key("create", "--user", "ada@example.com", "--tenant", "Other")
    owners = [(row["email"], row["tenant"]) for row in listed(key)]
    assert owners == [
        ("ada@example.com", "Default"),
        ("bob@example.com", "Default"),
        ("cy@example.com", "Default"),
        ("ada@example.com", "Other"),
    ]


@pytest.mark.parametrize(
    ("arguments", "role"),
    [
        ((), "general_user"),
        (("--role", "workshop_user"), "workshop_user"),
        (("--tenant", "Other"), "client_admin"),
    ],
)
def test_roles_of_new_users(key: Run, config: Path, arguments: tuple[str, ...], role: str) -> None:
    key("create", "--user", "ada@example.com")
    _, out, _ = key("create", "--user", "bob@example.com", *arguments)
    caller = admitted(config, out.strip())
    assert isinstance(caller, Caller)
    assert caller.role == role


def test_a_given_value_becomes_the_key_in_silence_and_twice_is_no_error(
    key: Run, config: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PROVISIONED", GIVEN)
    (tmp_path / "secret").write_text(GIVEN + "\n")
    for secret in ("env:PROVISIONED", "env:PROVISIONED", f"file:{tmp_path}/secret"):
        arguments = ("--user", "Ada@example.com", "--secret", secret)
        assert key("create", *arguments) == (0, "", "")
    assert len(listed(key)) == 1
    caller = admitted(config, GIVEN)
    assert isinstance(caller, Caller)
    assert caller.email == "Ada@example.com"


def test_the_same_value_again_is_no_error_whatever_became_of_the_users_role(
    key: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROVISIONED", GIVEN)
    arguments = ("--user", "ada@example.com", "--secret", "env:PROVISIONED", "--role")
    assert key("create", *arguments, "client_admin")[0] == 0
    assert key("create", *arguments, "general_user")[0] == 0


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (None, "PROVISIONED is not set"),
        ("x" * 31, "at least 32 characters, it has 31"),
        ("with spaces in it, more than thirty-two characters", "without spaces"),
    ],
)
def test_a_value_that_cannot_be_a_key_is_refused_unquoted(
    key: Run, monkeypatch: pytest.MonkeyPatch, value: str | None, says: str
) -> None:
    if value is not None:
        monkeypatch.setenv("PROVISIONED", value)
    status, out, err = key("create", "--user", "a@example.com", "--secret", "env:PROVISIONED")
    assert (status, out) == (1, "")
    assert says in err
    assert value is None or value not in err
    assert listed(key) == []


def test_a_value_that_is_somebody_elses_key_or_revoked_is_refused(
    key: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROVISIONED", GIVEN)
    secret = ("--secret", "env:PROVISIONED")
    assert key("create", "--user", "ada@example.com", *secret)[0] == 0
    status, out, err = key("create", "--user", "bob@example.com", *secret)
    assert (status, out) == (1, "")
    assert "ada@example.com" in err
    key("revoke", str(listed(key)[0]["id"]))
    status, out, err = key("create", "--user", "ada@example.com", *secret)
    assert (status, out) == (1, "")
    assert "revoked for good" in err
    assert GIVEN not in err


def test_a_revoked_key_is_refused_and_listed_as_revoked(key: Run, config: Path) -> None:
    value = key("create", "--user", "ada@example.com")[1].strip()
    key_id = str(listed(key)[0]["id"])
    status, out, err = key("revoke", key_id)
    assert (status, out) == (0, "")
    assert f"{key_id} is revoked" in err
    assert admitted(config, value) == 401
    assert key("revoke", key_id)[0] == 0
    assert "revoked 20" in key("list")[1]


def test_revoking_what_is_not_there_fails_with_the_remedy(key: Run) -> None:
    status, out, err = key("revoke", "key_none")
    assert (status, out) == (1, "")
    assert "`hatz-gateway key list`" in err


def test_the_list_recognises_keys_without_revealing_them(key: Run) -> None:
    value = key("create", "--user", "ada@example.com", "--name", "laptop")[1].strip()
    _, table, _ = key("list")
    heading, row = table.splitlines()
    assert " ".join(heading.split()) == "ID KEY NAME USER TENANT CREATED LAST USED STATE"
    assert f"{value[:9]}...  laptop  ada@example.com  Default" in row
    assert row.endswith("good")
    assert value not in table
    [record] = listed(key)
    assert record["prefix"] == value[:9]
    assert "digest" not in record


@pytest.mark.parametrize(
    ("expires_at", "state"), [(1_000, "expired 1970"), (1 << 42, "good until 21")]
)
def test_the_list_says_whether_a_key_expired(
    key: Run, config: Path, expires_at: int, state: str
) -> None:
    key("create", "--user", "ada@example.com")
    change(config, f"UPDATE keys SET expires_at = {expires_at}")
    assert state in key("list")[1]


def test_a_key_may_expire(key: Run, config: Path) -> None:
    create = ("create", "--user", "ada@example.com", "--expires")
    lasting = key(*create, "2900-01-01")[1].strip()
    assert isinstance(admitted(config, lasting), Caller)
    assert "good until 2900-01-01 00:00Z" in key("list")[1]
    [row] = listed(key)
    assert row["expires_at"] == 29_348_006_400_000
    change(config, "UPDATE keys SET expires_at = -1")
    assert admitted(config, lasting) == 401


def test_a_key_that_expired_already_is_not_made(key: Run) -> None:
    status, out, err = key("create", "--user", "ada@example.com", "--expires", "2020-01-01")
    assert (status, out) == (1, "")
    assert "--expires: 2020-01-01T00:00:00 has passed." in err
    assert listed(key) == []


def test_what_the_operator_does_is_in_the_audit(key: Run, config: Path) -> None:
    value = key("create", "--user", "ada@example.com", "--name", "laptop")[1].strip()
    key_id = str(listed(key)[0]["id"])
    key("revoke", key_id)

    async def read() -> list[AuditLine]:
        storage = await open_storage(load(config, {}), {})
        try:
            return await Audit(storage.database).page()
        finally:
            await storage.database.close()

    lines = asyncio.run(read())
    assert {line.actor for line in lines} == {"operator"}
    assert sorted(line.action for line in lines) == [
        "key.create",
        "key.revoke",
        "tenant.create",
        "user.create",
    ]
    assert {line.target for line in lines if line.action.startswith("key.")} == {key_id}
    assert value not in repr(lines)


def test_a_user_who_is_not_active_gets_no_key(key: Run, config: Path) -> None:
    key("create", "--user", "ada@example.com")
    change(config, "UPDATE users SET status = 'Suspended'")
    status, out, err = key("create", "--user", "ada@example.com")
    assert (status, out) == (1, "")
    assert "Suspended" in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--user", "nobody"), "email address"),
        (("--user", "a@example.com", "--role", "emperor"), "no role 'emperor'"),
        (("--user", "a@example.com", "--name", "x" * 201), "at most 200"),
        (("--user", "a@example.com", "--tenant", " "), "tenant: "),
    ],
)
def test_a_failed_action_exits_1_with_one_sentence(
    key: Run, arguments: tuple[str, ...], says: str
) -> None:
    status, out, err = key("create", *arguments)
    assert (status, out) == (1, "")
    assert says in err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["create"],
        ["create", "--config", "x"],
        ["revoke", "--config", "x"],
        ["create", "--config", "x", "--user", "y", "--expires", "soon"],
    ],
)
def test_wrong_use_exits_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        run(arguments)
    assert left.value.code == 2
    assert "usage: hatz-gateway key" in capsys.readouterr().err


def test_a_configuration_that_cannot_be_used_exits_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["list", "--config", str(tmp_path / "none.toml")]) == 2
    assert "no such file" in capsys.readouterr().err


@pytest.fixture
async def gateway(config: Path) -> AsyncIterator[OpenStorage]:
    """What a running gateway holds open."""
    storage = await open_storage(load(config, {}), {})
    yield storage
    await storage.database.close()


async def test_several_processes_beside_a_running_gateway(
    gateway: OpenStorage, config: Path
) -> None:
    command = [sys.executable, "-c", "import sys; from proxy.cli.key import run; run(sys.argv[1:])"]
    environ = os.environ | {"PROVISIONED": GIVEN}
    create = [*command, "create", "--config", str(config), "--user"]
    given = [*create, "ada@example.com", "--secret", "env:PROVISIONED"]
    commands = [given, given, [*create, "bob@example.com"], [*create, "cy@example.com"]]
    processes = [
        await asyncio.create_subprocess_exec(
            *arguments,
            cwd=ROOT,
            env=environ,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        for arguments in commands
    ]
    outputs = []
    for process in processes:
        out, err = await process.communicate()
        assert (process.returncode, err) == (0, b"")
        outputs.append(out.decode().strip())
    assert outputs[:2] == ["", ""]

    gate = Gate(Keys(gateway.database), gateway.hash_secret, keys_cached_max=10)
    callers = [
        await gate.lookup(read(b"Bearer " + value.encode(), None), 0)
        for value in (GIVEN, *outputs[2:])
    ]
    assert [caller.email for caller in callers] == [
        "ada@example.com",
        "bob@example.com",
        "cy@example.com",
    ]
    assert sorted(caller.role for caller in callers) == [
        "client_admin",
        "general_user",
        "general_user",
    ]
    assert len(await Keys(gateway.database).all()) == 3
