"""What a deployment on Bedrock's runtime turns out not to know.

Bedrock says `invalid beta flag` and not which: the betas that `betas.py` does not know are
suspected first, and all of them only when that was not it (translation.md 5.3).
"""

from collections.abc import Iterator

from proxy.providers.compat_lessons import ALL_BETAS, CompatLessons, named_hints

UNKNOWN_BETAS = "anthropic-beta (unknown)"
"""Learned for all betas that the table does not have."""


class BedrockLessons(CompatLessons):
    """Of one deployment. Names of betas and of fields."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(self._suspected)

    def _suspected(self, body: bytes) -> Iterator[str]:
        for name in named_hints(body):
            is_first = name == ALL_BETAS and UNKNOWN_BETAS not in self._kept
            yield UNKNOWN_BETAS if is_first else name
