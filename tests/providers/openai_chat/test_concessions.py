"""What is done without; the words of real refusals stand in `test_lessons.py`."""

import pytest

from proxy.domain.dialect import Dialect
from proxy.providers.openai_chat.concessions import concession, concessions_in_words
from proxy.wire.refused_fields import IN_MESSAGES, IN_TOOLS, SOMEWHERE, TOP

PLACES = (TOP, IN_MESSAGES, IN_TOOLS, SOMEWHERE)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("field", ["messages", "tools", "model", "input_schema", "content", "x"])
def test_nothing_that_is_no_hint_is_ever_left_out(place: str, field: str) -> None:
    assert concession(place, field, Dialect(), "unsupported") == {}


def test_the_same_name_means_another_thing_in_another_place() -> None:
    dialect = Dialect(strict_tools=True)
    assert concession(IN_TOOLS, "strict", dialect, "") == {"strict_tools": False}
    assert concession(TOP, "strict", dialect, "") == {}


def test_what_a_server_gives_at_most_is_asked_for_from_then_on() -> None:
    said = "max_tokens is too large: 64000. This model supports at most 16384 completion tokens."
    assert dict(concessions_in_words(said, Dialect())) == {
        "max_tokens": {"max_output_tokens": 16384}
    }
    assert dict(concessions_in_words(said, Dialect(max_output_tokens=100))) == {}
