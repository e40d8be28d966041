"""The writing of a request; what Anthropic itself gets stands in `test_anthropic.py`."""

from proxy.domain.headers import Headers
from proxy.providers.anthropic_request import RequestWriter, forwarded_lines
from proxy.wire.body import read_body
from proxy.wire.http import split_base_url
from tests.kit.asked import make_asked


def written(url: str, *, counts: bool = False, forwarded: bytes = b"") -> bytes:
    origin, prefix = split_base_url(url)
    writer = RequestWriter(origin, prefix, ("authorization", "Bearer k"))
    call = make_asked(counts=counts, query=b"beta=true")
    body = read_body(call.arrival.body, needs_max_tokens=True)
    return b"".join(writer.written(call, body, "theirs", forwarded))


def test_the_path_stands_behind_the_base_url_with_or_without_a_version() -> None:
    for url in ("https://there.example/anthropic", "https://there.example/anthropic/v1"):
        assert written(url).startswith(b"POST /anthropic/v1/messages?beta=true HTTP/1.1\r\n")
        counted = written(url, counts=True)
        assert counted.startswith(b"POST /anthropic/v1/messages/count_tokens?beta=true ")


def test_the_lines_that_go_on_are_the_callers_to_choose() -> None:
    request = written("https://there.example", forwarded=b"anthropic-version: 1\r\n")
    assert request.count(b"anthropic-") == 1
    assert b'"model":"theirs"' in request


def test_lines_that_go_on_are_made_once_for_a_head() -> None:
    headers = Headers({b"anthropic-beta": b"a-1", b"x-api-key": b"of the client"})
    lines = forwarded_lines(headers)
    assert lines == b"anthropic-beta: a-1\r\nanthropic-version: 2023-06-01\r\n"
    assert forwarded_lines(headers) is lines
