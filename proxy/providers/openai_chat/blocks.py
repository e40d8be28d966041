"""Blocks of user messages, and of tool results, as parts of a chat message (translation.md 1.3).

What a model cannot be given is refused where the user has just sent it, naming the block, and noted
in a text where it is history: a conversation may change its model. Results of tools are noted too.
"""

from collections.abc import Iterator

import msgspec

from proxy.providers.openai_chat.json_text import escaped, is_blank
from proxy.providers.openai_chat.parts import Attached, Part, Text
from proxy.providers.openai_chat.setting import Setting, unsupported
from proxy.wire.messages_request import (
    Block,
    Source,
    Tool,
    bad,
    is_null,
    is_text,
    json_text,
    read_content,
    read_source,
    text_of,
)

_IMAGE_TYPES = (b"image/jpeg", b"image/png", b"image/gif", b"image/webp")
_PDF = b"application/pdf"
_DEPTH_MAX = 8
"""Documents within documents, deeper than any client nests them."""


def user_parts(
    block: Block, where: str, setting: Setting, *, current: bool, depth: int = 0
) -> list[Part]:
    """What `block` becomes; nothing for blank text. `current`: the user has just sent it.

    Raises Fault 400 with `where` in front for what cannot be sent.
    """
    match block.type:
        case "text":
            return _text(block, where, setting)
        case "image":
            return _marked([_image(block, where, setting, current)], block, setting)
        case "document":
            return _marked(_document(block, where, setting, current, depth), block, setting)
        case "search_result":
            return [_search_result(block, where)]
        case "tool_reference":
            return [_tool_reference(block, where)]
        case "compaction" | "mid_conv_system":
            return list(_texts(block.content or block.text, where, setting, depth))
        case "":
            raise bad(f"{where}.type: Field required")
        case _:
            return _left_out(
                f"content block type {block.type}", block.type, where, setting, current
            )


def raw_block(item: msgspec.Raw) -> Text:
    """The block as the JSON it is: for states that only the client's own tools understand."""
    return Text(escaped(str(memoryview(item), "utf-8")))


def _text(block: Block, where: str, setting: Setting) -> list[Part]:
    inside = json_text(block.text, f"{where}.text")
    if is_blank(inside):
        return []
    return [Text(inside, mark_of(block, setting))]


def mark_of(block: Block | Tool, setting: Setting) -> bytes:
    """The block's `cache_control`, where it means something (translation.md 10)."""
    if not setting.dialect.cache_marks or not block.cache_control or is_null(block.cache_control):
        return b""
    return bytes(block.cache_control)


def mark_beyond_text(block: Block | Tool, setting: Setting) -> bytes:
    """The same on what is not text."""
    return mark_of(block, setting) if setting.dialect.cache_marks_beyond_text else b""


def _marked(parts: list[Part], block: Block, setting: Setting) -> list[Part]:
    mark = mark_beyond_text(block, setting)
    if mark and parts:
        parts[-1] = msgspec.structs.replace(parts[-1], mark=mark)
    return parts


def _left_out(what: str, kind: str, where: str, setting: Setting, current: bool) -> list[Part]:
    if setting.counting:
        return []
    if current:
        raise unsupported(what, where, setting)
    return [Text(escaped(f"[{kind} omitted: not supported by this model]"))]


# ---------------------------------------------------------------- images


def _image(block: Block, where: str, setting: Setting, current: bool) -> Part:
    if not setting.vision:
        if current and not setting.counting:
            raise bad(f"{where}: image input is not supported by the model {setting.model_id}.")
        return _NO_IMAGE
    source = read_source(block.source, where)
    if source.type == "base64":
        kind = json_text(source.media_type, f"{where}.source.base64.media_type")
        if kind not in _IMAGE_TYPES:
            raise bad(
                f"{where}.source.base64.media_type: Input should be 'image/jpeg', 'image/png', "
                "'image/gif' or 'image/webp'"
            )
        return _image_url(b"data:%b;base64,%b" % (kind, _base64(source, where)))
    if source.type == "url":
        url = json_text(source.url, f"{where}.source.url")
        if setting.dialect.image_url and url.startswith(b"https:"):
            return _image_url(url)
        why = "an image by URL" if not setting.dialect.image_url else "an image URL without https"
    else:
        why = f"an image with a source of type {source.type or 'unknown'}"
    if current and not setting.counting:
        raise bad(
            f"{where}.source: {why} is not supported by the model {setting.model_id}. "
            "Send the image itself, as base64."
        )
    return _NO_IMAGE


_NO_IMAGE = Text(b"[image omitted: not supported by this model]")


def _image_url(url: bytes) -> Attached:
    return Attached(b'{"type":"image_url","image_url":{"url":"%b"}}' % url)


def _base64(source: Source, where: str) -> bytes:
    """The data as it is; some clients wrap its lines."""
    data = json_text(source.data, f"{where}.source.base64.data")
    if b"\\" not in data:
        return data
    return data.replace(rb"\r", b"").replace(rb"\n", b"")


# ---------------------------------------------------------------- documents


def _document(block: Block, where: str, setting: Setting, current: bool, depth: int) -> list[Part]:
    source = read_source(block.source, where)
    if source.type in ("text", "content"):
        opening = f"<document{_attributes(block, where, 'title', 'context')}>\n"
        inner: list[Part]
        if source.type == "text":
            inner = [Text(json_text(source.data, f"{where}.source.data"))]
        else:
            inner = list(_nested(source.content, f"{where}.source", setting, current, depth))
        return _wrapped(escaped(opening), inner, rb"\n</document>")
    dialect = setting.dialect
    if source.type == "base64" and dialect.pdf:
        kind = json_text(source.media_type, f"{where}.source.base64.media_type")
        if kind != _PDF:
            raise bad(f"{where}.source.base64.media_type: Input should be 'application/pdf'")
        return [_file(block, where, b"data:application/pdf;base64,%b" % _base64(source, where))]
    if source.type == "url" and dialect.pdf_url:
        return [_file(block, where, json_text(source.url, f"{where}.source.url"))]
    what = f"a document with a source of type {source.type or 'unknown'}"
    return _left_out(what, "document", f"{where}.source", setting, current)


def _file(block: Block, where: str, data: bytes) -> Attached:
    name = b"document.pdf"
    if block.title and not is_null(block.title):
        name = json_text(block.title, f"{where}.title") or name
    return Attached(b'{"type":"file","file":{"filename":"%b","file_data":"%b"}}' % (name, data))


def _nested(
    content: msgspec.Raw, where: str, setting: Setting, current: bool, depth: int
) -> Iterator[Part]:
    if depth >= _DEPTH_MAX:
        raise bad(f"{where}.content: documents are nested too deeply")
    for number, block in enumerate(read_content(content, f"{where}.content")):
        path = f"{where}.content.{number}"
        yield from user_parts(block, path, setting, current=current, depth=depth + 1)


def _wrapped(opening: bytes, inner: list[Part], close: bytes) -> list[Part]:
    """`inner` between two tags: one text where all of it is text."""
    if all(isinstance(part, Text) for part in inner):
        middle = rb"\n".join([part.inside for part in inner if isinstance(part, Text)])
        return [Text(opening + middle + close)]
    return [Text(opening.removesuffix(rb"\n")), *inner, Text(close.removeprefix(rb"\n"))]


def _search_result(block: Block, where: str) -> Text:
    said = [
        json_text(item.text, f"{where}.content.{number}.text")
        for number, item in enumerate(read_content(block.content, f"{where}.content"))
        if item.type == "text"
    ]
    opening = escaped(f"<search_result{_attributes(block, where, 'source', 'title')}>\n")
    return Text(opening + rb"\n".join(said) + rb"\n</search_result>")


def _attributes(block: Block, where: str, *names: str) -> str:
    written = ""
    for name in names:
        value: msgspec.Raw = getattr(block, name)
        if value and is_text(value):
            text = text_of(value, f"{where}.{name}")
            text = text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
            written += f' {name}="{text}"'
    return written


def _tool_reference(block: Block, where: str) -> Text:
    name = json_text(block.tool_name, f"{where}.tool_name")
    return Text(b"Tool %b is now available." % name)


def _texts(content: msgspec.Raw, where: str, setting: Setting, depth: int) -> Iterator[Part]:
    """The texts of a block that is nothing but text."""
    for part in _nested(content, where, setting, False, depth):
        if isinstance(part, Text):
            yield part
