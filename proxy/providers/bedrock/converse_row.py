"""What models take of a conversation where Converse is all there is, as a dialect of chat servers:
it is told in their words first (`converse_request.py`).
"""

from proxy.domain.dialect import Dialect
from proxy.providers.openai_chat.row import Row

CONVERSE = Row(
    Dialect(
        tool_id="chars_64",
        mid_system="fold",
        prefill="refuse",
        image_url=False,
        pdf=True,
        tool_choice_none=False,
        reasoning_replay="never",
    ),
    (
        # Checkpoints of the prompt's cache: others refuse them (litellm #39210). Nova takes them
        # behind texts only, neither among tools nor behind results (hermes-agent #97327).
        (r"nova", {"cache_marks": True}),
        (r"claude", {"cache_marks": True, "cache_marks_beyond_text": True}),
        (
            r"kimi",
            {
                "max_output_tokens": 16384,
                "think_tags": ("reasoning", "think"),
                "kimi_tool_repair": True,
                "thinks_unasked": True,
                "pdf": False,
            },
        ),
    ),
)
