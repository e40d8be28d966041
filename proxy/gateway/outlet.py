"""The writing end of a reply, as the walk sees it. Implemented by `server/outlet.py`."""

from collections.abc import Callable
from typing import Protocol

from proxy.domain.call import Call
from proxy.domain.entry import Outcome
from proxy.domain.fault import Fault


class Reader(Protocol):
    """Whoever fills an outlet and must know how it drains."""

    __slots__ = ()

    def client_gone(self) -> None:
        """The client left; nothing more can be written."""
        ...

    def client_full(self) -> None:
        """The client reads slower than we write: stop the source."""
        ...

    def client_ready(self) -> None:
        """It caught up."""
        ...


class Outlet(Protocol):
    """One reply. After `refuse`, `answer` or `end_stream` nothing more is called."""

    __slots__ = ()

    gone: bool

    def serve(self, call: Call, reader: Reader) -> None:
        """From now on `reader` is told what the client does; the reply's head names the call."""
        ...

    def refuse(self, fault: Fault) -> None:
        """The reply is an error with its own status."""
        ...

    def answer(self, body: bytes, outcome: Outcome) -> None:
        """The reply is one JSON document."""
        ...

    def open_stream(self) -> None:
        """The reply is a stream; its head goes out with the first write."""
        ...

    def write(self, data: bytes) -> None:
        """The next events."""
        ...

    def frame_writer(self) -> Callable[[bytes], None] | None:
        """Takes chunks of an HTTP/1.1 body as they came from the provider, once the stream's head
        is out; None for a client that is not sent chunks."""
        ...

    def end_stream(self, data: bytes, outcome: Outcome) -> None:
        """The last events. After any outcome but COMPLETED the connection is closed behind them."""
        ...
