"""Results of searches in a conversation, read back (translation.md 9.7).

Ours are sealed and come back whole. Those of others, and ours whose key was given up, show title
and address. Refuses to know what they are made into.
"""

from typing import Any

import msgspec

from proxy.domain.fault import Fault
from proxy.web_search.hit import ERROR_CODES, Hit, Sources
from proxy.web_search.result_blocks import Answer
from proxy.web_search.tokens import SearchSeal, is_ours
from proxy.wire.messages_request import Block

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class PastHit(msgspec.Struct, gc=False):
    """A `web_search_result` as it stands; anything may be anything."""

    url: Any = None
    title: Any = None
    encrypted_content: Any = None

    @property
    def is_ours(self) -> bool:
        """Does it bear a token of ours?"""
        return isinstance(self.encrypted_content, str) and is_ours(self.encrypted_content)

    @property
    def is_empty(self) -> bool:
        """Does it bear none, as other gateways write it?"""
        return not self.encrypted_content


class _Error(msgspec.Struct, gc=False):
    error_code: Any = None


_HITS = msgspec.json.Decoder(list[PastHit])
_ERROR = msgspec.json.Decoder(_Error)


class PastResults(msgspec.Struct):
    """How results are read: for whom, by which keys. Pages found go to `sources`. `counting`:
    nothing is refused."""

    tenant_id: str
    seal: SearchSeal
    sources: Sources
    counting: bool = False

    def read(self, block: Block, where: str) -> Answer:
        """What a `web_search_tool_result` says. Raises Fault 400 for a token that was altered."""
        hits = read_past_hits(block)
        if hits is None:
            return _read_error(block.content)
        read = [self._hit(hit, f"{where}.content.{n}") for n, hit in enumerate(hits)]
        return tuple(hit for hit in read if hit is not None)

    def _hit(self, past: PastHit, where: str) -> Hit | None:
        if past.is_ours:
            try:
                hit = self.seal.open_hit(self.tenant_id, past.encrypted_content, where)
            except Fault:
                if not self.counting:
                    raise
                hit = None
            if hit is not None:
                self.sources.note(hit)
                return hit
        if not isinstance(past.url, str) or not past.url:
            return None
        hit = Hit(past.url, past.title if isinstance(past.title, str) else "")
        self.sources.note(hit)
        return hit


def read_past_hits(block: Block) -> list[PastHit] | None:
    """The pages of a `web_search_tool_result`; None where it is an error, or nothing we know."""
    try:
        return _HITS.decode(block.content)
    except _UNREADABLE:
        return None


def _read_error(content: msgspec.Raw) -> Answer:
    try:
        code = _ERROR.decode(content).error_code
    except _UNREADABLE:
        code = None
    for known in ERROR_CODES:
        if code == known:
            return known  # type: ignore[return-value]
    return "unavailable"
