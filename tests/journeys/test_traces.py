"""Requests as spans at a real collector, and the context on its way through."""

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.kit.collector import Collector, attributes, collector
from tests.kit.provider import END, START, Provider, delta, provider
from tests.kit.raw_client import request
from tests.kit.running import KEY, MODEL, gateway_process, house, message, until

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CONTEXT = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=value"}
MESSAGES = "/v1/anthropic/v1/messages"
SECRETS = ("Hello from the provider.", KEY, "what nobody may read")


@pytest.fixture
def upstream() -> Iterator[Provider]:
    with provider() as there:
        yield there


@pytest.fixture
def there() -> Iterator[Collector]:
    with collector() as one:
        yield one


def pair(spans: list[Span]) -> tuple[Span, Span]:
    """The request and its one generation."""
    [server] = [span for span in spans if span.kind == Span.SPAN_KIND_SERVER]
    [generation] = [span for span in spans if span.kind == Span.SPAN_KIND_CLIENT]
    return server, generation


def test_a_streamed_request_is_two_spans_within_the_callers_trace(
    tmp_path: Path, upstream: Provider, there: Collector
) -> None:
    chosen = {"observability__otlp_endpoint": there.url, "observability__trace_ratio": 0}
    with house(tmp_path, upstream.url, **chosen) as gateway:
        play = upstream.play()
        with gateway.connect() as client:
            body = message(stream=True, text=f"{play.cue} what nobody may read")
            client.send(request("POST", MESSAGES, {"X-Api-Key": KEY, **CONTEXT}, body))
            play.wait_arrived()
            play.say(START + delta("Hello from the provider."))
            play.say(END)
            play.end()
            reply = client.reply()
        assert reply.status == 200
        server, generation = pair(there.wait(2))
    assert {server.trace_id.hex(), generation.trace_id.hex()} == {TRACE}
    assert server.parent_span_id.hex() == PARENT
    assert generation.parent_span_id == server.span_id
    # The provider belongs below the generation, and hears what the caller said beside.
    asked = upstream.asked[-1].headers
    assert asked["traceparent"] == f"00-{TRACE}-{generation.span_id.hex()}-01"
    assert asked["tracestate"] == "vendor=value"

    said = attributes(server)
    assert server.name == "POST messages"
    assert said["http.response.status_code"] == 200
    assert said["hatz.request_id"] == reply.headers["request-id"]
    assert said["hatz.outcome"] == "completed"
    assert {"hatz.stage.auth_ms", "hatz.stage.connect_ms"} <= said.keys()
    said = attributes(generation)
    assert generation.name == f"chat {MODEL}"
    assert said["gen_ai.operation.name"] == "chat"
    assert said["gen_ai.provider.name"] == "kit"
    assert said["gen_ai.usage.input_tokens"] == 11
    assert said["gen_ai.usage.output_tokens"] == 5
    assert said["gen_ai.response.finish_reasons"] == ["end_turn"]
    [first] = generation.events
    assert first.name == "first byte"
    moments = [
        server.start_time_unix_nano,
        generation.start_time_unix_nano,
        first.time_unix_nano,
        generation.end_time_unix_nano + 1_000_000,  # a row's duration is in whole milliseconds
        server.end_time_unix_nano + 2_000_000,  # rounded up, perhaps
    ]
    assert moments == sorted(moments)
    assert there.requests[0]["path"] == "/v1/traces"
    assert there.resources[0]["service.name"] == "hatz-gateway"
    everything = str(there.spans)
    assert not [secret for secret in SECRETS if secret in everything]


def test_a_refusal_and_a_failure_are_told_apart(
    tmp_path: Path, upstream: Provider, there: Collector
) -> None:
    chosen = {"observability__otlp_endpoint": there.url, "observability__trace_ratio": 1}
    with house(tmp_path, upstream.url, **chosen) as gateway:
        assert gateway.ask("POST", MESSAGES, {}, b"{").status == 400
        [refused] = there.wait(1)
        play = upstream.play()
        with gateway.connect() as client:
            body = message(stream=True, text=play.cue)
            client.send(request("POST", MESSAGES, {"X-Api-Key": KEY}, body))
            play.wait_arrived()
            play.say(START + delta("a beginning"))
            play.end()
            client.reply()
        server, generation = pair(there.wait(3)[1:])
    assert refused.status.code == Status.STATUS_CODE_UNSET  # the caller's own mistake
    assert attributes(refused)["error.type"] == "400"
    assert not refused.parent_span_id
    for span in (server, generation):
        assert span.status.code == Status.STATUS_CODE_ERROR
        assert attributes(span)["hatz.outcome"] == "partial"


def test_who_is_not_sampled_is_not_traced_and_its_context_goes_by(
    tmp_path: Path, upstream: Provider, there: Collector
) -> None:
    chosen = {"observability__otlp_endpoint": there.url, "observability__trace_ratio": 0}
    with house(tmp_path, upstream.url, **chosen) as gateway:
        unsampled = {"traceparent": f"00-{TRACE}-{PARENT}-00"}
        assert gateway.ask("POST", MESSAGES, unsampled, message()).status == 200
        assert upstream.asked[-1].headers["traceparent"] == unsampled["traceparent"]
        assert gateway.ask("POST", MESSAGES, {}, message()).status == 200
        assert "traceparent" not in upstream.asked[-1].headers
        assert gateway.ask("POST", MESSAGES, CONTEXT, message()).status == 200
        pair(there.wait(2))
    assert len(there.spans) == 2


def test_without_a_collector_named_nothing_of_a_context_goes_on(
    tmp_path: Path, upstream: Provider
) -> None:
    with house(tmp_path, upstream.url) as gateway:
        assert gateway.ask("POST", MESSAGES, CONTEXT, message()).status == 200
    assert not {"traceparent", "tracestate"} & upstream.asked[-1].headers.keys()


def test_a_process_sends_what_it_has_before_it_ends_and_logs_the_trace(
    tmp_path: Path, upstream: Provider, there: Collector
) -> None:
    chosen = {"observability__otlp_endpoint": there.url, "observability__access_log": "true"}
    with gateway_process(tmp_path, upstream.url, **chosen) as gateway:
        assert gateway.ask("POST", MESSAGES, CONTEXT, message()).status == 200
        gateway.running.terminate()
        assert gateway.exit_status() == 0
        lines = [json.loads(line) for line in gateway.log.read_text("utf-8").splitlines()]
    pair(there.spans)
    [line] = [line for line in lines if line.get("path") == MESSAGES]
    assert line["trace_id"] == TRACE


def test_a_collector_that_is_away_or_refuses_harms_nobody(
    tmp_path: Path, upstream: Provider, there: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    there.refuses = True
    chosen = {"observability__otlp_endpoint": there.url, "observability__trace_ratio": 1}
    with caplog.at_level(logging.ERROR), house(tmp_path, upstream.url, **chosen) as gateway:
        for _ in range(5):
            assert gateway.ask("POST", MESSAGES, {}, message()).status == 200
        until(lambda: there.requests, "an export that is refused", 30.0)
    assert there.spans == []


def test_the_sdk_is_not_imported_where_nobody_wants_traces() -> None:
    root = Path(__file__).resolve().parents[2]
    importing = [
        path.relative_to(root).as_posix()
        for path in (root / "proxy").rglob("*.py")
        if re.search(r"^\s*(?:from|import) opentelemetry", path.read_text("utf-8"), re.MULTILINE)
    ]
    assert sorted(importing) == ["proxy/observe/otlp.py", "proxy/observe/otlp_metrics.py"]
    importers = [
        path.relative_to(root).as_posix()
        for path in (root / "proxy").rglob("*.py")
        if re.search(r"^\s*(?:from|import) .*observe\.otlp", path.read_text("utf-8"), re.MULTILINE)
    ]
    assert importers == ["proxy/observe/otlp_metrics.py"]  # which itself is one of them


def test_metrics_go_to_the_same_collector(
    tmp_path: Path, upstream: Provider, there: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "1000")
    with gateway_process(tmp_path, upstream.url, observability__otlp_endpoint=there.url) as gateway:
        assert gateway.ask("POST", MESSAGES, {}, message(stream=False)).status == 200

        def generations() -> float:
            if not there.metrics or "hatz_generations" not in there.metrics[-1]:
                return 0
            points = there.metrics[-1]["hatz_generations"].sum.data_points
            return sum(point.as_double + point.as_int for point in points)

        until(lambda: generations() == 1, "the generation is counted there")
        assert there.metrics_from[-1]["service.name"] == "hatz-gateway"
