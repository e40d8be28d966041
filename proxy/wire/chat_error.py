"""What a server that speaks chat completions says went wrong, in whatever shape it says it.

Owns the shapes: OpenAI's, Google's list, FastAPI's `detail`, Mistral's validation, OpenRouter's
error within an error, a bare string, plain text, HTML. Refuses to know what any of it means.
"""

import json  # noqa: TID251 - the fallback decoder of translation.md 0.2
import re
from typing import Any

import msgspec

MESSAGE_CHARS_MAX = 4000
_NAME_CHARS_MAX = 100
_DEPTH_MAX = 8
"""So many layers are opened: a body, its error, the error of another server packed in it."""
_MARKUP = re.compile(r"<\s*(?:!doctype|html|head|body|title|center|h1|\?xml)\b", re.IGNORECASE)
_ACCOUNT = re.compile(r"\b(?:sk|ak|org|proj|key)[-_](?=[\w*-]*[\d*])[\w*-]{6,}")
_OUTER = ("metadata", "innererror", "inner_error")
_STATUS_MIN, _STATUS_MAX = 400, 599


class Said(msgspec.Struct, gc=False):
    """An error as it was told. `names` are its codes and types in lower case, the most telling
    first; `number` is the HTTP status it claims, or 0."""

    message: str = ""
    names: tuple[str, ...] = ()
    number: int = 0
    param: str = ""
    prompt_tokens: int = 0
    limit_tokens: int = 0
    """llama.cpp counts in fields of their own."""
    retry_after: str = ""
    """Google's RetryInfo, such as `34s`."""
    flagged: bool = False
    """OpenRouter names reasons of moderation."""

    @property
    def is_empty(self) -> bool:
        """Was there nothing that can be read?"""
        return not (self.message or self.names)


def read_said(error: bytes | str) -> Said:
    """Never fails: what cannot be read is a `Said` that says nothing."""
    said = Said()
    if isinstance(error, bytes):
        error = error.decode("utf-8", "replace")
    error = error.removeprefix("\ufeff").strip()
    _take(said, error, 0)
    return said


def without_accounts(text: str) -> str:
    """Text without what looks like a key or an account of the operator's."""
    return _ACCOUNT.sub("***", text)


def _clean(text: str) -> str:
    return without_accounts(_whole_characters(text[:MESSAGE_CHARS_MAX]))


def _whole_characters(text: str) -> str:
    # The standard library's decoder lets half characters through, which nothing can write.
    return text.encode("utf-8", "replace").decode()


def is_markup(text: str) -> bool:
    """A page for people, which is never passed on."""
    return _MARKUP.search(text, 0, 2000) is not None


def _take(said: Said, value: Any, depth: int) -> None:
    """Read one layer; a layer within tells more and wins."""
    if depth > _DEPTH_MAX:
        return
    if isinstance(value, str):
        _take_text(said, value, depth)
    elif isinstance(value, dict):
        _take_object(said, value, depth)
    elif isinstance(value, list):
        _take_list(said, value, depth)


def _take_text(said: Said, text: str, depth: int) -> None:
    if text[:1] in ("{", "[", '"') and (packed := _decoded(text)) is not None:
        _take(said, packed, depth + 1)
    elif text and not is_markup(text):
        said.message = _clean(text)


def _decoded(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        pass  # a lone half of a character, `NaN`: the standard library is less strict
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _take_object(said: Said, error: dict[str, Any], depth: int) -> None:
    for key in ("code", "type", "status", "Code", "__type"):
        _take_name(said, error.get(key))
    for key in ("statusCode", "status_code", "originalStatusCode"):
        _take_number(said, error.get(key))
    if isinstance(param := error.get("param"), str) and param:
        said.param = _clean(param[:_NAME_CHARS_MAX])
    said.prompt_tokens = _whole(error.get("n_prompt_tokens")) or said.prompt_tokens
    said.limit_tokens = _whole(error.get("n_ctx")) or said.limit_tokens
    for key in ("Message", "msg", "detail", "message"):
        _take(said, error.get(key), depth + 1)
    within = error.get("error")
    if isinstance(within, str) and said.message:
        _take_name(said, within)  # `{"error": "Not Found", "message": …}`
    else:
        _take(said, within, depth + 1)
    _take_details(said, error.get("details"))
    for key in _OUTER:
        _take_beside(said, error.get(key), depth)


def _take_details(said: Said, details: Any) -> None:
    """Google's."""
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict) and isinstance(delay := detail.get("retryDelay"), str):
            said.retry_after = delay


def _take_beside(said: Said, within: Any, depth: int) -> None:
    """OpenRouter's `metadata`, Azure's `innererror`: names count, and OpenRouter's `raw` is the
    real message where its own says only that there was one."""
    if not isinstance(within, dict):
        return
    outer = said.message
    _take_name(said, within.get("code"))
    if isinstance(within.get("reasons"), list):
        said.flagged = True
    raw = within.get("raw")
    if isinstance(raw, str | dict):
        number = said.number
        _take(said, raw, depth + 1)
        said.number = number or said.number
    if not said.message:
        said.message = outer


def _take_list(said: Said, errors: list[Any], depth: int) -> None:
    """Google wraps an error in a list; FastAPI lists what is wrong with which field."""
    told: list[str] = []
    for error in errors[:5]:
        if isinstance(error, dict) and "loc" in error and isinstance(error.get("msg"), str):
            _take_name(said, error.get("type"))
            told.append(f"{_place(error['loc'])}: {error['msg']}")
    if told:
        said.message = _clean("; ".join(told))
    elif errors:
        _take(said, errors[0], depth + 1)


def _place(loc: Any) -> str:
    """`["body", "messages", 0, "content"]` as Anthropic writes it: `messages.0.content`."""
    if not isinstance(loc, list):
        return str(loc)
    parts = [str(part) for part in loc if part != "body"]
    return ".".join(parts) or "body"


def _take_name(said: Said, name: Any) -> None:
    if isinstance(name, str):
        name = _whole_characters(name).strip()
        if name.isascii() and name.isdigit():
            _take_number(said, name)
        elif name and name.lower() not in said.names and len(name) <= _NAME_CHARS_MAX:
            said.names = (*said.names, name.lower())
    else:
        _take_number(said, name)


def _take_number(said: Said, number: Any) -> None:
    if isinstance(number, str):
        number = int(number) if number.isascii() and number.isdigit() and len(number) == 3 else 0
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    if _whole(number) and _STATUS_MIN <= number <= _STATUS_MAX:
        said.number = number


def _whole(number: Any) -> int:
    is_count = isinstance(number, int) and not isinstance(number, bool) and number > 0
    return number if is_count else 0
