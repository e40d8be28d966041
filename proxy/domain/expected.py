"""What the way back must know of a translated request: made with it, read with the reply."""

from collections.abc import Mapping
from typing import Literal

import msgspec


class Expected(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Facts of one request as it was sent to one deployment.

    `tool_names` are names as the provider saw them to names as the client wrote them, only those
    that differ. `seen_tool_ids` are ids of calls as the client has them in its history: a reply
    must not repeat one (translation.md 2.5). `stop_sequences` are matched by us.
    """

    tool_names: Mapping[str, str] = {}
    seen_tool_ids: frozenset[str] = frozenset()
    stop_sequences: tuple[str, ...] = ()
    first_call_only: bool = False
    """`disable_parallel_tool_use`: later calls do not exist (translation.md 1.7)."""
    no_calls: bool = False
    """`tool_choice: none` where the provider cannot be told: calls are discarded."""
    must_call: bool = False
    """A call was demanded where the provider can only be asked for one in words (1.7)."""
    thinking: Literal["shown", "omitted", "swallowed"] = "swallowed"
    """`omitted`: a block with empty text, the thinking sealed in its signature (1.8)."""


NOTHING_EXPECTED = Expected()
