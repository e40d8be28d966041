"""Request bodies as real clients send them, made by arithmetic, the same on every machine.

Two shapes: the small request of an SDK user, and the conversation of a coding agent (system blocks
with cache marks, about 25 tools with their schemas, turns of tool_use and tool_result). The long
ones hold what trips a careless proxy: properties called "model", escapes, text that is not ASCII.
"""

import functools
import random

import orjson

SIZES_BYTES = {"1k": 1_000, "60k": 60_000, "200k": 200_000, "1m": 1_000_000}

# fmt: off
_WORDS = [
    "stream", "token", "gateway", "request", "model", "answer", "prefix", "cache", "turn",
    "block", "index", "event", "usage", "header", "socket", "buffer", "retry", "window",
    "limit", "caller", "ledger", "price", "alias", "catalogue", "version", "deadline", "the",
    "of", "and", "is", "to", "in", "that", "for", "with", "as", "on", "be", "at", "by", "this",
    "from", "or", "an", "are", "was", "which", "it", "not", "can", "when",
]
_TOOLS = [
    "Agent", "Bash", "Edit", "Read", "Write", "Glob", "Grep", "NotebookEdit", "WebFetch",
    "TodoWrite", "Skill", "ToolSearch", "Workflow", "ListAgents", "ReportFindings",
    "ScheduleWakeup", "KillShell", "BashOutput", "ExitPlan", "AskUser", "ListFiles",
    "ApplyPatch", "RunTests", "Deploy", "Memory",
]
# fmt: on


@functools.lru_cache(maxsize=64)
def body(size: str, *, model: str, streamed: bool) -> bytes:
    """A request body of exactly the named size."""
    bytes_wanted = SIZES_BYTES[size]
    # The last text is stretched so that the body has exactly the size asked for.
    last_text = {"type": "text", "text": "Go on."}
    small = size == "1k"
    request = _small(model, last_text) if small else _agent(model, last_text, bytes_wanted)
    request["stream"] = streamed
    missing = bytes_wanted - len(orjson.dumps(request))
    assert missing >= 0, f"the {size} body has {-missing} bytes too many before its padding"
    last_text["text"] += "." * missing
    return orjson.dumps(request)


def _prose(dice: random.Random, words: int) -> str:
    return " ".join(dice.choices(_WORDS, k=words))


def _small(model: str, last_text: dict[str, str]) -> dict[str, object]:
    text = "Tell me in one sentence: " + _prose(random.Random(1), 125)
    return {
        "max_tokens": 1024,
        "messages": [{"role": "user", "content": [{"type": "text", "text": text}, last_text]}],
        "model": model,
    }


def _tool(dice: random.Random, name: str) -> dict[str, object]:
    properties: dict[str, object] = {
        "description": {"type": "string", "description": _prose(dice, 12)},
        "timeout": {"type": "number", "minimum": 0, "description": _prose(dice, 8)},
    }
    if name in ("Agent", "Workflow"):
        properties["model"] = {"type": "string", "enum": ["sonnet", "opus", "haiku"]}
    if name in ("Edit", "Write"):
        properties["old_string"] = {"type": "string"}
        properties["new_string"] = {"type": "string", "description": _prose(dice, 10)}
    return {
        "name": name,
        "description": _prose(dice, dice.randrange(60, 140)),
        "input_schema": {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": properties,
            "required": ["description"],
            "additionalProperties": False,
        },
    }


def _source_text(dice: random.Random, lines: int) -> str:
    """What a tool prints: numbered lines with quotes, tabs and backslashes, which JSON escapes."""
    return "".join(
        f'{number:6}\t{_prose(dice, 4)} = "{_prose(dice, 5)}\\n"  # über {dice.random():.6f}\n'
        for number in range(1, lines + 1)
    )


def _round(dice: random.Random, number: int) -> list[dict[str, object]]:
    """One tool round: the assistant's call and the user's result."""
    call_id = f"toolu_{number:024}"
    arguments: dict[str, object] = {"description": _prose(dice, 6), "timeout": 120000}
    name = dice.choice(_TOOLS)
    if name == "Agent":
        arguments["model"] = "haiku"
    return [
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": _prose(dice, 25)},
                {"type": "tool_use", "id": call_id, "name": name, "input": arguments},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "tool_use_id": call_id,
                    "type": "tool_result",
                    "content": _source_text(dice, dice.randrange(8, 24)),
                    "is_error": False,
                }
            ],
        },
    ]


def _agent(model: str, last_text: dict[str, str], bytes_wanted: int) -> dict[str, object]:
    dice = random.Random(2)
    messages: list[dict[str, object]] = [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": f"<system-reminder>{_prose(dice, 150)}</system-reminder>"},
                {"type": "text", "text": "Find out why the test fails, then repair it."},
            ],
        }
    ]
    request: dict[str, object] = {
        "model": model,
        "messages": messages,
        "system": [
            {"type": "text", "text": "You are a coding agent."},
            {
                "type": "text",
                "text": _prose(dice, 1_000),
                "cache_control": {"type": "ephemeral"},
            },
        ],
        "tools": [_tool(dice, name) for name in _TOOLS],
        "metadata": {"user_id": '{"device_id":"0000","account_uuid":"","session_id":"0001"}'},
        "max_tokens": 32_000,
        "thinking": {"type": "adaptive"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "output_config": {"effort": "medium"},
        "stream": False,
    }
    size = len(orjson.dumps(request))
    number = 0
    while True:
        turns = _round(dice, number)
        size += len(orjson.dumps(turns))
        if size > bytes_wanted - 300:
            break
        messages.extend(turns)
        number += 1
    messages.append({"role": "user", "content": [last_text]})
    return request
