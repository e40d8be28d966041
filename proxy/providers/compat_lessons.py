"""What an endpoint that is almost Anthropic's turns out not to know: betas, and fields that are
hints. Learned from its refusals, left out for an hour, a beta and its field always together
(translation.md 0.5, trap 39).
"""

import re
from collections.abc import Callable, Iterable, Iterator

import msgspec

from proxy.wire.body import Body
from proxy.wire.chat_error import read_said
from proxy.wire.refused_fields import IN_MESSAGES, MESSAGE_CHARS_MAX, TOP, refused_fields
from proxy.wire.top_level import with_value

FORGOTTEN_AFTER_S = 3600.0
IN_FLIGHT_S = 60.0
"""So long after a lesson requests may come back refused that were sent before it."""
_KEPT_MAX = 64
ALL_BETAS = "anthropic-beta"
"""Learned where an endpoint refuses a beta without saying which."""

_HINTS = frozenset(
    (
        *("context_management", "speed", "diagnostics", "fallbacks", "safeguards", "metadata"),
        *("thinking", "temperature", "top_p", "top_k", "service_tier", "cache_control"),
        *("user_profile_id", "output_config"),
    )
)
"""Fields a request does without (translation.md D11). Never what the conversation rests on."""
_EFFORT = "output_config.effort"
_PAIRS = (
    ("context-management-", "context_management"),
    ("effort-", _EFFORT),
    ("fast-mode-", "speed"),
)
"""Betas, by how they begin, and the field each brings along."""
_BETA_NAMED = re.compile(
    r"(?P<names>(?:[`'\"][\w.-]+[`'\"](?:, | and )?)+) for the [`'\"]?anthropic-beta"
    r"|beta_header:(?P<token>[\w.-]+)"
    r"|(?:unknown|unsupported|invalid|unrecognized) (?:anthropic )?beta"
    r"(?: flag| header| value)?s?:? [`'\"](?P<flag>[\w.-]+)[`'\"]",
    re.IGNORECASE,
)
_BETA_UNNAMED = re.compile(
    r"(?:unknown|unsupported|invalid|unrecognized) (?:anthropic[ -])?beta (?:flag|header|value)",
    re.IGNORECASE,
)
_NAME = re.compile(r"[\w.-]+")
_NO_EFFORT = re.compile(r"output_config\.effort|support the effort parameter|effort_unsupported")
_THINKING_FIXED = re.compile(r"invalid thinking: only type=\w+ is allowed", re.IGNORECASE)
"""Kimi's models that always think do not want to be told so."""
_BETA_LINE = b"anthropic-beta: "


def named_hints(body: bytes) -> Iterator[str]:
    """The betas and fields that a refusal names, of those a request does without."""
    said = read_said(body)
    text = said.message
    if len(text) > MESSAGE_CHARS_MAX:
        return
    is_named = False
    for match in _BETA_NAMED.finditer(text):
        is_named = True
        yield from _NAME.findall(match["names"] or match["token"] or match["flag"])
    if not is_named and _BETA_UNNAMED.search(text) is not None:
        yield ALL_BETAS
    if _NO_EFFORT.search(text) is not None:
        yield _EFFORT
        return
    if _THINKING_FIXED.search(text) is not None:
        yield "thinking"
    for place, field in refused_fields(said):
        # What is refused inside `thinking` is for the client to mend: thinking itself is known.
        if place != IN_MESSAGES and field in _HINTS and (place, field) != (TOP, "thinking"):
            yield field


class CompatLessons:
    """Of one endpoint. Names of betas and of fields."""

    __slots__ = ("_expires_s", "_kept", "_named")

    def __init__(self, named: Callable[[bytes], Iterable[str]] = named_hints) -> None:
        """`named` hears out of a refusal what it is about."""
        self._named = named
        self._kept: dict[str, float] = {}
        self._expires_s = float("inf")

    def learn(self, status: int, body: bytes, now_s: float) -> str:
        """What a refusal is about, if the request can be sent again without it; else nothing."""
        self._forget(now_s)
        if status not in (400, 422):
            return ""
        named = dict.fromkeys(self._named(body))
        told: list[str] = []
        for name in named:
            until_s = self._kept.get(name)
            if until_s is not None and until_s <= now_s + FORGOTTEN_AFTER_S - IN_FLIGHT_S:
                continue  # it was not sent: this is about something else
            if until_s is None and len(self._kept) < _KEPT_MAX:
                self._kept[name] = now_s + FORGOTTEN_AFTER_S
            told.append(name)
        self._forget(now_s)
        return ", ".join(told)

    def left_out(self, now_s: float) -> frozenset[str]:
        """What to do without now. `now_s` only ever grows."""
        if now_s >= self._expires_s:
            self._forget(now_s)
        return frozenset(self._kept)

    def learned(self, now_s: float) -> tuple[str, ...]:
        """The same, for whoever watches."""
        return tuple(sorted(self.left_out(now_s)))

    def _forget(self, now_s: float) -> None:
        self._kept = {name: until_s for name, until_s in self._kept.items() if until_s > now_s}
        self._expires_s = min(self._kept.values(), default=float("inf"))


def without_fields(body: Body, left_out: frozenset[str]) -> Body:
    """The body without what was refused, each value that stays byte for byte."""
    fields = fields_without(body.fields, left_out)
    if fields == body.fields:
        return body
    raw = b"".join(with_value(fields, "model", bytes(fields["model"])))
    less = Body(raw, fields)
    less.max_tokens = body.max_tokens
    less.streamed = body.streamed
    return less


def fields_without(
    asked: dict[str, msgspec.Raw], left_out: frozenset[str]
) -> dict[str, msgspec.Raw]:
    """The same of its fields."""
    dropped = {_field_of(name) for name in left_out}
    fields = {name: raw for name, raw in asked.items() if name not in dropped}
    config = asked.get("output_config")
    if config is not None:
        changed = _config_without(config, left_out)
        fields.pop("output_config", None)
        if changed is not None:
            fields["output_config"] = changed
    return fields


def is_left_out(beta: str, left_out: frozenset[str]) -> bool:
    """Was this beta refused, or its field?"""
    if ALL_BETAS in left_out or beta in left_out:
        return True
    field = _field_of(beta)
    return field != beta and field in left_out


def without_betas(lines: bytes, left_out: frozenset[str]) -> bytes:
    """Header lines without the betas that were refused, or whose fields were."""
    begin = lines.find(_BETA_LINE)
    if begin < 0:
        return lines
    end = lines.index(b"\r\n", begin) + 2
    betas = lines[begin + len(_BETA_LINE) : end - 2].decode("latin-1").split(",")
    kept = [beta.strip() for beta in betas if not is_left_out(beta.strip(), left_out)]
    line = _BETA_LINE + ",".join(kept).encode("latin-1") + b"\r\n" if kept else b""
    return lines[:begin] + line + lines[end:]


def _field_of(name: str) -> str:
    """The field that is left out with `name`, which is a field or a beta."""
    for beta, field in _PAIRS:
        if name.startswith(beta):
            return field
    return name


def _config_without(config: msgspec.Raw, left_out: frozenset[str]) -> msgspec.Raw | None:
    """`output_config` without its effort. A format it asks for is no hint, so it stays."""
    is_all = "output_config" in left_out
    if not is_all and _EFFORT not in {_field_of(name) for name in left_out}:
        return config
    try:
        fields = msgspec.json.decode(config, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return config
    kept = {key: raw for key, raw in fields.items() if key == "format" or not is_all}
    kept.pop("effort", None)
    return msgspec.Raw(msgspec.json.encode(kept)) if kept else None
