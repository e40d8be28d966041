"""A request that may search, carried out: the model is asked, searches are made, it is asked again,
and the client sees one message, live (translation.md 9).

The decisions are the loop's (`web_search/loop.py`), what the client sees is the splice's; each turn
is a `Relay` of its own, with its failover, deadlines and row of the ledger, and writes to us as if
we were the client. One state variable:

    TURN        the model speaks: a relay is under way
    SEARCHING   it has spoken (or not yet begun), and is not asked before searches are over
    ENDED       the client has had the last of it
"""

import logging
from collections.abc import Callable, Sequence
from enum import Enum

from proxy.domain.call import Arrival, Call
from proxy.domain.entry import HOUSE_ERROR, PARTIAL, Outcome
from proxy.domain.fault import Fault, Kind, Source
from proxy.domain.usage import Usage
from proxy.gateway.means import Means, Route, Ticket
from proxy.gateway.outlet import Outlet, Reader
from proxy.gateway.relay import Relay
from proxy.gateway.search_fees import begun_now, book_search
from proxy.gateway.search_reply import SearchReply
from proxy.gateway.searching import Searching
from proxy.gateway.tasks import Tasks
from proxy.ledger.credits import forecast
from proxy.upstream.search_carrier import RequestSearches
from proxy.web_search.citing import how_cited
from proxy.web_search.conversation import Conversation
from proxy.web_search.hit import Failed, Found, Sources
from proxy.web_search.hit import Outcome as SearchOutcome
from proxy.web_search.loop import Bounds, SearchLoop
from proxy.web_search.orders import Ask, End, Order, Search, ShowCall, ShowResult
from proxy.web_search.past_results import PastResults
from proxy.web_search.result_blocks import shown_call, shown_result
from proxy.web_search.spend import summed
from proxy.web_search.splice import Splice
from proxy.web_search.tool import Wish
from proxy.wire.body import Body
from proxy.wire.events import stop_fields, usage_document
from proxy.wire.fault_body import read_error_body

_LOG = logging.getLogger("proxy.search")
_LEAVE = "leave"


class At(Enum):
    """Where the request stands."""

    TURN = "turn"
    SEARCHING = "searching"
    ENDED = "ended"


TURN, SEARCHING, ENDED = At


class SearchTurns:
    """One request: outlet of its relays, reader of the client's outlet."""

    def __init__(
        self,
        means: Means,
        searching: Searching,
        tasks: Tasks,
        call: Call,
        body: Body,
        wish: Wish,
        *,
        routes: Sequence[Route],
        outlet: Outlet,
        ticket: Ticket,
        refuse: Callable[[Fault], None],
    ) -> None:
        """`refuse` tells the client and keeps a support record, for what no row is written of.
        Raises Fault 400 for a history that cannot be gone on with."""
        self.gone = False
        self._means = means
        self._searching = searching
        self._tasks = tasks
        self._call = call
        self._wish = wish
        self._routes = routes
        self._outlet = outlet
        self._refuse = refuse
        self._ticket: Ticket | None = ticket
        self._relay: Reader | None = None
        self._at: At = SEARCHING
        self._usages: list[Usage] = []
        sources = Sources()
        citing = how_cited(body.fields, cites=routes[0].provider.cites)
        past = PastResults(call.caller.tenant_id, searching.seal, sources)
        self._conversation = Conversation(body, wish, past, citing, off=not searching.enabled)
        self._reply = SearchReply(call, outlet, means.wheel, means.patience)
        self._splice = Splice(
            self._reply.shown, sources, citing, searching.seal, call.caller.tenant_id
        )
        self._loop = SearchLoop(
            call.message_id,
            Bounds(
                deadline_s=means.monotonic() + searching.deadline_s,
                max_uses=wish.tool.max_uses,
                rounds_max=searching.rounds_max,
                enabled=searching.enabled,
            ),
            sources,
            forced=self._conversation.forced,
            has_client_tools=wish.has_client_tools,
        )
        self._full = False
        """Does the client read slower than we write?"""
        self._under_way: dict[str, Callable[[], object]] = {}
        """What cancels that which is waited for: searches by their ids, leave for a turn."""
        self._requests: RequestSearches | None = (
            searching.service.for_request() if searching.service is not None else None
        )

    @property
    def call(self) -> Call:
        """What was asked; for whoever looks on."""
        return self._call

    @property
    def stage(self) -> str:
        """Where it stands, for the same."""
        return self._at.value

    def begin(self) -> None:
        """Set out. From here on the request ends by itself."""
        self._outlet.serve(self._call, self)
        self._means.wheel.watch(self)
        dangling = self._conversation.dangling
        if dangling:
            self._reply.begin()
        self._carry_out(self._loop.begin(dangling, self._means.monotonic()))

    # ------------------------------------------------------------ the loop's orders

    def _carry_out(self, orders: Sequence[Order]) -> None:
        for order in orders:
            if self._at is ENDED:
                return
            if isinstance(order, ShowCall):
                self._splice.shown.searched(
                    shown_call(order.id, b"{}"),
                    order.arguments,
                    shown_call(order.id, order.arguments),
                )
            elif isinstance(order, Search):
                self._under_way[order.id] = self._tasks.start(self._search(order), "search the web")
            elif isinstance(order, ShowResult):
                self._show_result(order)
            elif isinstance(order, Ask):
                self._flush()
                self._ask(order)
            else:
                self._end(order)
        self._flush()

    def _show_result(self, order: ShowResult) -> None:
        self._conversation.answer(order.id, order.answer)
        issued_s = int(self._means.wall())
        tenant_id = self._call.caller.tenant_id
        self._splice.shown.block(
            shown_result(order.id, order.answer, self._searching.seal, tenant_id, issued_s)
        )

    async def _search(self, order: Search) -> None:
        begun = begun_now(self._means, self._call)
        outcome = await self._outcome(order)
        self._under_way.pop(order.id, None)
        if self._at is ENDED:
            return
        try:
            if isinstance(outcome, Found):
                book_search(self._means, self._call, begun)
            self._carry_out(self._loop.found(order.id, outcome, self._means.monotonic()))
        except Exception as bug:  # noqa: BLE001 - the last catch: nobody else would answer
            self._fail_by(bug)

    async def _outcome(self, order: Search) -> SearchOutcome:
        """Never raises: the model goes on without a search that failed."""
        account = self._searching.account
        if account is None or self._requests is None:
            return Failed("unavailable")
        request = account.call(order.query, self._wish.tool)
        if isinstance(request, Failed):
            return request
        try:
            return (await self._requests.search(request, order.timeout_s)).outcome
        except Exception as bug:  # noqa: BLE001 - the last catch: the client waits for the model
            _LOG.error("[%s] a search failed", self._call.arrival.request_id, exc_info=bug)
            return Failed("unavailable")

    # ------------------------------------------------------------ a turn

    def _ask(self, order: Ask) -> None:
        body = self._conversation.asked(order, self._splice.said)
        ticket, self._ticket = self._ticket, None
        if ticket is None:
            self._under_way[_LEAVE] = self._tasks.start(
                self._ask_again(body), "ask for credits of a further turn"
            )
        else:
            first = self._call.arrival
            arrival = first.again(body.raw, first.received_ms, first.clock_s)
            self._turn(body, ticket, arrival)

    async def _ask_again(self, body: Body) -> None:
        """A further turn costs again: it is admitted like a request, and if it is not, the client
        may go on when its limit allows."""
        caller, model = self._call.caller, self._call.model
        guess = forecast(len(body.raw), body.max_tokens, model)
        arrival = begun_now(self._means, self._call, body.raw)
        try:
            ticket = await self._means.desk.ask(
                caller,
                model,
                estimate_credits=guess.credits,
                estimate_tokens=guess.input_tokens,
                now_ms=arrival.received_ms,
                asked=self._call.asked,
            )
        except Fault:
            self._under_way.pop(_LEAVE, None)
            self._carry_out(self._loop.pause())
            return
        except Exception as bug:  # noqa: BLE001 - the last catch: nobody else would answer
            self._under_way.pop(_LEAVE, None)
            self._fail_by(bug)
            return
        self._under_way.pop(_LEAVE, None)
        if self._at is ENDED:
            ticket.settle(0, 0)
            return
        try:
            self._turn(body, ticket, arrival)
        except Exception as bug:  # noqa: BLE001 - the last catch: nobody else would answer
            self._fail_by(bug)

    def _turn(self, body: Body, ticket: Ticket, arrival: Arrival) -> None:
        outer = self._call
        call = Call(arrival, outer.caller, outer.model, outer.asked, outer.via, True)
        call.message_id = outer.message_id
        call.is_turn = not outer.streamed
        if arrival.trace is not None:
            arrival.trace.tell(call)
        self._means.counting.prepare(call, body)
        if not outer.input_tokens:
            outer.input_tokens = call.input_tokens
        routes = self._routes
        if len(routes) > 1:
            routes = self._means.sessions.ordered(call, body, routes)
        route = routes[0]
        try:
            request = route.provider.request(call, body, route.upstream_model)
        except Fault as fault:
            ticket.settle(0, 0)
            if self._reply.is_begun:
                self._fail(fault, UNASKED)
            else:
                self._over()
                self._refuse(fault)
            return
        outer.notes = outer.notes or call.notes
        self._splice.begin_turn()
        self._at = TURN
        Relay(self._means, call, body, routes, self, ticket, request=request).begin()

    # ------------------------------------------------------------ what a relay writes

    def serve(self, call: Call, reader: Reader) -> None:
        """See `gateway/outlet.py`, as for all that follows."""
        self._relay = reader
        if self._full:
            reader.client_full()

    def refuse(self, fault: Fault) -> None:
        """The turn never began."""
        self._relay = None
        self._fail(fault, PARTIAL)

    def answer(self, body: bytes, outcome: Outcome) -> None:
        """A turn is always streamed."""
        raise AssertionError("a turn is always streamed")

    def open_stream(self) -> None:
        """The turn begins, or is waited for no longer."""
        self._reply.begin()

    def write(self, data: bytes) -> None:
        """Events of the turn."""
        if self._at is not TURN:
            return
        self._take(data)
        self._flush()

    def frame_writer(self) -> None:
        """Every event is looked at."""
        return None

    def end_stream(self, data: bytes, outcome: Outcome) -> None:
        """The turn is over."""
        self._relay = None
        if self._at is not TURN:
            return
        self._take(data)
        splice = self._splice
        if splice.failure:
            self._fail(_fault_of(splice.failure), outcome)
            return
        self._usages.append(splice.usage)
        self._at = SEARCHING
        self._carry_out(
            self._loop.round_ended(
                splice.stop_reason,
                self._means.monotonic(),
                client_calls=splice.client_calls > 0,
            )
        )

    def _take(self, data: bytes) -> None:
        for call in self._splice.feed(data):
            orders = self._loop.called(
                call.id,
                call.arguments,
                self._means.monotonic(),
                cut_off=self._splice.stop_reason == "max_tokens",
            )
            self._carry_out(orders)

    # ------------------------------------------------------------ what the client sees

    def _flush(self) -> None:
        if self._at is not ENDED:
            self._reply.flush()

    def _end(self, order: End) -> None:
        splice = self._splice
        splice.release()
        sequence = splice.stop_sequence if order.stop_reason == "stop_sequence" else None
        stop = stop_fields(order.stop_reason, sequence, None)
        usage = usage_document(
            summed(self._usages, self._loop.searches), has_searched=self._loop.has_searched
        )
        last = self._reply.last(stop, usage)
        self._over()
        self._reply.end(last)

    def _fail(self, fault: Fault, outcome: Outcome) -> None:
        """The message will not be whole."""
        if self._at is ENDED:
            return
        self._over()
        self._reply.fail(fault, outcome)

    def _fail_by(self, bug: Exception) -> None:
        _LOG.error("[%s] a searching turn failed", self._call.arrival.request_id, exc_info=bug)
        sorry = "The gateway failed. Tell its operator the request id."
        self._fail(Fault(Kind.HOUSE, sorry, source=Source.HOUSE), HOUSE_ERROR)

    def _over(self) -> None:
        self._at = ENDED
        self.gone = True
        self._relay = None
        self._call.arrival.body = b""
        self._conversation.forget()
        self._loop.failed()
        self._means.wheel.unwatch(self)
        under_way, self._under_way = self._under_way, {}
        for cancel in under_way.values():
            cancel()
        ticket, self._ticket = self._ticket, None
        if ticket is not None:
            ticket.settle(0, 0)

    # ------------------------------------------------------------ the client, the house, time

    def client_gone(self) -> None:
        """Cancel everything at once; what went by is written down by the relay."""
        if self._at is ENDED:
            return
        relay = self._relay
        self._over()
        if relay is not None:
            relay.client_gone()

    def client_full(self) -> None:
        """Let the model wait."""
        self._full = True
        if self._relay is not None:
            self._relay.client_full()

    def client_ready(self) -> None:
        """Go on."""
        self._full = False
        self._reply.client_ready()
        if self._relay is not None:
            self._relay.client_ready()

    def house_stops(self) -> None:
        """The time to finish is over; a relay under way hears of it by itself."""
        if self._relay is None:
            restarting = "The gateway is restarting. Try again."
            fault = Fault(Kind.UNAVAILABLE, restarting, source=Source.HOUSE, retry_after_s=1)
            self._fail(fault, HOUSE_ERROR)

    def tick(self, now_s: float) -> None:
        """Pings, whoever is at work."""
        if not self._full and self._at is not ENDED:
            self._reply.tick(now_s)


UNASKED = PARTIAL
"""The outcome of a message whose next turn could not even be asked."""


def _fault_of(data: bytes) -> Fault:
    """The error a turn ended in, to be told once more."""
    read = read_error_body(data)
    said, raw = read if read is not None else (None, b"")
    return Fault(
        Kind.UPSTREAM_BROKEN,
        said.message if said is not None else "The model provider failed. Try again.",
        source=Source.UPSTREAM,
        error_type=said.type if said is not None else "",
        error_body=raw,
    )
