"""Every case of the shelf, in one piece and cut to pieces."""

from pathlib import Path

import pytest

from proxy.stream.passthrough import Passthrough
from tests.kit.case_file import Case, read_cases
from tests.kit.cuts import obvious_cuttings
from tests.kit.grammar import check_ends

HERE = Path(__file__).parent
PASSTHROUGH = read_cases(HERE / "passthrough")


def test_the_shelf_is_not_empty() -> None:
    assert len(PASSTHROUGH) >= 9


@pytest.mark.parametrize("case", PASSTHROUGH, ids=lambda case: case.name)
def test_passthrough_says_what_the_case_expects(case: Case) -> None:
    for pieces in obvious_cuttings(case.given):
        pipe = Passthrough(b'"anthropic.claude-opus-4-7"', "req_case", 1 << 20)
        out = b"".join(map(pipe.feed, pieces)) + pipe.finish()
        assert out == case.expected, case.why
        check_ends(out)
