"""`/v1/admin/settings/web-search`: does the installation search the web? What is changed here wins
over the configuration, and holds from the next request; where the search service is, and with which
key, stays with the configuration.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from proxy.admin.endpoint import AnyEndpoint, Asked, Endpoint, NoBody, NoQuery
from proxy.admin.limits import NamedValues
from proxy.domain.fault import Fault, Kind
from proxy.domain.permissions import MSP_SETTINGS, MSP_VIEW

NAME: Final = "web_search"
"""What it is called in storage."""


class SearchChange(msgspec.Struct, frozen=True):
    """What an administrator changed. This is what is stored."""

    enabled: bool


class SearchSwitchWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """On or off; null: as configured again."""

    enabled: bool | None


class SearchSwitchState(msgspec.Struct, frozen=True):
    """What holds. `default` is what is configured, `changed` whether that was changed here;
    `lacking` is what is missing for searches to be made, empty: nothing."""

    enabled: bool
    default: bool
    changed: bool
    lacking: str


class SearchSwitch:
    """The handlers. `configured` gives what the file says, `lacking` what is missing."""

    def __init__(
        self, store: NamedValues, configured: Callable[[], bool], lacking: Callable[[], str]
    ) -> None:
        self._store = store
        self._configured = configured
        self._lacking = lacking

    def endpoints(self) -> list[AnyEndpoint]:
        """The rows of the table."""
        path = "/v1/admin/settings/web-search"
        return [
            Endpoint(
                method="GET",
                path=path,
                summary="Does the installation search the web?",
                handler=self._read,
                reply=SearchSwitchState,
                query=NoQuery,
                body=NoBody,
                needs=(MSP_VIEW, MSP_SETTINGS),
            ),
            Endpoint(
                method="PUT",
                path=path,
                summary="Switch web search on or off for the installation",
                handler=self._write,
                reply=SearchSwitchState,
                query=NoQuery,
                body=SearchSwitchWish,
                needs=(MSP_SETTINGS,),
                refusals=(409,),
            ),
        ]

    async def _read(self, asked: Asked[NoQuery, None]) -> SearchSwitchState:
        return self._told(await self._store.get(NAME, SearchChange))

    async def _write(self, asked: Asked[NoQuery, SearchSwitchWish]) -> SearchSwitchState:
        wanted = asked.body.enabled
        before = await self._store.get(NAME, SearchChange)
        if wanted is None:
            await self._store.clear(NAME, asked.actor)
            return self._told(None)
        if wanted and (lacking := self._lacking()):
            raise Fault(
                Kind.CONFLICT,
                f"enabled: Searches cannot be made: {lacking}.",
                hint="Complete [web_search] of the configuration and restart the gateway.",
                retry=False,
            )
        after = SearchChange(wanted)
        if after != before:
            await self._store.set(NAME, after, asked.actor)
        return self._told(after)

    def _told(self, change: SearchChange | None) -> SearchSwitchState:
        default, lacking = self._configured(), self._lacking()
        wanted = default if change is None else change.enabled
        return SearchSwitchState(
            enabled=wanted and not lacking,
            default=default,
            changed=change is not None,
            lacking=lacking,
        )
