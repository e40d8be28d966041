"""Every stream of almost Anthropic's wire on the shelf, in one piece and cut to pieces.

`@SIG:words@` stands for our signature of these words, `@ID0@` for the id of a call that had none.
"""

import re
from pathlib import Path

import pytest

from proxy.stream.repair import RepairedMessages
from proxy.stream.repaired_writer import FAMILY
from proxy.stream.tool_ids import made_id
from proxy.wire.seal import ThinkingSeal
from tests.kit.asked import make_asked
from tests.kit.case_file import Case, read_cases
from tests.kit.cuts import obvious_cuttings
from tests.kit.grammar import check_stream

CASES = read_cases(Path(__file__).parent / "compat")
SEAL = ThinkingSeal([b"of the shelf"])
CALL = make_asked(input_tokens=1234)


def test_the_shelf_is_not_empty() -> None:
    assert len(CASES) >= 40


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_stream_is_repaired_as_the_case_expects(case: Case) -> None:
    for pieces in obvious_cuttings(case.given):
        pipe = RepairedMessages(CALL, SEAL, 1 << 20)
        out = b"".join(map(pipe.feed, pieces)) + pipe.finish()
        assert out.decode() == filled_in(case.expected.decode()), case.why
        check_stream(out)


def filled_in(expected: str) -> str:
    tenant_id = CALL.caller.tenant_id
    expected = expected.replace("@ID0@", made_id(CALL.message_id, 0))
    return re.sub(r"@SIG:(.*?)@", lambda it: SEAL.sign(tenant_id, FAMILY, it[1]), expected)
