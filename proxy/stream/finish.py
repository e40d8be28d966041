"""Why a chat server stopped, as Anthropic's `stop_reason` (translation.md 2.3)."""

from enum import Enum


class Finish(Enum):
    """What a `finish_reason` means."""

    DONE = "done"
    CALLS = "calls"
    LENGTH = "length"
    REFUSED = "refused"
    FAILED = "failed"


_MEANINGS = {
    "stop": Finish.DONE,
    "tool_calls": Finish.CALLS,
    "function_call": Finish.CALLS,
    "tool_use": Finish.CALLS,
    "length": Finish.LENGTH,
    "max_tokens": Finish.LENGTH,
    "model_length": Finish.LENGTH,
    "max_output_tokens": Finish.LENGTH,
    "content_filter": Finish.REFUSED,
    "safety": Finish.REFUSED,
    "refusal": Finish.REFUSED,
    "sensitive": Finish.REFUSED,
    "error": Finish.FAILED,
    "network_error": Finish.FAILED,
    "abort": Finish.FAILED,
    "insufficient_system_resource": Finish.FAILED,
}


def read_finish(reason: object) -> Finish | None:
    """The meaning of a `finish_reason`; None while there is none. An unknown one is an end: the
    provider says that it is."""
    if not isinstance(reason, str) or not reason:
        return None
    return _MEANINGS.get(reason.lower(), Finish.DONE)


def stop_reason(finish: Finish, *, has_calls: bool) -> str:
    """What the client is told. A message with a call was stopped by it, whatever was said; one
    without was not (bifrost #6123)."""
    if finish is Finish.LENGTH:
        return "max_tokens"
    if finish is Finish.REFUSED:
        return "refusal"
    return "tool_use" if has_calls else "end_turn"
