"""What a user's aliases stand for, where they say so themselves."""

import msgspec


class AliasMapping(msgspec.Struct, frozen=True):
    """A user's own targets for the three aliases (domain.md 6); picks stay while it is off."""

    enabled: bool = False
    opus: str | None = None
    sonnet: str | None = None
    haiku: str | None = None

    def target(self, family: str) -> str | None:
        """The saved target of a family, or None while the mapping is off or the pick is empty."""
        if not self.enabled:
            return None
        pick: str | None = getattr(self, family, None)
        return pick
