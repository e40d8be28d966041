"""A conversation with our searches in it, told to Anthropic itself, which searches on its own and
refuses tokens that are not its own (translation.md 9.7).

Such a search becomes a line of text with titles and addresses; extracts of pages stay out, for text
of the assistant's is believed. Citations of ours go. Everything else keeps its bytes.
"""

import re
from collections.abc import Sequence

import msgspec

from proxy.domain.fault import Fault
from proxy.web_search.dangling import RESULT, is_search
from proxy.web_search.hit import Hit
from proxy.web_search.past_results import PastResults, read_past_hits
from proxy.web_search.past_turn import LOCATION
from proxy.web_search.query import read_query
from proxy.web_search.tokens import PREFIX
from proxy.web_search.tokens import is_ours as is_our_token
from proxy.web_search.told import tell_titles
from proxy.wire.messages_request import Block, is_text, read_content

_OURS = PREFIX.encode()
_EMPTY = re.compile(rb'"encrypted_(?:content|index)"\s*:\s*(?:""|null)')
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_Told = dict[str, Sequence[Hit]]
_ELSEWHERE = b'{"type":"text","text":"(the results of the web search above)"}'


class _Message(msgspec.Struct, gc=False):
    role: str = ""
    content: msgspec.Raw = msgspec.Raw()


class _Citation(msgspec.Struct, gc=False):
    type: str = ""
    encrypted_index: str = ""


_MESSAGE = msgspec.json.Decoder(_Message)
_CITATION = msgspec.json.Decoder(_Citation)


def without_our_searches(messages: msgspec.Raw, past: PastResults) -> bytes:
    """`messages` anew; as they are where none is ours, which costs a look at them. Raises Fault
    400 for tokens that were altered."""
    whole = bytes(messages)
    if not _has_foreign(whole):
        return whole
    try:
        raws = [bytes(raw) for raw in _LIST.decode(messages)]
        read = [_MESSAGE.decode(raw) for raw in raws]
    except _UNREADABLE:
        return whole  # no conversation: the provider will say what is wrong with it
    told: _Told = {}
    for number, message in enumerate(read):
        if _is_affected(message):
            _note_told(message.content, f"messages.{number}.content", past, told)
    changed = False
    for number, message in enumerate(read):
        if message.role == "assistant" and not is_text(message.content):
            content = _rewritten(message.content, told)
            if content is not None:
                raws[number] = b'{"role":"assistant","content":%b}' % content
                changed = True
    return b"[%b]" % b",".join(raws) if changed else whole


def _has_foreign(content: bytes) -> bool:
    return _OURS in content or _EMPTY.search(content) is not None


def _is_affected(message: _Message) -> bool:
    content = message.content
    return message.role == "assistant" and not is_text(content) and _has_foreign(bytes(content))


def _note_told(
    content: msgspec.Raw, where: str, past: PastResults, told: dict[str, Sequence[Hit]]
) -> None:
    """What becomes of each search that Anthropic would refuse, by its id."""
    for number, block in enumerate(_blocks(content)):
        if block.type != RESULT or not block.tool_use_id:
            continue
        hits = read_past_hits(block)
        if not hits or not any(hit.is_ours or hit.is_empty for hit in hits):
            continue
        answer = past.read(block, f"{where}.{number}.{RESULT}")
        told[block.tool_use_id] = () if isinstance(answer, str) else answer


def _blocks(content: msgspec.Raw) -> list[Block]:
    try:
        return read_content(content, "messages")
    except Fault:
        return []  # the provider will say what is wrong with it


def _rewritten(content: msgspec.Raw, told: _Told) -> bytes | None:
    """The content anew; None where nothing of it is ours."""
    blocks = _blocks(content)
    raws = [bytes(item) for item in _LIST.decode(content)] if blocks else []
    kept: list[bytes] = []
    changed = False
    for raw, block in zip(raws, blocks, strict=True):
        if is_search(block) and (hits := told.get(block.id or "")) is not None:
            kept.append(_line(block, hits))
        elif block.type == RESULT and block.tool_use_id in told:
            pass  # told with its call
        elif block.type == "text" and (bare := _without_citations(raw, block)) is not None:
            kept.append(bare)
        else:
            kept.append(raw)
            continue
        changed = True
    if not changed:
        return None
    return b"[%b]" % b",".join(kept or [_ELSEWHERE])


def _line(block: Block, hits: Sequence[Hit]) -> bytes:
    said = tell_titles(read_query(bytes(block.input)).text, hits)
    return b'{"type":"text","text":%b}' % msgspec.json.encode(said)


def _without_citations(raw: bytes, block: Block) -> bytes | None:
    """The text without citations that Anthropic would refuse; None where it has none."""
    if not _has_foreign(bytes(block.citations)):
        return None
    try:
        citations = _LIST.decode(block.citations)
        kept = [bytes(one) for one in citations if not _is_foreign(_CITATION.decode(one))]
    except _UNREADABLE:
        return None
    if len(kept) == len(citations):
        return None
    fields = {name: bytes(value) for name, value in _FIELDS.decode(raw).items()}
    if kept:
        fields["citations"] = b"[%b]" % b",".join(kept)
    else:
        del fields["citations"]
    written = [msgspec.json.encode(name) + b":" + value for name, value in fields.items()]
    return b"{%b}" % b",".join(written)


def _is_foreign(citation: _Citation) -> bool:
    index = citation.encrypted_index
    return citation.type == LOCATION and (not index or is_our_token(index))
