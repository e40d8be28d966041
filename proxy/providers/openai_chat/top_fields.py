"""The small fields of the top level (translation.md 1.1), each written with a comma in front.

What is unknown is dropped: new hints appear monthly. Refused is what the request depends on and
nobody here can give.
"""

import hashlib
import re

import msgspec

from proxy.domain.call import Call
from proxy.domain.dialect import Dialect
from proxy.providers.openai_chat.json_text import quoted
from proxy.wire.body import Body
from proxy.wire.messages_request import Metadata, bad, is_null, read_optional, read_stops
from proxy.wire.session_id import session_of

_SAMPLING = ("temperature", "top_p", "top_k")
_NUMBER = re.compile(rb"-?[0-9][0-9.eE+-]*")
_USER_CHARS_MAX = 64
_STOPS_MAX = 256
_STOP_CHARS_MAX = 1000
_EMPTY = (b"null", b"[]", b"{}", b'""')


def refuse_unfit(call: Call, body: Body, dialect: Dialect, *, october: bool) -> None:
    """Raises Fault 400 for top-level fields that this request may not have."""
    fields = body.fields
    if october:
        for name in _SAMPLING:
            if name in fields:
                raise bad(f"{name}: Extra inputs are not permitted")
    for name in ("container", "mcp_servers"):
        value = fields.get(name)
        if value is not None and b"".join(bytes(value).split()) not in _EMPTY:
            raise bad(f"{name}: not supported by the model {call.model.id}")
    geo = fields.get("inference_geo")
    if geo is None or is_null(geo):
        return
    place = _text(geo)
    if place != "global" and place not in dialect.geo:
        raise bad(
            f"inference_geo: the model {call.model.id} cannot be promised to run in "
            f"{place or 'that place'}. Leave the field out or choose another model."
        )


def clamped(asked: int, dialect: Dialect, model_max: int) -> int:
    """The tokens to ask for: no more than the model and its provider give."""
    return min(asked, dialect.max_output_tokens or asked, model_max or asked)


def write_stream(streamed: bool, dialect: Dialect) -> bytes:
    """`stream`, and that its usage is wanted."""
    if not streamed:
        return b""
    options = []
    if dialect.usage != "unasked":
        options.append(b'"include_usage":true')
    if dialect.usage == "continuous":
        options.append(b'"continuous_usage_stats":true')
    if dialect.no_obfuscation:
        options.append(b'"include_obfuscation":false')
    if not options:
        return b',"stream":true'
    return b',"stream":true,"stream_options":{%b}' % b",".join(options)


def write_sampling(body: Body, dialect: Dialect, *, thinks: bool) -> bytes:
    """Numbers go on as they are written; models that think refuse them."""
    written = b""
    drop = dialect.sampling == "drop" or (dialect.sampling == "drop_when_thinking" and thinks)
    for name in _SAMPLING:
        value = body.fields.get(name)
        if value is None or is_null(value):
            continue
        number = bytes(value)
        if _NUMBER.fullmatch(number) is None:
            raise bad(f"{name}: Input should be a valid number")
        if not drop and (name != "top_k" or dialect.top_k):
            written += b',"%b":%b' % (name.encode(), number)
    return written


def read_stop_sequences(body: Body, *, counting: bool) -> tuple[str, ...]:
    """`stop_sequences`; one of white space only is refused, as Anthropic does, and so is more than
    can be looked for in every bit of an answer."""
    stops = [] if counting else read_stops(body.fields.get("stop_sequences"))
    if len(stops) > _STOPS_MAX:
        raise bad(f"stop_sequences: List should have at most {_STOPS_MAX} items")
    for number, stop in enumerate(stops):
        if not stop.strip():
            raise bad("stop_sequences: each stop sequence must contain non-whitespace")
        if len(stop) > _STOP_CHARS_MAX:
            raise bad(
                f"stop_sequences.{number}: String should have at most {_STOP_CHARS_MAX} characters"
            )
    return tuple(stops)


def write_user(metadata: Metadata | None, dialect: Dialect) -> bytes:
    """Whose request it is, for the provider's watch on abuse; a digest of what is long."""
    user_id = metadata.user_id if metadata is not None else None
    if not dialect.user_field or not user_id:
        return b""
    if len(user_id) > _USER_CHARS_MAX:
        user_id = hashlib.sha256(user_id.encode()).hexdigest()
    return b',"%b":%b' % (dialect.user_field.encode(), quoted(user_id))


def write_cache_key(
    call: Call, metadata: Metadata | None, dialect: Dialect, prefix: list[bytes]
) -> bytes:
    """Requests of one session find the same prompt cache (translation.md 10). `prefix` is what the
    session's requests have in common, where it does not say its name."""
    if not dialect.prompt_cache_key:
        return b""
    user_id = (metadata.user_id if metadata is not None else None) or ""
    session = session_of(call.arrival.headers, user_id)
    if not session and not prefix:
        return b""
    digest = hashlib.sha256(call.caller.tenant_id.encode() + b"\0")
    if session:
        digest.update(session.encode())
    else:
        for piece in prefix:
            digest.update(piece)
    return b',"prompt_cache_key":"%b"' % digest.hexdigest()[:32].encode()


def write_service_tier(body: Body, dialect: Dialect) -> bytes:
    """`standard_only` is the one wish that can be told."""
    tier = body.fields.get("service_tier")
    if not dialect.service_tier or tier is None or bytes(tier) != b'"standard_only"':
        return b""
    return b',"service_tier":"default"'


def read_metadata(body: Body, *, counting: bool) -> Metadata | None:
    """`metadata`, None where it is absent."""
    if counting:
        return None
    return read_optional(Metadata, body.fields.get("metadata"), "metadata")


_TEXT = msgspec.json.Decoder(str)


def _text(raw: msgspec.Raw) -> str:
    try:
        return _TEXT.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
