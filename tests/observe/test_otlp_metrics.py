"""What a scrape shows, at a real collector."""

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, Metric

from proxy.observe.exposition import families
from proxy.observe.metrics import Metrics
from proxy.observe.otlp_metrics import Figures
from tests.kit.collector import Collector, attributes, collector
from tests.kit.every_metric import MODEL, PROVIDER, every_metric

CUMULATIVE = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE


def sent(metrics: Metrics, there: Collector) -> dict[str, Metric]:
    figures = Figures(there.url, "host:w0.1", 1_000, environ_names_service=False)
    metrics.fold()
    try:
        assert figures.send(families(metrics), 2_000)
    finally:
        figures.close()
    return there.metrics[-1]


def test_every_family_is_there_with_its_type() -> None:
    metrics = every_metric()
    with collector() as there:
        seen = sent(metrics, there)
        assert there.metrics_from[-1]["service.instance.id"] == "host:w0.1"
        assert there.metrics_from[-1]["service.name"] == "hatz-gateway"
    kinds = {"counter": "sum", "gauge": "gauge", "histogram": "histogram"}
    by_name = {family.name: kinds[family.type] for family in families(metrics) if family.samples}
    told = {name: metric.WhichOneof("data") for name, metric in seen.items()}
    assert len(told) == len(by_name)
    own = {name: kind for name, kind in by_name.items() if name.startswith("hatz_")}
    assert own == {name: kind for name, kind in told.items() if name.startswith("hatz_")}
    assert {name for name in told if not name.startswith("hatz_")} == {
        "gen_ai.server.request.duration",
        "gen_ai.server.time_to_first_token",
        "gen_ai.server.time_per_output_token",
        "gen_ai.client.token.usage",
    }


def test_a_counter_counts_since_the_worker_began() -> None:
    metrics = Metrics(failovers=3)
    with collector() as there:
        told = sent(metrics, there)["hatz_failovers"].sum
    assert (told.is_monotonic, told.aggregation_temporality) == (True, CUMULATIVE)
    [point] = told.data_points
    assert (point.as_double or point.as_int) == 3
    assert (point.start_time_unix_nano, point.time_unix_nano) == (1_000, 2_000)


def test_a_histogram_keeps_its_buckets_and_the_names_of_the_conventions() -> None:
    metrics = every_metric()
    with collector() as there:
        metric = sent(metrics, there)["gen_ai.server.time_to_first_token"]
    assert metric.unit == "s"
    [point] = metric.histogram.data_points
    counts = metrics.models[f"{MODEL}\t{PROVIDER}"].first_token
    assert attributes(point) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": PROVIDER,
        "gen_ai.request.model": MODEL,
    }
    assert point.count == counts.count == sum(point.bucket_counts) > 0
    assert len(point.bucket_counts) == len(point.explicit_bounds) + 1
    assert list(point.explicit_bounds) == sorted(point.explicit_bounds)
    assert point.sum == pytest.approx(counts.total)
    shown = [int(value) for _, value in counts.buckets()]
    running = [sum(point.bucket_counts[: n + 1]) for n in range(len(point.bucket_counts))]
    assert running == shown


def test_a_collector_that_refuses_costs_nothing_but_a_false() -> None:
    with collector() as there:
        there.refuses = True
        figures = Figures(there.url, "host:w0.1", 1_000, environ_names_service=False)
        assert figures.send(families(Metrics(failovers=1)), 2_000) is False
        figures.close()
