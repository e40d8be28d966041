from proxy.demo.log import BODY_BYTES_MAX, RequestLog


def add(log: RequestLog, path: str, body: bytes = b"") -> None:
    log.keep_body(log.add("POST", path, [("Host", "h")]), body)


def paths(log: RequestLog) -> list[object]:
    return [entry["path"] for entry in log.as_json()]


def test_an_entry_shows_what_came() -> None:
    log = RequestLog()
    headers = [("X-Api-Key", "k"), ("anthropic-beta", "a"), ("Anthropic-Beta", "b")]
    entry = log.add("POST", "/v1/messages?beta=true", headers)
    log.keep_body(entry, b'{"a":1}')
    assert log.as_json() == [
        {
            "method": "POST",
            "path": "/v1/messages?beta=true",
            "headers": {"x-api-key": "k", "anthropic-beta": "a, b"},
            "body": {"a": 1},
            "status": None,
            "disconnected_early": False,
        }
    ]


def test_what_is_no_json_is_shown_as_text() -> None:
    log = RequestLog()
    add(log, "/a", b"{oops \xff")
    add(log, "/b")
    assert [entry["body"] for entry in log.as_json()] == ["{oops \N{REPLACEMENT CHARACTER}", None]


def test_the_oldest_go_when_there_are_too_many() -> None:
    log = RequestLog(requests_max=2)
    for path in ("/a", "/b", "/c"):
        add(log, path)
    assert paths(log) == ["/b", "/c"]


def test_the_oldest_go_when_bodies_take_too_much_room() -> None:
    log = RequestLog(bodies_bytes_max=10)
    for path in ("/a", "/b", "/c"):
        add(log, path, b"12345")
    assert paths(log) == ["/b", "/c"]
    add(log, "/huge", b"x" * 11)
    assert paths(log) == ["/huge"]
    add(log, "/d", b"12345")
    assert paths(log) == ["/d"]


def test_one_body_is_kept_up_to_a_bound() -> None:
    log = RequestLog()
    add(log, "/a", b"x" * (BODY_BYTES_MAX + 1))
    assert len(str(log.as_json()[0]["body"])) == BODY_BYTES_MAX


def test_clearing_forgets_everything() -> None:
    log = RequestLog(bodies_bytes_max=10)
    add(log, "/a", b"12345")
    log.clear()
    assert log.as_json() == []
    add(log, "/b", b"1234567890")
    assert paths(log) == ["/b"]


def test_a_body_that_comes_after_its_entry_has_gone_does_no_harm() -> None:
    log = RequestLog(requests_max=1)
    entry = log.add("POST", "/a", [])
    add(log, "/b")
    log.keep_body(entry, b"late")
    assert paths(log) == ["/b"]
