"""What a deployment on Bedrock's runtime turns out not to know.

Bedrock says `invalid beta flag` and not which: the betas that `betas.py` does not know are
suspected first, and all of them only when that was not it (translation.md 5.3).
"""

from collections.abc import Iterator

from proxy.providers.compat_lessons import (
    ALL_BETAS,
    FORGOTTEN_AFTER_S,
    CompatLessons,
    named_hints,
)

UNKNOWN_BETAS = "anthropic-beta (unknown)"
"""Learned for all betas that the table does not have."""
SURE_AFTER_S = 1.0
"""Until so long after that lesson a refusal may be that of a request from before it."""


class BedrockLessons(CompatLessons):
    """Of one deployment. Names of betas and of fields."""

    __slots__ = ("_now_s",)

    def __init__(self) -> None:
        super().__init__(self._suspected)
        self._now_s = 0.0

    def learn(self, status: int, body: bytes, now_s: float) -> str:
        """See `providers/compat_lessons.py`."""
        self._now_s = now_s
        return super().learn(status, body, now_s)

    def _suspected(self, body: bytes) -> Iterator[str]:
        for name in named_hints(body):
            yield UNKNOWN_BETAS if name == ALL_BETAS and not self._is_another() else name

    def _is_another(self) -> bool:
        """Is it refused still, without the betas that are not known?"""
        until_s = self._kept.get(UNKNOWN_BETAS)
        return until_s is not None and self._now_s >= until_s - FORGOTTEN_AFTER_S + SURE_AFTER_S
