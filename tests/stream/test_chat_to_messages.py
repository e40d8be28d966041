"""The pipe of translated streams: states, ends, the short way."""

from tests.kit.chat_stream import (
    DONE,
    call,
    calls,
    chunk,
    make_pipe,
    message_of,
    said,
    thought,
    usage,
)


def test_the_worked_example_of_the_specification_comes_out_as_it_says() -> None:
    out = said(
        make_pipe(),
        chunk({"role": "assistant", "content": ""}),
        thought("Need two"),
        calls(call(0, "functions.a:0", "a")),
        chunk(
            {
                "tool_calls": [
                    {
                        "index": 1,
                        "id": "functions.b:1",
                        "function": {"name": None, "arguments": '{"y"'},
                    }
                ]
            }
        ),
        calls(call(0, arguments='{"x":1'), call(1, name="b", arguments=":2}")),
        calls(call(0, arguments="}")),
        chunk({}, "stop"),
        usage(
            900,
            40,
            prompt_tokens_details={"cached_tokens": 600},
            completion_tokens_details={"reasoning_tokens": 12},
        ),
        DONE,
    )
    message = message_of(out)
    assert [block["type"] for block in message["content"]] == ["thinking", "tool_use", "tool_use"]
    assert [block.get("input") for block in message["content"]] == [None, {"x": 1}, {"y": 2}]
    assert message["stop_reason"] == "tool_use"
    assert message["usage"]["input_tokens"] == 300
    assert message["usage"]["cache_read_input_tokens"] == 600
    assert message["usage"]["output_tokens_details"] == {"thinking_tokens": 12}
