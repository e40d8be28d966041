"""Traces that are over as OpenTelemetry's spans, sent by its SDK over OTLP/HTTP.

Imported only where `observability.otlp_endpoint` is set: the SDK costs memory and half a second of
the start. Spans are made in whatever thread calls `export` and sent by a thread of the SDK's own,
whose queue is bounded: while the collector is away spans are dropped, requests are not.
The SDK's own variables hold for what is not said here: OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES,
OTEL_EXPORTER_OTLP_HEADERS, OTEL_EXPORTER_OTLP_CERTIFICATE, OTEL_BSP_*.

A request is a SERVER span; each generation below it is a CLIENT span by the semantic conventions
for generative AI. Attributes are ids, names, counts and times: never content, a key or an address.
"""

from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.status import Status, StatusCode

from proxy import __version__
from proxy.domain.call import MESSAGE, Arrival
from proxy.domain.entry import CLIENT_GONE, COMPLETED
from proxy.observe.traces import Ended, Turn

SERVICE = "hatz-gateway"
SEND_TIMEOUT_S = 5.0
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_STAGES = ("auth", "resolve", "limits", "translate", "connect")


class Spans:
    """The way to one collector."""

    def __init__(self, endpoint: str, environ_names_service: bool) -> None:
        """`endpoint` is the collector's address without the path of the signal."""
        named = {} if environ_names_service else {SERVICE_NAME: SERVICE}
        self._resource = Resource.create({**named, SERVICE_VERSION: __version__})
        self._scope = InstrumentationScope("proxy", __version__)
        self._processor = BatchSpanProcessor(
            OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=SEND_TIMEOUT_S)
        )

    def export(self, ended: Sequence[Ended]) -> None:
        """Queue the spans of each."""
        for each in ended:
            for turn in each.trace.turns:
                self._processor.on_end(self._generation(each, turn))
            self._processor.on_end(self._request(each))

    def close(self) -> None:
        """Send what is queued; blocks for a few seconds at most."""
        self._processor.shutdown()  # type: ignore[no-untyped-call]

    def _request(self, ended: Ended) -> ReadableSpan:
        arrival, call, trace = ended.arrival, ended.call, ended.trace
        path = arrival.path.decode("ascii", "replace")
        attributes: dict[str, str | int | float] = {
            "http.request.method": "POST",
            "url.path": path,
            "http.response.status_code": ended.status,
            "user_agent.original": arrival.headers.user_agent,
            "hatz.request_id": arrival.request_id,
            "hatz.outcome": ended.outcome,
        }
        if call is not None:
            attributes["gen_ai.request.model"] = call.asked
            attributes["gen_ai.response.model"] = call.model.id
            attributes["hatz.resolved_via"] = call.via
            attributes["hatz.tenant_id"] = call.caller.tenant_id
            attributes["hatz.user_id"] = call.caller.user_id
            attributes["hatz.streamed"] = call.streamed
            attributes |= _own_stages(arrival)
        failed = ended.status >= 500 or ended.outcome in ("partial", "house_error")
        if ended.status >= 400 or failed:
            attributes["error.type"] = str(ended.status) if ended.status >= 400 else ended.outcome
        parent = None
        if trace.parent_id:
            parent = SpanContext(trace.trace_id, trace.parent_id, True, _SAMPLED)
        errand = "messages" if arrival.errand is MESSAGE else "count_tokens"
        return ReadableSpan(
            f"POST {errand}",
            SpanContext(trace.trace_id, trace.span_id, False, _SAMPLED),
            parent,
            self._resource,
            attributes,
            kind=SpanKind.SERVER,
            status=Status(StatusCode.ERROR) if failed else Status(),
            start_time=_wall_ns(arrival, arrival.clock_s),
            end_time=_wall_ns(arrival, ended.ended_s),
            instrumentation_scope=self._scope,
        )

    def _generation(self, ended: Ended, turn: Turn) -> ReadableSpan:
        entry, trace = turn.entry, ended.trace
        cached = entry.cache_read_tokens + entry.cache_write_5m_tokens + entry.cache_write_1h_tokens
        attributes: dict[str, str | int | Sequence[str]] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": entry.provider,
            "gen_ai.request.model": entry.model,
            "gen_ai.usage.input_tokens": entry.input_tokens + cached,
            "gen_ai.usage.output_tokens": entry.output_tokens,
            "gen_ai.usage.cache_read.input_tokens": entry.cache_read_tokens,
            "gen_ai.usage.cache_creation.input_tokens": (
                entry.cache_write_5m_tokens + entry.cache_write_1h_tokens
            ),
            "hatz.outcome": str(entry.outcome),
            "hatz.attempts": entry.attempts,
            "hatz.event_id": entry.event_id,
            "hatz.provider_request_id": entry.provider_request_id,
        }
        if entry.stop_reason:
            attributes["gen_ai.response.finish_reasons"] = (entry.stop_reason,)
        if entry.error_type:
            attributes["error.type"] = entry.error_type
        events: list[Event] = []
        if turn.first_byte_s:
            events.append(Event("first byte", None, _wall_ns(turn, turn.first_byte_s)))
        is_well = entry.outcome is COMPLETED or entry.outcome is CLIENT_GONE
        return ReadableSpan(
            f"chat {entry.model}",
            SpanContext(trace.trace_id, turn.span_id, False, _SAMPLED),
            SpanContext(trace.trace_id, trace.span_id, False, _SAMPLED),
            self._resource,
            attributes,
            events,
            kind=SpanKind.CLIENT,
            status=Status() if is_well else Status(StatusCode.ERROR),
            start_time=_wall_ns(turn, turn.asked_s or turn.clock_s),
            end_time=_wall_ns(turn, turn.clock_s + entry.total_ms / 1000),
            instrumentation_scope=self._scope,
        )


def _wall_ns(began: Arrival | Turn, at_s: float) -> int:
    return began.received_ms * 1_000_000 + round((at_s - began.clock_s) * 1_000_000_000)


def _own_stages(arrival: Arrival) -> dict[str, float]:
    """Milliseconds by stage, of those the request came to."""
    if not arrival.admitted_s:
        return {}
    marks = (
        arrival.clock_s,
        arrival.known_s,
        arrival.resolved_s,
        arrival.admitted_s,
        arrival.translated_s,
        arrival.asked_s,
    )
    stages: dict[str, float] = {}
    before = marks[0]
    for stage, mark in zip(_STAGES, marks[1:], strict=True):
        if mark:
            stages[f"hatz.stage.{stage}_ms"] = round((mark - before) * 1000, 3)
            before = mark
    return stages
