"""The rude search service does what it is told: a test that believes it must be able to."""

import http.client
import json
import socket
from collections.abc import Iterator

import pytest

from tests.kit.rude_firecrawl import (
    RESET,
    STALL,
    Pause,
    RudeFirecrawl,
    Step,
    cut_short,
    dribbled,
    found,
    html,
    huge,
    page,
    redirect,
    refused,
    rude_firecrawl,
)


@pytest.fixture(scope="module")
def service() -> Iterator[RudeFirecrawl]:
    with rude_firecrawl() as stage:
        yield stage


def ask(
    service: RudeFirecrawl, query: str, path: str = "/v2/search", timeout_s: float = 5.0
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=timeout_s)
    try:
        connection.request("POST", path, json.dumps({"query": query}))
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


def played(service: RudeFirecrawl, *steps: Step) -> str:
    play = service.play()
    play.perform_all(*steps)
    return play.cue


def test_an_uncued_query_finds_two_pages_of_either_shape(service: RudeFirecrawl) -> None:
    _, _, hosted = ask(service, "tide tables")
    assert json.loads(hosted)["data"]["web"][1]["url"] == "https://site2.example.org/tide-tables"
    _, _, own = ask(service, "tide tables", "/v1/search")
    assert [each["position"] for each in json.loads(own)["data"]] == [1, 2]
    assert service.queries()[-2:] == ["tide tables", "tide tables"]
    assert ask(service, "x", "/v2/scrape")[0] == 404


def test_each_performance_answers_one_request(service: RudeFirecrawl) -> None:
    play = service.play()
    play.perform_all(*refused(429, "retry-after: 1", error="slow down"))
    play.perform_all(*found(page(7), flat=True, creditsUsed=1))
    status, headers, body = ask(service, play.cue)
    assert (status, headers["retry-after"]) == (429, "1")
    assert json.loads(body) == {"success": False, "error": "slow down"}
    status, _, body = ask(service, play.cue)
    assert (status, json.loads(body)["data"], json.loads(body)["creditsUsed"]) == (
        200,
        [page(7)],
        1,
    )


def test_the_ways_an_answer_may_be_odd(service: RudeFirecrawl) -> None:
    assert ask(service, played(service, *html(502)))[2].startswith(b"<html>")
    status, headers, _ = ask(service, played(service, *redirect("http://127.0.0.1:9/")))
    assert (status, headers["location"]) == (307, "http://127.0.0.1:9/")
    assert len(ask(service, played(service, *huge(300_000)))[2]) > 300_000
    body = ask(service, played(service, Pause(0.01), *dribbled(page(1))))[2]
    assert json.loads(body)["data"] == {"web": [page(1)]}


def test_the_ways_a_connection_may_end(service: RudeFirecrawl) -> None:
    with pytest.raises(http.client.IncompleteRead):
        ask(service, played(service, *cut_short()))
    with pytest.raises(ConnectionResetError):
        ask(service, played(service, RESET))
    play = service.play()
    play.perform_all(STALL)
    with pytest.raises(socket.timeout):
        ask(service, play.cue, timeout_s=0.1)
    assert play.wait_gone()
