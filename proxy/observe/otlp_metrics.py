"""What a scrape would show, sent by OpenTelemetry's SDK over OTLP/HTTP, a worker at a time.

Imported only where `observability.otlp_endpoint` is set. Counters and histograms are cumulative
since the worker began; `service.instance.id` tells workers apart. Names that begin with `gen_ai_`
are sent as the semantic conventions spell them (`gen_ai.server.request.duration`, unit `s`), all
others as they stand in docs/metrics.md.
"""

from collections.abc import Iterable, Mapping, Sequence

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.samples import Sample

from proxy import __version__
from proxy.observe.otlp import SEND_TIMEOUT_S, SERVICE

_CUMULATIVE = AggregationTemporality.CUMULATIVE
_CONVENTIONS = {
    "gen_ai_server_request_duration_seconds": ("gen_ai.server.request.duration", "s"),
    "gen_ai_server_time_to_first_token_seconds": ("gen_ai.server.time_to_first_token", "s"),
    "gen_ai_server_time_per_output_token_seconds": ("gen_ai.server.time_per_output_token", "s"),
    "gen_ai_client_token_usage": ("gen_ai.client.token.usage", "{token}"),
}
_LABELS = {
    "gen_ai_operation_name": "gen_ai.operation.name",
    "gen_ai_provider_name": "gen_ai.provider.name",
    "gen_ai_request_model": "gen_ai.request.model",
    "gen_ai_token_type": "gen_ai.token.type",
    "error_type": "error.type",
}
_Labels = tuple[tuple[str, str], ...]


class Figures:
    """The way to one collector, for one worker."""

    def __init__(
        self, endpoint: str, instance: str, began_ns: int, *, environ_names_service: bool
    ) -> None:
        """`endpoint` is the collector's address without the path of the signal; `began_ns` when the
        worker's counters were zero, in Unix nanoseconds."""
        named = {} if environ_names_service else {SERVICE_NAME: SERVICE}
        self._resource = Resource.create(
            {**named, SERVICE_VERSION: __version__, SERVICE_INSTANCE_ID: instance}
        )
        self._scope = InstrumentationScope("proxy", __version__)
        self._began_ns = began_ns
        self._exporter = OTLPMetricExporter(
            f"{endpoint.rstrip('/')}/v1/metrics", timeout=SEND_TIMEOUT_S
        )

    def send(self, families: Iterable[Family], now_ns: int) -> bool:
        """Blocks for a few seconds at most. Did the collector take them? If not, the next ones tell
        the same and more."""
        metrics = [_metric(family, self._began_ns, now_ns) for family in families if family.samples]
        scope = ScopeMetrics(self._scope, metrics, "")
        data = MetricsData([ResourceMetrics(self._resource, [scope], "")])
        return self._exporter.export(data) is MetricExportResult.SUCCESS

    def close(self) -> None:
        """Send no more."""
        self._exporter.shutdown()


def _metric(family: Family, began_ns: int, now_ns: int) -> Metric:
    name, unit = _CONVENTIONS.get(family.name, (family.name, ""))
    data: Gauge | Histogram | Sum
    if family.type == "histogram":
        points = [
            _histogram_point(labels, samples, began_ns, now_ns)
            for labels, samples in _by_labels(family.samples).items()
        ]
        data = Histogram(points, _CUMULATIVE)
    elif family.type == "counter":
        data = Sum(
            [_point(each, began_ns, now_ns) for each in family.samples],
            _CUMULATIVE,
            is_monotonic=True,
        )
    else:
        data = Gauge([_point(each, began_ns, now_ns) for each in family.samples])
    return Metric(name, family.documentation, unit, data)


def _point(sample: Sample, began_ns: int, now_ns: int) -> NumberDataPoint:
    return NumberDataPoint(_attributes(sample.labels), began_ns, now_ns, sample.value)


def _by_labels(samples: Sequence[Sample]) -> dict[_Labels, list[Sample]]:
    """The samples of each series, its buckets in their order."""
    found: dict[_Labels, list[Sample]] = {}
    for sample in samples:
        labels = tuple((name, text) for name, text in sample.labels.items() if name != "le")
        found.setdefault(labels, []).append(sample)
    return found


def _histogram_point(
    labels: _Labels, samples: list[Sample], began_ns: int, now_ns: int
) -> HistogramDataPoint:
    bounds: list[float] = []
    counts: list[int] = []
    running, total = 0, 0.0
    for sample in samples:
        if sample.name.endswith("_bucket"):
            if sample.labels["le"] != "+Inf":
                bounds.append(float(sample.labels["le"]))
            counts.append(int(sample.value) - running)
            running = int(sample.value)
        elif sample.name.endswith("_sum"):
            total = sample.value
    return HistogramDataPoint(
        _attributes(dict(labels)),
        began_ns,
        now_ns,
        running,
        total,
        counts,
        bounds,
        None,  # type: ignore[arg-type]  # the least and the greatest are optional on the wire
        None,  # type: ignore[arg-type]
    )


def _attributes(labels: Mapping[str, str]) -> dict[str, str]:
    """An empty label is one that is not there, as Prometheus has it."""
    return {_LABELS.get(name, name): text for name, text in labels.items() if text}
