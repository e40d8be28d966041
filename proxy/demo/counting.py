"""How many tokens a request has, by the demo model's own measure.

Pure and monotonic: a quarter of the characters, one for every piece of structure, a flat price
for an encoded picture or file. It only has to be plausible, above zero, and grow with content.
"""

from proxy.demo.loose_json import mapping

_COUNTED = (
    "system",
    "messages",
    "tools",
    "tool_choice",
    "thinking",
    "output_config",
    "response_format",
)
_ENCODED_FILE_TOKENS = 1500
_SELF = 5


def count_tokens(body: dict[str, object]) -> int:
    """Tokens of everything in `body` that a model would read."""
    tokens = _SELF
    # A stack and not recursion: a body may be nested as deep as the decoder allows.
    waiting = [body[field] for field in _COUNTED if field in body]
    while waiting:
        value = waiting.pop()
        tokens += 1
        if isinstance(value, str) and value.startswith("data:"):
            tokens += _ENCODED_FILE_TOKENS
        elif isinstance(value, str):
            tokens += (len(value) + 3) // 4
        elif isinstance(value, list):
            waiting.extend(value)
        elif mapping(value).get("type") == "base64":
            tokens += _ENCODED_FILE_TOKENS
        else:
            waiting.extend(inner for key, inner in mapping(value).items() if key != "cache_control")
    return tokens
