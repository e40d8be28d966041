"""What the model is asked, turn after turn of a request that may search (translation.md 9.2, 9.3,
9.7): the client's conversation told in the model's terms, and behind it each turn that searched.
"""

from collections.abc import Sequence

import msgspec

from proxy.web_search.citing import Citing
from proxy.web_search.dangling import find_dangling, last_words
from proxy.web_search.follow_up import follow_up, with_follow_up
from proxy.web_search.history import Retelling
from proxy.web_search.orders import Ask
from proxy.web_search.past_results import PastResults
from proxy.web_search.query import query_of_words
from proxy.web_search.result_blocks import Answer
from proxy.web_search.shown_tool import with_custom_tool
from proxy.web_search.tool import Wish
from proxy.wire.body import Body, with_fields


class _Choice(msgspec.Struct):
    disable_parallel_tool_use: bool = False


class Conversation:
    """One request. `off`: searching is switched off."""

    def __init__(
        self, body: Body, wish: Wish, past: PastResults, citing: Citing, *, off: bool
    ) -> None:
        """Raises Fault 400 for a history that was altered or cannot be gone on with."""
        messages = body.fields["messages"]
        self._body = body
        self._wish = wish
        self._citing = citing
        self._off = off
        retelling = Retelling(messages, past, citing=citing, off=off)
        self._messages = retelling.retell()  # what of it was altered is refused here and now
        self._call_ids = retelling.call_ids
        self.dangling = find_dangling(messages, may_search=True)
        """Searches it left undone."""
        self.forced = query_of_words(last_words(messages)) if wish.forced else None
        """What is searched for where the client demands it and the model does not."""
        self._answers: dict[str, Answer] = {}
        self._retelling = retelling if self.dangling else None
        """Until those are made."""

    def answer(self, search: str, answer: Answer) -> None:
        """A search is over; those that were left undone belong to the client's conversation."""
        if any(search == left.id for left in self.dangling):
            self._answers[search] = answer

    def asked(self, order: Ask, said: Sequence[bytes]) -> Body:
        """The request of the next turn; `said` are the blocks of the one that is over."""
        if self._retelling is not None:
            self._messages = self._retelling.retell(self._answers)
            self._call_ids = self._retelling.call_ids
            self._retelling = None
        elif order.answered:
            more = follow_up(
                said, order.answered, self._call_ids, citing=self._citing, off=self._off
            )
            self._messages = with_follow_up(self._messages, more)
        return with_fields(self._body, self._changes(order))

    def forget(self) -> None:
        """Nothing more will be asked: conversations are large."""
        self._messages = b""
        self._retelling = None

    def _changes(self, order: Ask) -> dict[str, bytes]:
        fields = self._body.fields
        changes = {
            "messages": self._messages,
            "tools": with_custom_tool(fields["tools"], self._wish, self._citing),
            "stream": b"true",
        }
        if order.choice != "asked":
            asked = fields.get("tool_choice")
            alone = asked is not None and _is_alone(asked)
            flag = b',"disable_parallel_tool_use":true' if alone else b""
            changes["tool_choice"] = b'{"type":"%b"%b}' % (
                order.choice.encode(),
                flag if order.choice == "auto" else b"",
            )
        return changes


def _is_alone(choice: msgspec.Raw) -> bool:
    try:
        return msgspec.json.decode(choice, type=_Choice).disable_parallel_tool_use
    except msgspec.DecodeError:
        return False
