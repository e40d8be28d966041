"""Tools without what Bedrock's runtime refuses in them (translation.md 5.2, trap 37).

Fields of newer betas stay where their beta goes along, and are left out where it does not. Tools
that run at Anthropic do not run there: a request that rests on one is refused.
"""

import msgspec

from proxy.domain.fault import Fault, Kind
from proxy.providers.bedrock.betas import EXAMPLES_PREFIX, TOOL_SEARCH
from proxy.providers.bedrock.invoke_blocks import (
    Fields,
    is_object,
    read_fields,
    read_list,
    text_of,
    without_scope,
)

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_SERVER_TOOLS = ("web_search_", "web_fetch_", "code_execution_", "mcp_toolset")
_MARKS = (
    *(b'"scope"', b'"ttl"', b'"custom"', b'"eager_input_streaming"', b'"allowed_callers"'),
    *(b'"input_examples"', b'"defer_loading"'),
    *(b'"web_search_', b'"web_fetch_', b'"code_execution_', b'"mcp_toolset'),
)


def edited_tools(tools: msgspec.Raw, betas: list[str], *, takes_ttl: bool) -> msgspec.Raw:
    """The list of tools. Raises Fault 400 for tools that run at Anthropic."""
    view = bytes(tools)
    if not any(mark in view for mark in _MARKS):
        return tools
    try:
        edited = [
            _edited(raw, number, betas, takes_ttl=takes_ttl)
            for number, raw in enumerate(read_list(tools))
        ]
    except _UNREADABLE:
        return tools
    return msgspec.Raw(msgspec.json.encode(edited))


def _edited(raw: msgspec.Raw, number: int, betas: list[str], *, takes_ttl: bool) -> msgspec.Raw:
    view = bytes(raw)
    if not any(mark in view for mark in _MARKS):
        return raw
    fields = read_fields(raw)
    kind = text_of(fields.get("type"))
    if kind.startswith(_SERVER_TOOLS):
        raise Fault(
            Kind.BAD_REQUEST,
            f"tools.{number}: Tools of type `{kind}` are not supported by this model's provider, "
            "Amazon Bedrock.",
        )
    _unwrap(fields)
    without_scope(fields, takes_ttl=takes_ttl)
    fields.pop("eager_input_streaming", None)
    fields.pop("allowed_callers", None)
    if TOOL_SEARCH not in betas:
        fields.pop("defer_loading", None)
    if not any(beta.startswith(EXAMPLES_PREFIX) for beta in betas):
        fields.pop("input_examples", None)
    return msgspec.Raw(msgspec.json.encode(fields))


def _unwrap(fields: Fields) -> None:
    """Some clients wrap what is new of a tool into an object of its own."""
    wrapper = fields.get("custom")
    if wrapper is None or not is_object(wrapper):
        return
    del fields["custom"]
    deferred = read_fields(wrapper).get("defer_loading")
    if deferred is not None:
        fields.setdefault("defer_loading", deferred)
