"""Citations as the client sees them: `web_search_result_location` (translation.md 9.8, 9.10)."""

from typing import Any

import msgspec

from proxy.web_search.cited_sentence import CITED_CHARS_MAX, cited_text
from proxy.web_search.hit import Hit, Sources
from proxy.web_search.markers import Citation
from proxy.web_search.prose import cut_at_word
from proxy.web_search.tokens import Index, SearchSeal

_json = msgspec.json.encode


class _FromClaude(msgspec.Struct, gc=False):
    type: str = ""
    source: Any = None
    cited_text: Any = None


_FROM_CLAUDE = msgspec.json.Decoder(_FromClaude)


def citation_json(citation: Citation, seal: SearchSeal, tenant_id: str) -> bytes:
    """The `citation` of a `citations_delta`, for a mark."""
    hit = citation.hit
    quoted = cited_text(hit.text or hit.title, citation.claim)
    return _located(hit, citation.span, quoted, seal, tenant_id)


def claude_citation(
    raw: bytes | msgspec.Raw, sources: Sources, seal: SearchSeal, tenant_id: str
) -> bytes | None:
    """The same for a `search_result_location`, Claude's citation of a page we told it of; None
    for any other, which goes on as it is."""
    try:
        said = _FROM_CLAUDE.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    hit = sources.at(said.source) if isinstance(said.source, str) else None
    if said.type != "search_result_location" or hit is None:
        return None
    quoted = said.cited_text if isinstance(said.cited_text, str) else hit.text
    return _located(hit, "", cut_at_word(quoted.strip(), CITED_CHARS_MAX), seal, tenant_id)


def _located(hit: Hit, span: str, quoted: str, seal: SearchSeal, tenant_id: str) -> bytes:
    return (
        b'{"type":"web_search_result_location","url":%b,"title":%b,"encrypted_index":%b,'
        b'"cited_text":%b}'
        % (
            _json(hit.url),
            _json(hit.title),
            _json(seal.seal_index(tenant_id, Index(hit.number, span))),
            _json(quoted),
        )
    )
