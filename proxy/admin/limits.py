"""`/v1/admin/limits`: the installation's ladder and hard stop, for all without terms of their own
(domain.md 8.2). What is changed here wins over the configuration, and holds from the next request.
"""

from collections.abc import Callable
from typing import Any, Final, Protocol, TypeVar

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from proxy.admin.endpoint import AnyEndpoint, Asked, Endpoint, NoBody, NoQuery
from proxy.admin.packages import LadderWish, climbed
from proxy.admin.usage_limits import Rules
from proxy.domain.people import Actor
from proxy.domain.permissions import MSP_SETTINGS, MSP_VIEW
from proxy.domain.terms import Ladder, Step

NAME: Final = "limits"
"""What it is called in storage."""

_T = TypeVar("_T")


class LimitChange(msgspec.Struct, frozen=True):
    """What an administrator changed; None: as configured. This is what is stored."""

    ladder: Ladder | None = None
    hard_stop: bool | None = None

    def over(self, configured: Rules) -> Rules:
        """What holds."""
        return Rules(
            configured.ladder if self.ladder is None else self.ladder,
            configured.hard_stop if self.hard_stop is None else self.hard_stop,
        )


NO_CHANGE: Final = LimitChange()


class NamedValues(Protocol):
    """Where it is stored. Implemented by `storage/installation.py`."""

    async def get(self, name: str, kind: type[_T], /) -> _T | None:
        """The value of this name, if it was set."""

    async def set(self, name: str, value: object, by: Actor, /) -> None:
        """Set it."""

    async def clear(self, name: str, by: Actor, /) -> None:
        """As configured again."""


class LimitRules(msgspec.Struct, frozen=True):
    """From `ratio` of an allowance on, models of at least `multiplier` are restricted (null: all
    that are not of the base level); with `hard_stop` everything is once it is used."""

    ladder: list[Step]
    hard_stop: bool


class HouseLimits(LimitRules, frozen=True):
    """What holds; `defaults` is what is configured, `changed` what was changed of it here."""

    defaults: LimitRules
    changed: list[str]


class LimitWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is left out stays as it is; null: as configured again."""

    ladder: LadderWish | UnsetType | None = UNSET
    hard_stop: bool | UnsetType | None = UNSET


class LimitDesk:
    """The handlers. `configured` gives what the file says."""

    def __init__(self, store: NamedValues, configured: Callable[[], Rules]) -> None:
        self._store = store
        self._configured = configured

    def endpoints(self) -> list[AnyEndpoint]:
        """The rows of the table."""
        path = "/v1/admin/limits"
        return [
            Endpoint(
                method="GET",
                path=path,
                summary="The installation's ladder and hard stop",
                handler=self._read,
                reply=HouseLimits,
                query=NoQuery,
                body=NoBody,
                needs=(MSP_VIEW, MSP_SETTINGS),
            ),
            Endpoint(
                method="PUT",
                path=path,
                summary="Change the installation's ladder or hard stop",
                handler=self._write,
                reply=HouseLimits,
                query=NoQuery,
                body=LimitWish,
                needs=(MSP_SETTINGS,),
            ),
        ]

    async def _read(self, asked: Asked[NoQuery, None]) -> HouseLimits:
        return self._told(await self._change())

    async def _write(self, asked: Asked[NoQuery, LimitWish]) -> HouseLimits:
        wish, before = asked.body, await self._change()
        fields: dict[str, Any] = {}
        if wish.ladder is not UNSET:
            fields["ladder"] = climbed(wish.ladder)
        if wish.hard_stop is not UNSET:
            fields["hard_stop"] = wish.hard_stop
        after = replace(before, **fields)
        if after == NO_CHANGE:
            await self._store.clear(NAME, asked.actor)
        elif after != before:
            await self._store.set(NAME, after, asked.actor)
        return self._told(after)

    async def _change(self) -> LimitChange:
        return await self._store.get(NAME, LimitChange) or NO_CHANGE

    def _told(self, change: LimitChange) -> HouseLimits:
        configured = self._configured()
        rules = change.over(configured)
        return HouseLimits(
            ladder=list(rules.ladder),
            hard_stop=rules.hard_stop,
            defaults=LimitRules(list(configured.ladder), configured.hard_stop),
            changed=[
                name for name in LimitChange.__struct_fields__ if getattr(change, name) is not None
            ],
        )
