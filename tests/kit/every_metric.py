"""Metrics in which every family has a sample: what a dashboard or a page may name."""

import msgspec
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from proxy.domain.entry import Entry, Outcome
from proxy.observe.exposition import exposition
from proxy.observe.metrics import Metrics

MODEL, PROVIDER, ORIGIN = "anthropic.claude-haiku-4-5", "demo", "http://127.0.0.1:9"


def every_metric() -> Metrics:
    """One of everything."""
    metrics = Metrics()
    for outcome in Outcome:
        entry = Entry(
            "ev", "req", 1, 2, "t", "u", "general_user", "key", MODEL, MODEL, "exact", outcome, 200,
            streamed=True, input_tokens=10, output_tokens=20, first_byte_ms=40, total_ms=900,
            provider=PROVIDER,
        )  # fmt: skip
        metrics.ended.append(entry)
    metrics.replied.append(("messages", 200))
    metrics.refusal("burst_limit")
    metrics.left_out(["metadata"])
    metrics.learned = {f"{PROVIDER}\tclaude-haiku-4-5\ttop_k": 1}
    metrics.searches = {"found": 1}
    metrics.letters = {"sent": 1}
    metrics.deployments_out = {f"{PROVIDER}\tclaude-haiku-4-5": 1}
    metrics.pools = {f"{ORIGIN}\t{state}": 1 for state in ("busy", "idle", "connecting")}
    metrics.pools_waiting = {ORIGIN: 0}
    metrics.connects = {f"{ORIGIN}\t{result}": 1 for result in ("opened", "failed")}
    metrics.fold()
    for name in set(msgspec.structs.asdict(metrics)) - {"ended", "splits", "replied"}:
        assert getattr(metrics, name) != {}, f"no sample of {name}"
    return metrics


def families() -> list[Metric]:
    """What a scrape of it shows, family by family."""
    return list(text_string_to_metric_families(exposition(every_metric()).decode()))


def labels_by_name() -> dict[str, set[str]]:
    """By the name of a sample, as a query writes it, the labels it has."""
    found: dict[str, set[str]] = {}
    for family in families():
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found
