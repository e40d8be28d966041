"""Somebody who waits for a credential, and remembers what came of it."""

from proxy.domain.fault import Fault


class Waits:
    """`told` holds None for each credential that was ready, and the Fault of each that was not."""

    def __init__(self) -> None:
        self.told: list[Fault | None] = []

    def credential_ready(self) -> None:
        self.told.append(None)

    def lease_failed(self, fault: Fault) -> None:
        self.told.append(fault)
