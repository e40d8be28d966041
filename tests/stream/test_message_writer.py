"""The writer that cannot be wrong, driven by scripts that are."""

import orjson
from hypothesis import given
from hypothesis import strategies as st

from proxy.domain.usage import Usage
from proxy.stream.message_document import MessageDocument
from proxy.stream.message_events import MessageEvents
from proxy.stream.message_writer import MessageWriter, Sink, State
from proxy.stream.thinking_signer import ThinkingSigner
from proxy.wire.events import stop_fields, usage_document
from tests.kit.chat_stream import SEAL, folded
from tests.kit.grammar import check_stream, events_of
from tests.kit.patience import examples

VERBS = ["start", "text", "thinking", "call", "arguments", "close", "end"]
END = (stop_fields("end_turn", None, None), usage_document(Usage(input_tokens=1)))


def play(sink: Sink, script: list[str]) -> MessageWriter:
    signer = ThinkingSigner(SEAL, "tenant_1", "kimi", shown=True)
    writer = MessageWriter(sink, signer, Usage(input_tokens=1))
    for at, verb in enumerate(script):
        match verb:
            case "text" | "thinking":
                getattr(writer, verb)(b"w%d" % at)
            case "call":
                writer.call(f"call_{at}", "read")
                writer.arguments('{"a":1}')
            case "arguments":
                writer.arguments(" ")
            case "end":
                writer.end(*END)
            case _:
                getattr(writer, verb)()
    return writer


@examples(500)
@given(st.lists(st.sampled_from(VERBS), max_size=12))
def test_every_script_is_a_legal_stream(script: list[str]) -> None:
    sink = MessageEvents("msg_1", "model")
    play(sink, [*script, "end", "end"])
    assert check_stream(sink.take()) == "message_stop"


@examples(200)
@given(st.lists(st.sampled_from(VERBS), max_size=12))
def test_the_stream_folds_to_the_document(script: list[str]) -> None:
    stream, document = MessageEvents("msg_1", "model"), MessageDocument("msg_1", "model")
    play(stream, [*script, "end"])
    play(document, [*script, "end"])
    assert folded(events_of(stream.take())) == orjson.loads(document.body)


def test_an_abandoned_message_says_nothing_more() -> None:
    sink = MessageEvents("msg_1", "model")
    writer = play(sink, ["text"])
    sink.take()
    writer.abandon()
    for verb in (writer.start, writer.close):
        verb()
    writer.text(b"x")
    writer.thinking(b"x")
    writer.call("a", "b")
    writer.arguments("{}")
    writer.end(*END)
    assert sink.take() == b""
    assert writer.state is State.DONE


def test_calls_and_blocks_are_counted() -> None:
    writer = play(MessageEvents("msg_1", "model"), ["text", "call", "call"])
    assert writer.calls == 2
    assert writer.index == 2


def test_a_call_without_arguments_is_a_document_all_the_same() -> None:
    document = MessageDocument("msg_1", "model")
    writer = play(document, [])
    writer.call("a", "t")
    writer.end(*END)
    assert orjson.loads(document.body)["content"][0]["input"] == {}
