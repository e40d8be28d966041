"""Blocks of a search: as the client sees them (translation.md 9.4) and as the model does (9.6,
9.10).

To the client a search is a `server_tool_use` and its `web_search_tool_result`, with documented keys
only: strict clients break on others. To the model it is a call of a tool like any other and the
answer to it; what is made here for the next round is made from the client's history in later
requests, byte for byte (`history.py`).
"""

from collections.abc import Sequence

import msgspec

from proxy.web_search.citing import BLOCKS, Citing
from proxy.web_search.hit import ErrorCode, Hit
from proxy.web_search.tokens import SearchSeal
from proxy.web_search.told import tell_failure, tell_hits
from proxy.web_search.tool import NAME

_json = msgspec.json.encode
Answer = tuple[Hit, ...] | ErrorCode
"""What a call is answered with: pages, numbered, or the word for why there are none."""


# ------------------------------------------------------------ the client's


def shown_call(search_id: str, arguments: bytes) -> bytes:
    """A `server_tool_use`. In a stream `arguments` is `{}`, and the real ones follow as one
    delta."""
    return b'{"type":"server_tool_use","id":%b,"name":"%b","input":%b}' % (
        _json(search_id),
        NAME.encode(),
        arguments,
    )


def shown_result(
    search_id: str, answer: Answer, seal: SearchSeal, tenant_id: str, issued_s: int
) -> bytes:
    """A `web_search_tool_result`, the same whole in a stream. `issued_s` is Unix seconds."""
    if isinstance(answer, str):
        content = b'{"type":"web_search_tool_result_error","error_code":%b}' % _json(answer)
    else:
        content = b"[%b]" % b",".join(
            [_shown_hit(hit, seal.seal_hit(tenant_id, hit, issued_s)) for hit in answer]
        )
    return b'{"type":"web_search_tool_result","tool_use_id":%b,"content":%b}' % (
        _json(search_id),
        content,
    )


def _shown_hit(hit: Hit, token: str) -> bytes:
    return (
        b'{"type":"web_search_result","url":%b,"title":%b,"encrypted_content":%b,"page_age":%b}'
        % (_json(hit.url), _json(hit.title), _json(token), _json(hit.age))
    )


# ------------------------------------------------------------ the model's


def call_block(call_id: str, arguments: bytes, cache_control: bytes = b"") -> bytes:
    """The call as a `tool_use`."""
    return b'{"type":"tool_use","id":%b,"name":"%b","input":%b%b}' % (
        _json(call_id),
        NAME.encode(),
        arguments,
        _cached(cache_control),
    )


def answer_block(
    call_id: str,
    query: str,
    answer: Answer,
    *,
    citing: Citing,
    off: bool = False,
    cache_control: bytes = b"",
) -> bytes:
    """The answer as a `tool_result`. By `citing` pages are `search_result` blocks, or told as
    text. `off`: searching is switched off."""
    if isinstance(answer, str):
        content = _json(tell_failure(answer, off=off))
    elif citing is not BLOCKS or not answer:
        content = _json(tell_hits(query, answer))
    else:
        content = _search_results(answer)
    return b'{"type":"tool_result","tool_use_id":%b,"content":%b%b}' % (
        _json(call_id),
        content,
        _cached(cache_control),
    )


def _search_results(hits: Sequence[Hit]) -> bytes:
    blocks = [
        b'{"type":"search_result","source":%b,"title":%b,"content":[{"type":"text","text":%b}],'
        b'"citations":{"enabled":true}}'
        % (_json(hit.url), _json(hit.title or hit.url), _json(_said(hit)))
        for hit in hits
    ]
    return b"[%b]" % b",".join(blocks)


def _said(hit: Hit) -> str:
    text = hit.text or hit.title or hit.url
    return f"{hit.age}\n{text}" if hit.age else text


def _cached(cache_control: bytes) -> bytes:
    return b',"cache_control":%b' % cache_control if cache_control else b""
