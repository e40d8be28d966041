"""What Bedrock adds to Claude's own JSON: measures, and what a guardrail did.

It is Amazon's business with the operator and goes no further; but that a guardrail put words of its
own in the place of an answer is told as Anthropic tells it, as a refusal. InvokeModel itself leaves
`end_turn` there (seen live, hermes-agent #107815).
"""

from typing import Final

import msgspec

PREFIX: Final = b'"amazon-bedrock-'
"""How its fields begin."""
_ACTION: Final = "amazon-bedrock-guardrailAction"
_INTERVENED: Final = b'"INTERVENED"'
_REFUSED: Final = {
    "stop_reason": msgspec.Raw(b'"refusal"'),
    "stop_sequence": msgspec.Raw(b"null"),
    "stop_details": msgspec.Raw(b'{"type":"refusal","category":null,"explanation":null}'),
}

Fields = dict[str, msgspec.Raw]


def part(fields: Fields) -> tuple[Fields, bool]:
    """The fields that are Claude's, and whether a guardrail intervened."""
    intervened = bytes(fields.get(_ACTION, b"")) == _INTERVENED
    kept = {name: raw for name, raw in fields.items() if not name.startswith("amazon-bedrock-")}
    return kept, intervened


def refused(fields: Fields) -> Fields:
    """A message, or the `delta` of a `message_delta`, that ends as a refusal."""
    return fields | _REFUSED
