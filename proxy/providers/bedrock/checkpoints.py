"""Where the prompt's cache has its checkpoints in a Converse request: the `cache_control` of
Anthropic's blocks as `cachePoint` blocks behind them (translation.md 10).

A request takes four of them, none behind another; which models take them where is the dialect's to
say (`converse_row.py`). Those behind later parts of the prompt count for more: a cache is looked
for backwards from them.
"""

import msgspec

CHECKPOINTS_MAX = 4
_KEY = "cachePoint"
_HOUR = "1h"

Block = dict[str, object]


class Mark(msgspec.Struct):
    """A `cache_control`."""

    ttl: msgspec.Raw = msgspec.Raw()


_read = msgspec.json.Decoder(Mark).decode
_read_ttl = msgspec.json.Decoder(str).decode


class Checkpoints(msgspec.Struct, frozen=True):
    """Which of them a model takes."""

    hour: bool = False
    """May one hold for an hour?"""
    behind_results: bool = False
    """May one stand behind the result of a call?"""

    def behind(self, mark: msgspec.Raw) -> list[Block]:
        """The block for one mark, none where there is no mark or it is nonsense: it is a hint."""
        if not mark or bytes(mark) == b"null":
            return []
        point = {"type": "default"}
        try:
            ttl = _read(mark).ttl
            if self.hour and ttl and _read_ttl(ttl) == _HOUR:
                point["ttl"] = _HOUR
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return []
        return [{_KEY: point}]


def thinned(places: list[list[Block]]) -> None:
    """Take out what are too many. `places` are lists of blocks in the order of the prompt."""
    seen = 0
    for blocks in reversed(places):
        for at in range(len(blocks) - 1, -1, -1):
            if _KEY not in blocks[at]:
                continue
            is_alone = at > 0 and _KEY not in blocks[at - 1]
            if is_alone and seen < CHECKPOINTS_MAX:
                seen += 1
            else:
                del blocks[at]
