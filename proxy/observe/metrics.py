"""What is counted while requests pass: plain integers, read only when somebody asks.

The hot path adds to attributes and small dicts; `exposition` makes Prometheus text of them at a
scrape, through prometheus_client's own families. Several workers on one port each keep a `Metrics`;
`export` and `merged` let the one that is asked answer for all (see `observe/workers.py`).
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from proxy.domain.entry import Entry

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


class Histogram(msgspec.Struct):
    """Counts per bucket of `SECONDS`, the last for everything longer."""

    counts: list[int] = msgspec.field(default_factory=lambda: [0] * (len(SECONDS) + 1))
    total_s: float = 0.0

    def __post_init__(self) -> None:
        if len(self.counts) != len(SECONDS) + 1:
            raise ValueError("a histogram of other buckets")

    def observe(self, seconds: float) -> None:
        """One more measurement."""
        self.counts[bisect_left(SECONDS, seconds)] += 1
        self.total_s += seconds

    def add(self, other: "Histogram") -> None:
        """All measurements of another."""
        self.counts = [
            mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)
        ]
        self.total_s += other.total_s


class ModelCounts(msgspec.Struct):
    """What went to one model. Outcomes are those of the ledger."""

    outcomes: dict[str, int] = {}
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    attempts: int = 0
    first_byte: Histogram = msgspec.field(default_factory=Histogram)
    total: Histogram = msgspec.field(default_factory=Histogram)

    def add(self, other: "ModelCounts") -> None:
        """All counts of another."""
        for outcome, count in other.outcomes.items():
            self.outcomes[outcome] = self.outcomes.get(outcome, 0) + count
        self.input_tokens += other.input_tokens
        self.output_tokens += other.output_tokens
        self.cache_read_tokens += other.cache_read_tokens
        self.cache_write_tokens += other.cache_write_tokens
        self.attempts += other.attempts
        self.first_byte.add(other.first_byte)
        self.total.add(other.total)


class Metrics(msgspec.Struct):
    """All counts of one process. `models` is bounded by the catalogue, `replies` by route names
    and statuses."""

    models: dict[str, ModelCounts] = {}
    replies: dict[str, int] = {}
    """Replies by `route status`."""
    refusals: dict[str, int] = {}
    """Refusals by reason."""
    learned: dict[str, int] = {}
    """Provider, model and field, parted by tabs, of what deployments refused and are not sent any
    more: in how many processes. Bounded by the deployments and the fields that can be learned."""
    dropped: dict[str, int] = {}
    """Requests from which a field was left out because the model's wire has nothing for it."""
    searches: dict[str, int] = {}
    """Web searches by how they ended."""
    searches_shared: int = 0
    """Those that nobody had to be asked for."""
    search_service_credits: int = 0
    letters: dict[str, int] = {}
    """Letters by what became of a try to send them."""
    failovers: int = 0
    stale_retries: int = 0
    open_connections: int = 0
    open_streams: int = 0
    upstream_connections: int = 0
    upstream_waiting: int = 0
    limit_questions: int = 0
    """Requests that waited until the other workers had been asked."""
    limit_blind: int = 0
    """Decisions near a limit while somebody who had to be asked did not answer."""
    limit_tickets_expired: int = 0
    journal_lost: int = 0
    journal_healthy: int = 1

    def model(self, model_id: str) -> ModelCounts:
        """The counts of one model."""
        counts = self.models.get(model_id)
        if counts is None:
            counts = self.models[model_id] = ModelCounts()
        return counts

    def generation(self, entry: Entry) -> None:
        """One generation ended."""
        counts = self.model(entry.model)
        counts.outcomes[entry.outcome] = counts.outcomes.get(entry.outcome, 0) + 1
        counts.attempts += entry.attempts
        counts.input_tokens += entry.input_tokens
        counts.output_tokens += entry.output_tokens
        counts.cache_read_tokens += entry.cache_read_tokens
        counts.cache_write_tokens += entry.cache_write_5m_tokens + entry.cache_write_1h_tokens
        counts.total.observe(entry.total_ms / 1000)
        if entry.first_byte_ms is not None:
            counts.first_byte.observe(entry.first_byte_ms / 1000)

    def reply(self, route: str, status: int) -> None:
        """One reply went out."""
        key = f"{route} {status}"
        self.replies[key] = self.replies.get(key, 0) + 1

    def left_out(self, fields: Iterable[str]) -> None:
        """These fields of one request did not go on."""
        for field in fields:
            self.dropped[field] = self.dropped.get(field, 0) + 1

    def refusal(self, reason: str) -> None:
        """One request was refused."""
        self.refusals[reason] = self.refusals.get(reason, 0) + 1

    def add(self, other: "Metrics") -> None:
        """All counts of another process."""
        for model_id, counts in other.models.items():
            self.model(model_id).add(counts)
        for key, count in other.replies.items():
            self.replies[key] = self.replies.get(key, 0) + count
        for key, count in other.refusals.items():
            self.refusals[key] = self.refusals.get(key, 0) + count
        for key, count in other.learned.items():
            self.learned[key] = self.learned.get(key, 0) + count
        for key, count in other.dropped.items():
            self.dropped[key] = self.dropped.get(key, 0) + count
        for key, count in other.searches.items():
            self.searches[key] = self.searches.get(key, 0) + count
        for key, count in other.letters.items():
            self.letters[key] = self.letters.get(key, 0) + count
        self.searches_shared += other.searches_shared
        self.search_service_credits += other.search_service_credits
        self.failovers += other.failovers
        self.stale_retries += other.stale_retries
        self.open_connections += other.open_connections
        self.open_streams += other.open_streams
        self.upstream_connections += other.upstream_connections
        self.upstream_waiting += other.upstream_waiting
        self.limit_questions += other.limit_questions
        self.limit_blind += other.limit_blind
        self.limit_tickets_expired += other.limit_tickets_expired
        self.journal_lost += other.journal_lost
        self.journal_healthy = min(self.journal_healthy, other.journal_healthy)


def export(metrics: Metrics) -> bytes:
    """All counts as bytes for another process."""
    return msgspec.json.encode(metrics)


def merged(own: Metrics, others: Iterable[bytes]) -> Metrics:
    """The sum of this process's counts and those exported by others; unreadable ones are left."""
    total = msgspec.json.decode(export(own), type=Metrics)
    for exported in others:
        try:
            total.add(msgspec.json.decode(exported, type=Metrics))
        except msgspec.DecodeError:
            continue  # written by another release of this program
    return total


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
        yield from _per_model(metrics)
        replies = CounterMetricFamily(
            "hatz_replies", "Replies by route and HTTP status.", labels=["route", "status"]
        )
        for key, count in metrics.replies.items():
            replies.add_metric(key.rsplit(" ", 1), count)
        yield replies
        refusals = CounterMetricFamily(
            "hatz_refusals", "Refused requests by reason.", labels=["reason"]
        )
        for reason, count in metrics.refusals.items():
            refusals.add_metric([reason], count)
        yield refusals
        learned = GaugeMetricFamily(
            "hatz_learned_refusals",
            "Processes that leave out a field because a deployment refused it.",
            labels=["provider", "model", "field"],
        )
        for key, count in metrics.learned.items():
            learned.add_metric(key.split("\t", 2), count)
        yield learned
        dropped = CounterMetricFamily(
            "hatz_dropped_fields",
            "Requests from which a field was left out in translation.",
            labels=["field"],
        )
        for key, count in metrics.dropped.items():
            dropped.add_metric([key], count)
        yield dropped
        searches = CounterMetricFamily(
            "hatz_web_searches", "Web searches by outcome.", labels=["outcome"]
        )
        for key, count in metrics.searches.items():
            searches.add_metric([key], count)
        yield searches
        yield _counter(
            "hatz_web_searches_shared", "Searches answered from memory.", metrics.searches_shared
        )
        yield _counter(
            "hatz_search_service_credits",
            "Credits the search service took.",
            metrics.search_service_credits,
        )
        letters = CounterMetricFamily(
            "hatz_letters", "Letters by what became of a try to send them.", labels=["outcome"]
        )
        for key, count in metrics.letters.items():
            letters.add_metric([key], count)
        yield letters
        yield _counter("hatz_failovers", "Attempts moved to another deployment.", metrics.failovers)
        yield _counter(
            "hatz_stale_retries", "Repeats after a dead pooled connection.", metrics.stale_retries
        )
        yield _counter(
            "hatz_limit_questions", "Requests that asked other workers.", metrics.limit_questions
        )
        yield _counter(
            "hatz_limit_blind", "Decisions without an answer of others.", metrics.limit_blind
        )
        yield _counter(
            "hatz_limit_tickets_expired",
            "Calls whose cost was never told.",
            metrics.limit_tickets_expired,
        )
        yield _counter("hatz_journal_lost", "Ledger entries lost.", metrics.journal_lost)
        yield _gauge("hatz_open_connections", "Client connections.", metrics.open_connections)
        yield _gauge(
            "hatz_upstream_connections", "Connections to providers.", metrics.upstream_connections
        )
        yield _gauge("hatz_upstream_waiting", "Calls that wait for one.", metrics.upstream_waiting)
        yield _gauge("hatz_open_streams", "Calls being relayed.", metrics.open_streams)
        yield _gauge(
            "hatz_journal_healthy", "1 while the ledger is written.", metrics.journal_healthy
        )


def _per_model(metrics: Metrics) -> Iterator[Metric]:
    generations = CounterMetricFamily(
        "hatz_generations", "Generations by model and outcome.", labels=["model", "outcome"]
    )
    tokens = CounterMetricFamily("hatz_tokens", "Tokens by model.", labels=["model", "kind"])
    attempts = CounterMetricFamily("hatz_attempts", "Attempts at providers.", labels=["model"])
    first_byte = HistogramMetricFamily(
        "hatz_first_byte_seconds", "Arrival to first reply byte.", labels=["model"]
    )
    total = HistogramMetricFamily(
        "hatz_generation_seconds", "Arrival to the end of the reply.", labels=["model"]
    )
    for model_id, counts in metrics.models.items():
        for outcome, count in counts.outcomes.items():
            generations.add_metric([model_id, outcome], count)
        tokens.add_metric([model_id, "input"], counts.input_tokens)
        tokens.add_metric([model_id, "output"], counts.output_tokens)
        tokens.add_metric([model_id, "cache_read"], counts.cache_read_tokens)
        tokens.add_metric([model_id, "cache_write"], counts.cache_write_tokens)
        attempts.add_metric([model_id], counts.attempts)
        for family, histogram in ((first_byte, counts.first_byte), (total, counts.total)):
            family.add_metric([model_id], _buckets(histogram), histogram.total_s)
    yield from (generations, tokens, attempts, first_byte, total)


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    running = 0
    buckets: list[tuple[str, float]] = []
    for bound, count in zip((*map(str, SECONDS), "+Inf"), histogram.counts, strict=True):
        running += count
        buckets.append((bound, running))
    return buckets


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(name, text, value=value)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)
