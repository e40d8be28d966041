"""Metrics as Prometheus text: names, labels, what each is.

Names that begin with `gen_ai_` and their labels are OpenTelemetry's semantic conventions for
generative AI as Prometheus writes them; all others are the gateway's own. docs/metrics.md lists
every one (a test compares). Nothing here runs but at a scrape.
"""

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from proxy import __version__
from proxy.domain.entry import Outcome
from proxy.observe.histogram import Histogram
from proxy.observe.metrics import Metrics, ModelCounts

_OF_MODEL = ["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model"]

# By field of `Metrics`: name, what it is.
_COUNTERS = {
    "searches_shared": ("hatz_web_searches_shared", "Searches answered from memory."),
    "search_service_credits": (
        "hatz_search_service_credits",
        "Credits the search service took.",
    ),
    "ejections": ("hatz_ejections", "Deployments put out because they failed."),
    "retries_withheld": (
        "hatz_retries_withheld",
        "Failovers not made because the budget was spent.",
    ),
    "failovers": ("hatz_failovers", "Attempts moved to another deployment."),
    "stale_retries": ("hatz_stale_retries", "Repeats after a dead pooled connection."),
    "limit_questions": ("hatz_limit_questions", "Requests that asked other workers."),
    "limit_blind": ("hatz_limit_blind", "Decisions without an answer of others."),
    "limit_tickets_expired": ("hatz_limit_tickets_expired", "Calls whose cost was never told."),
    "journal_lost": ("hatz_journal_lost", "Ledger entries lost."),
    "journal_rows": ("hatz_journal_rows_stored", "Ledger entries moved to storage."),
    "journal_rejected": ("hatz_journal_rows_rejected", "Ledger entries storage would not take."),
    "refusals_dropped": (
        "hatz_support_records_dropped",
        "Support records of refusals not kept because they were too many.",
    ),
    "log_lines_dropped": ("hatz_access_lines_dropped", "Lines of the access log left out."),
    "cpu_seconds": ("hatz_cpu_seconds", "CPU time of the workers."),
}
_GAUGES = {
    "open_connections": ("hatz_open_connections", "Client connections."),
    "requests_waiting": ("hatz_requests_waiting", "Requests that wait for a place."),
    "draining": ("hatz_draining", "Answers read on for clients that left."),
    "open_streams": ("hatz_open_streams", "Calls being relayed."),
    "journal_healthy": ("hatz_journal_healthy", "1 while the ledger is written."),
    "spool_bytes": ("hatz_spool_bytes", "Ledger entries on disk that wait for storage."),
    "spool_limit_bytes": (
        "hatz_spool_limit_bytes",
        "How many may wait; from there on /readyz says 503.",
    ),
    "workers": ("hatz_workers", "Processes that serve."),
    "stopping": ("hatz_stopping", "Processes that take no new requests."),
    "resident_bytes": ("hatz_resident_bytes", "Memory of the workers."),
}
_LABELLED_COUNTERS = {
    "replies": ("hatz_replies", "Replies by route and HTTP status.", ["route", "status"]),
    "refusals": ("hatz_refusals", "Refused requests by reason.", ["reason"]),
    "dropped": (
        "hatz_dropped_fields",
        "Requests from which a field was left out in translation.",
        ["field"],
    ),
    "searches": ("hatz_web_searches", "Web searches by outcome.", ["outcome"]),
    "letters": ("hatz_letters", "Letters by what became of a try to send them.", ["outcome"]),
    "connects": (
        "hatz_upstream_connects",
        "Connections to providers, by how the attempt went.",
        ["origin", "result"],
    ),
}
_LABELLED_GAUGES = {
    "learned": (
        "hatz_learned_refusals",
        "Processes that leave out a field because a deployment refused it.",
        ["provider", "model", "field"],
    ),
    "deployments_out": (
        "hatz_deployments_out",
        "Processes that ask a deployment last because it failed.",
        ["provider", "model"],
    ),
    "pools": ("hatz_upstream_connections", "Connections to providers.", ["origin", "state"]),
    "pools_waiting": ("hatz_upstream_waiting", "Calls that wait for one.", ["origin"]),
}


def families(metrics: Metrics) -> list[Metric]:
    """What a scrape shows, family by family."""
    return list(_Families(metrics).collect())


def exposition(metrics: Metrics) -> bytes:
    """Prometheus text."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families(metrics))
    return generate_latest(registry)


class _Families(Collector):
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        """One family after the other."""
        metrics = self._metrics
        metrics.fold()
        yield from _per_model(metrics)
        yield from _times(metrics)
        for field, (name, text, labels) in _LABELLED_COUNTERS.items():
            counter = CounterMetricFamily(name, text, labels=labels)
            for key, count in getattr(metrics, field).items():
                counter.add_metric(_values(field, key, len(labels)), count)
            yield counter
        for field, (name, text, labels) in _LABELLED_GAUGES.items():
            gauge = GaugeMetricFamily(name, text, labels=labels)
            for key, count in getattr(metrics, field).items():
                gauge.add_metric(_values(field, key, len(labels)), count)
            yield gauge
        for field, (name, text) in _COUNTERS.items():
            yield CounterMetricFamily(name, text, value=getattr(metrics, field))
        for field, (name, text) in _GAUGES.items():
            yield GaugeMetricFamily(name, text, value=getattr(metrics, field))
        build = GaugeMetricFamily("hatz_build_info", "What runs here.", labels=["version"])
        build.add_metric([__version__], 1)
        yield build


def _values(field: str, key: str, count: int) -> list[str]:
    if field == "replies":
        return key.rsplit(" ", 1)
    return key.split("\t", count - 1)


def _per_model(metrics: Metrics) -> Iterator[Metric]:
    models: list[tuple[str, str, ModelCounts]] = []
    for key, counts in metrics.models.items():
        model, _, provider = key.rpartition("\t")
        models.append((model, provider, counts))
    yield from _outcomes_and_tokens(models)
    duration = HistogramMetricFamily(
        "gen_ai_server_request_duration_seconds",
        "From a request's arrival to the end of its reply; error_type is its outcome, if not good.",
        labels=[*_OF_MODEL, "error_type"],
    )
    tokens = HistogramMetricFamily(
        "gen_ai_client_token_usage",
        "Tokens of each generation; input counts cached ones.",
        labels=[*_OF_MODEL, "gen_ai_token_type"],
    )
    first = HistogramMetricFamily(
        "gen_ai_server_time_to_first_token_seconds",
        "From a request's arrival to the first byte of its reply.",
        labels=_OF_MODEL,
    )
    each_token = HistogramMetricFamily(
        "gen_ai_server_time_per_output_token_seconds",
        "Between output tokens of a streamed reply, on average.",
        labels=_OF_MODEL,
    )
    for model, provider, counts in models:
        of_model = ["chat", provider, model]
        for outcome, histogram in counts.durations.items():
            _add(duration, [*of_model, "" if outcome == "completed" else outcome], histogram)
        _add(tokens, [*of_model, "input"], counts.tokens_in)
        _add(tokens, [*of_model, "output"], counts.tokens_out)
        _add(first, of_model, counts.first_token)
        _add(each_token, of_model, counts.per_token)
    yield from (duration, tokens, first, each_token)


def _outcomes_and_tokens(models: Iterable[tuple[str, str, ModelCounts]]) -> Iterator[Metric]:
    generations = CounterMetricFamily(
        "hatz_generations",
        "Generations by how they ended.",
        labels=["model", "provider", "outcome"],
    )
    tokens = CounterMetricFamily("hatz_tokens", "Tokens.", labels=["model", "provider", "kind"])
    attempts = CounterMetricFamily(
        "hatz_attempts", "Attempts at providers.", labels=["model", "provider"]
    )
    for model, provider, counts in models:
        # All of them, also those that never were: a counter that is born at 1 shows no increase.
        for outcome in Outcome:
            histogram = counts.durations.get(outcome)
            count = 0 if histogram is None else histogram.count
            generations.add_metric([model, provider, outcome], count)
        for kind, count in (
            ("input", counts.input_tokens),
            ("output", counts.output_tokens),
            ("cache_read", counts.cache_read_tokens),
            ("cache_write", counts.cache_write_tokens),
        ):
            tokens.add_metric([model, provider, kind], count)
        attempts.add_metric([model, provider], counts.attempts)
    yield from (generations, tokens, attempts)


def _times(metrics: Metrics) -> Iterator[Metric]:
    stages = HistogramMetricFamily(
        "hatz_stage_seconds", "Where the time of calls goes, by stage.", labels=["stage"]
    )
    for stage in metrics.stages.__struct_fields__:
        _add(stages, [stage], getattr(metrics.stages, stage))
    yield stages
    streams = metrics.streams
    gaps = HistogramMetricFamily(
        "hatz_stream_gap_seconds",
        "Mean time between the events of a stream: in from the provider, out to the client.",
        labels=["direction"],
    )
    _add(gaps, ["in"], streams.gap_in)
    _add(gaps, ["out"], streams.gap_out)
    silences = HistogramMetricFamily(
        "hatz_stream_silence_seconds",
        "The longest silence of a stream, to about a second.",
        labels=["direction"],
    )
    _add(silences, ["in"], streams.silence_in)
    _add(silences, ["out"], streams.silence_out)
    stalls = CounterMetricFamily(
        "hatz_stream_stalls",
        "Providers silent for 5 s inside a stream; clients a provider had to wait for.",
        labels=["side"],
    )
    stalls.add_metric(["provider"], streams.stalls_of_providers)
    stalls.add_metric(["client"], streams.stalls_of_clients)
    lag = HistogramMetricFamily(
        "hatz_loop_lag_seconds",
        "How late the event loop is, looked at several times a second.",
        labels=[],
    )
    _add(lag, [], metrics.loop_lag)
    yield from (gaps, silences, stalls, lag)


def _add(family: HistogramMetricFamily, labels: list[str], histogram: Histogram) -> None:
    family.add_metric(labels, histogram.buckets(), histogram.total)
