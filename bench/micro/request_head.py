"""What does it cost to read the head of a request, the first time and again on its connection?"""

from bench import load
from bench.micro.step import Step
from bench.score import Score
from proxy.wire.head_reader import HeadReader
from proxy.wire.request_head import RequestHead, read_head


def steps() -> list[Step]:
    """An SDK's head, as the load generator sends it."""
    plan = load.Plan(
        port=8080,
        path="/v1/anthropic/v1/messages",
        model="bench-message",
        score=Score().name,
        body="1k",
        connections=1,
        duration_s=1.0,
    )
    head = load.request_bytes(plan, "sk-bench-" + "0" * 48).partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    reader = HeadReader()
    reader.read(head)

    def check(result: object) -> None:
        assert isinstance(result, RequestHead)
        assert (result.method, result.path) == (b"POST", b"/v1/anthropic/v1/messages")
        assert result.body_bytes == 1_000
        assert result.headers[b"anthropic-version"] == b"2023-06-01"

    return [
        Step("a head nobody knows", lambda: read_head(head), check),
        Step("the next head of a connection", lambda: reader.read(head), check),
    ]
