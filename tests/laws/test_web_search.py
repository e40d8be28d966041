"""What holds for web search whatever comes: marks cut anywhere, histories told again to the byte,
tokens that nobody can alter, a loop that always ends, replies that never break anything."""

import re
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from proxy.domain.fault import Fault
from proxy.web_search.citations import citation_json
from proxy.web_search.citing import MARKS, Citing
from proxy.web_search.firecrawl import SearchOptions
from proxy.web_search.firecrawl_reply import ALL_CHARS_MAX, HIT_CHARS_MAX, read_search_reply
from proxy.web_search.follow_up import follow_up
from proxy.web_search.history import Retelling
from proxy.web_search.hit import Failed, Found, Hit, Sources
from proxy.web_search.loop import Bounds, SearchLoop, State
from proxy.web_search.markers import Break, Citation, MarkSplitter, Piece, Words
from proxy.web_search.native_history import without_our_searches
from proxy.web_search.orders import Answered, Ask, End, Order, Search, ShowCall, ShowResult
from proxy.web_search.past_results import PastResults
from proxy.web_search.query import read_query
from proxy.web_search.result_blocks import shown_call, shown_result
from proxy.web_search.search_ids import CallIds, search_id
from proxy.web_search.tokens import SearchSeal
from tests.kit.cuts import cut_at
from tests.kit.patience import examples
from tests.web_search.playing import HITS, SEAL, TENANT, read_tool

TOOL = read_tool('{"type":"web_search_20250305","name":"web_search"}')
PROSE = st.lists(
    st.sampled_from(
        [
            *("The moon", " is full", ".", " ", "\n", "\t", "[", "]", "[[", "]]", "[[1]]", "[[2]]"),
            *(" [[3]]", "[[4]]", "[[0]]", "1", '"', "\\", "\\n", "ä", "月", "\U0001f315"),
        ]
    ),
    max_size=30,
).map("".join)


def known() -> Sources:
    sources = Sources()
    for hit in HITS.values():
        sources.note(hit)
    return sources


def split(deltas: list[str]) -> list[Piece]:
    splitter = MarkSplitter(known())
    pieces: list[Piece] = []
    for delta in deltas:
        pieces += splitter.feed(msgspec.json.encode(delta)[1:-1])
    return pieces + splitter.close()


def joined(pieces: list[Piece]) -> list[Piece]:
    """With words in a row as one."""
    out: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, Words) and out and isinstance(out[-1], Words):
            out[-1] = Words(out[-1].inside + piece.inside)
        else:
            out.append(piece)
    return out


@examples(300)
@given(PROSE, st.data())
def test_marks_cut_anywhere_are_the_same_marks(prose: str, data: st.DataObject) -> None:
    places = data.draw(st.lists(st.integers(0, len(prose)), max_size=8))
    cut = [
        piece.decode("utf-32-le")
        for piece in cut_at(prose.encode("utf-32-le"), [4 * p for p in places])
    ]
    assert joined(split(cut)) == joined(split([prose]))


@examples(200)
@given(PROSE)
def test_no_more_is_held_back_than_a_mark_could_be(prose: str) -> None:
    splitter = MarkSplitter(known())
    fed = out = 0
    cited = False
    for letter in prose:
        inside = msgspec.json.encode(letter)[1:-1]
        fed += len(inside)
        for piece in splitter.feed(inside):
            cited = isinstance(piece, Citation) or (cited and not isinstance(piece, Break))
            if isinstance(piece, Words):
                out += len(piece.inside)
            elif isinstance(piece, Citation):
                out += len(msgspec.json.encode(piece.span)[1:-1])
        assert cited or fed - out <= len("[[") + 6


def blocks_of(pieces: list[Piece]) -> list[bytes]:
    """Text blocks as a client has them."""
    blocks: list[bytes] = []
    words = b""
    citations: list[bytes] = []

    def close() -> None:
        nonlocal words
        if words:
            said = b"[%b]" % b",".join(citations) if citations else b"null"
            blocks.append(b'{"type":"text","text":"%b","citations":%b}' % (words, said))
        assert words or not citations, "a block of nothing but citations"
        words = b""
        citations.clear()

    for piece in pieces:
        match piece:
            case Words():
                words += piece.inside
            case Citation():
                citations.append(citation_json(piece, SEAL, TENANT))
            case Break():
                close()
    close()
    return blocks


@examples(200)
@given(st.lists(st.sampled_from(sorted(HITS)), max_size=3), PROSE, st.text(max_size=20), st.text())
def test_a_search_is_told_again_to_the_byte(
    picked: list[int], prose: str, query: str, call_id: str
) -> None:
    """What the model was told in the round it searched it is told in every later request, after
    the client has read and written all of it."""
    arguments = msgspec.json.encode({"query": query})
    answer = tuple(HITS[number] for number in dict.fromkeys(picked))
    search = search_id("msg_gw_x", 0, call_id)
    asked = read_query(arguments)
    said = b'{"type":"text","text":"Let me see."}'
    first = follow_up([said], [Answered(search, asked, answer)], CallIds(), citing=MARKS)
    rewritten = msgspec.json.encode(msgspec.json.decode(asked.arguments))
    blocks = [
        said,
        shown_call(search, rewritten),
        shown_result(search, answer, SEAL, TENANT, 1),
        *blocks_of(split([prose])),
    ]
    user = b'{"role":"user","content":"hi"}'
    told_by = b'{"role":"assistant","content":[%b]}' % b",".join(blocks)
    later = b'{"role":"user","content":[{"type":"text","text":"and?"}]}'
    messages = msgspec.Raw(b"[%b]" % b",".join([user, told_by, later]))
    told = Retelling(messages, PastResults(TENANT, SEAL, Sources()), citing=MARKS).retell()
    if len(blocks) == 3:  # nothing was said behind the result: what the user says stands with it
        assert told.startswith(b"[" + user + b"," + first.removesuffix(b"]}"))
        return
    assert told.startswith(b"[" + user + b"," + first + b",")
    back = msgspec.json.decode(told)[3]["content"]
    assert sorted("".join([block["text"] for block in back])) == sorted(prose)


CALL_IDS = st.from_regex(r"[A-Za-z0-9_-]{1,128}", fullmatch=True)


@examples(300)
@given(st.lists(CALL_IDS, min_size=1, max_size=5))
def test_a_model_is_told_its_own_ids_and_none_twice(own: list[str]) -> None:
    searches = [search_id("msg_gw_x", count, call_id) for count, call_id in enumerate(own)]
    for search in searches:
        assert re.fullmatch(r"srvtoolu_[a-zA-Z0-9_]+", search)
    ids = CallIds()
    told = [ids.of(search) for search in searches]
    assert len(set(told)) == len(told)
    for call_id, one in zip(own, told, strict=True):
        assert one == call_id or own.count(call_id) > 1
    assert set(own) <= set(told)
    assert [ids.of(search) for search in searches] == told


@examples(200)
@given(st.text(alphabet="srvtoolu_gw0123456789abcdef-.5fd2", max_size=60) | st.text(max_size=60))
def test_any_other_id_is_told_as_it_is(name: str) -> None:
    assert CallIds().of(name) == name


@examples(150)
@given(st.sampled_from(sorted(HITS)), st.data())
def test_no_letter_of_a_token_can_be_exchanged(number: int, data: st.DataObject) -> None:
    token = SEAL.seal_hit(TENANT, HITS[number], 7)
    place = data.draw(st.integers(len("GWc1."), len(token) - 1))
    letter = data.draw(st.sampled_from("ABCDEFGHabcdefgh0123456789-_=+ "))
    altered = token[:place] + letter + token[place + 1 :]
    if altered == token:
        assert SEAL.open_hit(TENANT, token, "x") == HITS[number]
        return
    try:
        assert SEAL.open_hit(TENANT, altered, "x") is None, "a key of nobody"
    except Fault as fault:
        assert fault.message == "x: Invalid encrypted_content"


@examples(100)
@given(st.binary(max_size=40), st.text(max_size=10))
def test_the_same_is_sealed_the_same_and_opens_for_its_tenant_only(
    secret: bytes, text: str
) -> None:
    seal = SearchSeal([b"k" + secret])
    hit = Hit("https://a.example/", text, text * 3, None, 4)
    token = seal.seal_hit("t1", hit, 5)
    assert token == seal.seal_hit("t1", hit, 5)
    assert seal.open_hit("t1", token, "x") == hit
    try:
        assert seal.open_hit("t2", token, "x") is None
        raise AssertionError("it opened for another")
    except Fault as fault:
        assert fault.status == 400


EVENT = st.one_of(
    st.tuples(st.just("called"), st.sampled_from([b'{"query":"a"}', b"{}", b'{"query":'])),
    st.tuples(st.just("cut"), st.sampled_from([b'{"query":"a"}', b'{"que'])),
    st.tuples(
        st.just("found"),
        st.sampled_from([Found((Hit("https://a.example/", "A"),), 2), Failed("unavailable")]),
    ),
    st.tuples(st.just("ended"), st.sampled_from(["tool_use", "end_turn", "max_tokens", "refusal"])),
    st.tuples(st.just("mixed"), st.just("tool_use")),
    st.tuples(st.just("pause"), st.none()),
)


class Player:
    """Carries out what a loop orders, and sees that it orders nothing else."""

    def __init__(self, loop: SearchLoop, at_once_max: int) -> None:
        self.loop = loop
        self.shown: list[str] = []
        self.answered: list[str] = []
        self.running: list[str] = []
        self.ends = 0
        self._at_once_max = at_once_max

    def happen(self, name: str, what: Any, at: int) -> list[Order]:
        match name:
            case "found":
                which = self.running.pop(at % len(self.running)) if self.running else "nobody"
                return self.loop.found(which, what, float(at))
            case "called" | "cut":
                return self.loop.called("c", what, float(at), cut_off=name == "cut")
            case "ended" | "mixed":
                return self.loop.round_ended(what, float(at), client_calls=name == "mixed")
        return self.loop.pause()

    def obey(self, orders: list[Order]) -> None:
        for order in orders:
            assert not self.ends, "an order behind the end"
            match order:
                case ShowCall():
                    self.shown.append(order.id)
                case Search():
                    self.running.append(order.id)
                case ShowResult():
                    self.answered.append(order.id)
                case Ask():
                    assert self.answered == self.shown, "asked with a call unanswered"
                case End():
                    self.ends += 1
        assert len(self.running) <= self._at_once_max
        assert self.answered == self.shown[: len(self.answered)], "in the order of the calls"


@examples(400)
@given(
    st.lists(EVENT, max_size=40),
    st.one_of(st.none(), st.integers(1, 3)),
    st.booleans(),
    st.booleans(),
)
def test_whatever_happens_the_loop_answers_each_call_once_and_ends_once(
    events: list[tuple[str, Any]], max_uses: int | None, forced: bool, tools: bool
) -> None:
    query = read_query(b'{"query":"forced"}') if forced else None
    bounds = Bounds(deadline_s=30, max_uses=max_uses, rounds_max=3)
    loop = SearchLoop("msg_1", bounds, Sources(), forced=query, has_client_tools=tools)
    player = Player(loop, bounds.at_once_max)
    player.obey(loop.begin([], 0.0))
    for at, (name, what) in enumerate(events):
        player.obey(player.happen(name, what, at))
        assert loop.uses <= (max_uses or loop.uses)
        assert loop.searches <= loop.uses
    assert player.ends == (loop.state is State.ENDED)
    assert loop.rounds <= 3


def test_a_search_that_waits_is_not_begun_behind_the_end() -> None:
    loop = SearchLoop("msg_1", Bounds(deadline_s=30, at_once_max=1), Sources())
    loop.begin([], 0.0)
    [_, first] = loop.called("a", b'{"query":"a"}', 0.0)
    assert isinstance(first, Search)
    loop.called("b", b'{"query":"b"}', 0.0)
    assert loop.pause() == [End("pause_turn")]
    assert loop.found(first.id, Found(()), 1.0) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["success", "data", "web", "news", "url", "title", "metadata", "date"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@examples(200)
@given(JSON | st.binary(max_size=40), st.integers(200, 599))
def test_no_reply_of_a_search_service_breaks_anything(reply: object, status: int) -> None:
    body = reply if isinstance(reply, bytes) else msgspec.json.encode(reply)
    outcome = read_search_reply(status, {}, body, TOOL, SearchOptions(), now_s=0)
    if isinstance(outcome, Found):
        assert all(len(hit.text) <= HIT_CHARS_MAX for hit in outcome.hits)
        assert sum(len(hit.text) for hit in outcome.hits) <= ALL_CHARS_MAX


@examples(150)
@given(st.lists(JSON, max_size=3), st.sampled_from(["server_tool_use", "web_search_tool_result"]))
def test_no_history_breaks_anything_but_by_a_fault(values: list[object], kind: str) -> None:
    block = {"type": kind, "name": "web_search", "id": "s", "tool_use_id": "s", "content": values}
    block |= {"input": values, "encrypted_content": "", "x": "GWc1."}
    content = [block, {"type": "text", "text": "x", "citations": values}]
    raw = msgspec.json.encode([{"role": "assistant", "content": content}])
    messages = msgspec.Raw(raw)
    past = PastResults(TENANT, SEAL, Sources())
    for citing in Citing:
        msgspec.json.decode(Retelling(messages, past, citing=citing).retell())
    msgspec.json.decode(without_our_searches(messages, past))
