"""Images are found wherever a block may hold one, and nowhere else."""

import msgspec
import pytest

from proxy.wire.body import read_body
from proxy.wire.images import first_image

IMAGE = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
TEXT = {"type": "text", "text": 'an "image" of a word: {"type":"image"}'}


def found(messages: object, **more: object) -> str | None:
    raw = msgspec.json.encode({"model": "m", "messages": messages, **more})
    return first_image(raw, read_body(raw, needs_max_tokens=False).fields["messages"])


@pytest.mark.parametrize(
    ("messages", "path"),
    [
        ([{"role": "user", "content": "image"}], None),
        ([{"role": "user", "content": [TEXT]}], None),
        ([{"role": "user", "content": [IMAGE]}], "messages.0.content.0"),
        (
            [{"role": "user", "content": "x"}, {"role": "user", "content": [TEXT, IMAGE]}],
            "messages.1.content.1",
        ),
        (
            [{"role": "user", "content": [{"type": "tool_result", "content": [TEXT, IMAGE]}]}],
            "messages.0.content.0.content.1",
        ),
        (
            [{"role": "user", "content": [{"type": "tool_use", "input": {"type": "image"}}]}],
            None,
        ),
        ([{"role": "user", "content": [7]}], None),
        ([{"role": "user"}, "image"], None),
    ],
    ids=[
        *("a word", "a text about one", "an image", "a later one", "in a tool's result"),
        *("a tool's own input", "what is no block", "what is no message"),
    ],
)
def test_the_first_image_is_named(messages: object, path: str | None) -> None:
    assert found(messages) == path


def test_an_escaped_word_is_an_image_too() -> None:
    raw = (
        rb'{"model":"m","messages":[{"role":"user","content":[{"type":"im\u0061ge","source":{}}]}]}'
    )
    body = read_body(raw, needs_max_tokens=False)
    assert first_image(raw, body.fields["messages"]) == "messages.0.content.0"


def test_an_image_elsewhere_is_no_image_of_a_message() -> None:
    assert found([{"role": "user", "content": "x"}], tools=[{"name": "a", "type": "image"}]) is None
