"""What a server that speaks chat completions turns out not to know, learned from its own refusals.

A refusal that names a field we sent as unknown or unsupported gives a dialect that does without
it; kept per deployment for an hour, because servers are updated (translation.md 1.1). Only fields
that are hints, or have another way, are ever left out: never messages, never tools.
"""

import msgspec

from proxy.domain.dialect import Dialect
from proxy.providers.openai_chat.concessions import Changes, concession, concessions_in_words
from proxy.wire.chat_error import read_said
from proxy.wire.overflow import read_overflow
from proxy.wire.refused_fields import MESSAGE_CHARS_MAX, refused_fields

FORGOTTEN_AFTER_S = 3600.0
IN_FLIGHT_S = 60.0
"""So long after a lesson requests may come back refused that were sent before it."""


class Lessons:
    """The dialect of one deployment with what it taught. Bounded: by the fields there are."""

    __slots__ = ("_base", "_current", "_expires_s", "_kept")

    def __init__(self, base: Dialect) -> None:
        self._base = base
        self._current = base
        self._kept: dict[str, tuple[float, Changes]] = {}
        self._expires_s = float("inf")

    def dialect(self, now_s: float) -> Dialect:
        """How the deployment is to be spoken to now. `now_s` only ever grows."""
        if now_s >= self._expires_s:
            self._forget(now_s)
        return self._current

    def learn(self, status: int, body: bytes, now_s: float) -> str:
        """The field that a refusal is about, when the request can be sent again without it."""
        current = self.dialect(now_s)
        learned = _learned(status, body, current)
        if learned:
            for field, changes in learned.items():
                _, earlier = self._kept.get(field, (0.0, {}))
                self._kept[field] = (now_s + FORGOTTEN_AFTER_S, earlier | changes)
            self._rebuild()
            return ", ".join(learned)
        # Another request may have been on its way when this was learned from the first.
        fresh_s = now_s + FORGOTTEN_AFTER_S - IN_FLIGHT_S
        known = [
            field
            for field in _learned(status, body, self._base)
            if self._kept.get(field, (0.0,))[0] > fresh_s
        ]
        return ", ".join(known)

    def learned(self, now_s: float) -> tuple[str, ...]:
        """The fields that are left out at present, for whoever watches."""
        self.dialect(now_s)
        return tuple(sorted(self._kept))

    def _forget(self, now_s: float) -> None:
        self._kept = {field: kept for field, kept in self._kept.items() if kept[0] > now_s}
        self._rebuild()

    def _rebuild(self) -> None:
        changes = {name: value for _, each in self._kept.values() for name, value in each.items()}
        self._current = msgspec.structs.replace(self._base, **changes)
        self._expires_s = min([until_s for until_s, _ in self._kept.values()], default=float("inf"))


def _learned(status: int, body: bytes, dialect: Dialect) -> dict[str, Changes]:
    """Each refused field, with what `dialect` must change: only what makes a difference."""
    if status not in (400, 422):
        return {}
    said = read_said(body)
    text = said.message
    if not text or len(text) > MESSAGE_CHARS_MAX:
        return {}
    if read_overflow(text, status=status, codes=said.names) is not None:
        return {}
    learned: dict[str, Changes] = {}
    for place, field in refused_fields(said):
        changes = concession(place, field, dialect, text.lower())
        if _differs(dialect, changes):
            learned.setdefault(field, changes)
    for field, changes in concessions_in_words(text, dialect):
        if _differs(dialect, changes):
            learned.setdefault(field, changes)
    return learned


def _differs(dialect: Dialect, changes: Changes) -> bool:
    return any(getattr(dialect, name) != value for name, value in changes.items())
