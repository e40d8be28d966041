"""The search tool as the client asks for it, where a case cannot say it; queries; long texts."""

import msgspec
import pytest

from proxy.web_search.hit import Sources
from proxy.web_search.loop import Bounds, SearchLoop
from proxy.web_search.markers import Citation, MarkSplitter, Words
from proxy.web_search.query import QUERY_CHARS_MAX, query_of_words, read_query
from proxy.web_search.tool import read_wish
from tests.web_search.playing import HITS

SEARCH = b'{"type":"web_search_20250305","name":"web_search"}'


@pytest.mark.parametrize(
    "tools",
    [
        None,
        b"[]",
        b"null",
        b'[{"name":"get"}]',
        b'"web_search_"',
        b'[{"type":7,"x":"web_search_"}]',
        b'[{"type":null,"name":"web_search_my"}]',
        b'[{"name":"t","description":"like web_search_20250305"}]',
    ],
)
def test_a_request_without_the_tool_cannot_search(tools: bytes | None) -> None:
    fields = {} if tools is None else {"tools": msgspec.Raw(tools)}
    assert read_wish(fields) is None


@pytest.mark.parametrize("choice", [b"7", b"[]", b'{"type":7}', b"null"])
def test_a_choice_that_cannot_be_read_is_others_to_refuse(choice: bytes) -> None:
    wish = read_wish({"tools": msgspec.Raw(b"[%b]" % SEARCH), "tool_choice": msgspec.Raw(choice)})
    assert wish is not None
    assert not wish.forced


def test_a_part_of_a_location_may_be_blank_or_null() -> None:
    place = b'{"type":"approximate","city":null,"region":" ","country":"","timezone":"Europe/Bern"}'
    tool = SEARCH[:-1] + b',"user_location":%b}' % place
    wish = read_wish({"tools": msgspec.Raw(b"[%b]" % tool)})
    assert wish is not None
    assert wish.tool.location is not None
    assert wish.tool.location.timezone == "Europe/Bern"
    assert wish.tool.location.city == wish.tool.location.country == ""


@pytest.mark.parametrize(
    ("words", "query"),
    [
        ("Perform a web search for the query: moon phase today", "moon phase today"),
        ("QUERY : moon", "moon"),
        ("what is\n the moon?", "what is the moon?"),
        ("subquery: moon", "subquery: moon"),
        ("the query:  ", None),
        (" \n", None),
    ],
)
def test_what_the_user_wants_searched(words: str, query: str | None) -> None:
    made = query_of_words(words)
    assert (None if made is None else made.text) == query
    if made is not None:
        assert msgspec.json.decode(made.arguments) == {"query": query}


def test_the_users_words_are_cut_to_what_can_be_searched_for() -> None:
    made = query_of_words("moon " * 300)
    assert made is not None
    assert len(made.text) <= QUERY_CHARS_MAX
    assert made.error is None


@pytest.mark.parametrize(
    ("arguments", "text", "canonical", "error"),
    [
        (b'{"query":" moon "}', "moon", b'{"query":"moon"}', None),
        (b'{"extra":1,"query":"m\\u00f6nd"}', "mönd", '{"query":"mönd"}'.encode(), None),
        (b'{"query":"%b"}' % (b"x" * 500), "x" * 500, b'{"query":"%b"}' % (b"x" * 500), None),
        (b'{"query": 7}', "", b'{"query":7}', "invalid_tool_input"),
        (b'{"query": null}', "", b'{"query":null}', "invalid_tool_input"),
        (b"", "", b"{}", "invalid_tool_input"),
        (b"null", "", b"{}", "invalid_tool_input"),
        (b'{"query":"\xff"}', "", b"{}", "invalid_tool_input"),
    ],
)
def test_a_query_is_read_from_whatever_a_model_writes(
    arguments: bytes, text: str, canonical: bytes, error: str | None
) -> None:
    query = read_query(arguments)
    assert (query.text, query.arguments, query.error) == (text, canonical, error)
    again = read_query(query.arguments)
    assert (again.arguments, again.error) == (canonical, error)


def test_a_loop_begins_once() -> None:
    loop = SearchLoop("msg_1", Bounds(deadline_s=1), Sources())
    loop.begin([], 0)
    with pytest.raises(AssertionError):
        loop.begin([], 0)


def test_a_long_block_is_not_kept_whole_for_a_mark_that_may_come() -> None:
    sources = Sources()
    sources.note(HITS[1])
    splitter = MarkSplitter(sources)
    for _ in range(3000):
        splitter.feed(rb"\u00e4\n moon")
    (words, citation) = splitter.feed(b". The last one is full [[1]]")
    assert isinstance(words, Words)
    assert isinstance(citation, Citation)
    assert citation.claim == "The last one is full"
    assert len(splitter._said) < 10_000


def test_a_long_block_without_a_space_is_not_kept_either() -> None:
    sources = Sources()
    sources.note(HITS[1])
    splitter = MarkSplitter(sources)
    for _ in range(3000):
        splitter.feed("月は満ちている。".encode())
    assert len(splitter._said) < 10_000
    (_, citation) = splitter.feed("月[[1]]".encode())
    assert isinstance(citation, Citation)
    assert citation.claim == "月"
