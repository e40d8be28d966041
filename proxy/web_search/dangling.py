"""Searches asked for in a conversation whose results are not in it (translation.md 9.3).

Anthropic's own servers leave a search undone where the model calls tools of the client beside it;
the next request brings the client's results, and the answer begins with the search's. We accept
such conversations, and refuse others in Anthropic's words.
"""

import msgspec

from proxy.web_search.loop import Dangling
from proxy.web_search.tool import NAME
from proxy.wire.messages_request import Block, Message, bad, is_text, read_content, read_messages

_MARK = b"server_tool_use"
RESULT = "web_search_tool_result"


def find_dangling(messages: msgspec.Raw, *, may_search: bool) -> list[Dangling]:
    """Searches that are to be made before the model is asked. `may_search`: the request has the
    tool. Raises Fault 400 for those that cannot be made any more."""
    if bytes(messages).find(_MARK) < 0:
        return []
    every = read_messages(messages)
    contents = [_content(message, number) for number, message in enumerate(every)]
    done = {block.tool_use_id for blocks in contents for block in blocks if block.type == RESULT}
    found: list[Dangling] = []
    for number, blocks in enumerate(contents):
        for block in blocks:
            if not is_search(block) or block.id in done:
                continue
            said = (
                f"messages.{number}: `{NAME}` tool use with id `{block.id}` was found without a "
                f"corresponding `{RESULT}` block"
            )
            if not _is_open(every, contents, number):
                raise bad(said)
            if not may_search:
                raise bad(f"{said}, but no `{NAME}` tool was provided")
            found.append(Dangling(block.id or "", bytes(block.input) or b"{}"))
    return found


def last_words(messages: msgspec.Raw) -> str:
    """The user's last text."""
    every = read_messages(messages)
    for number in range(len(every) - 1, -1, -1):
        message = every[number]
        if message.role != "user":
            continue
        blocks = read_content(message.content, f"messages.{number}.content")
        for block in reversed(blocks):
            if block.type == "text" and is_text(block.text):
                words: str = msgspec.json.decode(block.text, type=str)
                if words.strip():
                    return words
    return ""


def is_search(block: Block) -> bool:
    """Is the block a search that a server was to make?"""
    return block.type == "server_tool_use" and block.name == NAME


def _content(message: Message, number: int) -> list[Block]:
    if message.role != "assistant" or is_text(message.content):
        return []
    return read_content(message.content, f"messages.{number}.content")


def _is_open(every: list[Message], contents: list[list[Block]], number: int) -> bool:
    """Is the turn still the assistant's: nothing follows but results of the client's tools?"""
    for later in range(number + 1, len(every)):
        message = every[later]
        if message.role == "system":
            continue
        if message.role == "assistant" or is_text(message.content):
            return False
        blocks = read_content(message.content, f"messages.{later}.content")
        if any(block.type != "tool_result" for block in blocks):
            return False
    return True
