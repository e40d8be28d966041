"""A Messages request as one of chat completions (translation.md 1), and as one that counts (8).

Writes bytes: opaque values are copied, text is never decoded, and the same request always gives the
same bytes, because providers' prompt caches live on prefixes. Knows no socket and no headers.
"""

from typing import Literal

import msgspec

from proxy.domain.call import Call
from proxy.domain.dialect import Dialect
from proxy.domain.expected import Expected
from proxy.domain.fault import Fault, Kind
from proxy.providers.openai_chat.functions import translate_tools
from proxy.providers.openai_chat.json_text import quoted
from proxy.providers.openai_chat.messages import Conversation
from proxy.providers.openai_chat.reasoning import (
    Wish,
    read_wish,
    will_think,
    without_thinking,
    write_wish,
)
from proxy.providers.openai_chat.setting import Gathered, Setting
from proxy.providers.openai_chat.structured import translate_format
from proxy.providers.openai_chat.system_prompt import write_system
from proxy.providers.openai_chat.tool_choice import FORCING, translate_choice
from proxy.providers.openai_chat.top_fields import (
    clamped,
    read_metadata,
    read_stop_sequences,
    refuse_unfit,
    write_cache_key,
    write_sampling,
    write_service_tier,
    write_stream,
    write_user,
)
from proxy.wire.body import Body
from proxy.wire.messages_request import (
    Format,
    OutputConfig,
    Thinking,
    ToolChoice,
    read_messages,
    read_optional,
    read_tools,
)
from proxy.wire.seal import ThinkingSeal

OCTOBER = b"2026-10-21"
"""The API version that takes less than the one before (translation.md 0.4)."""
ThinkingShown = Literal["shown", "omitted", "swallowed"]
_CONTINUED = b',"continue_final_message":true,"add_generation_prompt":false'


_HINTS = (
    "cache_control",
    "context_management",
    "diagnostics",
    "fallbacks",
    "safeguards",
    "speed",
    "user_profile_id",
)
"""Fields that chat completions have nothing for, and that nothing hangs on (translation.md D11)."""
_SOMETIMES = ("temperature", "top_p", "top_k", "service_tier")
"""Fields that go on only where the dialect takes them."""


class Written(msgspec.Struct, frozen=True, gc=False):
    """A request ready to be sent. `notes` are header lines for the client, `dropped` the fields
    that were left out in silence."""

    body: bytes
    expected: Expected
    notes: bytes = b""
    dropped: tuple[str, ...] = ()


def chat_request(
    call: Call, body: Body, upstream_model: str, dialect: Dialect, seal: ThinkingSeal
) -> Written:
    """The request for one deployment. Raises Fault 400, worded as Anthropic words it, for what
    this wire or this model cannot carry."""
    _check_utf8(body.raw)
    fields = body.fields
    october = call.arrival.headers.get(b"anthropic-version") == OCTOBER
    refuse_unfit(call, body, dialect, october=october)
    output = read_optional(OutputConfig, fields.get("output_config"), "output_config")
    legacy = read_optional(Format, fields.get("output_format"), "output_format")
    wanted = read_optional(Thinking, fields.get("thinking"), "thinking")
    wish = read_wish(wanted, output, body.max_tokens, counting=False)
    said = read_tools(fields.get("tools"))
    choice_asked = read_optional(ToolChoice, fields.get("tool_choice"), "tool_choice")
    if choice_asked is not None and choice_asked.type in FORCING:
        wish = without_thinking(wish, dialect)
    thinks = will_think(wish, dialect, tools=bool(said))
    setting = _setting(call, dialect, seal, october=october, counting=False, thinking_on=thinks)

    gathered = Gathered(dialect.tool_name_chars_max)
    conversation = Conversation(setting, gathered)
    conversation.write(read_messages(fields["messages"]))
    tools = translate_tools(said, setting, gathered)
    choice = translate_choice(choice_asked, tools, bool(said), setting, gathered)
    if choice.hint and not conversation.prefilled:
        conversation.remind(choice.hint)
    sent_tools = tools.written if choice.send_tools else []
    structured = translate_format(output, legacy, setting, tools=bool(sent_tools))
    additions = tools.descriptions + ([structured.instruction] if structured.instruction else [])
    system = write_system(fields.get("system"), additions, setting)
    stops = read_stop_sequences(body, counting=False)
    metadata = read_metadata(body, counting=False)
    max_tokens = clamped(body.max_tokens, dialect, call.model.max_output_tokens)

    sampling = write_sampling(body, dialect, thinks=thinks)
    tier = write_service_tier(body, dialect)
    pieces = _head(upstream_model, system, conversation, sent_tools)
    pieces += (
        choice.fields,
        b',"%b":%d' % (dialect.max_tokens_field.encode(), max_tokens),
        sampling,
        write_wish(wish, dialect, tools=bool(sent_tools), max_tokens=max_tokens),
        structured.field,
        b',"stop":%b' % msgspec.json.encode(stops) if stops and dialect.stop == "native" else b"",
        write_stream(call.streamed, dialect),
        _CONTINUED if conversation.prefilled and dialect.prefill == "continue" else b"",
        write_user(metadata, dialect),
        write_cache_key(call, metadata, dialect, [*system, *sent_tools]),
        tier,
        b"}",
    )
    expected = Expected(
        tool_names=gathered.names.renamed,
        seen_tool_ids=frozenset(gathered.call_ids),
        stop_sequences=stops if dialect.stop == "local" else (),
        first_call_only=choice.first_call_only,
        no_calls=choice.no_calls,
        must_call=bool(choice.hint) and not conversation.prefilled,
        thinking=_shown(wish, dialect, tools=bool(sent_tools)),
    )
    note = b"x-hatz-max-tokens: %d\r\n" % max_tokens if max_tokens != body.max_tokens else b""
    return Written(b"".join(pieces), expected, note, _dropped(body, sampling + tier))


def _dropped(body: Body, written: bytes) -> tuple[str, ...]:
    """Fields of the request that are not in what was written of those that may be left out."""
    fields = body.fields
    hints = [name for name in _HINTS if name in fields]
    others = [
        name for name in _SOMETIMES if name in fields and b'"%b":' % name.encode() not in written
    ]
    return (*hints, *others)


def counting_request(
    call: Call, body: Body, upstream_model: str, dialect: Dialect, seal: ThinkingSeal
) -> bytes:
    """What the endpoints that count take: model, messages, tools. What cannot be sent is left out;
    Fault 400 only for a body that is no Messages request at all, which the gateway estimates."""
    _check_utf8(body.raw)
    fields = body.fields
    setting = _setting(call, dialect, seal, october=False, counting=True, thinking_on=True)
    gathered = Gathered(dialect.tool_name_chars_max)
    conversation = Conversation(setting, gathered)
    conversation.write(read_messages(fields["messages"]))
    tools = translate_tools(read_tools(fields.get("tools")), setting, gathered)
    system = write_system(fields.get("system"), tools.descriptions, setting)
    return b"".join([*_head(upstream_model, system, conversation, tools.written), b"}"])


def _setting(
    call: Call,
    dialect: Dialect,
    seal: ThinkingSeal,
    *,
    october: bool,
    counting: bool,
    thinking_on: bool,
) -> Setting:
    return Setting(
        dialect=dialect,
        seal=seal,
        model_id=call.model.id,
        tenant_id=call.caller.tenant_id,
        vision=call.model.vision,
        october=october,
        counting=counting,
        thinking_on=thinking_on,
    )


def _head(
    upstream_model: str, system: list[bytes], conversation: Conversation, tools: list[bytes]
) -> list[bytes]:
    """`model`, `messages` and `tools`, in pieces."""
    pieces = [b'{"model":', quoted(upstream_model), b',"messages":[']
    messages = [system, *conversation.written] if system else conversation.written
    for message in messages:
        pieces += message
        pieces.append(b",")
    pieces[-1] = b"]"
    if tools:
        pieces += (b',"tools":[', b",".join(tools), b"]")
    return pieces


def _shown(wish: Wish, dialect: Dialect, *, tools: bool) -> ThinkingShown:
    """What becomes of the model's thinking (translation.md 1.8)."""
    if wish.state == "on":
        return "omitted" if wish.omitted else "shown"
    # Asked for or not, it must come back with the calls it led to.
    return "shown" if tools and dialect.reasoning_replay != "never" else "swallowed"


def _check_utf8(raw: bytes) -> None:
    """Strings are copied unread: what is not UTF-8 must not get that far."""
    if raw.isascii():
        return
    try:
        raw.decode()
    except UnicodeDecodeError:
        raise Fault(
            Kind.BAD_REQUEST, "The request body is not valid JSON: not valid UTF-8"
        ) from None
