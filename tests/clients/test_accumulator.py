"""The official SDKs fold our streams to the message that is sent without streaming.

All streams of the case shelves and some hundred random ones go through the SDKs' own code in one
process for each version (`drivers/python_accumulator.py`, `drivers/node_accumulator.mjs`).
"""

import json
import random
import subprocess
from pathlib import Path
from typing import Any

import orjson
import pytest

from proxy.stream.chat_reply import whole_reply
from proxy.stream.repair import RepairedMessages
from tests.cases.test_chat_cases import STREAMS, played
from tests.cases.test_compat_cases import CALL, CASES
from tests.cases.test_compat_cases import SEAL as COMPAT_SEAL
from tests.clients.driving import CLIENTS, command_of, folder_of
from tests.clients.test_sdks import VERSIONS
from tests.kit.case_file import read_case
from tests.kit.chat_stream import (
    DONE,
    KIMI,
    SEAL,
    call,
    chunk,
    make_call,
    make_pipe,
    message_of,
    said,
    text,
    thought,
    usage,
    whole,
)
from tests.kit.chat_stream import calls as one_chunk
from tests.laws.test_chat_streams import with_usage

SCRIPTS = 400
LETTERS = 'ab \n"\\/<>é中😀\u2028\x7f\x00'
NAMES = ["read", "write", "functions"]
IDS = ["call_1", "call_2", "functions.read:0", "", "toolu_gwx_eA", "ü"]
FOLDED_USAGE = {
    "input_tokens",
    "output_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "output_tokens_details",
    "server_tool_use",
}
"""What the Python SDK takes over from `message_delta`; all else in a last usage it drops."""
UNKNOWN_TO_VERCEL = {"compat/data_on_several_lines"}
"""Has a container that is not whole: passed on, as anything of a server's own."""
HALF = "half of one"

Document = dict[str, Any]
Stream = tuple[str, bytes, Document]
"""Name, bytes, and the message they must fold to; `error` in it is how the stream ends."""
Told = list[tuple[str, Document, Document]]
"""Name, what they must fold to, what the SDK saw."""


def of_the_shelves() -> list[Stream]:
    streams = []
    for path in STREAMS:
        case = read_case(path)
        out = played(path, case, [case.given])
        streams.append((f"chat_to_messages/{path.stem}", out, message_of(out)))
    for case in CASES:
        pipe = RepairedMessages(CALL, COMPAT_SEAL, 1 << 20)
        out = pipe.feed(case.given) + pipe.finish()
        streams.append((f"compat/{case.name}", out, message_of(out)))
    return streams


def of_random_scripts() -> list[Stream]:
    return [random_script(random.Random(seed), f"seed {seed}") for seed in range(SCRIPTS)]


def random_script(dice: random.Random, name: str) -> Stream:
    """A message said in pieces, and the same said at once."""
    thinking, words = text_of(dice), text_of(dice)
    calls = [
        (dice.choice(IDS), dice.choice(NAMES), {text_of(dice): text_of(dice), "n": at})
        for at in range(dice.randrange(4))
    ]
    tool_calls = [
        {"id": call_id, "function": {"name": name, "arguments": json.dumps(inner)}}
        for call_id, name, inner in calls
    ]
    message = {"content": words, "reasoning_content": thinking, "tool_calls": tool_calls}
    finish = dice.choice(["stop", "tool_calls", "length"])
    reply = whole_reply(make_call(streamed=False), KIMI, SEAL, whole(message, finish))
    chunks = [chunk({"role": "assistant", "content": ""})]
    chunks += [thought(piece) for piece in pieces_of(thinking, dice)]
    chunks += [text(piece) for piece in pieces_of(words, dice)]
    chunks += fragments(calls, dice)
    chunks.append(chunk({}, finish))
    if dice.random() < 0.3:
        chunks = [with_usage(each) for each in chunks]
    out = said(make_pipe(), *chunks, usage(), DONE)
    return name, out, orjson.loads(reply.body)


def text_of(dice: random.Random) -> str:
    return "".join(dice.choices(LETTERS, k=dice.randrange(12)))


def pieces_of(words: str, dice: random.Random) -> list[str]:
    places = sorted(dice.randint(0, len(words)) for _ in range(dice.randrange(4)))
    return [words[a:b] for a, b in zip([0, *places], [*places, len(words)], strict=True)]


def fragments(calls: list[tuple[str, str, Document]], dice: random.Random) -> list[bytes]:
    """The calls in pieces: blanks before their arguments, names late, mixed, begun in order."""
    queues = []
    for index, (call_id, name, inner) in enumerate(calls):
        pieces = ["", *dice.choice([[], [" "], ["\n", " "]])]
        pieces += pieces_of(json.dumps(inner, ensure_ascii=dice.random() < 0.5), dice)
        late = dice.randrange(len(pieces))
        queues.append(
            [
                call(index, None if at else call_id or None, name if at == late else None, piece)
                for at, piece in enumerate(pieces)
            ]
        )
    out = []
    begun = 0
    while any(queues):
        going = [queue for queue in queues[:begun] if queue]
        if begun < len(queues) and (not going or dice.random() < 0.3):
            begun += 1
            going = queues[begun - 1 : begun]
        out.append(one_chunk(dice.choice(going).pop(0)))
    return out


@pytest.fixture(scope="module")
def streams() -> list[Stream]:
    return of_the_shelves() + of_random_scripts()


@pytest.fixture(scope="module", params=list(VERSIONS))
def told(
    request: pytest.FixtureRequest, streams: list[Stream], tmp_path_factory: pytest.TempPathFactory
) -> Told:
    """What the SDK made of each stream."""
    client: str = request.param
    if not (folder_of(client) / ".stamp").exists():
        pytest.fail(f"{client} is not installed: run `python tests/clients/install.py` once")
    place: Path = tmp_path_factory.mktemp(client)
    (place / "streams.json").write_text(json.dumps([out.decode() for _, out, _ in streams]))
    command = [
        part.replace("_sdk.py", "_accumulator.py").replace("typescript_sdk", "node_accumulator")
        for part in command_of(client)
    ]
    ran = subprocess.run(
        [*command, str(place / "streams.json")],
        env={
            "PYTHONPATH": str(folder_of(client)),
            "CLIENTS_NODE": str(CLIENTS / "node"),
            "HOME": str(place),
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    # JavaScript has floats only.
    parse_int = int if client.startswith("python") else float
    document = json.loads(ran.stdout, parse_int=parse_int)
    assert document["version"] == VERSIONS[client]
    expected = [
        (name, json.loads(json.dumps(message), parse_int=parse_int)) for name, _, message in streams
    ]
    return [(*one, seen) for one, seen in zip(expected, document["told"], strict=True)]


def comparable(message: Document) -> Document:
    """A message without what the SDKs do not fold, or cannot know."""
    content = []
    for block in message["content"]:
        kept = {name: value for name, value in block.items() if value is not None}
        if kept.pop("partial", None) is not None:
            kept["input"] = HALF
        content.append(kept)
    counts = {k: v for k, v in message["usage"].items() if k in FOLDED_USAGE and v is not None}
    named = ("id", "type", "role", "model", "stop_reason", "stop_sequence", "stop_details")
    return {name: message.get(name) for name in named} | {"content": content, "usage": counts}


def test_every_whole_stream_folds_to_the_message_sent_at_once(told: Told) -> None:
    wholes = [one for one in told if "error" not in one[1]]
    assert len(wholes) > SCRIPTS
    for name, expected, seen in wholes:
        assert "message" in seen, (name, seen)
        theirs, ours = comparable(seen["message"]), comparable(expected)
        for mine, other in zip(ours["content"], theirs["content"], strict=True):
            if mine.get("input") == HALF:
                other["input"] = HALF  # cut by length: they read of it what can be read
        assert theirs == ours, name


def test_every_stream_that_fails_is_raised(told: Told) -> None:
    failed = [one for one in told if "error" in one[1]]
    assert len(failed) > 10
    for name, expected, seen in failed:
        assert seen.get("raised"), (name, seen)
        assert seen["body"]["error"] == expected["error"], name


@pytest.mark.parametrize("told", ["typescript-new", "typescript-old"], indirect=True)
def test_vercels_sdk_hears_the_same_and_has_nothing_to_complain_of(told: Told) -> None:
    for name, expected, seen in told:
        if name in UNKNOWN_TO_VERCEL:
            continue
        heard, blocks = seen["heard"], expected["content"]
        if "error" in expected:
            assert len(heard["errors"]) == 1, (name, heard)
            continue
        assert heard["errors"] == [], name
        for kind in ("text", "thinking"):
            words = "".join(block[kind] for block in blocks if block["type"] == kind)
            assert heard[kind] == words, name
        calls = [(b["id"], b["name"], b["input"]) for b in blocks if b["type"] == "tool_use"]
        if not any("partial" in block for block in blocks):
            assert [tuple(call) for call in heard["tools"]] == calls, name
