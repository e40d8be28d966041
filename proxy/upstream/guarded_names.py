"""Names to addresses, none of them anybody's inside: what a client asks right before it connects.

The addresses given back are the ones connected to: there is no second look-up that a name server
could answer differently (DNS rebinding). Where the operator has said where to go, any address is
right: services of one's own live on private networks.
"""

import socket
from collections.abc import Collection

from aiohttp.abc import AbstractResolver, ResolveResult

from proxy.upstream.public_address import is_public_address

Place = tuple[str, int]
"""Host as it is written in a URL, in lower case and without brackets; port."""


class AddressRefusedError(OSError):
    """Of a host that lives where requests must not be led."""

    def __init__(self, host: str) -> None:
        super().__init__(f"{host} is not on the public internet, and not configured")


class GuardedNames(AbstractResolver):
    """For aiohttp's connector. `excepted` may resolve to anything."""

    def __init__(self, names: AbstractResolver, excepted: Collection[Place]) -> None:
        self._names = names
        self._excepted = excepted

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """All addresses of a host. Raises OSError; AddressRefusedError when even one is not public,
        as no honest name has such a mixture."""
        found = await self._names.resolve(host, port, family)
        if (host.lower(), port) not in self._excepted:
            for each in found:
                if not is_public_address(each["host"]):
                    raise AddressRefusedError(host)
        return found

    async def close(self) -> None:
        """Nothing is asked any more."""
        await self._names.close()
