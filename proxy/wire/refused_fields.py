"""Which fields of a request a refusal names as unknown or unsupported, in any provider's words.

Text in, places and names out. Refuses to know which fields there are and what to do without them.
"""

import re
from collections.abc import Iterator

from proxy.wire.chat_error import Said

MESSAGE_CHARS_MAX = 2000
"""A longer error quotes what it was sent, and that may quote anything."""
TOP, IN_MESSAGES, IN_TOOLS, SOMEWHERE = "top", "messages", "tools", "somewhere"
"""Where a field stands; an error may name it without saying."""

_FIELD = r"[A-Za-z_][\w.\[\]-]*\w|[A-Za-z_]"
_QUOTED = rf"""['"`](?P<name>{_FIELD})['"`]"""
_BARE = rf"""(?P<quote>['"`]?)(?P<name>{_FIELD})(?P=quote)"""
_NOT = (
    r"(?:(?:currently |yet )?(?:not (?:currently |yet )?(?:supported|allowed|permitted|recognized"
    r"|available)|unsupported|unavailable|unexpected|deprecated))"
)
_REFUSALS = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?:unsupported|unknown|unrecognized|unexpected|invalid|extra)(?: request| body| input)?"
        r" (?:parameter|argument|field|key|property|option)(?:s|\(s\))?(?: in object)?"
        rf"(?: supplied)?:? ?(?P<names>{_BARE.replace('name', 'first').replace('quote', 'mark')}"
        rf"""(?:(?:, (?:and )?| and )['"`]?(?:{_FIELD})['"`]?)*)""",
        rf"""(?P<name>{_FIELD})['"`]?: extra (?:inputs|fields) (?:are )?not permitted""",
        rf"extra (?:inputs|fields) (?:are )?not permitted, field: {_BARE}",
        rf"property {_BARE} is unsupported",
        rf"(?:unsupported|unknown|invalid) value: {_QUOTED} (?:does not|is not)",
        rf"unexpected keyword argument {_BARE}",
        rf"{_BARE} (?:parameter |field |option )?(?:is|are|was) {_NOT}",
        rf"does(?: not|n't) support (?:the )?(?:parameter |field |this |setting )?{_BARE}",
        r"invalid (?P<name>temperature|top_p): only \S+ is allowed",
        r"this (?P<name>response_format) type is unavailable",
        r"(?P<name>tool_choice)\W{1,3}\w+\W{1,3}is incompatible with",
    )
]
_REPR = re.compile(r"'extra_forbidden', 'loc': \((?P<place>[^)]*)\)", re.IGNORECASE)
_NAME = re.compile(_FIELD)
_CODES = frozenset(("unsupported_parameter", "unknown_parameter", "unsupported_value"))
_ENGLISH = frozenset(("stop", "user", "thinking", "reasoning", "strict", "partial", "prefix"))
"""Names of fields that are words too: they count only in quotation marks or in a path."""


def refused_fields(said: Said) -> Iterator[tuple[str, str]]:
    """Place and name of each field that is refused by name, perhaps repeatedly. A field inside a
    schema of the user's is none."""
    if len(said.message) > MESSAGE_CHARS_MAX:
        return
    if said.param and not _CODES.isdisjoint(said.names):
        yield from _placed(said.param, is_marked=True)
    for match in _REPR.finditer(said.message):
        path = match["place"].replace("'", "").replace(", ", ".")
        yield from _placed(path, is_marked=True)
    for refusal in _REFUSALS:
        for match in refusal.finditer(said.message):
            groups = match.groupdict()
            if (names := groups.get("names")) is not None:
                for name in _NAME.findall(names):
                    if name != "and":
                        yield from _placed(name, is_marked=True)
            elif (name := groups.get("name")) is not None:
                yield from _placed(name, is_marked=groups.get("quote") != "")


def _placed(path: str, *, is_marked: bool) -> Iterator[tuple[str, str]]:
    """Where a path such as `body.messages[2].reasoning_content` leads."""
    parts = [part for part in re.split(r"[.\[\]]+", path) if part]
    while parts and parts[0] in ("body", "request", "$"):
        parts.pop(0)
    if not parts:
        return
    first, last = parts[0], parts[-1]
    if len(parts) == 1:
        if is_marked or first not in _ENGLISH:
            yield SOMEWHERE, first
    elif first == "messages":
        yield IN_MESSAGES, last
    elif first == "tools":
        if {"parameters", "input_schema"}.isdisjoint(parts):
            yield IN_TOOLS, last
    elif "schema" not in parts:
        yield TOP, first
