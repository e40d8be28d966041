"""Thinking of earlier turns, given back to the model that thought it (translation.md 1.4).

Only to its own family: the signature proves where it came from. Claude's own is dropped, because it
is a summary made for people (trap 30). Where a provider insists on some thinking and it is lost, a
placeholder stands for it (traps 25, 26).
"""

import re

import msgspec

from proxy.providers.openai_chat.json_text import quoted
from proxy.providers.openai_chat.setting import Setting
from proxy.wire.messages_request import ABSENT, Block, is_text
from proxy.wire.seal import is_ours

_CLAUDES = re.compile(r"[A-Za-z0-9+/]{60,}={0,2}", re.ASCII)
"""Signatures of Claude are base64 of some hundred bytes; other gateways write words or nothing."""
_JOINT = "\n\n"
_TEXT = msgspec.json.Decoder(str)


class Thoughts(msgspec.Struct, gc=False):
    """The thinking of one assistant message. `details` are raw elements of `reasoning_details`."""

    texts: list[str]
    details: list[bytes]


def note_thinking(block: Block, thoughts: Thoughts, setting: Setting) -> None:
    """Keep the thinking in `block` if it may go back."""
    dialect = setting.dialect
    if dialect.reasoning_replay == "never":
        return
    text = _loose(block.thinking)
    signature = _loose(block.signature)
    if is_ours(signature):
        opened = setting.seal.open(setting.tenant_id, signature, text)
        if opened is not None:
            if opened.family and opened.family == dialect.reasoning_family:
                _keep(opened.text, opened.extras, thoughts, setting)
            return
    elif _CLAUDES.fullmatch(signature):
        return
    if dialect.reasoning_replay == "always":
        _keep(text, b"", thoughts, setting)


def write_thoughts(thoughts: Thoughts, has_calls: bool, setting: Setting) -> bytes:
    """The fields of an assistant message that carry its thinking, each with a comma in front."""
    dialect = setting.dialect
    if dialect.reasoning_replay == "never":
        return b""
    may = has_calls or dialect.reasoning_replay == "always"
    if may and thoughts.details:
        return b',"reasoning_details":[%b]' % b",".join(thoughts.details)
    text = _JOINT.join(thoughts.texts) if may else ""
    if not text:
        if not has_calls or dialect.replay_placeholder is None or not setting.thinking_on:
            return b""
        text = dialect.replay_placeholder
    said = quoted(text)
    if dialect.replay_field == "both":
        return b',"reasoning_content":%b,"reasoning":%b' % (said, said)
    return b',"%b":%b' % (dialect.replay_field.encode(), said)


def _keep(text: str, extras: bytes, thoughts: Thoughts, setting: Setting) -> None:
    if text:
        thoughts.texts.append(text)
    # The provider's own list is sent back element for element, not only its text.
    inner = extras.strip()[1:-1].strip() if extras.lstrip().startswith(b"[") else b""
    if inner and setting.dialect.replay_details:
        thoughts.details.append(inner)


def _loose(raw: msgspec.Raw) -> str:
    """A string, or nothing for what is none."""
    if raw is ABSENT or not is_text(raw):
        return ""
    return _TEXT.decode(raw)
