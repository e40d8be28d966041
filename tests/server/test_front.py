"""What all doors share."""

from email.utils import parsedate_to_datetime

from proxy.server.front import DateLine


def test_the_date_turns_with_the_clock() -> None:
    now_s = 1_795_000_000.0
    line = DateLine(lambda: now_s)
    name, _, value = line.line.decode().partition(": ")
    assert name == "date"
    assert value.endswith(" GMT\r\n")
    assert parsedate_to_datetime(value.strip()).timestamp() == now_s
    now_s += 1
    assert parsedate_to_datetime(line.line.decode()[6:].strip()).timestamp() == now_s - 1
    line.tick(5.0)
    assert parsedate_to_datetime(line.line.decode()[6:].strip()).timestamp() == now_s
