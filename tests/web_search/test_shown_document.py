"""A message with searches as one document."""

import orjson

from proxy.web_search.shown_document import ShownDocument


def blocks(shown: ShownDocument) -> list[dict]:
    return [orjson.loads(block) for block in shown.blocks]


def test_words_become_one_text_with_what_it_cites():
    shown = ShownDocument()
    shown.text(b"Hel")
    shown.text(b"lo\\n.")
    shown.cite(b'{"url":"a"}')
    shown.cite(b'{"url":"b"}')
    shown.close()
    shown.text(b"Plain.")
    shown.close()
    assert blocks(shown) == [
        {"type": "text", "text": "Hello\n.", "citations": [{"url": "a"}, {"url": "b"}]},
        {"type": "text", "text": "Plain."},
    ]


def test_thinking_has_its_own_signature_or_none():
    shown = ShownDocument()
    shown.thinking(b"Hm")
    shown.thinking(b".")
    shown.sign(b"sig")
    shown.close()
    shown.thinking(b"So.")
    shown.close()
    assert blocks(shown) == [
        {"type": "thinking", "thinking": "Hm.", "signature": "sig"},
        {"type": "thinking", "thinking": "So.", "signature": ""},
    ]


def test_a_call_keeps_its_input_to_the_byte():
    shown = ShownDocument()
    shown.call("toolu_1", "look")
    shown.arguments(b'{\\"n\\":')
    shown.arguments(b'12345678901234567890123, \\"m\\": 1.0}')
    shown.close()
    shown.call("toolu_2", "look")
    shown.close()
    assert b'"input":{"n":12345678901234567890123, "m": 1.0}' in shown.blocks[0]
    assert orjson.loads(shown.blocks[1])["input"] == {}


def test_searches_and_results_stand_where_they_came():
    shown = ShownDocument()
    shown.text(b"Look.")
    shown.close()
    shown.searched(b"unused", b"unused", b'{"type":"server_tool_use"}')
    shown.block(b'{"type":"web_search_tool_result"}')
    shown.close()
    assert [block["type"] for block in blocks(shown)] == [
        "text",
        "server_tool_use",
        "web_search_tool_result",
    ]
