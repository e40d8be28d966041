"""A message with searches as events."""

import orjson

from proxy.web_search.shown_events import ShownEvents
from tests.kit.grammar import events_of


def told(shown: ShownEvents) -> list[tuple]:
    """Kind, index, and what matters of each event."""
    return [
        (event["type"].removeprefix("content_block_"), event["index"], *_inner(event))
        for event in events_of(shown.take())
    ]


def _inner(event):
    if event["type"] == "content_block_start":
        return (event["content_block"],)
    return (event["delta"],) if "delta" in event else ()


def test_text_opens_with_its_first_words_and_goes_on_in_one_block():
    shown = ShownEvents()
    shown.text(b"Hel")
    shown.text(b"lo\\n.")
    shown.cite(b'{"type":"web_search_result_location"}')
    shown.close()
    assert told(shown) == [
        ("start", 0, {"type": "text", "text": ""}),
        ("delta", 0, {"type": "text_delta", "text": "Hel"}),
        ("delta", 0, {"type": "text_delta", "text": "lo\n."}),
        (
            "delta",
            0,
            {"type": "citations_delta", "citation": {"type": "web_search_result_location"}},
        ),
        ("stop", 0),
    ]


def test_indexes_go_on_whatever_the_block_is():
    shown = ShownEvents()
    shown.thinking(b"Hm.")
    shown.sign(b"sig")
    shown.close()
    shown.searched(b'{"type":"server_tool_use","input":{}}', b'{"query":"\xc3\xa4"}', b"unused")
    shown.block(b'{"type":"web_search_tool_result","content":[]}')
    shown.call("toolu_1", "look")
    shown.arguments(b'{\\"a\\":1}')
    shown.close()
    assert [(kind, index) for kind, index, *_ in told(shown)] == [
        *[("start", 0), ("delta", 0), ("delta", 0), ("stop", 0)],
        *[("start", 1), ("delta", 1), ("stop", 1)],
        *[("start", 2), ("stop", 2)],
        *[("start", 3), ("delta", 3), ("stop", 3)],
    ]


def test_the_arguments_of_a_search_are_one_delta():
    shown = ShownEvents()
    shown.searched(b'{"type":"server_tool_use","input":{}}', b'{"query":"a \\"b\\""}', b"unused")
    _, (_, _, delta), _ = told(shown)
    assert orjson.loads(delta["partial_json"]) == {"query": 'a "b"'}


def test_a_signature_alone_opens_its_thinking():
    shown = ShownEvents()
    shown.sign(b"sig")
    shown.close()
    assert told(shown) == [
        ("start", 0, {"type": "thinking", "thinking": "", "signature": ""}),
        ("delta", 0, {"type": "signature_delta", "signature": "sig"}),
        ("stop", 0),
    ]


def test_closing_nothing_says_nothing_and_what_was_taken_is_gone():
    shown = ShownEvents()
    shown.close()
    assert shown.take() == b""
    shown.text(b"a")
    assert shown.take()
    assert shown.take() == b""
