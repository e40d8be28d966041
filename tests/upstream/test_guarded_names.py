"""Names are looked up once, and what they are found to be is judged then."""

import socket

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from proxy.upstream.guarded_names import AddressRefusedError, GuardedNames


class ScriptedNames(AbstractResolver):
    """A name server that answers as it is told, the last answer again and again."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, int]] = []
        self.closed = False

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append((host, port))
        addresses = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            ResolveResult(hostname=host, host=each, port=port, family=int(family), proto=0, flags=0)
            for each in addresses
        ]

    async def close(self) -> None:
        self.closed = True


async def found(names: GuardedNames, host: str, port: int = 443) -> list[str]:
    return [each["host"] for each in await names.resolve(host, port)]


async def test_a_public_name_is_found() -> None:
    names = GuardedNames(ScriptedNames(["8.8.8.8", "2606:4700::1111"]), ())
    assert await found(names, "search.example") == ["8.8.8.8", "2606:4700::1111"]


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["::1"], ["169.254.169.254"], ["::ffff:10.0.0.1"], ["8.8.8.8", "10.0.0.1"]],
)
async def test_a_name_with_one_inner_address_is_refused(addresses: list[str]) -> None:
    names = GuardedNames(ScriptedNames(addresses), ())
    with pytest.raises(AddressRefusedError, match=r"search\.example is not on the public"):
        await found(names, "search.example")


async def test_a_name_that_changes_its_mind_is_refused_from_then_on() -> None:
    names = GuardedNames(ScriptedNames(["8.8.8.8"], ["127.0.0.1"]), ())
    assert await found(names, "rebinding.example") == ["8.8.8.8"]
    with pytest.raises(AddressRefusedError):
        await found(names, "rebinding.example")


async def test_only_the_configured_host_and_port_may_be_anywhere() -> None:
    names = GuardedNames(ScriptedNames(["10.0.0.5"]), {("firecrawl.internal", 3002)})
    assert await found(names, "firecrawl.internal", 3002) == ["10.0.0.5"]
    assert await found(names, "FireCrawl.Internal", 3002) == ["10.0.0.5"]
    for host, port in (("firecrawl.internal", 22), ("a.firecrawl.internal", 3002)):
        with pytest.raises(AddressRefusedError):
            await found(names, host, port)


async def test_closing_it_closes_what_it_asks() -> None:
    scripted = ScriptedNames(["8.8.8.8"])
    await GuardedNames(scripted, ()).close()
    assert scripted.closed
