"""What a vendor refuses among the messages of a chat request, with its own words. Pure.

The rules that break gateways most: every call answered by a tool message right behind it, ids not
too long, thoughts sent back with the calls they led to.
"""

from proxy.demo.loose_json import mapping, mappings, text
from proxy.demo.openai_schemas import unknown_field
from proxy.demo.openai_thinking import thinking_is_on
from proxy.demo.refusal import bad_request
from proxy.demo.vendor import GroupWords, Vendor

_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
_MESSAGE_FIELDS = frozenset(
    {
        *("role", "content", "name", "tool_calls", "tool_call_id", "refusal", "audio"),
        *("function_call", "annotations"),
    }
)
_PART_FIELDS = frozenset(
    {"type", "text", "image_url", "input_audio", "file", "refusal", "prompt_cache_breakpoint"}
)

Message = dict[str, object]


def check_messages(body: dict[str, object], vendor: Vendor) -> None:
    """RefusedError for the first message that this vendor would not take."""
    given = body.get("messages")
    if not isinstance(given, list):
        raise bad_request("Missing required parameter: 'messages'.", param="messages")
    if not given:
        raise bad_request("Invalid 'messages': empty array.", param="messages")
    messages = [mapping(message) for message in given]
    for at, message in enumerate(messages):
        if message.get("role") not in _ROLES:
            raise bad_request(f"Invalid value for 'messages[{at}].role'.")
        _check_fields(message, vendor, at)
        _check_content(message, vendor, at)
        _check_ids(message, vendor, at)
    if vendor.groups is not None:
        _check_groups(messages, vendor.groups)
    if thinking_is_on(body, vendor):
        _check_replay(messages, vendor)


def _check_fields(message: Message, vendor: Vendor, at: int) -> None:
    if not vendor.strangers_refused:
        return
    for name in message:
        if name not in _MESSAGE_FIELDS:
            raise unknown_field(f"messages[{at}].{name}")
    for number, part in enumerate(mappings(message.get("content"))):
        for name in part:
            if name not in _PART_FIELDS:
                raise unknown_field(f"messages[{at}].content[{number}].{name}")


def _check_content(message: Message, vendor: Vendor, at: int) -> None:
    role, content = message["role"], message.get("content")
    says_nothing = not content and not message.get("tool_calls")
    if says_nothing and role in ("user", "assistant") and not vendor.empty_messages:
        raise bad_request(
            f"Invalid request: the message at position {at} with role '{role}' must not be empty"
        )
    if says_nothing and content is None and vendor.schema_checked:
        raise bad_request(
            "Invalid value for 'content': expected a string, got null.",
            param=f"messages.[{at}].content",
        )
    for part in mappings(content):
        if part.get("type") == "image_url":
            _check_image(part, str(role), vendor, at)


def _check_image(part: Message, role: str, vendor: Vendor, at: int) -> None:
    url = text(mapping(part.get("image_url")).get("url"))
    if vendor.images == "none":
        raise bad_request(
            f"Failed to deserialize the JSON body into the target type: messages[{at}]: unknown "
            "variant `image_url`, expected `text`"
        )
    if vendor.images == "data" and not url.startswith(("data:image/", "ms://")):
        raise bad_request(f"Invalid request: unsupported image url: {url[:80]}")
    if vendor.schema_checked and role != "user":
        raise bad_request(
            f"Invalid 'messages[{at}]'. Image URLs are only allowed for messages with role 'user', "
            f"but this message with role '{role}' contains an image URL.",
            param=f"messages[{at}]",
            code="invalid_value",
        )


def _check_ids(message: Message, vendor: Vendor, at: int) -> None:
    if not vendor.id_chars_max:
        return
    places = {f"messages[{at}].tool_call_id": text(message.get("tool_call_id"))}
    for number, call in enumerate(mappings(message.get("tool_calls"))):
        places[f"messages[{at}].tool_calls[{number}].id"] = text(call.get("id"))
    for place, given in places.items():
        if len(given) > vendor.id_chars_max:
            raise bad_request(
                f"Invalid '{place}': string too long. Expected a string with maximum length "
                f"{vendor.id_chars_max}, but got a string with length {len(given)} instead.",
                param=place,
                code="string_above_max_length",
            )


def _check_groups(messages: list[Message], words: GroupWords) -> None:
    """Calls and tool messages must belong together, with nothing between them."""
    known: list[str] = []
    waiting: list[str] = []
    for at, message in enumerate(messages):
        if message["role"] != "tool":
            _check_answered(waiting, words, at)
            calls = mappings(message.get("tool_calls"))
            known = waiting = [text(call.get("id")) for call in calls]
            continue
        answered = text(message.get("tool_call_id"))
        if not known:
            raise bad_request(words.orphan.format(ids=answered), param=f"messages.[{at}].role")
        if answered not in known:
            raise bad_request(
                words.unknown_id.format(ids=answered), param=f"messages.[{at}].tool_call_id"
            )
        waiting = [call_id for call_id in waiting if call_id != answered]
    _check_answered(waiting, words, len(messages))


def _check_answered(waiting: list[str], words: GroupWords, at: int) -> None:
    if waiting:
        raise bad_request(
            words.unanswered.format(ids=", ".join(waiting)), param=f"messages.[{at}].role"
        )


def _check_replay(messages: list[Message], vendor: Vendor) -> None:
    if vendor.replay == "never":
        return
    for at, message in enumerate(messages):
        thought = message.get(vendor.reasoning_field)
        if vendor.replay == "refused":
            wrong = thought is not None
        elif not message.get("tool_calls"):
            wrong = False
        else:
            wrong = not thought if vendor.replay == "non_empty" else not isinstance(thought, str)
        if wrong:
            raise bad_request(vendor.replay_words.format(index=at))
