"""Calls of tools as chat servers stream them: in fragments, interleaved, their names late, their
indexes missing or all the same (translation.md 3.4, 2.5).

Anthropic's stream has one block open at a time, so one call is live and goes out as it comes; the
others wait for their turn, in order. A call goes out only under its name and with one JSON object
for arguments: agents run what they are sent.
"""

import bisect
from collections.abc import Callable

from proxy.domain.dialect import Dialect
from proxy.domain.expected import Expected
from proxy.domain.fault import Fault
from proxy.stream.broken import broken
from proxy.stream.message_writer import MessageWriter
from proxy.stream.tool_ids import client_id, made_id
from proxy.stream.tool_slot import CLOSED, DROPPED, LIVE, SPEAKING, WAITING, At, Slot, input_of
from proxy.wire.chat import read_text

SLOT_BYTES = 256
"""What a call counts for beside its arguments."""


class ToolSlots:
    """All calls of one message. `clear` is called before a block opens: what was said before it is
    to go out first, and it may be that nothing follows that; then `clear` is False. `streams` is
    False where nothing goes out before the end."""

    __slots__ = (
        "_by_id",
        "_by_index",
        "_clear",
        "_cumulative",
        "_expected",
        "_joins_names",
        "_live",
        "_message_id",
        "_places",
        "_recent",
        "_taken",
        "_times",
        "_waiting",
        "_writer",
        "held_bytes",
        "streams",
    )

    def __init__(
        self,
        writer: MessageWriter,
        expected: Expected,
        message_id: str,
        dialect: Dialect,
        *,
        clear: Callable[[], bool],
        streams: bool,
    ) -> None:
        self._writer = writer
        self._expected = expected
        self._message_id = message_id
        self._clear = clear
        self._cumulative = dialect.arguments == "cumulative"
        self._joins_names = dialect.name_fragments
        self.streams = streams and dialect.tool_args == "streamed"
        self._by_index: dict[int, list[Slot]] = {}
        self._waiting: list[Slot] = []
        self._live: Slot | None = None
        self._recent: Slot | None = None
        self._places = 0
        self._taken: set[str] = set()
        self._times: dict[str, int] = {}
        """How often each id of theirs was given to a call."""
        self._by_id: dict[tuple[int | None, str], Slot] = {}
        """By index and id, and by the id alone."""
        self.held_bytes = 0

    @property
    def any(self) -> bool:
        """Was a call begun?"""
        return self._recent is not None

    def feed(self, index: object, call_id: object, name: object, arguments: bytes) -> None:
        """One element of `tool_calls`; `arguments` is JSON. Raises Fault."""
        live = self._live
        if (
            live is not None
            and live is self._recent
            and live.at is SPEAKING
            and live.index == index
            and (index is not None or not name)
            and not self._waiting
            and (not call_id or call_id == live.id)
            and not self._cumulative
            and arguments[:1] == b'"'
        ):
            self._go_on(live, read_text(arguments) or "")  # what most fragments are
            return
        if self._expected.no_calls:
            return
        slot = self._slot(
            _whole_number(index), call_id if isinstance(call_id, str) else "", bool(name)
        )
        self._recent = slot
        if slot.at is DROPPED:
            return
        if not slot.id and call_id and isinstance(call_id, str):
            self._identify(slot, call_id)
        if name and isinstance(name, str):
            self._name(slot, name)
        more = self._fragment(slot, arguments)
        if more and slot.at is CLOSED:
            if more.strip():
                raise broken("sent arguments for a tool call that was complete")
            return
        self._go_on(slot, more)
        if self.streams:
            self._advance()

    def _name(self, slot: Slot, name: str) -> None:
        """A name comes once, or with every fragment; only some servers send it in pieces."""
        if slot.name and not (self._joins_names and slot.at is WAITING and not slot.given):
            return
        slot.name += name
        self.held_bytes += len(name)

    def _go_on(self, slot: Slot, more: str) -> None:
        if more:
            before_bytes = len(slot.given)
            more = slot.add(more)
            self.held_bytes += len(slot.given) - before_bytes
            if slot.at is SPEAKING and more:
                self._writer.arguments(more)

    def make_way(self) -> bool:
        """Text or thinking wants to go out: is no call in its way, or none that is incomplete?"""
        live = self._live
        if live is None:
            return True
        if live.at is SPEAKING and live.is_whole:
            self._close(live)
            return True
        return False

    def finish(self, *, cut_off: bool) -> None:
        """No more is coming. `cut_off`: the model was stopped, so its last call may be half of one.
        Raises Fault for what an agent must not run."""
        live = self._live
        if live is not None:
            self._finish_live(live, cut_off)
        self._clear()
        for slot in [*self._waiting]:
            self._flush(slot, cut_off)

    def forget(self) -> None:
        """Nothing of what waits will be said."""
        self._by_index.clear()
        self._by_id.clear()
        self._waiting.clear()
        self._live = None
        self.held_bytes = 0

    # ------------------------------------------------------------ which call is meant

    def _slot(self, index: int | None, call_id: str, named: bool) -> Slot:
        if index is not None:
            return self._slot_at(index, call_id)
        if call_id:
            return self._by_id.get((None, call_id)) or self._new_slot(None, call_id)
        recent = self._recent
        if recent is None or (named and recent.name and recent.is_whole):
            return self._new_slot(None, call_id)
        return recent

    def _slot_at(self, index: int, call_id: str) -> Slot:
        slots = self._by_index.get(index)
        if slots is None:
            return self._new_slot(index, call_id)
        current = slots[-1]
        if not call_id or not current.id or current.id == call_id:
            return current
        # Some servers give every call the index 0: another id is another call.
        return self._by_id.get((index, call_id)) or self._new_slot(index, call_id)

    def _new_slot(self, index: int | None, call_id: str) -> Slot:
        is_first = index is not None and index not in self._by_index
        place = index if is_first and index is not None else self._places
        slot = Slot(index, place, "")
        if call_id:
            self._identify(slot, call_id)
        self._places = max(self._places, place + 1)
        # Without an index it is found by its id: any key that no index has will do.
        key = index if index is not None else -1 - len(self._by_index)
        self._by_index.setdefault(key, []).append(slot)
        self.held_bytes += SLOT_BYTES
        if self._expected.first_call_only and self._writer.calls:
            slot.at = DROPPED
        else:
            bisect.insort(self._waiting, slot, key=_place)
        return slot

    def _identify(self, slot: Slot, call_id: str) -> None:
        slot.id = call_id
        self.held_bytes += len(call_id)
        for index in (slot.index, None):
            self._by_id.setdefault((index, call_id), slot)

    def _fragment(self, slot: Slot, arguments: bytes) -> str:
        """The new arguments as text."""
        if arguments == b"null":
            return ""
        if arguments[:1] != b'"':
            # An object instead of a string (Ollama's own API): its bytes are the arguments, once.
            text = arguments.decode("utf-8", "replace")
            return "" if text.encode() == slot.given else text
        text = read_text(arguments) or ""
        if self._cumulative and slot.given:
            said = slot.given.decode()
            return text.removeprefix(said)
        return text

    # ------------------------------------------------------------ whose turn it is

    @property
    def _is_next_ready(self) -> bool:
        """Does the next call have its name, the whole of it?"""
        if not self._waiting:
            return False
        slot = self._waiting[0]
        return slot.name != "" and (not self._joins_names or len(slot.given) > 0)

    def _advance(self) -> None:
        while True:
            live = self._live
            if live is not None:
                self._speak(live)
                if not self._is_next_ready:
                    return
                if live.at is not SPEAKING or not live.is_whole:
                    return
                self._close(live)
            if not self._is_next_ready:
                return
            slot = self._waiting.pop(0)
            if self._expected.first_call_only and self._writer.calls:
                self._drop(slot)
                continue
            if not self._open(slot):
                return
            slot.at = LIVE
            self._live = slot

    def _speak(self, live: Slot) -> None:
        """Let arguments go out once they are known to be an object; all else is read whole."""
        if live.at is LIVE and live.given.lstrip()[:1] == b"{":
            live.at = SPEAKING
            self._writer.arguments(live.given.lstrip().decode())

    def _open(self, slot: Slot) -> bool:
        if not self._clear():
            self._drop(slot)
            return False
        if not self._taken:
            self._taken.update(self._expected.seen_tool_ids)
        if slot.id:
            times = self._times.get(slot.id, 0)
            self._times[slot.id] = times + 1
            shown = client_id(slot.id, self._taken, max(times, 1))
        else:
            shown = made_id(self._message_id, self._writer.calls)
        self._taken.add(shown)
        self._writer.call(shown, self._client_name(slot))
        return True

    def _client_name(self, slot: Slot) -> str:
        # A name may hold halves of characters, too: nobody has such a tool, yet it can be sent.
        name = slot.name.encode("utf-8", "replace").decode()
        return self._expected.tool_names.get(name, name)

    def _close(self, slot: Slot) -> None:
        self._writer.close()
        self._live = None
        self._let_go(slot, CLOSED)

    def _drop(self, slot: Slot) -> None:
        self._let_go(slot, DROPPED)

    def _let_go(self, slot: Slot, at: At) -> None:
        slot.at = at
        self.held_bytes -= len(slot.given)
        slot.given = bytearray()

    # ------------------------------------------------------------ the end

    def _finish_live(self, live: Slot, cut_off: bool) -> None:
        if live.at is SPEAKING:
            if not live.is_whole and not cut_off:
                raise self._malformed(live)
        else:
            given = input_of(live)
            if given is None and not cut_off:
                raise self._malformed(live)
            self._writer.arguments(given or "{}")
        self._close(live)

    def _flush(self, slot: Slot, cut_off: bool) -> None:
        self._waiting.remove(slot)
        given = input_of(slot)
        if self._expected.first_call_only and self._writer.calls:
            self._drop(slot)
        elif not slot.name:
            if slot.given.strip() and not cut_off:
                raise broken("called a tool without naming it", repeat=not self.streams)
            self._drop(slot)
        elif given is None:
            if not cut_off:
                raise self._malformed(slot)
            self._drop(slot)
        elif self._open(slot):
            self._writer.arguments(given)
            self._close(slot)

    def _malformed(self, slot: Slot) -> Fault:
        name = self._client_name(slot)
        return broken(f"returned malformed tool arguments for {name}", repeat=not self.streams)


def _place(slot: Slot) -> int:
    return slot.place


def _whole_number(index: object) -> int | None:
    if isinstance(index, str) and index.isdecimal() and len(index) < 10:
        return int(index)
    return index if type(index) is int and index >= 0 else None
