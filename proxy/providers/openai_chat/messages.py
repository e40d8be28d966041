"""The conversation in the order that chat completions demands (translation.md 1.2).

    exchange = assistant and system messages, then user and system messages

The results of an exchange are looked up before its first message is written: behind an assistant
message with calls come its tool messages, one per call, in the order of the calls, and nothing in
between (traps 28, 32). All else stays where it was, system messages too (trap 29).
"""

from collections.abc import Iterator

from proxy.domain.fault import Fault
from proxy.providers.openai_chat.assistant import Turn
from proxy.providers.openai_chat.blocks import user_parts
from proxy.providers.openai_chat.json_text import BLANK_LINE, NEWLINE, escaped, is_blank
from proxy.providers.openai_chat.parts import Part, Text, is_empty, is_text, write_content
from proxy.providers.openai_chat.setting import Gathered, Setting
from proxy.providers.openai_chat.tool_results import NOTHING_RECORDED, Result, lift, read_result
from proxy.wire.messages_request import (
    Block,
    Message,
    bad,
    is_null,
    json_text,
    named,
    read_content,
)

_REMINDER = rb"<system-reminder>\n"
_REMINDER_END = rb"\n</system-reminder>"

Numbered = tuple[int, Message]


class Conversation:
    """Writes messages one behind the other. What is open: at most one assistant message, then at
    most one user message behind it; both are closed by whatever cannot be part of them."""

    def __init__(self, setting: Setting, gathered: Gathered) -> None:
        self.written: list[list[bytes]] = []
        """Messages in pieces."""
        self.prefilled = False
        """The last one is the assistant's, to be continued."""
        self._setting = setting
        self._gathered = gathered
        self._turn: Turn | None = None
        self._parts: list[Part] = []
        self._lifted: list[Part] = []
        self._results: dict[str, Result] = {}
        self._called: set[str] = set()
        self._in_last = False
        self._tail_open = False
        """Is the last message a tool message whose text may be continued?"""

    def write(self, messages: list[Message]) -> None:
        """All of `messages`. Raises Fault 400 for what cannot be read or sent."""
        current = _current_turn(messages)
        exchanges = list(_exchanges(messages))
        for exchange in exchanges:
            self._in_last = exchange is exchanges[-1]
            self._write_exchange(exchange, current)
        self._end()

    def remind(self, inside: bytes) -> None:
        """A word to the model behind everything, in the user's name."""
        last = self.written[-1]
        if last[0].startswith(b'{"role":"user"') and last[1] == b'"':
            last[-2:] = [NEWLINE, inside, b'"', b"}"]
        else:
            self._write_user([Text(inside)])

    # ------------------------------------------------------------ one exchange

    def _write_exchange(self, exchange: list[Numbered], current: int) -> None:
        blocks = {
            number: read_content(message.content, f"messages.{number}.content")
            for number, message in exchange
            if message.role == "user"
        }
        self._results = {}
        self._called = set()
        for number, content in blocks.items():
            self._read_results(number, content)
        for number, message in exchange:
            if message.role == "assistant":
                self._assistant(number, message)
            elif message.role == "system":
                self._system(number, message)
            else:
                self._user(number, blocks[number], current=number >= current)
        self._close_calls()

    def _read_results(self, number: int, content: list[Block]) -> None:
        for at, block in enumerate(content):
            if block.type != "tool_result":
                continue
            where = f"messages.{number}.content.{at}.tool_result"
            try:
                call_id = named(block.tool_use_id, f"{where}.tool_use_id")
                # Of several results for one call the last one holds.
                self._results[call_id] = result = read_result(block, where, self._setting)
            except Fault:
                if not self._setting.counting:
                    raise
                continue
            self._gathered.referenced.update(result.references)

    def _assistant(self, number: int, message: Message) -> None:
        turn = self._turn
        if turn is None or turn.calls or self._parts:
            self._close()
            turn = self._turn = Turn(number)
        where = f"messages.{number}.content"
        try:
            turn.add(message.content, where, self._setting, self._gathered)
        except Fault:
            if not self._setting.counting:
                raise
        self._called.update([call.id for call in turn.calls])

    def _system(self, number: int, message: Message) -> None:
        where = f"messages.{number}.content"
        texts = [
            json_text(block.text, f"{where}.{at}.text")
            for at, block in enumerate(read_content(message.content, where))
            if block.type == "text"
        ]
        inside = BLANK_LINE.join([text for text in texts if not is_blank(text)])
        if not inside:
            return
        dialect = self._setting.dialect
        if dialect.mid_system == "fold":
            self._close_calls()
            self._parts.append(Text(_REMINDER + inside + _REMINDER_END, reminder=True))
            return
        self._close()
        role = dialect.system_role.encode()
        self._append([b'{"role":"%b","content":"' % role, inside, b'"}'])

    def _user(self, number: int, blocks: list[Block], *, current: bool) -> None:
        self._close_calls()
        self._parts += self._lifted
        self._lifted = []
        for at, block in enumerate(blocks):
            where = f"messages.{number}.content.{at}"
            if block.type == "tool_result":
                if block.tool_use_id not in self._called:
                    self._parts += self._orphan(block)
            else:
                self._parts += self._user_parts(block, where, current)

    def _user_parts(self, block: Block, where: str, current: bool) -> list[Part]:
        setting = self._setting
        try:
            if setting.october and block.type == "text" and _has_citations(block):
                raise bad(f"{where}.text.citations: Extra inputs are not permitted")
            return user_parts(block, where, setting, current=current)
        except Fault:
            if setting.counting:
                return []
            raise

    def _orphan(self, block: Block) -> list[Part]:
        """A result whose call is not there, as text: nothing the client sent may vanish."""
        call_id = block.tool_use_id or ""
        result = self._results.pop(call_id, None)
        if result is None:
            return []  # it came twice
        opening = b"[tool result %b]" % escaped(call_id)
        match result.parts:
            case [Text() as first, *others]:
                return [Text(opening + b" " + first.inside, first.mark), *others]
            case others:
                return [Text(opening), *others]

    # ------------------------------------------------------------ closing

    def _close(self) -> None:
        """Write the open assistant message, then the open user message."""
        self._close_turn()
        self._close_user()

    def _close_calls(self) -> None:
        """Write the open assistant message if it calls: only its results may follow."""
        if self._turn is not None and self._turn.calls:
            self._close()

    def _close_turn(self) -> None:
        turn, self._turn = self._turn, None
        if turn is None:
            return
        pieces = turn.write(self._setting, last=False)
        if not pieces:
            return
        self._append(pieces)
        missing = [call.id for call in turn.calls if call.id not in self._results]
        if missing and self._in_last and not self._setting.counting:
            raise bad(
                f"messages.{turn.number}: `tool_use` ids were found without `tool_result` blocks "
                f"immediately after: {', '.join(missing)}. Each `tool_use` block must have a "
                "corresponding `tool_result` block in the next message."
            )
        for number, call in enumerate(turn.calls, 1):
            self._write_tool(escaped(call.upstream), self._results.get(call.id), number)

    def _write_tool(self, call_id: bytes, result: Result | None, number: int) -> None:
        dialect = self._setting.dialect
        stay: list[Part] = [Text(NOTHING_RECORDED)] if result is None else result.parts
        if result is not None and not dialect.tool_image and not is_text(stay):
            stay, lifted = lift(stay, number, len(self._lifted) // 2)
            self._lifted += lifted
        if is_empty(stay):
            stay = [Text(escaped(dialect.empty_tool_result))]
        content = write_content(stay)
        self._append([b'{"role":"tool","tool_call_id":"%b","content":' % call_id, *content, b"}"])
        self._tail_open = content[0] == b'"'

    def _close_user(self) -> None:
        parts, self._parts = self._parts, []
        if not parts:
            return
        if self._tail_open and all(isinstance(part, Text) and part.reminder for part in parts):
            # There is no user text to put it before: it ends the last tool message.
            said = [BLANK_LINE + part.inside for part in parts if isinstance(part, Text)]
            self.written[-1][-2:] = [*said, b'"', b"}"]
            return
        self._write_user(parts)

    def _write_user(self, parts: list[Part]) -> None:
        self._append([b'{"role":"user","content":', *write_content(parts), b"}"])

    def _append(self, pieces: list[bytes]) -> None:
        self.written.append(pieces)
        self._tail_open = False

    def _end(self) -> None:
        turn = self._turn
        if turn is None or self._parts:
            self._close()
        else:
            self._turn = None
            self._prefill(turn)
        if not any(not message[0].startswith(_NOT_SPOKEN) for message in self.written):
            self._write_user([Text(b" ")])

    def _prefill(self, turn: Turn) -> None:
        """The conversation ends with the assistant, who is to go on."""
        pieces = turn.write(self._setting, last=True)
        if not pieces:
            return
        if self._setting.dialect.prefill == "refuse" and not self._setting.counting:
            raise bad(
                f"messages.{turn.number}: This model does not support assistant message prefill. "
                "The conversation must end with a user message."
            )
        self._append(pieces)
        self.prefilled = True


_NOT_SPOKEN = (b'{"role":"system"', b'{"role":"developer"')


def _exchanges(messages: list[Message]) -> Iterator[list[Numbered]]:
    """What the assistant said and what was answered, again and again."""
    exchange: list[Numbered] = []
    answered = False
    for number, message in enumerate(messages):
        if message.role == "assistant" and answered:
            yield exchange
            exchange = []
            answered = False
        exchange.append((number, message))
        answered = answered or message.role == "user"
    if exchange:
        yield exchange


def _current_turn(messages: list[Message]) -> int:
    """Where the last stretch of user messages begins."""
    begin = behind_assistant = 0
    for number, message in enumerate(messages):
        if message.role == "assistant":
            behind_assistant = number + 1
        elif message.role == "user":
            begin = behind_assistant
    return begin


def _has_citations(block: Block) -> bool:
    if not block.citations or is_null(block.citations):
        return False
    return bytes(block.citations).replace(b" ", b"") != b"[]"
