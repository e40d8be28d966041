r"""Every case of the shelves of web search: no model, no search service, only what is decided.

search_tool      a request's `tools` and `tool_choice`, JSON; a line `off: auto` in front where
                 searching is switched off. Comes out: the wish, or the refusal.
search_loop      a script of what happens, after lines of bounds. Comes out: each event with the
                 orders it leads to.
search_request   a query, its tool as JSON, options as JSON. Comes out: path and body.
search_reply     options and tool as JSON, status, header lines, blank line, body. Comes out: pages
                 or what went wrong.
search_history   `wire: chat | claude | native`, then messages; `${hit N}` is a token of ours of the
                 page N below, `${index N}` one of a citation. Comes out: the messages.
search_marks     a model's words, one delta a line, as they stand in JSON. Comes out: pieces.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kit.case_file import Case, read_cases
from tests.web_search.playing import history, loop, marks, reply, request, tool

SHELVES: dict[str, tuple[Callable[[str], str], int]] = {
    "search_tool": (tool, 25),
    "search_loop": (loop, 25),
    "search_request": (request, 10),
    "search_reply": (reply, 25),
    "search_history": (history, 25),
    "search_marks": (marks, 12),
}
CASES = [(shelf, case) for shelf in SHELVES for case in read_cases(Path(__file__).parent / shelf)]


@pytest.mark.parametrize("shelf", SHELVES)
def test_no_shelf_is_empty(shelf: str) -> None:
    assert len([case for of, case in CASES if of == shelf]) >= SHELVES[shelf][1]


@pytest.mark.parametrize(
    ("shelf", "case"), CASES, ids=[f"{shelf}-{case.name}" for shelf, case in CASES]
)
def test_what_comes_in_becomes_what_the_case_expects(shelf: str, case: Case) -> None:
    play, _ = SHELVES[shelf]
    assert play(case.given.decode()) == case.expected.decode(), case.why
