"""What happens to a request that may search while searching is switched off (translation.md 9.1).

Where the search is its whole point it is refused at once; else it goes on, for desktop clients put
the tool into every turn, and only a search the model really asks for is answered with the sentence.
"""

from typing import Literal

from proxy.domain.fault import Fault, Kind
from proxy.web_search.tool import Wish

NOT_ENABLED = (
    "Web search is not enabled for this gateway. "
    "Ask your administrator to enable Anthropic gateway web search."
)
"""Claude Code shows it to the user."""
WhenOff = Literal["auto", "error", "message"]


def refuse_if_off(wish: Wish, when_off: WhenOff) -> None:
    """Raises Fault 400 where the request must not go on. Never asked when tokens are counted."""
    if when_off == "error" or (when_off == "auto" and wish.is_point):
        raise Fault(Kind.BAD_REQUEST, NOT_ENABLED, reason="web_search_disabled")
