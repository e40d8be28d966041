"""Streams, replies and errors that once made sense, with nonsense in them: accepted, or refused as
documented, and never anything else."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.domain.dialect import Dialect
from proxy.domain.fault import Fault
from proxy.providers.openai_chat.lessons import Lessons
from proxy.stream.chat_reply import whole_reply
from proxy.stream.pipe import At
from proxy.wire.chat_fault import read_chat_error
from tests.kit.asked import make_asked
from tests.kit.case_file import read_case
from tests.kit.chat_stream import KIMI, SEAL, make_call, make_pipe, said
from tests.kit.cuts import cuttings
from tests.kit.grammar import NotGrammatical, check_ends, check_stream
from tests.kit.mutations import mutated, mutated_stream, mutations
from tests.kit.patience import examples
from tests.laws.test_compat import repaired

CASES = Path(__file__).parent.parent / "cases"
CHATS = [read_case(path).given for path in sorted((CASES / "chat_to_messages").glob("*.case"))]
STREAMS = [given for given in CHATS if given.startswith(b"data: ")]
REPLIES = [given for given in CHATS if given.startswith(b'{"id"') and b"\n{" not in given]
COMPATS = [read_case(path).given for path in sorted((CASES / "compat").glob("*.case"))]
REFUSALS = [
    given[given.index(b"{") :]
    for given in (read_case(path).given for path in sorted((CASES / "faults").glob("*.case")))
    if b"{" in given
]
DIALECTS = st.sampled_from(
    [
        KIMI,
        Dialect(),
        Dialect(think_tags=("think",), kimi_tool_repair=True, think_implicit_open=True),
        Dialect(reasoning="openrouter", arguments="cumulative", stop="native"),
        Dialect(tool_args="buffered", name_fragments=True, done_required=True),
    ]
)
EXPECTED = st.sampled_from(
    [
        {},
        {"thinking": "swallowed", "first_call_only": True},
        {"thinking": "omitted", "stop_sequences": ("\n", "b"), "seen_tool_ids": frozenset("a")},
        {"no_calls": True},
    ]
)


def test_there_is_something_to_spoil() -> None:
    assert min(map(len, (STREAMS, REPLIES, COMPATS, REFUSALS))) > 15


@examples(300)
@given(st.sampled_from(STREAMS), mutations, DIALECTS, EXPECTED, st.data())
def test_a_spoilt_stream_is_a_legal_one(
    stream: bytes,
    changes: list[tuple[int, str, Any]],
    dialect: Dialect,
    expected: dict[str, Any],
    data: st.DataObject,
) -> None:
    stream = mutated_stream(stream, changes)
    pipe = make_pipe(dialect, **expected)
    out = said(pipe, stream)
    check_stream(out)
    assert (pipe.fault is None) == (pipe.at is At.WHOLE)
    assert pipe.held_bytes == 0
    assert 0 <= pipe.usage.input_tokens <= 1 << 40
    assert 0 <= pipe.usage.output_tokens <= 1 << 41
    assert said(make_pipe(dialect, **expected), *data.draw(cuttings(stream))) == out


@examples(200)
@given(st.sampled_from(REPLIES), mutations, DIALECTS, EXPECTED)
def test_a_spoilt_reply_is_a_message_or_a_fault(
    reply: bytes,
    changes: list[tuple[int, str, Any]],
    dialect: Dialect,
    expected: dict[str, Any],
) -> None:
    body = json.dumps(mutated(json.loads(reply), changes)).encode()
    try:
        message = whole_reply(make_call(streamed=False, **expected), dialect, SEAL, body)
    except Fault as fault:
        assert fault.status >= 400
        assert fault.message
    else:
        assert json.loads(message.body)["stop_reason"] == message.stop_reason


@examples(200)
@given(st.sampled_from(COMPATS), mutations)
def test_a_spoilt_stream_of_the_anthropic_kind_is_repaired_or_ended(
    stream: bytes, changes: list[tuple[int, str, Any]]
) -> None:
    out = repaired(mutated_stream(stream, changes))
    try:
        check_stream(out)
    except NotGrammatical as problem:
        # Kinds of blocks that may come one day go on as they are.
        assert "unknown block" in str(problem)
    check_ends(out)


@pytest.mark.parametrize("status", [400, 422, 429, 500, None])
@examples(60)
@given(refusal=st.sampled_from(REFUSALS), changes=mutations)
def test_a_spoilt_refusal_is_a_fault_and_teaches_no_nonsense(
    status: int | None, refusal: bytes, changes: list[tuple[int, str, Any]]
) -> None:
    try:
        document = json.loads(refusal)
    except ValueError:
        document = refusal.decode("utf-8", "replace")
    body = json.dumps(mutated(document, changes)).encode()
    fault = read_chat_error(body, status=status, call=make_asked())
    assert fault.status >= 400
    assert fault.message.encode()
    lessons = Lessons(Dialect(reasoning="effort", strict_tools=True, stop="native"))
    for _ in range(40):
        if not lessons.learn(status or 0, body, 1.0):
            break
    else:
        pytest.fail("there is no end to what it teaches")
