"""Usage in all its spellings."""

import orjson
import pytest

from proxy.domain.usage import Usage
from proxy.stream.chat_usage import COUNT_MAX, merge, read_usage


def report(**more: object) -> bytes:
    return orjson.dumps({"prompt_tokens": 9, "completion_tokens": 4} | more)


REASONED = {"reasoning_tokens": 3}
TABLE = [
    (report(total_tokens=13), Usage(9, 4)),
    (report(prompt_tokens_details={"cached_tokens": 5}), Usage(4, 4, cache_read_tokens=5)),
    (
        report(prompt_tokens_details={"cached_tokens": 5, "cache_write_tokens": 1}),
        Usage(3, 4, 1, cache_read_tokens=5),
    ),
    (
        report(prompt_tokens_details=None, prompt_cache_hit_tokens=5),
        Usage(4, 4, cache_read_tokens=5),
    ),
    (report(cached_tokens=5), Usage(4, 4, cache_read_tokens=5)),
    (report(cached_tokens=19), Usage(0, 4, cache_read_tokens=19)),
    (
        report(completion_tokens_details=REASONED, total_tokens=13),
        Usage(9, 4, thinking_tokens=3),
    ),
    (
        report(completion_tokens_details=REASONED, total_tokens=16),
        Usage(9, 7, thinking_tokens=3),
    ),
    (report(reasoning_tokens=3), Usage(9, 4, thinking_tokens=3)),
    (report(completion_tokens=None, total_tokens=13), Usage(9, 4)),
    (report(completion_tokens=0, total_tokens=13), Usage(9, 4)),
    (report(prompt_tokens=9.0, completion_tokens="4"), Usage(9, 4)),
    (report(prompt_tokens=-9, completion_tokens=-4), Usage(0, 0)),
    (report(prompt_tokens="nan", completion_tokens="-inf"), Usage(0, 0)),
    (report(prompt_tokens="inf"), Usage(COUNT_MAX, 4)),
    (report(prompt_tokens=True), Usage(0, 4)),
    (report(prompt_tokens_details=[], cached_tokens=5), Usage(4, 4, cache_read_tokens=5)),
    (report(completion_tokens_details="none", total_tokens={}), Usage(9, 4)),
    (report(prompt_tokens=1e300), Usage(COUNT_MAX, 4)),
]


@pytest.mark.parametrize(("raw", "expected"), TABLE)
def test_a_report_is_read(raw: bytes, expected: Usage) -> None:
    usage = Usage()
    said = read_usage(raw)
    assert said is not None
    merge(said, usage)
    assert usage == expected


def test_what_a_later_report_leaves_out_stays() -> None:
    usage = Usage()
    for raw in (b'{"prompt_tokens":9,"completion_tokens":1}', b'{"prompt_tokens":null}'):
        said = read_usage(raw)
        assert said is not None
        merge(said, usage)
    assert usage == Usage(9, 1)


def test_it_is_told_what_was_reported() -> None:
    only_output = read_usage(b'{"completion_tokens":1}')
    assert only_output is not None
    assert merge(only_output, Usage()) == (False, True)


@pytest.mark.parametrize("raw", [b"5", b'"x"', b"[]", b"nonsense", b'{"a":"\xff'])
def test_what_cannot_be_read_is_as_good_as_missing(raw: bytes) -> None:
    assert read_usage(raw) is None
