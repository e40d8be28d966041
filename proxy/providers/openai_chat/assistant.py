"""One assistant message (translation.md 1.4): text, thinking that may go back, calls.

Chat completions knows no order between text and calls: all texts are joined, also those that
followed a call, and all calls stand in order. What another model's server did for it is told in a
line of text.
"""

import hashlib
import re

import msgspec

from proxy.domain.dialect import Dialect
from proxy.providers.openai_chat.blocks import mark_beyond_text, user_parts
from proxy.providers.openai_chat.json_text import BLANK_LINE, as_string, escaped, is_blank, quoted
from proxy.providers.openai_chat.parts import Text
from proxy.providers.openai_chat.replay import Thoughts, note_thinking, write_thoughts
from proxy.providers.openai_chat.setting import Gathered, Setting
from proxy.stream.tool_ids import WRAPPED, upstream_id
from proxy.wire.messages_request import (
    Block,
    bad,
    json_text,
    named,
    read_content,
    read_hits,
    read_items,
)

_FOLDED_CHARS_MAX = 2048
_OMITTED = b"[attachment omitted: not supported by this model]"
_OBJECT = b"{"


class ToolCall(msgspec.Struct, gc=False):
    """A `tool_use`. `id` is the client's, `upstream` what the provider sees."""

    id: str
    upstream: str
    name: str
    arguments: bytes


class Turn:
    """What one assistant message will say; several in a row are one while nobody calls."""

    __slots__ = (
        "_items",
        "_mark",
        "_serving",
        "_upstream_ids",
        "calls",
        "number",
        "texts",
        "thoughts",
    )

    def __init__(self, number: int) -> None:
        self.number = number
        """Of the first message it is made of."""
        self.texts: list[bytes] = []
        self.thoughts = Thoughts([], [])
        self.calls: list[ToolCall] = []
        self._serving: dict[str, str] = {}
        self._upstream_ids: set[str] = set()
        self._mark = b""
        """Of the last block that bears one."""
        self._items: list[msgspec.Raw] = []
        """Of the message that is being added, once they are needed as they stand."""

    def add(self, content: msgspec.Raw, where: str, setting: Setting, gathered: Gathered) -> None:
        """The blocks of one message. Raises Fault for what cannot be read."""
        self._items = []
        for number, block in enumerate(read_content(content, where)):
            match block.type:
                case "text":
                    inside = json_text(block.text, f"{where}.{number}.text")
                    if not is_blank(inside):
                        self.texts.append(inside)
                case "tool_use":
                    self._call(block, f"{where}.{number}", setting, gathered)
                case "thinking":
                    note_thinking(block, self.thoughts, setting)
                case "redacted_thinking":
                    pass
                case "server_tool_use" | "mcp_tool_use":
                    at = f"{where}.{number}"
                    self._serving[named(block.id, f"{at}.id")] = named(block.name, f"{at}.name")
                case _:
                    self._other(block, content, number, where, setting)
            self._mark = mark_beyond_text(block, setting) or self._mark

    def _other(
        self, block: Block, content: msgspec.Raw, number: int, where: str, setting: Setting
    ) -> None:
        path = f"{where}.{number}"
        if block.type == "document" and setting.october and not setting.counting:
            raise bad(f"{path}: Input tag 'document' is not permitted here")
        if block.type == "web_search_tool_result":
            self._searched(block)
        elif block.type.endswith("_tool_result") and block.tool_use_id:
            name = self._serving.get(block.tool_use_id, "A tool")
            if not block.content and not self._items:
                self._items = read_items(content, where)
            result = block.content or self._items[number]
            said = str(memoryview(result), "utf-8")[:_FOLDED_CHARS_MAX]
            self.texts.append(escaped(f"[{name} was run by the previous model: {said}]"))
        else:
            for part in user_parts(block, path, setting, current=False):
                self.texts.append(part.inside if isinstance(part, Text) else _OMITTED)

    def _searched(self, block: Block) -> None:
        """Titles and addresses; what was found is sealed for another model."""
        hits = [hit for hit in read_hits(block.content) if hit.url]
        lines = [f"- {hit.title or hit.url}: {hit.url}" for hit in hits]
        said = "\n".join(["[Web search results:", *lines]) if lines else "[Web search: no results"
        self.texts.append(escaped(said + "]"))

    def _call(self, block: Block, where: str, setting: Setting, gathered: Gathered) -> None:
        client = named(block.id, f"{where}.tool_use.id")
        name = named(block.name, f"{where}.tool_use.name")
        arguments = bytes(block.input) or b"{}"
        if not arguments.startswith(_OBJECT):
            if arguments != b"null" and not setting.counting:
                raise bad(f"{where}.tool_use.input: Input should be a valid dictionary")
            arguments = b"{}"
        gathered.call_ids.add(client)
        upstream = provider_id(client, setting.dialect)
        if upstream in self._upstream_ids:
            upstream = hashed_id(f"{client} {len(self.calls)}", setting.dialect)
        self._upstream_ids.add(upstream)
        self.calls.append(ToolCall(client, upstream, gathered.names.upstream(name), arguments))

    def write(self, setting: Setting, *, last: bool) -> list[bytes]:
        """The message in pieces; none where nothing is left to say. `last`: the conversation ends
        with it, and the model is to go on from there."""
        thoughts = write_thoughts(self.thoughts, bool(self.calls), setting)
        if not self.texts and not self.calls and not thoughts:
            return []
        pieces = [b'{"role":"assistant","content":']
        if self.texts:
            pieces += (b'"', BLANK_LINE.join(self.texts), b'"')
        else:
            pieces.append(b"null" if self.calls and setting.dialect.null_content else b'""')
        pieces.append(thoughts)
        opening = b',"tool_calls":['
        for call in self.calls:
            pieces += (
                opening,
                b'{"id":',
                quoted(call.upstream),
                b',"type":"function","function":{"name":',
                quoted(call.name),
                b',"arguments":',
                as_string(call.arguments),
                b"}}",
            )
            opening = b","
        if self.calls:
            pieces.append(b"]")
        if self._mark:
            pieces.append(b',"cache_control":' + self._mark)
        if last:
            pieces.append(_PREFILLED.get(setting.dialect.prefill, b""))
        pieces.append(b"}")
        return pieces


_PREFILLED = {"partial": b',"partial":true', "prefix": b',"prefix":true'}

_ALPHANUMERIC_9 = re.compile(r"[A-Za-z0-9]{9}", re.ASCII)
_SAFE_64 = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


def provider_id(client: str, dialect: Dialect) -> str:
    """The id of a call for the provider: as the provider gave it, or, where its rule forbids that,
    a digest: the same in every turn, so prompt caches hit (translation.md 2.5)."""
    upstream = client
    if client.startswith(WRAPPED):
        upstream = upstream_id(client)
        if not _is_writable(upstream):
            return hashed_id(upstream, dialect)
    match dialect.tool_id:
        case "chars_40":
            fits = len(upstream) <= 40
        case "chars_64":
            fits = _SAFE_64.fullmatch(upstream) is not None
        case "alphanumeric_9":
            fits = _ALPHANUMERIC_9.fullmatch(upstream) is not None
        case _:
            return upstream
    return upstream if fits else hashed_id(upstream, dialect)


def _is_writable(text: str) -> bool:
    """A wrapped id may hold half a surrogate pair, which JSON in UTF-8 cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def hashed_id(text: str, dialect: Dialect) -> str:
    """A digest of `text` that every rule but the shortest accepts."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return digest[:9] if dialect.tool_id == "alphanumeric_9" else f"call_{digest[:24]}"
