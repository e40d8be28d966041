"""Turns of a model become one message."""

import msgspec

from proxy.web_search.citing import BLOCKS, MARKS, NOT, Citing
from proxy.web_search.hit import Sources
from proxy.web_search.shown_document import ShownDocument
from proxy.web_search.splice import Captured, Splice
from tests.kit.turns import COMPAT, call, search, text, thought, turn
from tests.web_search.playing import HITS, SEAL, TENANT

BROKEN = ("call", "call_b", "web_search", '{"query":"bro')


def make_splice(citing: Citing = MARKS) -> Splice:
    sources = Sources()
    for hit in HITS.values():
        sources.note(hit)
    return Splice(ShownDocument(), sources, citing, SEAL, TENANT)


def take(splice: Splice, *items, stop: str = "", used=(100, 10)) -> list[Captured]:
    """A whole turn; what it wants searched."""
    splice.begin_turn()
    one = turn(COMPAT, *items, stop=stop, used=used)
    return [captured for piece in one.pieces for captured in splice.feed(piece)]


def shown(splice: Splice) -> list[dict]:
    return [msgspec.json.decode(block) for block in splice.shown.blocks]


def test_a_call_of_the_search_tool_is_captured_and_not_shown():
    splice = make_splice()
    captured = take(splice, text("I look."), search("tides", "call_1"))
    assert captured == [Captured("call_1", b'{"query":"tides"}')]
    assert shown(splice) == [{"type": "text", "text": "I look."}]
    assert (splice.has_searched, splice.client_calls) == (True, 0)


def test_what_was_said_is_kept_for_the_model_with_its_marks_and_signatures():
    splice = make_splice()
    take(splice, thought("Hm."), text("Full. [[1]] Yes."), search("tides"))
    assert [msgspec.json.decode(block) for block in splice.said] == [
        {"type": "thinking", "thinking": "Hm.", "signature": "sig-of-theirs"},
        {"type": "text", "text": "Full. [[1]] Yes."},
    ]
    take(splice, text("More."))
    assert [msgspec.json.decode(block) for block in splice.said] == [
        {"type": "text", "text": "More."}
    ]


def test_a_call_of_the_client_behind_a_search_waits_until_it_is_released():
    splice = make_splice()
    take(splice, call("look", "{}", "call_1"), search("tides"), call("look", '{"a":1}', "call_2"))
    assert [block["id"] for block in shown(splice)] == ["call_1"]
    assert splice.client_calls == 2
    splice.release()
    assert [block["id"] for block in shown(splice)] == ["call_1", "call_2"]
    assert shown(splice)[1]["input"] == {"a": 1}
    splice.release()
    assert len(shown(splice)) == 2


def test_a_broken_call_is_told_once_it_is_known_why_the_turn_ended():
    splice = make_splice()
    splice.begin_turn()
    stops = {}
    for piece in turn(COMPAT, BROKEN, stop="max_tokens").pieces:
        for captured in splice.feed(piece):
            stops[captured.id] = splice.stop_reason
    assert stops == {"call_b": "max_tokens"}


def test_a_citation_that_is_none_is_left_out():
    splice = make_splice(BLOCKS)
    splice.begin_turn()
    for delta in (
        b'{"type":"text_delta","text":"Full."}',
        b'{"type":"citations_delta","citation":null}',
        b'{"type":"citations_delta","citation":"x"}',
        b'{"type":"citations_delta"}',
        b'{"type":"citations_delta","citation":{"type":"search_result_location","source":7}}',
    ):
        event = b'event: x\ndata: {"type":"%b"%b}\n\n'
        if delta.startswith(b'{"type":"text'):
            block = b',"content_block":{"type":"text","text":""}'
            list(splice.feed(event % (b"content_block_start", block)))
        list(splice.feed(event % (b"content_block_delta", b',"delta":' + delta)))
    list(splice.feed(b'event: x\ndata: {"type":"content_block_stop"}\n\n'))
    (block,) = shown(splice)
    assert block["citations"] == [{"type": "search_result_location", "source": 7}]


def test_a_model_that_is_not_asked_for_marks_may_write_them():
    for citing in (BLOCKS, NOT):
        splice = make_splice(citing)
        take(splice, text("Full. [[1]] Yes."))
        assert shown(splice) == [{"type": "text", "text": "Full. [[1]] Yes."}]


def test_a_turn_begun_anew_knows_nothing_of_the_last():
    splice = make_splice()
    take(splice, search("tides"), call("look"), used=(100, 10))
    assert splice.usage.output_tokens == 10
    assert splice.stop_reason == "tool_use"
    splice.begin_turn()
    assert (splice.has_searched, splice.client_calls, splice.said) == (False, 0, [])
    assert (splice.stop_reason, splice.usage.output_tokens) == ("", 0)


def test_an_error_ends_the_turn_and_pings_are_nothing():
    splice = make_splice()
    splice.begin_turn()
    assert list(splice.feed(b'event: ping\ndata: {"type":"ping"}\n\n')) == []
    assert list(splice.feed(b'event: error\ndata: {"type":"error"}\n\n')) == []
    assert splice.failure == b'{"type":"error"}'
    assert shown(splice) == []
