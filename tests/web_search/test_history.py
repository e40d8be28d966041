"""Histories with searches, on every wire (translation.md 9.7). Their rows are cases of the shelf
`search_history`; here is what needs more than one file to show."""

import msgspec
import pytest

from proxy.domain.fault import Fault
from proxy.web_search.citing import MARKS
from proxy.web_search.firecrawl import SearchOptions
from proxy.web_search.firecrawl_reply import REPLY_BYTES_MAX, read_search_reply
from proxy.web_search.follow_up import follow_up, with_follow_up
from proxy.web_search.history import Retelling
from proxy.web_search.hit import Failed, Found, Hit, Sources
from proxy.web_search.loop import Bounds, SearchLoop
from proxy.web_search.native_history import without_our_searches
from proxy.web_search.orders import Ask, ShowResult
from proxy.web_search.past_results import PastResults
from proxy.web_search.result_blocks import shown_call, shown_result
from proxy.web_search.search_ids import CallIds
from tests.providers.openai_chat.asking import ask
from tests.web_search.playing import HITS, SEAL, TENANT, read_tool

USER = b'{"role":"user","content":"Is the moon full?"}'
SAID = b'{"type":"text","text":"Let me see."}'


def past() -> PastResults:
    return PastResults(TENANT, SEAL, Sources())


def body(messages: bytes) -> bytes:
    return b'{"model":"opus","max_tokens":9,"messages":%b}' % messages


@pytest.mark.parametrize("row", ["moonshot", "openai", "deepseek"])
def test_a_chat_server_sees_the_same_bytes_in_the_round_and_in_later_requests(row: str) -> None:
    loop = SearchLoop("msg_gw_1", Bounds(deadline_s=60), Sources())
    loop.begin([], 0)
    arguments = b'{"query": "mo\\u006fn  \xc3\xa4", "n": 3}'
    shown = loop.called("functions.web_search:0", arguments, 1)
    loop.round_ended("tool_use", 2)
    search = shown[0].id  # type: ignore[union-attr]
    hits = tuple(msgspec.structs.replace(hit, number=0) for hit in HITS.values())
    result, again = loop.found(search, Found(hits, 2), 3)
    assert isinstance(result, ShowResult)
    assert isinstance(again, Ask)
    round_two = with_follow_up(
        b"[" + USER + b"]", follow_up([SAID], again.answered, CallIds(), citing=MARKS)
    )

    canonical = again.answered[0].query.arguments
    blocks = b",".join(
        [
            SAID,
            shown_call(search, canonical),
            shown_result(search, result.answer, SEAL, TENANT, 9),
            b'{"type":"text","text":"It is."}',
        ]
    )
    replayed = b'[%b,{"role":"assistant","content":[%b]},{"role":"user","content":"Thanks"}]' % (
        USER,
        blocks,
    )
    # A client reads and writes it all anew.
    replayed = msgspec.json.format(msgspec.json.encode(msgspec.json.decode(replayed)), indent=2)
    later = Retelling(msgspec.Raw(replayed), past(), citing=MARKS).retell()

    model = {"moonshot": "kimi-k2.6", "openai": "gpt-5", "deepseek": "deepseek-chat"}[row]
    sent = ask(body(round_two), row=row, upstream_model=model).body
    sent_later = ask(body(later), row=row, upstream_model=model).body
    messages = sent[sent.index(b'"messages":[') : sent.index(b"]", sent.rindex(b'"role":"tool"'))]
    assert b'"tool_calls"' in messages
    assert messages[: messages.rindex(b"}")] in sent_later


def test_pages_found_now_are_numbered_behind_those_of_the_conversation() -> None:
    result = shown_result("srvtoolu_gwA", tuple(HITS.values()), SEAL, TENANT, 9)
    blocks = b"[%b,%b]" % (shown_call("srvtoolu_gwA", b'{"query":"x"}'), result)
    messages = msgspec.Raw(b'[%b,{"role":"assistant","content":%b}]' % (USER, blocks))
    known = past()
    Retelling(messages, known, citing=MARKS)
    (numbered,) = known.sources.number([Hit("https://new.example/", "New")])
    assert numbered.number == 4
    assert known.sources.get(2) == HITS[2]


def test_a_conversation_can_be_told_twice() -> None:
    messages = msgspec.Raw(
        b'[%b,{"role":"assistant","content":[%b,%b]},{"role":"user","content":"and?"}]'
        % (USER, SAID, shown_call("srvtoolu_left", b'{"query":"x"}'))
    )
    retelling = Retelling(messages, past(), citing=MARKS)
    first = retelling.retell({"srvtoolu_left": "too_many_requests"})
    assert b"Search failed: too_many_requests." in first
    assert b"Search failed: unavailable." in retelling.retell()
    assert retelling.retell({"srvtoolu_left": "too_many_requests"}) == first


def test_a_message_of_nothing_but_an_answer_to_an_earlier_search_is_gone() -> None:
    call = shown_call("srvtoolu_gwA", b'{"query":"x"}')
    result = shown_result("srvtoolu_gwA", (HITS[1],), SEAL, TENANT, 9)
    assistant = b'{"role":"assistant","content":[%b]}'
    messages = b",".join([USER, assistant % call, assistant % result, USER])
    told = Retelling(msgspec.Raw(b"[%b]" % messages), past(), citing=MARKS).retell()
    roles = [message["role"] for message in msgspec.json.decode(told)]
    assert roles == ["user", "assistant", "user", "user"]


def test_an_unreadable_history_is_told_in_anthropics_words() -> None:
    broken = msgspec.Raw(b'[{"role":"assistant","content":[{"type":7,"name":"web_search_"}]}]')
    with pytest.raises(Fault, match=r"messages\.0\.content\.0\.type: Input should be"):
        Retelling(broken, past(), citing=MARKS)


@pytest.mark.parametrize(
    "messages",
    [
        b'"GWc1."',
        b'[{"role":"assistant","content":[{"type":7,"encrypted_content":"GWc1."}]}]',
        b'[{"role":"assistant","content":{"x":"GWc1."}}]',
        b'[{"role":7,"content":"GWc1."}]',
        b'[{"role":"user","content":[{"type":"text","text":"GWc1."}]}]',
        b'[{"role":"assistant","content":[{"type":"text","text":"x","citations":{"a":"GWc1."}}]}]',
        b'[{"role":"assistant","content":[{"type":"text","text":"x","citations":["GWc1."]}]}]',
        b'[{"role":"assistant","content":[{"type":"web_search_tool_result","content":"GWc1."}]}]',
        b'[{"role":"assistant","content":[{"type":"text","text":"x","citations":'
        b'[{"type":"char_location","cited_text":"GWc1."}]}]}]',
    ],
)
def test_what_anthropic_will_refuse_goes_there_as_it_is(messages: bytes) -> None:
    assert without_our_searches(msgspec.Raw(messages), past()) == messages


def test_citations_of_anthropics_own_stay_where_ours_go() -> None:
    def cited(index: str) -> dict[str, object]:
        return {"type": "web_search_result_location", "encrypted_index": index}

    ours = SEAL.seal_hit(TENANT, HITS[1], 1)
    text = {"type": "text", "text": "x", "citations": [cited("Eo8B"), cited(ours), cited("")]}
    raw = msgspec.json.encode([{"role": "assistant", "content": [text]}])
    told = msgspec.json.decode(without_our_searches(msgspec.Raw(raw), past()))
    assert told[0]["content"] == [{"type": "text", "text": "x", "citations": [cited("Eo8B")]}]


def test_a_huge_reply_of_the_search_service_is_not_read() -> None:
    tool = read_tool('{"type":"web_search_20250305","name":"web_search"}')
    huge = b" " * (REPLY_BYTES_MAX + 1)
    outcome = read_search_reply(200, {}, huge, tool, SearchOptions(), now_s=0)
    assert outcome == Failed("unavailable")
