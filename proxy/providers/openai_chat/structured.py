"""Answers that must be valid against a schema (translation.md 1.9). The schema is never rewritten:
`strict` is said only where it fits as it is (trap 35)."""

import msgspec

from proxy.providers.openai_chat.json_text import escaped
from proxy.providers.openai_chat.schema_subset import is_strict
from proxy.providers.openai_chat.setting import Setting
from proxy.wire.messages_request import Format, OutputConfig, bad

_OBJECT = b"{"
_INSTRUCTION = (
    "Answer with one JSON value and nothing else: no other text, no code fence. "
    "It must be valid against this JSON schema:\n"
)


class Structured(msgspec.Struct, gc=False):
    """`field` is a top-level field with a comma in front, `instruction` text between quotes for the
    system message; either may be empty."""

    field: bytes = b""
    instruction: bytes = b""


def translate_format(
    output: OutputConfig | None, legacy: Format | None, setting: Setting, *, tools: bool
) -> Structured:
    """What is asked for by `output_config.format`, or by `output_format`, its older name."""
    where = "output_config.format"
    wanted = output.format if output is not None else None
    if wanted is None:
        where, wanted = "output_format", legacy
    if wanted is None or setting.counting:
        return Structured()
    if wanted.type != "json_schema":
        raise bad(f"{where}.type: Input should be 'json_schema'")
    schema = bytes(wanted.schema)
    if not schema.startswith(_OBJECT):
        raise bad(f"{where}.schema: {'Input should be an object' if schema else 'Field required'}")
    dialect = setting.dialect
    instruction = escaped(_INSTRUCTION + str(schema, "utf-8"))
    if dialect.structured == "text" or (tools and not dialect.structured_with_tools):
        return Structured(b"", instruction)
    if dialect.structured == "json_object":
        return Structured(b',"response_format":{"type":"json_object"}', instruction)
    strict = b',"strict":true' if is_strict(schema) else b""
    return Structured(
        b',"response_format":{"type":"json_schema","json_schema":{"name":"output","schema":%b%b}}'
        % (schema, strict)
    )
