"""What the loop of searches wants done: data, carried out by whoever can (house.md 2.4)."""

from typing import Literal

import msgspec

from proxy.web_search.query import Query
from proxy.web_search.result_blocks import Answer


class ShowCall(msgspec.Struct, frozen=True):
    """Show the client a `server_tool_use`."""

    id: str
    arguments: bytes


class Search(msgspec.Struct, frozen=True):
    """Search now, and say `found` within `timeout_s`, retry included."""

    id: str
    query: str
    timeout_s: float


class ShowResult(msgspec.Struct, frozen=True):
    """Show the client a `web_search_tool_result`."""

    id: str
    answer: Answer


class Answered(msgspec.Struct, frozen=True):
    """A call of the round that is over, for the model. `id` is the search's."""

    id: str
    query: Query
    answer: Answer


class Ask(msgspec.Struct, frozen=True):
    """Ask the model. `answered` belong to the assistant turn that is over, none for the first.
    `choice`: as the client asked; `auto` (whoever forbade parallel calls still does); `none`."""

    answered: tuple[Answered, ...]
    choice: Literal["asked", "auto", "none"]


class End(msgspec.Struct, frozen=True):
    """The message is over. What was held of the client's own calls goes out before."""

    stop_reason: str


Order = ShowCall | Search | ShowResult | Ask | End
