import pytest

from proxy.demo.markers import (
    CALLS_MAX,
    SILENCE_MAX_S,
    TOKENS_MAX,
    WORDS_MAX,
    Call,
    Markers,
    asked_search,
    read_markers,
)

RECORDED = 'CALL:Bash:{"command":"echo hi-from-bash","description":"echo"} END'


@pytest.mark.parametrize(
    ("written", "directed"),
    [
        ("hi", Markers()),
        ("", Markers()),
        ("I think, ERRORS 500 THINKING LONGER BREAKS", Markers()),
        ("THINK hi", Markers(think=True)),
        ("ERROR 529", Markers(error_status=529)),
        ("ERROR 200 is none", Markers()),
        (
            "ERROR 429:insufficient_quota",
            Markers(error_status=429, error_code="insufficient_quota"),
        ),
        ("ERRORMID", Markers(error_midway=True)),
        ("TRUNCATE", Markers(end_midway=True)),
        ("WINDOW 500 CACHED 20", Markers(window=500, cached=20)),
        ("WINDOW 99999999999999", Markers(window=TOKENS_MAX)),
        ("INTERLEAVE", Markers(interleave=True)),
        ("BREAK", Markers(cut_midway=True)),
        ("SLOW 2 PAUSE 0.5", Markers(silence_first_s=2, silence_middle_s=0.5)),
        ("SLOW 99999", Markers(silence_first_s=SILENCE_MAX_S)),
        ("LONG 12", Markers(words=12)),
        ("LONG 99999999999999", Markers(words=WORDS_MAX)),
        ("<system-reminder>ERROR 500\nBREAK</system-reminder> THINK", Markers(think=True)),
    ],
)
def test_markers_are_found(written: str, directed: Markers) -> None:
    assert read_markers(written) == directed


@pytest.mark.parametrize(
    ("written", "calls"),
    [
        (RECORDED, [("Bash", '{"command":"echo hi-from-bash","description":"echo"}')]),
        ('CALL:get_weather:{"city":"Rome"}END', [("get_weather", '{"city":"Rome"}')]),
        ("CALL:a:{} END CALL:b:{} END", [("a", "{}"), ("b", "{}")]),
        ('CALL:a:{"x":"} END \\" {"} END', [("a", '{"x":"} END \\" {"}')]),
        ('CALL:a:{"x":{"y":[{}]}}\nEND', [("a", '{"x":{"y":[{}]}}')]),
        ("CALL:mcp__s__t:{} END", [("mcp__s__t", "{}")]),
        ("CALL:a:{} and no closing word", []),
        ("CALL:a:{never closed END", []),
        ("CALL:a:{broken} END", []),
        ("CALL:a:{broken} END CALL:b:{} END", [("b", "{}")]),
        ("CALL:a:[] END", []),
    ],
)
def test_calls_are_found_with_their_arguments_as_written(
    written: str, calls: list[tuple[str, str]]
) -> None:
    assert read_markers(written).calls == tuple(Call(*call) for call in calls)


def test_markers_inside_arguments_direct_nothing() -> None:
    directed = read_markers('CALL:Bash:{"command":"echo ERROR 500 BREAK"} END')
    assert directed.error_status is None
    assert not directed.cut_midway


@pytest.mark.parametrize(
    ("written", "before"),
    [(RECORDED, False), ("Please " + RECORDED, True), ("SLOW 1 THINK " + RECORDED, False)],
)
def test_words_before_a_call_are_noticed_but_markers_are_no_words(
    written: str, before: bool
) -> None:
    assert read_markers(written).words_before_call is before


def test_the_number_of_calls_is_bounded() -> None:
    assert len(read_markers("CALL:a:{} END " * 40).calls) == CALLS_MAX


@pytest.mark.parametrize(
    ("written", "query"),
    [
        ("Perform a web search for the query: the moon ", "the moon"),
        ("<system-reminder>x</system-reminder>\nPerform a web search for the query: moon", "moon"),
        ("Perform a web search for the query: moon\nBe brief.", "moon"),
        ("Please perform a web search for the query: moon", ""),
        ("Perform a web search for the query:", ""),
        ("hi", ""),
    ],
)
def test_what_claude_code_wants_searched_is_read(written: str, query: str) -> None:
    assert asked_search(written) == query
