"""Searches a conversation left undone (translation.md 9.3)."""

import msgspec
import pytest

from proxy.domain.fault import Fault
from proxy.web_search.dangling import find_dangling, last_words
from proxy.web_search.loop import Dangling

SEARCH = {
    "type": "server_tool_use",
    "id": "srvtoolu_01A",
    "name": "web_search",
    "input": {"query": "moon"},
}
RESULT = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_01A", "content": []}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "get", "input": {}}
ANSWER = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "ok"}
WORDS = {"type": "text", "text": "and?"}
USER = ("user", "hi")
UNDONE = [Dangling("srvtoolu_01A", b'{"query":"moon"}')]


def conversation(*messages: tuple[str, object]) -> msgspec.Raw:
    told = [{"role": role, "content": content} for role, content in messages]
    return msgspec.Raw(msgspec.json.encode(told))


@pytest.mark.parametrize(
    "messages",
    [
        [USER, ("assistant", [SEARCH, CALL]), ("user", [ANSWER])],
        [USER, ("assistant", [CALL, SEARCH]), ("system", "be brief"), ("user", [ANSWER])],
        [USER, ("assistant", [SEARCH])],
        [("user", []), ("assistant", "text"), ("assistant", [SEARCH])],
    ],
    ids=["beside-a-call", "a-system-message-between", "paused", "behind-another"],
)
def test_a_search_whose_turn_is_still_open_is_to_be_made(
    messages: list[tuple[str, object]],
) -> None:
    assert find_dangling(conversation(*messages), may_search=True) == UNDONE


@pytest.mark.parametrize(
    "messages",
    [
        [USER, ("assistant", [SEARCH, RESULT])],
        [USER, ("assistant", [SEARCH, CALL]), ("user", [ANSWER]), ("assistant", [RESULT, WORDS])],
        [USER, ("assistant", "server_tool_use")],
        [USER, ("assistant", [{**SEARCH, "name": "code_execution"}])],
        [USER],
    ],
    ids=["done", "done-in-a-later-message", "only-words", "another-servers-tool", "no-search"],
)
def test_nothing_is_to_be_made(messages: list[tuple[str, object]]) -> None:
    assert find_dangling(conversation(*messages), may_search=False) == []


@pytest.mark.parametrize(
    "later",
    [
        [("user", [ANSWER, WORDS])],
        [("user", "and?")],
        [("user", [ANSWER]), ("assistant", "done")],
    ],
    ids=["words-behind-the-results", "words-alone", "another-turn"],
)
def test_a_search_whose_turn_is_over_is_refused_in_anthropics_words(
    later: list[tuple[str, object]],
) -> None:
    messages = conversation(USER, ("assistant", [SEARCH, CALL]), *later)
    with pytest.raises(Fault) as caught:
        find_dangling(messages, may_search=True)
    assert caught.value.status == 400
    assert caught.value.message == (
        "messages.1: `web_search` tool use with id `srvtoolu_01A` was found without a "
        "corresponding `web_search_tool_result` block"
    )


def test_a_search_left_undone_needs_the_tool() -> None:
    with pytest.raises(Fault) as caught:
        find_dangling(conversation(USER, ("assistant", [SEARCH])), may_search=False)
    assert caught.value.message.endswith("but no `web_search` tool was provided")


def test_the_arguments_of_a_search_may_be_missing() -> None:
    bare = {"type": "server_tool_use", "id": "srvtoolu_01A", "name": "web_search"}
    found = find_dangling(conversation(USER, ("assistant", [bare])), may_search=True)
    assert found == [Dangling("srvtoolu_01A", b"{}")]


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([("user", "first"), ("assistant", "x"), ("user", "last")], "last"),
        ([("user", "first"), ("assistant", "x"), ("user", [ANSWER])], "first"),
        ([("user", [WORDS, {"type": "text", "text": " "}])], "and?"),
        ([("user", [{"type": "text", "text": 3}])], ""),
        ([("assistant", "x")], ""),
    ],
    ids=["last", "none-in-the-last-message", "blank", "no-text", "no-user"],
)
def test_the_users_last_words(messages: list[tuple[str, object]], words: str) -> None:
    assert last_words(conversation(*messages)) == words
