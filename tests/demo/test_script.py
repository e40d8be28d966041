from dataclasses import replace

import pytest

from proxy.demo.refusal import Refusal
from proxy.demo.script import (
    AFTER_RESULT,
    BEFORE_CALL,
    ORDINARY,
    THOUGHT,
    Ask,
    Ending,
    ForcedTool,
    Overflow,
    Reply,
    Stop,
    TextBlock,
    Thinking,
    ThinkingBlock,
    ToolBlock,
    answer,
    overflow,
    words_of,
)

TITLE = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}
CALL = 'CALL:get_weather:{"city":"Rome"} END'


def reply_to(ask: Ask) -> Reply:
    reply = answer(ask)
    assert isinstance(reply, Reply)
    return reply


def said(reply: Reply) -> list[tuple[str, str]]:
    """Kind and whole content of each block."""
    return [
        (type(block).__name__.removesuffix("Block").lower(), "".join(block.pieces))
        for block in reply.blocks
    ]


def test_ordinary_text_is_answered_with_about_forty_pleasant_words() -> None:
    reply = reply_to(Ask(text="hi"))
    assert said(reply) == [("text", ORDINARY)]
    assert 35 <= reply.output_tokens <= 45
    assert "demo" in ORDINARY
    assert reply.stop is Stop.END_TURN
    assert reply.ending is Ending.WHOLE


@pytest.mark.parametrize("text", ["hi", "THINK", CALL, "LONG 20", "ERROR 500"])
def test_the_same_request_gets_the_same_answer(text: str) -> None:
    ask = Ask(text=text, thinking=Thinking.SHOWN)
    assert answer(ask) == answer(replace(ask))


@pytest.mark.parametrize(
    ("text", "thinking", "expected"),
    [
        ("THINK", Thinking.SHOWN, [("thinking", THOUGHT), ("text", ORDINARY)]),
        ("THINK", Thinking.OMITTED, [("thinking", ""), ("text", ORDINARY)]),
        ("THINK", Thinking.OFF, [("text", ORDINARY)]),
        ("hi", Thinking.SHOWN, [("text", ORDINARY)]),
        (
            "THINK " + CALL,
            Thinking.SHOWN,
            [("thinking", THOUGHT), ("tool", '{"city":"Rome"}')],
        ),
    ],
)
def test_thinking_comes_first_where_it_is_on_and_asked_for(
    text: str, thinking: Thinking, expected: list[tuple[str, str]]
) -> None:
    assert said(reply_to(Ask(text=text, thinking=thinking))) == expected


def test_hidden_thoughts_are_sealed_and_counted_like_shown_ones() -> None:
    shown = reply_to(Ask(text="THINK", thinking=Thinking.SHOWN))
    omitted = reply_to(Ask(text="THINK", thinking=Thinking.OMITTED))
    assert isinstance(shown.blocks[0], ThinkingBlock)
    assert isinstance(omitted.blocks[0], ThinkingBlock)
    assert shown.blocks[0].signature == omitted.blocks[0].signature != ""
    assert shown.output_tokens == omitted.output_tokens
    assert shown.thinking_tokens == len(words_of(THOUGHT))


def test_a_call_is_a_tool_block_and_ends_the_turn() -> None:
    reply = reply_to(Ask(text=CALL, has_tools=True))
    (block,) = reply.blocks
    assert isinstance(block, ToolBlock)
    assert block.name == "get_weather"
    assert block.pieces[0] == ""
    assert len(block.pieces) > 2
    assert reply.stop is Stop.TOOL_USE


@pytest.mark.parametrize(
    ("ask", "kinds"),
    [
        (Ask(text=f"{CALL} {CALL}"), ["tool", "tool"]),
        (Ask(text=f"{CALL} {CALL}", parallel_tools=False), ["tool"]),
        (Ask(text=CALL, tools_allowed=False), ["text"]),
        (Ask(text=f"Please {CALL}"), ["text", "tool"]),
        (Ask(text=CALL, tool_results=("old",)), ["tool"]),
        (Ask(text=CALL, schema=TITLE), ["text"]),
        (Ask(text=CALL, schema=TITLE, has_tools=True), ["tool"]),
        (Ask(text="hi", forced_tool=ForcedTool("json", TITLE)), ["tool"]),
        (Ask(forced_tool=ForcedTool("json", TITLE), tool_results=("done",)), ["text"]),
    ],
)
def test_when_tools_are_called(ask: Ask, kinds: list[str]) -> None:
    reply = reply_to(ask)
    assert [kind for kind, _ in said(reply)] == kinds
    assert (reply.stop is Stop.TOOL_USE) == ("tool" in kinds)


def test_words_before_a_call_bring_words_before_the_tool() -> None:
    assert said(reply_to(Ask(text=f"Please {CALL}")))[0] == ("text", BEFORE_CALL)


def test_a_forced_tool_gets_arguments_that_fit_its_schema() -> None:
    reply = reply_to(Ask(text="hi", forced_tool=ForcedTool("json", TITLE)))
    assert said(reply) == [("tool", '{"title":"demo title"}')]


@pytest.mark.parametrize(
    ("results", "text"),
    [
        (("18C",), f"The tool answered: 18C\n{AFTER_RESULT}"),
        (("a", "b"), f"The tool answered: a\nThe tool answered: b\n{AFTER_RESULT}"),
        (("",), f"The tool answered: (nothing)\n{AFTER_RESULT}"),
        (("x" * 900,), f"The tool answered: {'x' * 200}\n{AFTER_RESULT}"),
    ],
)
def test_tool_results_are_quoted_from_their_beginning(results: tuple[str, ...], text: str) -> None:
    reply = reply_to(Ask(tool_results=results))
    assert said(reply) == [("text", text)]
    assert reply.stop is Stop.END_TURN


@pytest.mark.parametrize("tool_results", [(), ("18C",)])
def test_a_schema_is_answered_with_json(tool_results: tuple[str, ...]) -> None:
    reply = reply_to(Ask(text="hi", schema=TITLE, tool_results=tool_results))
    assert said(reply) == [("text", '{"title":"demo title"}')]


@pytest.mark.parametrize(
    ("tokens_max", "words", "stop"),
    [
        (0, 0, Stop.MAX_TOKENS),
        (1, 1, Stop.MAX_TOKENS),
        (9, 9, Stop.MAX_TOKENS),
        (10, 10, Stop.END_TURN),
        (None, 10, Stop.END_TURN),
    ],
)
def test_max_tokens_is_honoured(tokens_max: int | None, words: int, stop: Stop) -> None:
    reply = reply_to(Ask(text="LONG 10", tokens_max=tokens_max))
    assert reply.pieces_count == reply.output_tokens == words
    assert reply.stop is stop
    # An empty text block would crash clients.
    assert len(reply.blocks) == (1 if words else 0)


def test_thoughts_use_up_max_tokens() -> None:
    cost = len(words_of(THOUGHT))
    ask = Ask(text="THINK LONG 10", thinking=Thinking.SHOWN)
    assert reply_to(replace(ask, tokens_max=cost + 4)).output_tokens == cost + 4
    all_thought = reply_to(replace(ask, tokens_max=5))
    assert [kind for kind, _ in said(all_thought)] == ["thinking"]
    assert all_thought.stop is Stop.MAX_TOKENS


@pytest.mark.parametrize(
    ("sequences", "text", "matched"),
    [
        ((" word3",), "word1 word2", " word3"),
        (("word4", "word2"), "word1 ", "word2"),
        (("word1",), "", "word1"),
        (("nowhere",), "word1 word2 word3 word4 word5", None),
    ],
)
def test_stop_sequences_are_honoured(
    sequences: tuple[str, ...], text: str, matched: str | None
) -> None:
    reply = reply_to(Ask(text="LONG 5", stop_sequences=sequences))
    assert "".join(content for _, content in said(reply)) == text
    assert reply.stop_sequence == matched
    assert reply.stop is (Stop.STOP_SEQUENCE if matched else Stop.END_TURN)


def test_max_tokens_before_a_stop_sequence_wins() -> None:
    reply = reply_to(Ask(text="LONG 5", stop_sequences=("word4",), tokens_max=2))
    assert (reply.stop, reply.stop_sequence) == (Stop.MAX_TOKENS, None)


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("ERROR 429", Refusal(429)),
        ("SLOW 2 ERROR 500", Refusal(500, silence_first_s=2)),
        (f"ERROR 400 {CALL}", Refusal(400)),
    ],
)
def test_errors_on_request(text: str, refusal: Refusal) -> None:
    assert answer(Ask(text=text)) == refusal


def test_silences_and_endings_are_handed_on() -> None:
    reply = reply_to(Ask(text="SLOW 1 PAUSE 2 BREAK"))
    assert (reply.silence_first_s, reply.silence_middle_s) == (1, 2)
    assert reply.ending is Ending.CUT
    assert reply_to(Ask(text="ERRORMID")).ending is Ending.ERROR


@pytest.mark.parametrize("text", [ORDINARY, "a", " a  b \n c ", "one\ttwo\n", '{"a": 1}'])
def test_the_pieces_of_a_text_are_the_text_again(text: str) -> None:
    assert "".join(words_of(text)) == text


def test_long_answers_have_as_many_deltas_as_asked_for() -> None:
    (block,) = reply_to(Ask(text="LONG 1234")).blocks
    assert isinstance(block, TextBlock)
    assert len(block.pieces) == 1234


def test_large_arguments_are_cut_into_a_bounded_number_of_pieces() -> None:
    huge = "x" * 100_000
    (block,) = reply_to(Ask(text=f'CALL:t:{{"a":"{huge}"}} END')).blocks
    assert 50 < len(block.pieces) < 80


def test_some_models_think_without_being_asked() -> None:
    reply = answer(Ask(text="hi", thinking=Thinking.SHOWN, thinks_unasked=True))
    assert isinstance(reply, Reply)
    assert isinstance(reply.blocks[0], ThinkingBlock)
    silent = answer(Ask(text="hi", thinking=Thinking.OFF, thinks_unasked=True))
    assert isinstance(silent, Reply)
    assert not silent.thinking_tokens


@pytest.mark.parametrize(
    ("text", "tokens_max", "input_tokens", "too_much"),
    [
        ("hi", 10**9, 10**9, None),
        ("WINDOW 100", 50, 50, None),
        ("WINDOW 100", None, 101, Overflow(101, 0, 100)),
        ("WINDOW 100", 51, 50, Overflow(50, 51, 100)),
    ],
)
def test_a_window_holds_prompt_and_answer(
    text: str, tokens_max: int | None, input_tokens: int, too_much: Overflow | None
) -> None:
    found = overflow(Ask(text=text, tokens_max=tokens_max), input_tokens)
    assert found == too_much
    assert found is None or found.prompt_fits is (input_tokens <= 100)


SEARCH = "Perform a web search for the query: the moon"


@pytest.mark.parametrize(
    ("ask", "expected"),
    [
        (Ask(text=SEARCH, only_tool="web_search"), [("tool", '{"query":"the moon"}')]),
        (Ask(text="hi", only_tool="web_search"), [("text", ORDINARY)]),
        (Ask(text=SEARCH), [("text", ORDINARY)]),
        (Ask(text=SEARCH, only_tool="web_search", tools_allowed=False), [("text", ORDINARY)]),
    ],
)
def test_a_side_request_for_a_search_is_answered_with_one(
    ask: Ask, expected: list[tuple[str, str]]
) -> None:
    assert said(reply_to(ask)) == expected


def test_after_its_search_a_side_request_is_answered_with_what_was_found() -> None:
    reply = reply_to(Ask(text=SEARCH, only_tool="web_search", tool_results=("A moon.",)))
    assert "A moon." in said(reply)[0][1]
