"""`/v1/admin/settings` and `/v1/admin/reload`: what the gateway runs with, and the file read anew.

Shows no secret and no reference to one, and no part of an address that may hold one. A file with a
mistake in it changes nothing: the reply says what is wrong with it.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Protocol

import msgspec
from msgspec import inspect

from proxy.admin.endpoint import AnyEndpoint, Asked, Endpoint, NoBody, NoQuery
from proxy.config.settings import Settings, without_password
from proxy.domain.fault import Fault, Kind
from proxy.domain.people import Actor
from proxy.domain.permissions import MSP_SETTINGS

PROBLEMS_TOLD_MAX: Final = 20
_ELSEWHERE: Final = ("providers", "models")
"""They have endpoints of their own."""

Reload = Callable[[], Awaitable[Sequence[str]]]
"""Reads the file anew and swaps it in whole. What is wrong with it, one line each; then the old one
stays. Nothing: it is in force."""


class Notes(Protocol):
    """Where deeds are noted. Implemented by `storage/notes.py`."""

    async def note(self, by: Actor, action: str, target: str, after: object = None, /) -> None:
        """One line of the audit."""


class Effective(msgspec.Struct, frozen=True):
    """The settings that hold, by section; without secrets."""

    settings: dict[str, dict[str, Any]]


class Reloaded(msgspec.Struct, frozen=True):
    """The file is in force. Ports, storage and times of waiting need a restart."""

    reloaded: bool = True


class InstallationPages:
    """The handlers. `settings` gives those of now."""

    def __init__(self, settings: Callable[[], Settings], reload: Reload, notes: Notes) -> None:
        self._settings = settings
        self._reload = reload
        self._notes = notes

    def endpoints(self) -> list[AnyEndpoint]:
        """The rows of the table."""
        return [
            Endpoint(
                method="GET",
                path="/v1/admin/settings",
                summary="The settings that hold, without secrets",
                handler=self._read,
                reply=Effective,
                query=NoQuery,
                body=NoBody,
                needs=(MSP_SETTINGS,),
            ),
            Endpoint(
                method="POST",
                path="/v1/admin/reload",
                summary="Read the configuration anew; a bad file keeps the old one",
                handler=self._read_anew,
                reply=Reloaded,
                query=NoQuery,
                body=NoBody,
                needs=(MSP_SETTINGS,),
            ),
        ]

    async def _read(self, asked: Asked[NoQuery, None]) -> Effective:
        settings = self._settings()
        return Effective(
            {
                section: shown(getattr(settings, section))
                for section in Settings.__struct_fields__
                if section not in _ELSEWHERE
            }
        )

    async def _read_anew(self, asked: Asked[NoQuery, None]) -> Reloaded:
        problems = await self._reload()
        if problems:
            told = list(problems[:PROBLEMS_TOLD_MAX])
            if len(problems) > len(told):
                told.append(f"and {len(problems) - len(told)} more")
            raise Fault(
                Kind.BAD_REQUEST,
                f"The configuration was not changed: {'; '.join(told)}.",
                hint="`hatz-gateway check-config` tells the same.",
                retry=False,
                reason="bad_configuration",
            )
        await self._notes.note(asked.actor, "configuration.reload", "configuration")
        return Reloaded()


def shown(section: msgspec.Struct) -> dict[str, Any]:
    """A section as it may be seen."""
    kind = inspect.type_info(type(section))
    assert isinstance(kind, inspect.StructType)
    values: dict[str, Any] = msgspec.to_builtins(section)
    return {
        each.name: _without_secrets(values[each.name])
        for each in kind.fields
        if not _is_secret(each.type)
    }


def _is_secret(kind: inspect.Type) -> bool:
    return isinstance(kind, inspect.Metadata) and bool((kind.extra or {}).get("secret"))


def _without_secrets(value: Any) -> Any:
    """Addresses lose passwords, also those in a query."""
    if not isinstance(value, str) or "://" not in value:
        return value
    address, mark, _ = without_password(value).partition("?")
    return f"{address}{mark}***" if mark else address
