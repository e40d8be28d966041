"""The client's JSON body: its head read once, one value exchanged, everything else left as bytes.

Opaque values stay `msgspec.Raw` views of the body: integers beyond 64 bits, key order and number
forms survive, and prompt-cache prefixes with them (translation.md D2).
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from proxy.domain.fault import Fault, Kind
from proxy.wire.top_level import with_value

_TOP: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TEXT: Final = msgspec.json.Decoder(str)
_WHOLE: Final = msgspec.json.Decoder(int)
_SPACE: Final = b" \t\r\n"
_LIST: Final = ord("[")


class Body:
    """A request body with its top level read. `model` is the name as the client wrote it;
    `max_tokens` is 0 where none was asked for.

    What a search through all of it would tell is known of large bodies only (`wire/survey.py`):
    does it bear `artefacts`, and where is its first `image` ("" without). None: look yourself."""

    __slots__ = ("artefacts", "fields", "image", "max_tokens", "model", "raw", "streamed")

    def __init__(self, raw: bytes, fields: dict[str, msgspec.Raw]) -> None:
        self.raw = raw
        self.fields = fields
        self.model = _read_model(fields)
        self.max_tokens = 0
        self.artefacts: bool | None = None
        self.image: str | None = None
        stream = fields.get("stream")
        self.streamed = stream is not None and bytes(stream) == b"true"

    def with_model(self, name: bytes) -> list[bytes | memoryview]:
        """The body with its model exchanged for the JSON string `name`, in pieces, nothing copied.

        The span of the old value is found by walking the top level, whose values are known. A
        repeated key must not lead the walk into a nested object, or that one's model would be
        exchanged: the proof is the length of a compact body, and for a spaced one every value is
        compared. Where the walk does not match (a repeated key,
        an escaped key) the top level is written anew, which leaves every value's bytes as they
        were and each key once.
        """
        span = self._span_of_model()
        if span is None:
            return with_value(self.fields, "model", name)
        view = memoryview(self.raw)
        return [view[: span[0]], name, view[span[1] :]]

    def _span_of_model(self) -> tuple[int, int] | None:
        return self._span_if_compact() or self._span_if_spaced()

    def _span_if_compact(self) -> tuple[int, int] | None:
        """The walk for a body without space between its parts, as SDKs write it."""
        begin = end = 0
        at = 1
        for key, value in self.fields.items():
            at += len(key) + 3
            size = len(value)
            if key == "model":
                begin, end = at, at + size
            at += size + 1
        # No document with these members is shorter than the walk: when nothing is left but the
        # brace, there was no room for a space, an escape or a repeated key, and every value stands
        # where it was met. (A key that is not ASCII is longer than its characters: not compact.)
        return (begin, end) if at == len(self.raw) else None

    def _span_if_spaced(self) -> tuple[int, int] | None:
        for key, begin, end in top_level_spans(self.raw, self.fields) or ():
            if key == "model":
                return begin, end
        return None


def top_level_spans(
    raw: bytes, fields: Mapping[str, msgspec.Raw]
) -> list[tuple[str, int, int]] | None:
    """Each key with the place of its value in `raw`, in their order; None where a key stands twice
    or is written with escapes."""
    spans: list[tuple[str, int, int]] = []
    at = _after(raw, 0, b"{")
    for key, value in fields.items():
        quoted = b'"' + key.encode() + b'"'
        if at < 0 or not raw.startswith(quoted, at):
            return None
        at = _after(raw, at + len(quoted), b":")
        end = at + len(value)
        if not raw.startswith(memoryview(value), at):
            return None
        spans.append((key, at, end))
        at = _after(raw, end, b",")
    # Every step so far was a step of the true parse, so a colon follows each key, and a comma
    # or the end each value. A comma after the last one means a key that has not been seen.
    return spans if at < 0 else None


def _after(raw: bytes, at: int, mark: bytes) -> int:
    """Where the text goes on after optional space, `mark` and optional space; -1 without it."""
    size = len(raw)
    while at < size and raw[at] in _SPACE:
        at += 1
    if raw[at : at + 1] != mark:
        return -1
    at += 1
    while at < size and raw[at] in _SPACE:
        at += 1
    return at


def read_body(raw: bytes, *, needs_max_tokens: bool) -> Body:
    """Read the top level of a Messages body.

    Raises Fault 400 worded as Anthropic words it (field path first) for what no provider could
    make sense of; everything else is left to the provider's own validation (domain.md 14.1).
    """
    raw = without_mark(raw)
    return body_of(raw, top_level(raw), needs_max_tokens=needs_max_tokens)


def without_mark(raw: bytes) -> bytes:
    """The body without a byte order mark, which some clients of old send."""
    return raw[3:] if raw.startswith(b"\xef\xbb\xbf") else raw


def top_level(raw: bytes) -> dict[str, msgspec.Raw]:
    """The members of a JSON object, unread. Raises Fault 400 for what is none."""
    try:
        return _TOP.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise _not_an_object(raw, problem) from None


def body_of(raw: bytes, fields: dict[str, msgspec.Raw], *, needs_max_tokens: bool) -> Body:
    """The body whose top level is `fields`. Raises as `read_body`."""
    body = Body(raw, fields)
    _check_messages(fields.get("messages"))
    if needs_max_tokens:
        body.max_tokens = _read_max_tokens(fields.get("max_tokens"))
    stream = fields.get("stream")
    if stream is not None and bytes(stream) not in (b"true", b"false", b"null"):
        raise _bad("stream: Input should be a valid boolean")
    if "thread" in fields and bytes(fields["thread"]) != b"null":
        raise Fault(
            Kind.BAD_REQUEST,
            "Message threads are not supported by this gateway. Send the full conversation.",
            error_code="thread_unsupported_request",
        )
    return body


def with_fields(body: Body, changes: Mapping[str, bytes]) -> Body:
    """The body with top-level values exchanged or added; all others keep their bytes."""
    fields = dict(body.fields)
    for name, changed_value in changes.items():
        fields[name] = msgspec.Raw(changed_value)
    pieces: list[bytes | memoryview] = []
    for name, value in fields.items():
        pieces += (b",", msgspec.json.encode(name), b":", value)
    pieces[:1] = [b"{"]
    changed = read_body(b"".join([*pieces, b"}"]), needs_max_tokens=False)
    changed.max_tokens = body.max_tokens
    return changed


def _bad(message: str) -> Fault:
    return Fault(Kind.BAD_REQUEST, message)


def _not_an_object(raw: bytes, problem: Exception) -> Fault:
    if isinstance(problem, msgspec.ValidationError):
        return _bad("Input should be a valid dictionary: the request body must be a JSON object")
    if not raw.strip():
        return _bad("The request body is empty; send a JSON object")
    if isinstance(problem, RecursionError):
        return _bad("The request body is not valid JSON: nested too deeply")
    return _bad(f"The request body is not valid JSON: {_where(problem)}")


def _where(problem: Exception) -> str:
    if isinstance(problem, UnicodeDecodeError):
        return "not valid UTF-8"
    return str(problem).removeprefix("JSON is malformed: ")


def _read_model(fields: dict[str, msgspec.Raw]) -> str:
    model = fields.get("model")
    if model is None:
        raise _bad("model: Field required")
    try:
        name = _TEXT.decode(model)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise _bad("model: Input should be a valid string") from None
    if not name.strip():
        raise _bad("model: String should have at least 1 character")
    return name


def _check_messages(messages: msgspec.Raw | None) -> None:
    if messages is None:
        raise _bad("messages: Field required")
    begin = memoryview(messages)[:17].tobytes()
    if begin[0] != _LIST:
        raise _bad("messages: Input should be a valid list")
    if begin[1:].lstrip().startswith(b"]"):
        raise _bad("messages: at least one message is required")


def _read_max_tokens(value: msgspec.Raw | None) -> int:
    if value is None:
        raise _bad("max_tokens: Field required")
    try:
        count: int = _WHOLE.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise _bad("max_tokens: Input should be a valid integer") from None
    if count < 1:
        raise _bad("max_tokens: Input should be greater than or equal to 1")
    return count
