"""The official Python SDK folds our streams to the message that is sent without streaming.

All streams of the case shelves and some hundred random ones go through the SDK's own code in one
process for each version (`drivers/python_accumulator.py`).
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.stream.chat_reply import whole_reply
from proxy.stream.repair import RepairedMessages
from tests.cases.test_chat_cases import STREAMS, played
from tests.cases.test_compat_cases import CALL, CASES
from tests.cases.test_compat_cases import SEAL as COMPAT_SEAL
from tests.clients.driving import DRIVERS, command_of, folder_of
from tests.kit.case_file import read_case
from tests.kit.chat_stream import (
    DONE,
    KIMI,
    SEAL,
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
from tests.kit.patience import examples
from tests.laws.test_chat_streams import CALLS, WORDS, fragments, pieces_of, with_usage

SCRIPTS = 300
VERSIONS = {"python-new": "2.12.0", "python-old": "0.125.0"}
FOLDED_USAGE = {
    "input_tokens",
    "output_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "output_tokens_details",
    "server_tool_use",
}
"""What the SDK takes over from `message_delta`; all else in a stream's last usage it drops."""

Document = dict[str, Any]
Stream = tuple[str, bytes, Document]
"""Name, bytes, and the message they must fold to; `error` in it is how the stream ends."""


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
    streams: list[Stream] = []

    @examples(SCRIPTS)
    @given(WORDS | st.just(""), WORDS | st.just(""), CALLS, st.data())
    def collect(
        thinking: str, words: str, calls: list[tuple[str, str, Document]], data: st.DataObject
    ) -> None:
        tool_calls = [
            {"id": call_id, "function": {"name": name, "arguments": orjson.dumps(inner).decode()}}
            for call_id, name, inner in calls
        ]
        message = {"content": words, "reasoning_content": thinking, "tool_calls": tool_calls}
        finish = data.draw(st.sampled_from(["stop", "tool_calls", "length"]))
        reply = whole_reply(make_call(streamed=False), KIMI, SEAL, whole(message, finish))
        chunks = [chunk({"role": "assistant", "content": ""})]
        chunks += [thought(piece) for piece in pieces_of(thinking, data)]
        chunks += [text(piece) for piece in pieces_of(words, data)]
        chunks += fragments(calls, data)
        chunks.append(chunk({}, finish))
        if data.draw(st.booleans()):
            chunks = [with_usage(each) for each in chunks]
        out = said(make_pipe(), *chunks, usage(), DONE)
        streams.append((f"script {len(streams)}", out, orjson.loads(reply.body)))

    collect()
    return streams


@pytest.fixture(scope="module")
def streams() -> list[Stream]:
    return of_the_shelves() + of_random_scripts()


@pytest.fixture(scope="module", params=list(VERSIONS))
def told(
    request: pytest.FixtureRequest, streams: list[Stream], tmp_path_factory: pytest.TempPathFactory
) -> list[Document]:
    """What the SDK made of each stream."""
    client: str = request.param
    if not (folder_of(client) / ".stamp").exists():
        pytest.fail(f"{client} is not installed: run `python tests/clients/install.py` once")
    place: Path = tmp_path_factory.mktemp(client)
    (place / "streams.json").write_text(json.dumps([out.decode() for _, out, _ in streams]))
    driver = [*command_of(client)[:-1], str(DRIVERS / "python_accumulator.py")]
    ran = subprocess.run(
        [*driver, str(place / "streams.json")],
        env={"PYTHONPATH": str(folder_of(client)), "HOME": str(place)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    document = json.loads(ran.stdout)
    assert document["version"] == VERSIONS[client]
    assert len(document["told"]) == len(streams)
    seen: list[Document] = document["told"]
    return seen


def comparable(message: Document) -> Document:
    """A message without what the SDK does not fold, or cannot know."""
    content = []
    for block in message["content"]:
        kept = {name: value for name, value in block.items() if value is not None}
        if kept.pop("partial", None) is not None:
            kept["input"] = "half of one"
        content.append(kept)
    counts = {k: v for k, v in message["usage"].items() if k in FOLDED_USAGE and v is not None}
    named = ("id", "type", "role", "model", "stop_reason", "stop_sequence", "stop_details")
    return {name: message.get(name) for name in named} | {"content": content, "usage": counts}


def test_every_whole_stream_folds_to_the_message_sent_at_once(
    streams: list[Stream], told: list[Document]
) -> None:
    wholes = [one for one in zip(streams, told, strict=True) if "error" not in one[0][2]]
    assert len(wholes) > SCRIPTS
    for (name, _, expected), seen in wholes:
        assert "message" in seen, (name, seen)
        theirs, ours = comparable(seen["message"]), comparable(expected)
        for mine, other in zip(ours["content"], theirs["content"], strict=True):
            if mine.get("input") == "half of one":
                other["input"] = mine["input"]  # cut by length: they read of it what can be read
        assert theirs == ours, name


def test_every_stream_that_fails_is_raised(streams: list[Stream], told: list[Document]) -> None:
    failed = [one for one in zip(streams, told, strict=True) if "error" in one[0][2]]
    assert len(failed) > 10
    for (name, _, expected), seen in failed:
        assert seen.get("raised"), (name, seen)
        assert seen["body"]["error"] == expected["error"], name
