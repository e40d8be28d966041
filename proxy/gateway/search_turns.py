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

import msgspec

from proxy.domain.call import Arrival, Call
from proxy.domain.entry import COMPLETED, HOUSE_ERROR, PARTIAL, Outcome
from proxy.domain.fault import Fault, Kind, Source
from proxy.domain.usage import Usage
from proxy.gateway.means import Means, Route, Ticket
from proxy.gateway.outlet import Outlet, Reader
from proxy.gateway.relay import Relay
from proxy.gateway.searching import Searching
from proxy.gateway.tasks import Tasks
from proxy.ledger.credits import forecast
from proxy.ledger.tab import Tab
from proxy.upstream.search_carrier import RequestSearches
from proxy.web_search.citing import how_cited
from proxy.web_search.dangling import find_dangling, last_words
from proxy.web_search.follow_up import follow_up, with_follow_up
from proxy.web_search.history import Retelling
from proxy.web_search.hit import Failed, Found, Sources
from proxy.web_search.hit import Outcome as SearchOutcome
from proxy.web_search.loop import Bounds, SearchLoop
from proxy.web_search.orders import Ask, End, Order, Search, ShowCall, ShowResult
from proxy.web_search.past_results import PastResults
from proxy.web_search.query import query_of_words
from proxy.web_search.result_blocks import Answer, shown_call, shown_result
from proxy.web_search.shown_document import ShownDocument
from proxy.web_search.shown_events import ShownEvents
from proxy.web_search.shown_tool import with_custom_tool
from proxy.web_search.spend import summed
from proxy.web_search.splice import Splice
from proxy.web_search.tool import Wish
from proxy.wire.body import Body, with_fields
from proxy.wire.events import (
    MESSAGE_STOP,
    PING,
    message_delta,
    message_start,
    stop_fields,
    usage_document,
    whole_message,
)
from proxy.wire.fault_body import error_event, read_error_body

_LOG = logging.getLogger("proxy.search")
_LEAVE = "leave"
SEARCHER = "web_search"
"""What stands as provider on the row of a search."""


class At(Enum):
    """Where the request stands."""

    TURN = "turn"
    SEARCHING = "searching"
    ENDED = "ended"


TURN, SEARCHING, ENDED = At


class _Parallel(msgspec.Struct):
    disable_parallel_tool_use: bool = False


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
        self._body = body
        self._wish = wish
        self._routes = routes
        self._outlet = outlet
        self._refuse = refuse
        self._ticket: Ticket | None = ticket
        self._relay: Reader | None = None
        self._at: At = SEARCHING
        self._committed = False
        self._spoke_s = self._began_s = means.wheel.now_s
        self._usages: list[Usage] = []
        self._sources = Sources()
        messages = body.fields["messages"]
        self._citing = how_cited(body.fields, cites=routes[0].provider.cites)
        past = PastResults(call.caller.tenant_id, searching.seal, self._sources)
        self._retelling: Retelling | None = Retelling(
            messages, past, citing=self._citing, off=not searching.enabled
        )
        self._call_ids = self._retelling.call_ids
        self._dangling = find_dangling(messages, may_search=True)
        self._answers: dict[str, Answer] = {}
        self._messages = b""
        self._events = ShownEvents()
        self._document = ShownDocument()
        self._splice = Splice(
            self._events if call.streamed else self._document,
            self._sources,
            self._citing,
            searching.seal,
            call.caller.tenant_id,
        )
        forced = query_of_words(last_words(messages)) if wish.forced else None
        self._loop = SearchLoop(
            call.message_id,
            Bounds(
                deadline_s=means.monotonic() + searching.deadline_s,
                max_uses=wish.tool.max_uses,
                rounds_max=searching.rounds_max,
                enabled=searching.enabled,
            ),
            self._sources,
            forced=forced,
            has_client_tools=wish.has_client_tools,
        )
        self._full = False
        """Does the client read slower than we write?"""
        self._under_way: dict[str, Callable[[], object]] = {}
        """What cancels that which is waited for: searches by their ids, leave for a turn."""
        self._requests: RequestSearches | None = (
            searching.service.for_request() if searching.service is not None else None
        )

    def begin(self) -> None:
        """Set out. From here on the request ends by itself."""
        self._outlet.serve(self._call, self)
        self._means.wheel.watch(self)
        if self._dangling:
            self._start_shown()
        self._carry_out(self._loop.begin(self._dangling, self._means.monotonic()))

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
        if any(order.id == left.id for left in self._dangling):
            self._answers[order.id] = order.answer
        issued_s = int(self._means.wall())
        tenant_id = self._call.caller.tenant_id
        self._splice.shown.block(
            shown_result(order.id, order.answer, self._searching.seal, tenant_id, issued_s)
        )

    async def _search(self, order: Search) -> None:
        arrival = self._arriving(b"")
        outcome = await self._outcome(order)
        self._under_way.pop(order.id, None)
        if self._at is ENDED:
            return
        try:
            if isinstance(outcome, Found):
                self._book_search(arrival)
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

    def _arriving(self, body: bytes) -> Arrival:
        """The request, as what begins now: its row tells its own time, not that of all before."""
        means = self._means
        return msgspec.structs.replace(
            self._call.arrival,
            body=body,
            received_ms=int(means.wall() * 1000),
            clock_s=means.monotonic(),
        )

    def _book_search(self, arrival: Arrival) -> None:
        """A search is a line of its own (domain.md 15), written as soon as it worked."""
        means = self._means
        tab = Tab(means.new_event_id(), msgspec.structs.replace(self._call, arrival=arrival))
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
            ticket = means.desk.admit_free(
                self._call.caller, estimate_tokens=0, now_ms=arrival.received_ms
            )
        except Fault:
            # Too fast by now: it was made all the same, and storage tells the others of it.
            ticket = None
        if ticket is not None:
            ticket.settle(entry.credits, 0)
        means.books.record(entry, _nothing_to_do)

    # ------------------------------------------------------------ a turn

    def _ask(self, order: Ask) -> None:
        if self._retelling is not None:
            self._messages = self._retelling.retell(self._answers)
            self._call_ids = self._retelling.call_ids
            self._retelling = None
        elif order.answered:
            more = follow_up(
                self._splice.said,
                order.answered,
                self._call_ids,
                citing=self._citing,
                off=not self._searching.enabled,
            )
            self._messages = with_follow_up(self._messages, more)
        body = with_fields(self._body, self._changes(order))
        ticket, self._ticket = self._ticket, None
        if ticket is None:
            self._under_way[_LEAVE] = self._tasks.start(
                self._ask_again(body), "ask for credits of a further turn"
            )
        else:
            arrival = msgspec.structs.replace(self._call.arrival, body=body.raw)
            self._turn(body, ticket, arrival)

    def _changes(self, order: Ask) -> dict[str, bytes]:
        changes = {
            "messages": self._messages,
            "tools": with_custom_tool(self._body.fields["tools"], self._wish, self._citing),
            "stream": b"true",
        }
        if order.choice != "asked":
            asked = self._body.fields.get("tool_choice")
            alone = asked is not None and _is_alone(asked)
            flag = b',"disable_parallel_tool_use":true' if alone else b""
            changes["tool_choice"] = b'{"type":"%b"%b}' % (
                order.choice.encode(),
                flag if order.choice == "auto" else b"",
            )
        return changes

    async def _ask_again(self, body: Body) -> None:
        """A further turn costs again: it is admitted like a request, and if it is not, the client
        may go on when its limit allows."""
        caller, model = self._call.caller, self._call.model
        guess = forecast(len(body.raw), body.max_tokens, model)
        arrival = self._arriving(body.raw)
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
        self._means.counting.prepare(call, body)
        if not outer.input_tokens:
            outer.input_tokens = call.input_tokens
        route = self._routes[0]
        try:
            request = route.provider.request(call, body, route.upstream_model)
        except Fault as fault:
            ticket.settle(0, 0)
            if self._committed:
                self._fail(fault, UNASKED)
            else:
                self._over()
                self._refuse(fault)
            return
        outer.notes = outer.notes or call.notes
        self._splice.begin_turn()
        self._at = TURN
        Relay(self._means, call, body, self._routes, self, ticket, request=request).begin()

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
        self._start_shown()

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

    def _start_shown(self) -> None:
        """The reply begins: from here on trouble is an event."""
        if self._committed or not self._call.streamed:
            return
        self._committed = True
        call = self._call
        usage = Usage(input_tokens=call.input_tokens)
        self._outlet.open_stream()
        self._outlet.write(message_start(call.message_id, call.model.id, usage))
        self._spoke_s = self._means.wheel.now_s

    def _flush(self) -> None:
        if self._at is ENDED or not self._call.streamed:
            return
        out = self._events.take()
        if out:
            self._start_shown()
            self._outlet.write(out)
            self._spoke_s = self._means.wheel.now_s

    def _end(self, order: End) -> None:
        splice = self._splice
        splice.release()
        call = self._call
        sequence = splice.stop_sequence if order.stop_reason == "stop_sequence" else None
        stop = stop_fields(order.stop_reason, sequence, None)
        usage = usage_document(
            summed(self._usages, self._loop.searches), has_searched=self._loop.has_searched
        )
        if call.streamed:
            self._start_shown()
            last = self._events.take() + message_delta(stop, usage) + MESSAGE_STOP
            self._over()
            self._outlet.end_stream(last, COMPLETED)
        else:
            blocks = self._document.blocks
            whole = whole_message(call.message_id, call.model.id, blocks, stop, usage)
            self._over()
            self._outlet.answer(whole, COMPLETED)

    def _fail(self, fault: Fault, outcome: Outcome) -> None:
        """The message will not be whole."""
        if self._at is ENDED:
            return
        committed = self._committed
        out = self._events.take()
        self._over()
        if committed:
            last = out + error_event(fault, self._call.arrival.request_id)
            self._outlet.end_stream(last, outcome)
        else:
            self._outlet.refuse(fault)

    def _fail_by(self, bug: Exception) -> None:
        _LOG.error("[%s] a searching turn failed", self._call.arrival.request_id, exc_info=bug)
        sorry = "The gateway failed. Tell its operator the request id."
        self._fail(Fault(Kind.HOUSE, sorry, source=Source.HOUSE), HOUSE_ERROR)

    def _over(self) -> None:
        self._at = ENDED
        self.gone = True
        self._relay = None
        self._messages = self._call.arrival.body = b""
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
        self._spoke_s = self._means.wheel.now_s
        if self._relay is not None:
            self._relay.client_ready()

    def house_stops(self) -> None:
        """The time to finish is over; a relay under way hears of it by itself."""
        if self._relay is None:
            restarting = "The gateway is restarting. Try again."
            fault = Fault(Kind.UNAVAILABLE, restarting, source=Source.HOUSE, retry_after_s=1)
            self._fail(fault, HOUSE_ERROR)

    def tick(self, now_s: float) -> None:
        """Pings while the client is told nothing, whoever is at work: a model may well speak and
        yet nothing of it be shown, as a call of the client's that waits for searches."""
        if self._full or not self._call.streamed or self._at is ENDED:
            return
        patience = self._means.patience
        if not self._committed:
            if now_s - self._began_s >= patience.commit_after_s:
                self._start_shown()
        elif now_s - self._spoke_s >= patience.ping_after_s:
            self._spoke_s = now_s
            self._outlet.write(PING)


UNASKED = PARTIAL
"""The outcome of a message whose next turn could not even be asked."""


def _is_alone(choice: msgspec.Raw) -> bool:
    try:
        return msgspec.json.decode(choice, type=_Parallel).disable_parallel_tool_use
    except msgspec.DecodeError:
        return False


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


def _nothing_to_do() -> None:
    """Nobody waits for the row of a search."""
