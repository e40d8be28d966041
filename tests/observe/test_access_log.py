"""One line per request, in batches, and never more than fit."""

import msgspec
import pytest

from proxy.observe.access_log import LINES_HELD_MAX, AccessLog, Line


def line(number: int = 1, **more: object) -> Line:
    whole = {"at": 1_700_000_000_000, "request_id": f"req_{number}", "method": "POST"}
    whole |= {"path": "/v1/anthropic/v1/messages", "status": 200, "ms": 12, **more}
    return msgspec.convert(whole, Line)


@pytest.fixture
def written() -> list[bytes]:
    return []


def log(written: list[bytes], *, as_json: bool = True) -> AccessLog:
    return AccessLog(written.append, wanted=True, as_json=as_json)


def test_lines_wait_for_the_flush_and_go_out_in_one_write(written: list[bytes]) -> None:
    lines = log(written)
    lines.note(line(1))
    lines.note(line(2))
    assert written == []
    lines.flush()
    [batch] = written
    assert batch.endswith(b"}\n")
    read = [msgspec.json.decode(text) for text in batch.splitlines()]
    assert [each["request_id"] for each in read] == ["req_1", "req_2"]


def test_nothing_is_written_when_nothing_waits(written: list[bytes]) -> None:
    lines = log(written)
    lines.flush()
    lines.note(line())
    lines.flush()
    lines.flush()
    assert len(written) == 1


def test_json_has_what_was_set_and_nothing_empty(written: list[bytes]) -> None:
    lines = log(written)
    lines.note(line())
    lines.note(
        line(asked="sonnet", model="anthropic.claude-sonnet-5-5", via="alias", streamed=True)
    )
    lines.flush()
    plain, full = [msgspec.json.decode(text) for text in written[0].splitlines()]
    assert set(plain) == {"at", "request_id", "method", "path", "status", "ms"}
    assert (full["asked"], full["via"], full["streamed"]) == ("sonnet", "alias", True)


def test_a_line_break_in_a_name_makes_no_second_line(written: list[bytes]) -> None:
    lines = log(written)
    lines.note(line(asked='evil"\n{"status":200}'))
    lines.flush()
    [only] = written[0].splitlines()
    assert msgspec.json.decode(only)["asked"] == 'evil"\n{"status":200}'


def test_for_people_a_line_reads_as_a_sentence(written: list[bytes]) -> None:
    lines = log(written, as_json=False)
    lines.note(line(method="GET", path="/healthz"))
    lines.note(line(asked="sonnet", model="claude", streamed=True, outcome="completed"))
    lines.flush()
    assert written[0].decode().splitlines() == [
        "GET /healthz 200 12 ms [req_1]",
        "POST /v1/anthropic/v1/messages 200 12 ms sonnet -> claude stream completed [req_1]",
    ]


def test_for_people_too_a_client_cannot_write_lines_of_its_own(written: list[bytes]) -> None:
    lines = log(written, as_json=False)
    lines.note(line(asked="a\nGET /admin 200 1 ms", model="b", path="/x\x1b[2J"))
    lines.flush()
    assert len(written[0].splitlines()) == 1
    assert b"\x1b" not in written[0]


@pytest.mark.parametrize("as_json", [True, False])
def test_what_does_not_fit_is_left_out_and_counted(written: list[bytes], as_json: bool) -> None:
    lines = log(written, as_json=as_json)
    for number in range(LINES_HELD_MAX + 3):
        lines.note(line(number))
    lines.flush()
    texts = written[0].splitlines()
    assert len(texts) == LINES_HELD_MAX + 1
    assert texts[-1] == b'{"access_lines_left_out":3}'
    lines.note(line())
    lines.flush()
    assert b"left_out" not in written[1]
