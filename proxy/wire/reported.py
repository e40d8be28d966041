"""What an Anthropic reply states, put where it belongs: its usage, and our name of its model.

Counts merge per field: a value that is null or absent never overwrites one that was reported
(translation.md 4.2, trap 24).
"""

from typing import Final

import msgspec
from msgspec.structs import astuple

from proxy.domain.usage import Usage
from proxy.wire.messages import CacheCreation, Reply, ReportedUsage
from proxy.wire.top_level import with_value

_TOP: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def merge_usage(report: ReportedUsage, usage: Usage) -> None:
    """Overwrite in `usage` what the report states; leave the rest."""
    # All fields at once: read one by one, each is looked up by its name.
    read, written, cache_writes, cache_reads, split, details, tools = astuple(report)
    if read is not None:
        usage.input_tokens = read
    if written is not None:
        usage.output_tokens = written
    if cache_reads is not None:
        usage.cache_read_tokens = cache_reads
    if split is not None:
        _merge_split(split, usage)
    if cache_writes is not None:
        _merge_cache_writes(cache_writes, usage)
    if details is not None and details.thinking_tokens is not None:
        usage.thinking_tokens = details.thinking_tokens
    if tools is not None and tools.web_search_requests is not None:
        usage.web_searches = tools.web_search_requests


def _merge_split(split: CacheCreation, usage: Usage) -> None:
    five_minutes, one_hour = astuple(split)
    if one_hour is not None:
        usage.cache_write_1h_tokens = one_hour
    if five_minutes is not None:
        usage.cache_write_5m_tokens = five_minutes


def _merge_cache_writes(total: int, usage: Usage) -> None:
    if total != usage.cache_write_5m_tokens + usage.cache_write_1h_tokens:
        # Without a split all of it counts as written for five minutes (translation.md 10).
        usage.cache_write_5m_tokens = max(0, total - usage.cache_write_1h_tokens)


def with_reply_model(body: bytes, reply: Reply, name: bytes) -> bytes:
    """The reply's bytes with the top-level model exchanged for the JSON string `name`.

    A reply states its model before its content, as a rule; the bytes `"model":"…"` ahead of any
    `"content"` can only be the top-level key. Otherwise the top level is written anew, which leaves
    the bytes of every value as they were.
    """
    needle = b'"model":' + bytes(reply.model)
    at = body.find(needle, 0, 512)
    if at >= 0 and body.find(b'"content"', 0, at) < 0 and body.find(b"{", 1, at) < 0:
        return body[: at + 8] + name + body[at + len(needle) :]
    return b"".join(with_value(_TOP.decode(body), "model", name))
