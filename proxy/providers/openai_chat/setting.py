"""What holds for one request while it is translated, and what is gathered on the way."""

import hashlib

import msgspec

from proxy.domain.dialect import Dialect
from proxy.domain.fault import Fault
from proxy.wire.messages_request import bad
from proxy.wire.seal import ThinkingSeal

_NAME_DIGEST_CHARS = 8


class Setting(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Facts. `october`: the client asked for API version 2026-10-21, which takes less.
    `counting`: what cannot be sent is left out, nothing is refused for its content."""

    dialect: Dialect
    seal: ThinkingSeal
    model_id: str
    tenant_id: str
    vision: bool
    october: bool
    counting: bool
    thinking_on: bool


class Names:
    """Names of tools as the provider sees them (translation.md 1.6): too long ones are shortened,
    always the same way. `renamed` leads back."""

    __slots__ = ("_chars_max", "_short", "renamed")

    def __init__(self, chars_max: int) -> None:
        self._chars_max = chars_max
        self._short: dict[str, str] = {}
        self.renamed: dict[str, str] = {}

    def upstream(self, name: str) -> str:
        """The name to send for the client's `name`."""
        if not self._chars_max or len(name) <= self._chars_max:
            return name
        short = self._short.get(name)
        if short is None:
            digest = hashlib.sha256(name.encode()).hexdigest()[:_NAME_DIGEST_CHARS]
            short = f"{name[: self._chars_max - _NAME_DIGEST_CHARS - 1]}_{digest}"
            self._short[name] = short
            self.renamed[short] = name
        return short


class Gathered:
    """What the conversation tells beside its messages."""

    __slots__ = ("call_ids", "names", "referenced")

    def __init__(self, tool_name_chars_max: int) -> None:
        self.names = Names(tool_name_chars_max)
        self.call_ids: set[str] = set()
        """Ids of calls as the client has them."""
        self.referenced: set[str] = set()
        """Names of deferred tools that a tool search has found."""


def unsupported(what: str, where: str, setting: Setting) -> Fault:
    """400 for content that this model cannot be given and that must not vanish silently."""
    return bad(f"{where}: {what} is not supported by the model {setting.model_id}.")
