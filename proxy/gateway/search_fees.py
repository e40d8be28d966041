"""What searches of a request come to in the books: a line each (domain.md 15)."""

from proxy.domain.call import Arrival, Call
from proxy.domain.entry import COMPLETED
from proxy.domain.fault import Fault
from proxy.domain.usage import Usage
from proxy.gateway.means import Means
from proxy.ledger.tab import Tab

SEARCHER = "web_search"
"""What stands as provider on the row of a search."""


def begun_now(means: Means, call: Call, body: bytes = b"") -> Arrival:
    """The request, as what begins now: its row tells its own time, not that of all before."""
    return call.arrival.again(body, int(means.wall() * 1000), means.monotonic())


def book_search(means: Means, call: Call, begun: Arrival) -> None:
    """A search worked that began at `begun`. Its line is written at once."""
    as_asked = call.streamed and not call.is_turn
    search = Call(begun, call.caller, call.model, call.asked, call.via, as_asked)
    tab = Tab(means.new_event_id(), search)
    tab.provider = SEARCHER
    tab.first_byte(means.monotonic())
    entry = tab.close(
        COMPLETED,
        Usage(web_searches=1),
        means.monotonic(),
        status=200,
        search_fee_credits=means.search_fee_credits,
    )
    try:
        ticket = means.desk.admit_free(call.caller, estimate_tokens=0, now_ms=begun.received_ms)
    except Fault:
        # Too fast by now: it was made all the same, and storage tells the others of it.
        ticket = None
    if ticket is not None:
        ticket.settle(tab.credits, 0)
    means.books.record(entry, _nothing_to_do)


def _nothing_to_do() -> None:
    """Nobody waits for the row of a search."""
