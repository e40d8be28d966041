"""Recognises that a prompt is too long, in whatever words a provider says it (translation.md 7.3).

Text in, numbers or None out; and the two sentences Claude Code understands: they decide whether it
compacts its conversation or asks for a shorter answer (client-contract.md 9.4, trap 51).
Refuses to know: JSON, and what becomes of the reply.
"""

import re
from collections.abc import Collection

import msgspec

_TEXT_CHARS_MAX = 20_000
"""Of an error's text so much is read: it may quote the prompt."""
_STRING_CHARS_MIN = 100_000
"""`string too long` about a limit below this is about a name or an id, not about the prompt."""
STATUSES = frozenset((400, 413, 422, 500, None))
"""Where an overflow is looked for; None is an error inside a stream."""
CODES = frozenset(("context_length_exceeded", "exceed_context_size_error", "prompt_too_long"))


class Overflow(msgspec.Struct, frozen=True, gc=False):
    """Tokens as the provider counted them; 0 where it does not say. `output` is what was asked for
    in answer, if the text says that it counts against the limit. `at_least`: the provider stopped
    counting the prompt there."""

    prompt: int = 0
    output: int = 0
    limit: int = 0
    at_least: bool = False


_MARKS = re.compile(
    r"""context_length_exceeded
    | capability_rejected:\ prompt_too_long
    | maximum\ context\ (?:length|limit)\ (?:is|of)\ [\d,]+
    | model's\ (?:maximum\ )?context\ (?:length|limit|window)
    | longer\ than\ the\ (?:model's\ context|maximum\ model)\ length
    | exceeds?\ the\ available\ context\ size
    | exceeds?\ context\ limit
    | prompt\ is\ too\ long
    | input\ is\ too\ long\ for\ requested\ model
    | input\ length\ and\ .max_tokens.\ exceed
    | prompt\ tokens\ \([\d,]+\)\ exceed\ model\ maximum\ \([\d,]+\)
    | input\ token\ length\ too\ long
    | exceeded\ model\ token\ limit
    | exceeds\ the\ maximum\ number\ of\ tokens\ allowed
    | exceeds\ the\ maximum\ allowed\ length\ \([\d,]+\ tokens
    | maximum\ input\ length\ is\ [\d,]+\ tokens
    | current\ length\ is\ [\d,]+\ while\ limit\ is\ [\d,]+
    | input\ tokens\ exceed\ the\ configured\ limit
    | tokens\ in\ request\ more\ than\ max\ tokens\ allowed
    """,
    re.IGNORECASE | re.VERBOSE,
)
_TOO_MANY = re.compile(r"too many tokens", re.IGNORECASE)
_STRING = re.compile(
    r"string too long\. expected a string with maximum length ([\d,]+)", re.IGNORECASE
)

_SUM = re.compile(r"context limit: ([\d,]+) \+ ([\d,]+) > ([\d,]+)", re.IGNORECASE)
_LIMIT = re.compile(
    r"""(?:
      > | maximum\ context\ (?:length|limit)\ (?:is|of)
    | model's\ (?:maximum\ )?context\ (?:length|limit|window)\ (?:is|of|\()?
    | maximum\ model\ length\ of | token\ limit: | model\ maximum\ \(
    | maximum\ number\ of\ tokens\ allowed\ \(? | maximum\ allowed\ length\ \(
    | maximum\ input\ length\ is | while\ limit\ is | configured\ limit\ of
    | available\ context\ size\ \(
    )\ ?([\d,]++)(?!\ [-+])""",
    re.IGNORECASE | re.VERBOSE,
)
_PART = re.compile(
    r"(?<![\d,])([\d,]+) (?:tokens )?(?:in the (?:messages|functions)|from the input messages"
    r"|of (?:text|image|tool) input)",
    re.IGNORECASE,
)
_PROMPT = re.compile(
    r"""(?:
      too\ long: | prompt\ contains(?P<least>\ at\ least)? | request\ has | resulted\ in
    | requested:\ ? | prompt\ tokens\ \( | input\ token\ count\ \(? | current\ length\ is
    | (?:input|prompt)\ \( | input\ length\ \( | prompt\ \(length | request\ \(
    )\ ?(?P<count>[\d,]+)""",
    re.IGNORECASE | re.VERBOSE,
)
_TOTAL = re.compile(r"you requested (?:about )?([\d,]+) tokens", re.IGNORECASE)
_OUTPUT = re.compile(
    r"(?<![\d,])([\d,]+) (?:tokens )?(?:in|for) the (?:completion|output)"
    r"|requested ([\d,]+) output tokens|max_(?:completion_)?tokens. is too large: ([\d,]+)",
    re.IGNORECASE,
)


def read_overflow(text: str, *, status: int | None, codes: Collection[str] = ()) -> Overflow | None:
    """What `text` says about a prompt that is too long; None when it says something else.

    `codes` are the error's code and type, in lower case. A status says what may be meant: a 429
    about tokens is a limit of rate.
    """
    if status not in STATUSES:
        return None
    text = text[:_TEXT_CHARS_MAX]
    is_meant = (
        not CODES.isdisjoint(codes)
        or _MARKS.search(text) is not None
        or (status == 400 and _TOO_MANY.search(text) is not None)
    )
    if is_meant:
        return _numbers(text)
    string = _STRING.search(text)
    if string is not None and _count(string[1]) >= _STRING_CHARS_MIN:
        return Overflow()  # its numbers are characters
    return None


def overflow_message(overflow: Overflow, *, prompt_tokens: int, context_window: int) -> str:
    """The sentence for the client. Where the provider gives no number, `prompt_tokens` (an
    estimate) and `context_window` (the model's) stand in."""
    limit = overflow.limit or context_window
    prompt = overflow.prompt or prompt_tokens
    if overflow.at_least:
        prompt = max(prompt, prompt_tokens)
    output = overflow.output
    if output and prompt <= limit < prompt + output:
        return (
            f"input length and `max_tokens` exceed context limit: {prompt} + {output} > {limit}, "
            "decrease input length or `max_tokens` and try again"
        )
    # The provider says it is too long, whatever we had guessed.
    return f"prompt is too long: {max(prompt, limit + 1)} tokens > {limit} maximum"


def _numbers(text: str) -> Overflow:
    if (match := _SUM.search(text)) is not None:
        return Overflow(_count(match[1]), _count(match[2]), _count(match[3]))
    limit = _LIMIT.search(text)
    output = _OUTPUT.search(text)
    parts = [_count(part) for part in _PART.findall(text)]
    prompt = _PROMPT.search(text)
    prompt_tokens, at_least = sum(parts), False
    if not parts and prompt is not None:
        prompt_tokens, at_least = _count(prompt["count"]), prompt["least"] is not None
    elif not parts and output is None and (total := _TOTAL.search(text)) is not None:
        prompt_tokens = _count(total[1])
    return Overflow(
        prompt_tokens,
        _count(next(filter(None, output.groups()), "")) if output is not None else 0,
        _count(limit[1]) if limit is not None else 0,
        at_least,
    )


def _count(digits: str) -> int:
    # A number of more digits is no count of tokens.
    return int(digits.replace(",", "")[:12] or 0)
