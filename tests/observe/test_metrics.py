"""Counts go in, Prometheus text comes out; several workers add up to one."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from proxy.domain.entry import Entry, Outcome
from proxy.observe.metrics import SECONDS, Histogram, Metrics, export, exposition, merged

Sample = tuple[str, frozenset[tuple[str, str]]]


def entry(
    model: str = "m",
    outcome: Outcome = Outcome.COMPLETED,
    *,
    first_byte_ms: int | None = 40,
    total_ms: int = 900,
    attempts: int = 1,
) -> Entry:
    return Entry(
        "ev_1", "req_1", 1, 2, "t", "u", "general_user", "key_1", model, model, "exact", outcome,
        200, input_tokens=10, output_tokens=20, cache_read_tokens=3, cache_write_5m_tokens=4,
        cache_write_1h_tokens=5, first_byte_ms=first_byte_ms, total_ms=total_ms, attempts=attempts,
    )  # fmt: skip


def samples(metrics: Metrics) -> dict[Sample, float]:
    """What a scraper reads."""
    found: dict[Sample, float] = {}
    for family in text_string_to_metric_families(exposition(metrics).decode()):
        for sample in family.samples:
            place = (sample.name, frozenset(sample.labels.items()))
            assert place not in found, f"{place} is there twice"
            found[place] = sample.value
    return found


def value(found: dict[Sample, float], name: str, **labels: str) -> float:
    return found[name, frozenset(labels.items())]


def test_a_generation_is_counted_with_its_tokens_and_times() -> None:
    metrics = Metrics()
    metrics.generation(entry(attempts=2))
    metrics.generation(entry(outcome=Outcome.CLIENT_GONE, first_byte_ms=None, total_ms=2_000))
    found = samples(metrics)
    assert value(found, "hatz_generations_total", model="m", outcome="completed") == 1
    assert value(found, "hatz_generations_total", model="m", outcome="client_gone") == 1
    assert value(found, "hatz_attempts_total", model="m") == 3
    for kind, tokens in {"input": 20, "output": 40, "cache_read": 6, "cache_write": 18}.items():
        assert value(found, "hatz_tokens_total", model="m", kind=kind) == tokens
    # Who left before the first byte has no time to it.
    assert value(found, "hatz_first_byte_seconds_count", model="m") == 1
    assert value(found, "hatz_generation_seconds_count", model="m") == 2
    assert value(found, "hatz_generation_seconds_sum", model="m") == pytest.approx(2.9)


def test_buckets_are_cumulative_and_the_last_holds_all() -> None:
    metrics = Metrics()
    for first_byte_ms in (1, 5, 6, 1_000, 700_000):
        metrics.generation(entry(first_byte_ms=first_byte_ms))
    found = samples(metrics)
    buckets = {
        dict(labels)["le"]: count
        for (name, labels), count in found.items()
        if name == "hatz_first_byte_seconds_bucket"
    }
    assert list(map(float, buckets)) == [*SECONDS, float("inf")]
    # A bound belongs to its bucket: 5 ms are not over 5 ms.
    assert (buckets["0.005"], buckets["0.01"], buckets["0.5"]) == (2, 3, 3)
    assert (buckets["1"], buckets["600"], buckets["+Inf"]) == (4, 4, 5)
    assert list(buckets.values()) == sorted(buckets.values())


def test_replies_and_refusals_are_told_apart() -> None:
    metrics = Metrics()
    metrics.reply("messages", 200)
    metrics.reply("messages", 200)
    metrics.reply("GET /v1/anthropic/models/{model}", 404)
    metrics.refusal("model_not_found")
    found = samples(metrics)
    assert value(found, "hatz_replies_total", route="messages", status="200") == 2
    route = "GET /v1/anthropic/models/{model}"
    assert value(found, "hatz_replies_total", route=route, status="404") == 1
    assert value(found, "hatz_refusals_total", reason="model_not_found") == 1


def test_labels_with_strange_characters_come_back_as_they_were() -> None:
    name = 'back\\slash "quoted" and\nbroken'
    metrics = Metrics()
    metrics.generation(entry(model=name))
    metrics.refusal(name)
    found = samples(metrics)
    assert value(found, "hatz_attempts_total", model=name) == 1
    assert value(found, "hatz_refusals_total", reason=name) == 1


def test_every_family_says_what_it_is() -> None:
    metrics = Metrics()
    metrics.generation(entry())
    families = list(text_string_to_metric_families(exposition(metrics).decode()))
    assert len(families) > 10
    for family in families:
        assert family.name.startswith("hatz_")
        assert family.documentation
        assert family.type in ("counter", "gauge", "histogram")


def test_an_idle_gateway_has_its_gauges() -> None:
    found = samples(Metrics())
    assert value(found, "hatz_open_connections") == 0
    assert value(found, "hatz_open_streams") == 0
    assert value(found, "hatz_journal_healthy") == 1
    assert value(found, "hatz_journal_lost_total") == 0


def busy() -> Metrics:
    metrics = Metrics(failovers=1, stale_retries=2, open_connections=3, open_streams=4)
    metrics.journal_lost = 5
    metrics.generation(entry("a"))
    metrics.generation(entry("b", Outcome.PARTIAL))
    metrics.reply("messages", 200)
    metrics.refusal("burst_limit")
    return metrics


def test_the_workers_counts_are_added_up() -> None:
    own, other = busy(), busy()
    other.generation(entry("only there"))
    other.journal_healthy = 0
    total = merged(own, [export(other), export(Metrics())])
    found = samples(total)
    assert value(found, "hatz_generations_total", model="a", outcome="completed") == 2
    assert value(found, "hatz_generations_total", model="only there", outcome="completed") == 1
    assert value(found, "hatz_first_byte_seconds_count", model="b") == 2
    assert value(found, "hatz_first_byte_seconds_bucket", model="b", le="0.05") == 2
    assert value(found, "hatz_replies_total", route="messages", status="200") == 2
    assert value(found, "hatz_refusals_total", reason="burst_limit") == 2
    assert value(found, "hatz_failovers_total") == 2
    assert value(found, "hatz_stale_retries_total") == 4
    assert value(found, "hatz_open_connections") == 6
    assert value(found, "hatz_open_streams") == 8
    assert value(found, "hatz_journal_lost_total") == 10
    # One worker that cannot write its books is enough to be alarmed.
    assert value(found, "hatz_journal_healthy") == 0


def test_merging_changes_nobodys_own_counts() -> None:
    own = busy()
    before = export(own)
    merged(own, [export(busy())])
    assert export(own) == before


BROKEN = [
    b"",
    b"not json",
    b"[1]",
    b'{"models":\xff',
    b'{"models":{"m":{"attempts":"many"}}}',
    pytest.param(
        b'{"models":{"a":{"total":{"counts":[1,2,3],"total_s":1.0}}}}',
        id="other buckets",
    ),
]


@pytest.mark.parametrize("exported", BROKEN)
def test_what_another_release_wrote_is_left_out(exported: bytes) -> None:
    own = busy()
    assert export(merged(own, [exported])) == export(own)


def test_a_histogram_counts_what_it_is_given() -> None:
    histogram = Histogram()
    histogram.observe(0)
    histogram.observe(SECONDS[-1])
    histogram.observe(SECONDS[-1] + 0.001)
    assert (histogram.counts[0], histogram.counts[-2], histogram.counts[-1]) == (1, 1, 1)
    assert sum(histogram.counts) == 3


def test_letters_are_counted_by_what_became_of_them() -> None:
    one, other = Metrics(letters={"sent": 2}), Metrics(letters={"sent": 1, "given_up": 3})
    found = samples(merged(one, [export(other)]))
    assert value(found, "hatz_letters_total", outcome="sent") == 3
    assert value(found, "hatz_letters_total", outcome="given_up") == 3
