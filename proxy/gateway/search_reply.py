"""The one message that a request with searches gets, on its way to the client: begun once, pinged
while it is silent, ended once; or kept until it is whole, for a client that does not stream.
"""

from proxy.domain.call import Call
from proxy.domain.entry import COMPLETED, Outcome
from proxy.domain.fault import Fault
from proxy.domain.usage import Usage
from proxy.gateway.means import Patience
from proxy.gateway.outlet import Outlet
from proxy.gateway.wheel import Wheel
from proxy.web_search.shown import Shown
from proxy.web_search.shown_document import ShownDocument
from proxy.web_search.shown_events import ShownEvents
from proxy.wire.events import MESSAGE_STOP, PING, message_delta, message_start, whole_message
from proxy.wire.fault_body import error_event


class SearchReply:
    """What is said through `shown` goes to `outlet`."""

    def __init__(self, call: Call, outlet: Outlet, wheel: Wheel, patience: Patience) -> None:
        self.is_begun = False
        """From then on trouble is an event."""
        self._call = call
        self._outlet = outlet
        self._wheel = wheel
        self._patience = patience
        self._spoke_s = self._began_s = wheel.now_s
        self._events = ShownEvents()
        self._document = ShownDocument()

    @property
    def shown(self) -> Shown:
        """Where the message is written."""
        return self._events if self._call.streamed else self._document

    def begin(self) -> None:
        """Let the stream begin, if there is one and it has not."""
        if self.is_begun or not self._call.streamed:
            return
        self.is_begun = True
        call = self._call
        usage = Usage(input_tokens=call.input_tokens)
        self._outlet.open_stream()
        self._outlet.write(message_start(call.message_id, call.model.id, usage))
        self._spoke_s = self._wheel.now_s

    def flush(self) -> None:
        """All that was said goes out."""
        out = self._events.take()
        if out:
            self.begin()
            self._outlet.write(out)
            self._spoke_s = self._wheel.now_s

    def last(self, stop: bytes, usage: bytes) -> bytes:
        """What is left to be sent of a whole message; both are JSON, as in `message_delta`."""
        call = self._call
        if call.streamed:
            self.begin()
            return self._events.take() + message_delta(stop, usage) + MESSAGE_STOP
        blocks = self._document.blocks
        return whole_message(call.message_id, call.model.id, blocks, stop, usage)

    def end(self, last: bytes) -> None:
        """Send it; nothing follows."""
        if self._call.streamed:
            self._outlet.end_stream(last, COMPLETED)
        else:
            self._outlet.answer(last, COMPLETED)

    def fail(self, fault: Fault, outcome: Outcome) -> None:
        """The message will not be whole; nothing follows."""
        if self.is_begun:
            last = self._events.take() + error_event(fault, self._call.arrival.request_id)
            self._outlet.end_stream(last, outcome)
        else:
            self._outlet.refuse(fault)

    def client_ready(self) -> None:
        """The client has just had a lot to read."""
        self._spoke_s = self._wheel.now_s

    def tick(self, now_s: float) -> None:
        """Pings while the client is told nothing, whoever is at work: a model may well speak and
        yet nothing of it be shown, as a call of the client's that waits for searches."""
        if not self._call.streamed:
            return
        if not self.is_begun:
            if now_s - self._began_s >= self._patience.commit_after_s:
                self.begin()
        elif now_s - self._spoke_s >= self._patience.ping_after_s:
            self._spoke_s = now_s
            self._outlet.write(PING)
