"""What chat servers report as usage, in all its spellings, as our counts (translation.md 2.4)."""

import msgspec

from proxy.domain.usage import Usage

COUNT_MAX = 1 << 40
_Count = int | float | None


class _PromptDetails(msgspec.Struct):
    cached_tokens: _Count = None
    cache_write_tokens: _Count = None
    cache_write_1h_tokens: _Count = None
    """Of those, for an hour; only `wire/converse.py` says it."""


class _OutputDetails(msgspec.Struct):
    reasoning_tokens: _Count = None


class ChatUsage(msgspec.Struct):
    """A `usage` object as it stands on the wire."""

    prompt_tokens: _Count = None
    completion_tokens: _Count = None
    total_tokens: _Count = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _OutputDetails | None = None
    prompt_cache_hit_tokens: _Count = None
    """DeepSeek."""
    cached_tokens: _Count = None
    """Moonshot."""
    reasoning_tokens: _Count = None


_USAGE = msgspec.json.Decoder(ChatUsage, strict=False)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read_usage(raw: bytes | msgspec.Raw) -> ChatUsage | None:
    """None when it cannot be read: then it is as good as missing."""
    try:
        return _USAGE.decode(raw)
    except msgspec.ValidationError:
        return _read_loosely(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _read_loosely(raw: bytes | msgspec.Raw) -> ChatUsage | None:
    """Some of it is nonsense: the rest counts."""
    try:
        fields = _FIELDS.decode(raw)
    except msgspec.DecodeError:
        return None
    said = ChatUsage()
    for field in msgspec.structs.fields(ChatUsage):
        value = fields.get(field.name)
        if value is None:
            continue
        try:
            setattr(said, field.name, msgspec.json.decode(value, type=field.type, strict=False))
        except msgspec.ValidationError:
            continue
    return said


def merge(said: ChatUsage, usage: Usage) -> tuple[bool, bool]:
    """Put into `usage` what was said; tells whether the input and whether the output was. What a
    report leaves out stays as an earlier one left it (trap 24)."""
    prompt = _count(said.prompt_tokens)
    output = _count(said.completion_tokens)
    total = _count(said.total_tokens)
    thinking = _thinking(said)
    if thinking and total == prompt + output + thinking:
        output += thinking  # xAI: reasoning stands beside the completion
    elif not output and total > prompt:
        output = total - prompt  # Gemini's OpenAI door
    if prompt:
        cached = _cached(said)
        details = said.prompt_tokens_details
        written = 0 if details is None else _count(details.cache_write_tokens)
        for_an_hour = 0 if details is None else _count(details.cache_write_1h_tokens)
        usage.input_tokens = max(0, prompt - cached - written)
        usage.cache_read_tokens = cached
        usage.cache_write_1h_tokens = min(for_an_hour, written)
        usage.cache_write_5m_tokens = written - usage.cache_write_1h_tokens
    if output:
        usage.output_tokens = output
        usage.thinking_tokens = min(thinking, output)
    return prompt > 0, output > 0


def _thinking(said: ChatUsage) -> int:
    details = said.completion_tokens_details
    if details is not None and details.reasoning_tokens is not None:
        return _count(details.reasoning_tokens)
    return _count(said.reasoning_tokens)


def _cached(said: ChatUsage) -> int:
    details = said.prompt_tokens_details
    if details is not None and details.cached_tokens is not None:
        return _count(details.cached_tokens)
    if said.prompt_cache_hit_tokens is not None:
        return _count(said.prompt_cache_hit_tokens)
    return _count(said.cached_tokens)


def _count(value: _Count) -> int:
    """Absent is nothing, and so is less than nothing; more than any context is no count."""
    # In this order it is nothing, too, what is no number ("nan" in quotes is read as one).
    return int(max(0, min(value, COUNT_MAX))) if value is not None else 0
