"""Where in a large body the values of its top level stand: found by whoever has the time, used by
whoever has not.

Reading a body of 30 MB takes 20 to 100 ms, and nothing else happens meanwhile. So it is done in
another process, `survey`, and what comes back is short: places, from which `surveyed` makes the
same `Body` as `read_body` would, without looking at the bytes again. What else would need a look at
all of them is found out on the way.
"""

import msgspec

from proxy.domain.fault import Fault, Kind
from proxy.wire.artefacts import bears_marks
from proxy.wire.body import Body, body_of, read_body, top_level, top_level_spans
from proxy.wire.images import first_image


class _Survey(msgspec.Struct):
    """`spans` by key: where a value begins and ends. None where they are not in plain order. A
    body that is none has a `complaint` instead."""

    spans: list[tuple[str, int, int]] | None = None
    complaint: str = ""
    artefacts: bool = False
    image: str = ""


_SURVEY = msgspec.json.Decoder(_Survey)


def survey(raw: bytes) -> bytes:
    """Read a whole body; what `surveyed` needs to know of it."""
    try:
        fields = top_level(raw)
    except Fault as fault:
        return msgspec.json.encode(_Survey(complaint=fault.message))
    messages = fields.get("messages")
    return msgspec.json.encode(
        _Survey(
            spans=top_level_spans(raw, fields),
            artefacts=bears_marks(raw),
            image=(messages is not None and first_image(raw, messages)) or "",
        )
    )


def surveyed(raw: bytes, found: bytes, *, needs_max_tokens: bool) -> Body:
    """The body that was surveyed. Raises Fault 400 as `read_body` does."""
    seen = _SURVEY.decode(found)
    if seen.complaint:
        raise Fault(Kind.BAD_REQUEST, seen.complaint)
    if seen.spans is None:
        # A key twice, or written with escapes: nobody's SDK does that with a body of this size.
        return read_body(raw, needs_max_tokens=needs_max_tokens)
    view = memoryview(raw)
    fields = {key: msgspec.Raw(view[begin:end]) for key, begin, end in seen.spans}
    body = body_of(raw, fields, needs_max_tokens=needs_max_tokens)
    body.artefacts = seen.artefacts
    body.image = seen.image
    return body
