"""Mail as an operator has it: several gateways on one storage, a server that comes and goes."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.ports import free_port
from tests.kit.journey import Client, Provider, Served, ask, provider
from tests.kit.mail_server import Mailbox, mailbox
from tests.kit.town import HAIKU, Town, costs, town, town_text

WAIT_S = 60.0


def mail_text(port: int) -> str:
    return (
        f'[mail]\nenabled = true\nhost = "127.0.0.1"\nport = {port}\ntls = "none"\n'
        'from_address = "gateway@example.com"\nlink_url = "https://gateway.example.com"\n'
        "notices_every_s = 0.1\n"
    )


async def until(look: Callable[[], bool], what: str) -> None:
    end_s = time.monotonic() + WAIT_S
    while not look():
        assert time.monotonic() < end_s, what
        await asyncio.sleep(0.05)


async def test_an_administrator_is_told_of_both_lines_and_an_invitation_goes_out(
    tmp_path: Path,
) -> None:
    with mailbox() as box:
        async with town(tmp_path, mail_text(box.port)) as place:
            await place.tenant("Acme", 10)
            admin = await place.person("Acme", "ada@acme.example", "client_admin")
            user = await place.person("Acme", "bob@acme.example")
            await _spend(place, user.key, 8.2)
            await asyncio.to_thread(box.got, 1)
            await _spend(place, user.key, 2)
            await asyncio.to_thread(box.got, 2)
            first, second = box.mails
            assert first.recipients == second.recipients == ["ada@acme.example"]
            assert first.message["Subject"] == "Acme: 82 % of this month's credits are used"
            assert second.message["Subject"] == "Acme: this month's credits are used"
            made = await admin.done(
                "POST",
                "/v1/admin/users/invite",
                {"tenant_id": admin.tenant_id, "users": [{"email": "new@acme.example"}]},
            )
            assert made["email"] == "queued"
            await asyncio.to_thread(box.got, 3)
            assert box.mails[2].recipients == ["new@acme.example"]
            assert "ada@acme.example invited you" in box.mails[2].text
            await asyncio.sleep(0.5)
            assert len(box.mails) == 3


async def _spend(place: Town, key: str, credits: float) -> None:
    place.provider.usual = costs(credits, HAIKU)
    client = await Client.connect(place.gateway.port, key)
    try:
        reply = await client.post(ask(HAIKU, stream=False))
    finally:
        client.close()
    assert reply.status == 200, reply.body


async def test_the_trouble_of_the_mail_server_is_told_and_stops_nothing(tmp_path: Path) -> None:
    box = Mailbox(free_port())
    async with town(tmp_path, mail_text(box.port)) as place:
        await place.tenant("Acme", 10)
        admin = await place.person("Acme", "ada@acme.example", "client_admin")
        wish = {"tenant_id": admin.tenant_id, "users": [{"email": "new@acme.example"}]}
        made = await admin.done("POST", "/v1/admin/users/invite", wish)
        assert made["email"] == "queued"
        end_s = time.monotonic() + WAIT_S
        while True:
            status, ready = await admin.api("GET", "/readyz")
            if any(
                "mail: the server takes no letters" in each for each in ready.get("trouble", [])
            ):
                break
            assert time.monotonic() < end_s, ready
            await asyncio.sleep(0.05)
        assert status == 200
        await _spend(place, admin.key, 1)


@contextlib.contextmanager
def gateways(folder: Path, text: str, count: int) -> Iterator[list[Served]]:
    """Several gateways of two workers each, on one storage."""
    running: list[Served] = []
    try:
        for number in range(count):
            place = folder / f"g{number}"
            place.mkdir()
            own = text.replace(str(folder / "journal"), str(place / "journal"))
            (place / "gateway.toml").write_text(
                own.replace("port = 0\n", "port = 0\nworkers = 2\n", 1)
            )
            running.append(Served(place))
        yield running
    finally:
        for each in running:
            if each.port:
                each.stop()


async def _tenants_over(running: Served, there: Provider, count: int) -> None:
    """So many tenants whose allowance is used, each with two administrators."""
    there.usual = costs(12, HAIKU)
    running.command("package", "create", "Ten", "--monthly-credits", "10")
    for number in range(count):
        name = f"Tenant {number}"
        running.command("tenant", "create", name, "--package", "Ten")
        for who in ("ann", "eve"):
            role = ("--role", "client_admin")
            running.command("user", "create", f"{who}@t{number}.example", "--tenant", name, *role)
        words = ("key", "create", "--user", f"ann@t{number}.example", "--tenant", name)
        key = running.command(*words).strip()
        client = await Client.connect(running.port, key)
        try:
            reply = await client.post(ask(HAIKU, stream=False))
        finally:
            client.close()
        assert reply.status == 200, reply.body


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_two_gateways_of_two_workers_tell_each_administrator_once(
    tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    """The mail server is down when they begin and one gateway is killed meanwhile: the others
    send what it left, and nobody is told twice."""
    box = Mailbox(free_port())
    async with provider() as there:
        text = town_text(there.port, tmp_path, mail_text(box.port))
        if kind == "postgres":
            url = request.getfixturevalue("postgres_url")
            text = text.replace(f"sqlite:///{tmp_path / 'gateway.db'}", url)
        with gateways(tmp_path, text, 2) as (one, two):
            one.command("migrate")
            await asyncio.to_thread(one.start)
            await asyncio.to_thread(two.start)
            await _tenants_over(one, there, 3)
            await until(lambda: "they wait" in one.log() + two.log(), "the server is missed")
            one.kill()
            box.start()
            try:
                await asyncio.to_thread(box.got, 6, WAIT_S)
                await asyncio.sleep(1)
            finally:
                box.stop()
            told = sorted(mail.recipients[0] for mail in box.mails)
            assert told == sorted(
                f"{who}@t{number}.example" for who in ("ann", "eve") for number in range(3)
            )
            assert len({mail.message["Message-ID"] for mail in box.mails}) == 6
