"""The walk of a messages or count_tokens request: who, what, where to; then it is carried.

    key -> caller -> body's head -> model -> deployments -> limits -> relay

With the key in memory and a pooled connection at hand the walk runs from the last body byte to the
provider's socket without one `await` (performance.md 2.4); an unknown key takes a task, and so does
a caller who is near a limit.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from proxy.auth.credential import Presented, presented_by
from proxy.auth.gate import Gate
from proxy.catalog.refresh import Shelf
from proxy.domain.call import COUNT, MESSAGE, Arrival, Call
from proxy.domain.caller import Caller
from proxy.domain.entry import COMPLETED
from proxy.domain.fault import Fault, Kind, Source
from proxy.domain.refusal import Refusal
from proxy.gateway.apart import LARGE_BYTES, Apart
from proxy.gateway.means import Means, Route, Ticket
from proxy.gateway.outlet import Outlet
from proxy.gateway.relay import Relay
from proxy.gateway.search_turns import SearchTurns
from proxy.gateway.searching import Searching
from proxy.gateway.tasks import Tasks
from proxy.ledger.charge import Forecast
from proxy.ledger.client_label import client_of
from proxy.ledger.credits import forecast
from proxy.web_search.citing import how_cited
from proxy.web_search.dangling import find_dangling
from proxy.web_search.history import Retelling
from proxy.web_search.hit import Sources
from proxy.web_search.past_results import PastResults
from proxy.web_search.shown_tool import with_custom_tool
from proxy.web_search.tool import read_wish
from proxy.web_search.when_off import refuse_if_off
from proxy.wire.body import Body, read_body, with_fields
from proxy.wire.http import Piece
from proxy.wire.images import first_image

_LOG: Final = logging.getLogger("proxy.messages")
_NOBODY: Final = Caller(key_id="", user_id="", email="", tenant_id="", tenant="", role="")
ASKED_CHARS_MAX: Final = 256
BOOKS_RETRY_S: Final = 5


class Messages:
    """Begins every short-lane request. `routes` (by model id) is swapped whole on a reload."""

    def __init__(
        self,
        gate: Gate,
        shelf: Shelf,
        routes: Mapping[str, Sequence[Route]],
        means: Means,
        tasks: Tasks,
        searching: Searching,
        *,
        apart: Apart,
        body_bytes_max: int,
    ) -> None:
        self.routes = routes
        self.searching = searching
        self._gate = gate
        self._shelf = shelf
        self._means = means
        self._tasks = tasks
        self._apart = apart
        self._body_bytes_max = body_bytes_max

    def begin(self, arrival: Arrival, outlet: Outlet) -> None:
        """Take the walk with `arrival`; its reply goes to `outlet`."""
        presented = presented_by(arrival.headers)
        try:
            caller = self._gate.recall(presented, arrival.received_ms)
        except Fault as fault:
            self._refuse(arrival, outlet, fault)
            return
        if caller is None:
            self._tasks.start(self._look_up(arrival, outlet, presented), "look up a key")
        elif self._is_plain(arrival):
            self._set_out(arrival, outlet, caller)
        else:
            self._tasks.start(self._read_apart(arrival, outlet, caller), "read a body apart")

    def _is_plain(self, arrival: Arrival) -> bool:
        """Is its body soon read?"""
        return len(arrival.body) <= LARGE_BYTES and b"content-encoding" not in arrival.headers

    async def _look_up(self, arrival: Arrival, outlet: Outlet, presented: Presented) -> None:
        try:
            caller = await self._gate.lookup(presented, arrival.received_ms)
        except Fault as fault:
            self._refuse(arrival, outlet, fault)
            return
        except Exception as bug:  # noqa: BLE001 - the last catch: nobody else would answer
            self._fail(arrival, outlet, bug)
            return
        if outlet.gone:
            return
        if self._is_plain(arrival):
            self._set_out(arrival, outlet, caller)
        else:
            await self._read_apart(arrival, outlet, caller)

    async def _read_apart(self, arrival: Arrival, outlet: Outlet, caller: Caller) -> None:
        """A body that is compressed, or so large that reading it would hold up everybody else."""
        body: Body | None = None
        try:
            coding = arrival.headers.get(b"content-encoding")
            if coding is not None:
                arrival.body = await self._apart.opened(arrival.body, coding, self._body_bytes_max)
            if len(arrival.body) > LARGE_BYTES and not outlet.gone:
                body = await self._apart.read(
                    arrival.body, needs_max_tokens=arrival.errand is MESSAGE
                )
        except Fault as fault:
            self._refuse(arrival, outlet, fault, caller)
            return
        except Exception as bug:  # noqa: BLE001 - the last catch: nobody else would answer
            self._fail(arrival, outlet, bug)
            return
        if not outlet.gone:
            self._set_out(arrival, outlet, caller, body)

    def _set_out(
        self, arrival: Arrival, outlet: Outlet, caller: Caller, body: Body | None = None
    ) -> None:
        try:
            self._walk(arrival, outlet, caller, body)
        except Exception as bug:  # noqa: BLE001 - the last catch: nobody else would answer
            self._fail(arrival, outlet, bug)

    def _fail(self, arrival: Arrival, outlet: Outlet, bug: Exception) -> None:
        _LOG.error("[%s] the walk failed", arrival.request_id, exc_info=bug)
        if not outlet.gone:
            outlet.refuse(
                Fault(
                    Kind.HOUSE,
                    "The gateway failed. Tell its operator the request id.",
                    source=Source.HOUSE,
                )
            )

    def _walk(self, arrival: Arrival, outlet: Outlet, caller: Caller, body: Body | None) -> None:
        asked = ""
        arrival.known_s = self._means.monotonic()
        try:
            if body is None:
                body = read_body(arrival.body, needs_max_tokens=arrival.errand is MESSAGE)
            asked = body.model
            found = self._shelf.current.resolve(asked, caller)
            routes = self.routes.get(found.model.id)
            if not routes:
                raise nowhere(found.model.id)
            if not found.model.vision and not routes[0].provider.translates:
                _refuse_images(found.model.id, body)
            if self._means.books_trouble and arrival.errand is MESSAGE:
                raise _books_closed()
        except Fault as fault:
            self._refuse(arrival, outlet, fault, caller, asked)
            return
        is_message = arrival.errand is MESSAGE
        model = found.model
        call = Call(arrival, caller, model, found.asked, found.via, body.streamed and is_message)
        if len(routes) > 1:
            routes[0].retries.asked()
            routes = self._means.sessions.ordered(call, body, routes)
        guess = forecast(len(body.raw), body.max_tokens, model)
        arrival.resolved_s = self._means.monotonic()
        ticket: Ticket | None
        try:
            if is_message:
                ticket = self._means.desk.admit(
                    caller,
                    model,
                    estimate_credits=guess.credits,
                    estimate_tokens=guess.input_tokens,
                    now_ms=arrival.received_ms,
                    asked=found.asked,
                )
            else:
                ticket = self._means.desk.admit_free(
                    caller, estimate_tokens=guess.input_tokens, now_ms=arrival.received_ms
                )
        except Fault as fault:
            self._refuse(arrival, outlet, fault, caller, asked)
            return
        if ticket is None:
            self._tasks.start(
                self._ask_others(call, body, routes, outlet, guess), "ask for credits"
            )
        else:
            self._carry(call, body, routes, outlet, ticket)

    async def _ask_others(
        self, call: Call, body: Body, routes: Sequence[Route], outlet: Outlet, guess: Forecast
    ) -> None:
        """Near a limit, or of whom nothing is known yet: one question before the call."""
        arrival, caller = call.arrival, call.caller
        try:
            ticket = await self._means.desk.ask(
                caller,
                call.model,
                estimate_credits=guess.credits,
                estimate_tokens=guess.input_tokens,
                now_ms=arrival.received_ms,
                asked=call.asked,
            )
        except Fault as fault:
            self._refuse(arrival, outlet, fault, caller, body.model)
            return
        except Exception as bug:  # noqa: BLE001 - the last catch: nobody else would answer
            self._fail(arrival, outlet, bug)
            return
        if outlet.gone:
            ticket.settle(0, 0)
            return
        try:
            self._carry(call, body, routes, outlet, ticket)
        except Exception as bug:  # noqa: BLE001 - the last catch: nobody else would answer
            self._fail(arrival, outlet, bug)

    def _carry(
        self, call: Call, body: Body, routes: Sequence[Route], outlet: Outlet, ticket: Ticket
    ) -> None:
        """To the provider, or, for a count that nobody makes there, straight back."""
        call.arrival.admitted_s = self._means.monotonic()
        if call.arrival.trace is not None:
            call.arrival.trace.tell(call)
        if call.arrival.errand is COUNT:
            routes = [each.counted_by or each for each in routes]
        if routes[0].provider.translates or body.artefacts:
            if len(body.raw) > LARGE_BYTES:
                self._tasks.start(
                    self._translate_apart(call, body, routes, outlet, ticket),
                    "translate a large body",
                )
                return
            try:
                begin = self._translated(call, body, routes, outlet, ticket)
            except Fault as fault:
                self._refuse_call(call, body, outlet, ticket, fault)
                return
            begin()
            return
        if call.arrival.errand is COUNT and not routes[0].provider.counts:
            self._estimate(call, body, outlet, ticket)()
            return
        Relay(self._means, call, body, routes, outlet, ticket).begin()

    async def _translate_apart(
        self, call: Call, body: Body, routes: Sequence[Route], outlet: Outlet, ticket: Ticket
    ) -> None:
        try:
            begin = await self._apart.run(
                lambda: self._translated(call, body, routes, outlet, ticket)
            )
            if outlet.gone:
                ticket.settle(0, 0)
            else:
                begin()
        except Fault as fault:
            self._refuse_call(call, body, outlet, ticket, fault)
        except Exception as bug:  # noqa: BLE001 - the last catch: nobody else would answer
            self._fail(call.arrival, outlet, bug)

    def _translated(
        self, call: Call, body: Body, routes: Sequence[Route], outlet: Outlet, ticket: Ticket
    ) -> Callable[[], None]:
        """What begins the call, all of it thought out: before anything is leased or written down,
        for what cannot be translated was not asked. Raises Fault 400."""
        route = routes[0]
        is_count = call.arrival.errand is COUNT
        if not route.provider.translates:
            # A large body to be cleaned of what is ours.
            request = route.provider.request(call, body, route.upstream_model)
            return self._relayed(call, body, routes, outlet, ticket, request=request)
        if is_count:
            body = self._as_counted(call, body, cites=route.provider.cites)
            if not route.provider.counts:
                return self._estimate(call, body, outlet, ticket)
        else:
            body, turns = self._with_search(call, body, routes, outlet, ticket)
            if turns is not None:
                return turns.begin
        call.message_id = self._means.new_message_id()
        self._means.counting.prepare(call, body)
        try:
            request = route.provider.request(call, body, route.upstream_model)
        except Fault:
            if is_count:
                # Clients take a count that fails for the end (translation.md D14).
                return self._estimate(call, body, outlet, ticket)
            if len(routes) == 1:
                raise
            # What this deployment cannot be asked another may.
            return self._relayed(call, body, routes[1:], outlet, ticket, request=None)
        call.arrival.translated_s = self._means.monotonic()
        return self._relayed(call, body, routes, outlet, ticket, request=request)

    def _relayed(
        self,
        call: Call,
        body: Body,
        routes: Sequence[Route],
        outlet: Outlet,
        ticket: Ticket,
        *,
        request: list[Piece] | None,
    ) -> Callable[[], None]:
        return lambda: Relay(
            self._means, call, body, routes, outlet, ticket, request=request
        ).begin()

    def _refuse_call(
        self, call: Call, body: Body, outlet: Outlet, ticket: Ticket, fault: Fault
    ) -> None:
        ticket.settle(0, 0)
        self._refuse(call.arrival, outlet, fault, call.caller, body.model)

    def _with_search(
        self, call: Call, body: Body, routes: Sequence[Route], outlet: Outlet, ticket: Ticket
    ) -> tuple[Body, SearchTurns | None]:
        """For a provider without a search of its own: the turns of a request that may search, else
        its body, searches of its history told as calls of a tool. Raises Fault 400."""
        searching = self.searching if call.caller.web_search else self.searching.off
        wish = read_wish(body.fields)
        if wish is None:
            past = PastResults(call.caller.tenant_id, searching.seal, Sources())
            messages = body.fields["messages"]
            citing = how_cited(body.fields, cites=routes[0].provider.cites)
            find_dangling(messages, may_search=False)  # refuses what nobody can make any more
            retold = Retelling(messages, past, citing=citing).retell()
            if len(retold) != len(messages) or retold != bytes(messages):
                body = with_fields(body, {"messages": retold})
            return body, None
        if not searching.enabled:
            refuse_if_off(wish, searching.when_off)
        call.message_id = self._means.new_message_id()
        turns = SearchTurns(
            self._means,
            searching,
            self._tasks,
            call,
            body,
            wish,
            routes=routes,
            outlet=outlet,
            ticket=ticket,
            refuse=lambda fault: self._refuse(call.arrival, outlet, fault, call.caller, body.model),
        )
        return body, turns

    def _as_counted(self, call: Call, body: Body, *, cites: bool) -> Body:
        """The body as the model would be asked; as it is where that would be refused, for a count
        never is (translation.md 9.1)."""
        past = PastResults(call.caller.tenant_id, self.searching.seal, Sources())
        messages = body.fields["messages"]
        citing = how_cited(body.fields, cites=cites)
        try:
            retold = Retelling(messages, past, citing=citing).retell()
        except Fault:
            return body
        changes = {} if retold == bytes(messages) else {"messages": retold}
        wish = read_wish(body.fields, counting=True)
        if wish is not None:
            changes["tools"] = with_custom_tool(body.fields["tools"], wish, citing)
        return with_fields(body, changes) if changes else body

    def _estimate(
        self, call: Call, body: Body, outlet: Outlet, ticket: Ticket
    ) -> Callable[[], None]:
        """What answers with the tokens of a request that nobody counts exactly."""
        counted = self._means.counting.count(call, body)

        def answer() -> None:
            ticket.settle(0, 0)
            outlet.serve(call, _NO_READER)
            outlet.answer(counted, COMPLETED)

        return answer

    def _refuse(
        self,
        arrival: Arrival,
        outlet: Outlet,
        fault: Fault,
        caller: Caller = _NOBODY,
        asked: str = "",
    ) -> None:
        """Tell the client, and keep a support record where the key's owner is known."""
        if caller is not _NOBODY:
            self._means.books.record_refusal(
                Refusal(
                    request_id=arrival.request_id,
                    at=arrival.received_ms,
                    status=fault.status,
                    error_type=fault.error_type,
                    reason=fault.reason,
                    tenant_id=caller.tenant_id,
                    user_id=caller.user_id,
                    key_id=caller.key_id,
                    requested_model=asked[:ASKED_CHARS_MAX],
                    client=client_of(arrival.headers),
                    path=arrival.path.decode("ascii", "replace"),
                )
            )
        if not outlet.gone:
            outlet.refuse(fault)


class _NoReader:
    """Of a reply that is there at once."""

    def client_gone(self) -> None:
        """Nothing is under way."""

    def client_full(self) -> None:
        """It waits in the transport."""

    def client_ready(self) -> None:
        """Nothing is stopped."""


_NO_READER: Final = _NoReader()


def _refuse_images(model_id: str, body: Body) -> None:
    path = first_image(body.raw, body.fields["messages"]) if body.image is None else body.image
    if path:
        raise Fault(
            Kind.BAD_REQUEST,
            f"{path}: The model {model_id} does not take images.",
            hint="Choose a model with `vision` in /v1/chat/models.",
        )


def _books_closed() -> Fault:
    """503: what a generation costs could not be written down; `/readyz` says why."""
    return Fault(
        Kind.UNAVAILABLE,
        "The gateway cannot write its books at the moment, and begins no new request.",
        hint="Try again in a few seconds; if it lasts, tell the gateway's operator.",
        source=Source.HOUSE,
        retry=True,
        retry_after_s=BOOKS_RETRY_S,
        reason="books_unavailable",
    )


def nowhere(model_id: str) -> Fault:
    """503: the model is there for the caller, but nobody who serves it."""
    return Fault(
        Kind.UNAVAILABLE,
        f"The model {model_id} is temporarily unavailable: no provider that serves it is set up.",
        hint="Choose another model or tell the gateway's operator.",
        source=Source.HOUSE,
        retry=False,
        reason="upstream_unavailable",
    )
