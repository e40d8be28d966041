"""What a client sees of several turns does not depend on how their events arrived: any cut into
reads of whole events gives the same bytes, and the stream and the document say the same."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from proxy.domain.usage import Usage
from proxy.web_search.citing import MARKS, Citing
from proxy.web_search.history import Retelling
from proxy.web_search.hit import Sources
from proxy.web_search.past_results import PastResults
from proxy.web_search.query import read_query
from proxy.web_search.result_blocks import call_block, shown_call, shown_result
from proxy.web_search.shown_document import ShownDocument
from proxy.web_search.shown_events import ShownEvents
from proxy.web_search.splice import Captured, Splice
from proxy.wire.events import (
    MESSAGE_STOP,
    message_delta,
    message_start,
    stop_fields,
    usage_document,
)
from tests.kit.patience import examples
from tests.kit.turns import COMPAT, Item, Turn, call, cited, message, search, text, thought
from tests.web_search.playing import HITS, SEAL, TENANT

WORDS = st.lists(
    st.sampled_from(
        ["The moon", " is full", ".", " ", "\n", "[", "[[1]]", "[[2]]", "[[9]]", '"ä\\']
    )
).map("".join)
SOURCES = st.lists(
    st.sampled_from([HITS[1].url, HITS[2].url, "https://elsewhere.example/", "a book"]), max_size=2
)
CITED = st.builds(
    lambda words, sources, late: cited(words, *sources, late=late), WORDS, SOURCES, st.booleans()
)
ITEMS = st.lists(
    st.one_of(
        WORDS.filter(bool).map(text),
        WORDS.filter(bool).map(thought),
        CITED,
        WORDS.map(search),
        st.sampled_from([call("look", '{"a": 1.0}'), call("look", "{}"), search("x" * 501)]),
        st.just(("call", "call_7", "web_search", '{"query":"bro')),
    ),
    max_size=7,
)
STOPS = st.sampled_from(["", "max_tokens"])
TURNS = st.lists(st.tuples(ITEMS, STOPS), min_size=1, max_size=3)


def splice_of(
    shown: ShownEvents | ShownDocument, citing: Citing = MARKS, seal: Any = None
) -> Splice:
    sources = Sources()
    for hit in HITS.values():
        sources.note(hit)
    return Splice(shown, sources, citing, seal or _Seal(), TENANT)


class _Seal:
    """Tokens are noise: the same one every time, so that bytes can be compared."""

    def __getattr__(self, name: str) -> Any:
        return lambda *given: "token"


def played(splice: Splice, turns: list[tuple[list[Item], str]], cuts: st.DataObject | None) -> Any:
    """Play all turns; what was captured and said again is given back."""
    seen: list[Any] = []
    for number, (items, stop) in enumerate(turns):
        events = Turn(COMPAT, *items, stop=stop, used=(10, 1)).pieces
        splice.begin_turn()
        at = 0
        while at < len(events):
            count = 1
            if cuts is not None:
                count = cuts.draw(st.integers(1, len(events) - at))
            for captured in splice.feed(b"".join(events[at : at + count])):
                show(splice, captured, number, seen)
            at += count
        seen.append((splice.said, splice.client_calls, splice.stop_reason, splice.usage))
    splice.release()
    return seen


def show(splice: Splice, captured: Captured, number: int, seen: list[Any]) -> None:
    if splice.stop_reason == "max_tokens":
        return
    query = read_query(captured.arguments)
    name = f"srvtoolu_{number}_{len(seen)}"
    splice.shown.searched(
        shown_call(name, b"{}"), query.arguments, shown_call(name, query.arguments)
    )
    seen.append(captured)


@examples(200)
@given(TURNS, st.sampled_from(Citing), st.data())
def test_any_cut_into_whole_events_gives_the_same_bytes(
    turns: list[tuple[list[Item], str]], citing: Citing, data: st.DataObject
) -> None:
    one, other = ShownEvents(), ShownEvents()
    whole = played(splice_of(one, citing), turns, None)
    assert whole == played(splice_of(other, citing), turns, data)
    assert one.take() == other.take()


@examples(200)
@given(TURNS, st.sampled_from(Citing), st.data())
def test_the_stream_is_legal_and_says_what_the_document_says(
    turns: list[tuple[list[Item], str]], citing: Citing, data: st.DataObject
) -> None:
    events, document = ShownEvents(), ShownDocument()
    played(splice_of(events, citing), turns, data)
    played(splice_of(document, citing), turns, data)
    stop = stop_fields("end_turn", None, None)
    stream = message_start("msg_1", "kimi", Usage()) + events.take()
    stream += message_delta(stop, usage_document(Usage())) + MESSAGE_STOP
    folded = message(stream)["content"]
    blocks = [msgspec.json.decode(block) for block in document.blocks]
    assert folded == blocks


SAID = st.lists(st.one_of(WORDS.filter(bool).map(text), WORDS.filter(bool).map(thought), CITED))


@examples(300)
@given(SAID, st.sampled_from(Citing))
def test_what_a_model_said_and_cited_is_told_again_to_the_byte(
    items: list[Item], citing: Citing
) -> None:
    """In the round it was said, and in every later request, after the client has had it."""
    document = ShownDocument()
    splice = splice_of(document, citing, SEAL)
    splice.begin_turn()
    for event in Turn(COMPAT, *items, used=(10, 1)).pieces:
        list(splice.feed(event))
    arguments = b'{"query":"tides"}'
    searched = [
        shown_call("srvtoolu_gwA", arguments),
        shown_result("srvtoolu_gwA", (HITS[1], HITS[2]), SEAL, TENANT, 1),
    ]
    content = b"[%b]" % b",".join([*document.blocks, *searched])
    messages = msgspec.Raw(b'[{"role":"assistant","content":%b}]' % content)
    past = PastResults(TENANT, SEAL, Sources())
    told = msgspec.json.decode(Retelling(messages, past, citing=citing).retell())
    said = [*splice.said, call_block("srvtoolu_gwA", arguments)]
    assert told[0]["content"] == [msgspec.json.decode(block) for block in said]


@examples(100)
@given(TURNS)
def test_every_call_of_the_client_is_shown_once(turns: list[tuple[list[Item], str]]) -> None:
    document = ShownDocument()
    splice = splice_of(document)
    played(splice, turns, None)
    made = [item for items, _ in turns for item in items if item[0] == "call" and item[2] == "look"]
    shown = [msgspec.json.decode(block) for block in document.blocks]
    assert [block["id"] for block in shown if block["type"] == "tool_use"] == [
        item[1] for item in made
    ]
