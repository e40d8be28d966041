"""Counts go in, Prometheus text comes out; several workers add up to one."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from proxy.domain.call import Arrival, Errand
from proxy.domain.entry import Entry, Outcome
from proxy.domain.headers import Headers
from proxy.observe.exposition import exposition
from proxy.observe.histogram import FirstTokenSeconds
from proxy.observe.metrics import Metrics, export, merged

Sample = tuple[str, frozenset[tuple[str, str]]]


def entry(
    model: str = "m",
    outcome: Outcome = Outcome.COMPLETED,
    *,
    first_byte_ms: int | None = 40,
    total_ms: int = 900,
    attempts: int = 1,
    streamed: bool = False,
) -> Entry:
    return Entry(
        "ev_1", "req_1", 1, 2, "t", "u", "general_user", "key_1", model, model, "exact", outcome,
        200, input_tokens=10, output_tokens=20, cache_read_tokens=3, cache_write_5m_tokens=4,
        cache_write_1h_tokens=5, first_byte_ms=first_byte_ms, total_ms=total_ms, attempts=attempts,
        streamed=streamed, provider="p",
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


OF_M = {
    "gen_ai_operation_name": "chat",
    "gen_ai_provider_name": "p",
    "gen_ai_request_model": "m",
}


def test_a_generation_is_counted_with_its_tokens_and_times() -> None:
    metrics = Metrics()
    metrics.ended.append(entry(attempts=2))
    metrics.ended.append(entry(outcome=Outcome.CLIENT_GONE, first_byte_ms=None, total_ms=2_000))
    found = samples(metrics)
    where = {"model": "m", "provider": "p"}
    assert value(found, "hatz_generations_total", **where, outcome="completed") == 1
    assert value(found, "hatz_generations_total", **where, outcome="client_gone") == 1
    # Born with a figure, not with its first failure: only so an alert sees that one, too.
    assert value(found, "hatz_generations_total", **where, outcome="house_error") == 0
    assert value(found, "hatz_attempts_total", **where) == 3
    for kind, tokens in {"input": 20, "output": 40, "cache_read": 6, "cache_write": 18}.items():
        assert value(found, "hatz_tokens_total", **where, kind=kind) == tokens
    # Who left before the first byte has no time to it.
    assert value(found, "gen_ai_server_time_to_first_token_seconds_count", **OF_M) == 1
    duration = "gen_ai_server_request_duration_seconds"
    assert value(found, f"{duration}_sum", **OF_M, error_type="") == pytest.approx(0.9)
    assert value(found, f"{duration}_sum", **OF_M, error_type="client_gone") == pytest.approx(2)
    usage = "gen_ai_client_token_usage"
    assert value(found, f"{usage}_sum", **OF_M, gen_ai_token_type="input") == 2 * (10 + 3 + 4 + 5)
    assert value(found, f"{usage}_bucket", **OF_M, gen_ai_token_type="output", le="64") == 2
    assert value(found, f"{usage}_bucket", **OF_M, gen_ai_token_type="output", le="16") == 0


def test_the_time_per_token_is_of_streams_and_without_the_wait_for_the_first() -> None:
    metrics = Metrics()
    metrics.ended.append(entry(first_byte_ms=500, total_ms=2_400, streamed=True))
    metrics.ended.append(entry(first_byte_ms=500, total_ms=2_400))
    name = "gen_ai_server_time_per_output_token_seconds"
    found = samples(metrics)
    assert value(found, f"{name}_count", **OF_M) == 1
    assert value(found, f"{name}_sum", **OF_M) == pytest.approx(1.9 / 19)


def arrival(**noted: float) -> Arrival:
    made = Arrival(Errand.MESSAGE, "r", b"/", b"", Headers(), b"", 0, 100.0)
    for name, when_s in noted.items():
        setattr(made, name, when_s)
    return made


def stages_of(metrics: Metrics) -> dict[str, tuple[float, float]]:
    """Count and sum by stage."""
    found = samples(metrics)
    return {
        stage: (
            value(found, "hatz_stage_seconds_count", stage=stage),
            value(found, "hatz_stage_seconds_sum", stage=stage),
        )
        for stage in ("auth", "resolve", "limits", "translate", "connect", "first_byte", "relay")
    }


def test_the_time_of_a_call_is_split_without_a_rest() -> None:
    metrics = Metrics()
    noted = arrival(
        known_s=101.0, resolved_s=103.0, admitted_s=106.0, translated_s=110.0, asked_s=115.0,
        first_byte_s=121.0,
    )  # fmt: skip
    metrics.splits.append(noted.split(128.0))
    split = stages_of(metrics)
    assert split == {
        "auth": (1, 1), "resolve": (1, 2), "limits": (1, 3), "translate": (1, 4), "connect": (1, 5),
        "first_byte": (1, 6), "relay": (1, 7),
    }  # fmt: skip
    assert sum(seconds for _, seconds in split.values()) == 128.0 - noted.clock_s


def test_a_stage_a_call_did_not_come_to_is_not_counted() -> None:
    metrics = Metrics()
    metrics.splits.append(arrival(known_s=101.0, resolved_s=101.0, admitted_s=102.0).split(110.0))
    split = stages_of(metrics)
    assert [stage for stage, (count, _) in split.items() if count] == ["auth", "resolve", "limits"]
    # Without a translation the wait for a connection begins where the call was admitted.
    asked = arrival(known_s=101.0, resolved_s=101.0, admitted_s=102.0, asked_s=105.0)
    metrics.splits.append(asked.split(110.0))
    assert stages_of(metrics)["connect"] == (1, 3)


def test_a_further_turn_counts_from_its_being_asked() -> None:
    metrics = Metrics()
    metrics.splits.append(arrival(asked_s=105.0, first_byte_s=106.0).split(110.0))
    split = stages_of(metrics)
    assert split["first_byte"] == (1, 1)
    assert split["relay"] == (1, 4)
    assert split["auth"][0] == split["connect"][0] == 0


def test_buckets_are_cumulative_and_the_last_holds_all() -> None:
    metrics = Metrics()
    for first_byte_ms in (1, 5, 6, 1_000, 700_000):
        metrics.ended.append(entry(first_byte_ms=first_byte_ms))
    found = samples(metrics)
    buckets = {
        dict(labels)["le"]: count
        for (name, labels), count in found.items()
        if name == "gen_ai_server_time_to_first_token_seconds_bucket"
    }
    assert list(map(float, buckets)) == [*FirstTokenSeconds.bounds, float("inf")]
    # A bound belongs to its bucket: 5 ms are not over 5 ms.
    assert (buckets["0.005"], buckets["0.01"], buckets["0.5"]) == (2, 3, 3)
    assert (buckets["1.0"], buckets["300.0"], buckets["+Inf"]) == (4, 4, 5)
    assert list(buckets.values()) == sorted(buckets.values())


def test_replies_and_refusals_are_told_apart() -> None:
    metrics = Metrics()
    metrics.replied.append(("messages", 200))
    metrics.replied.append(("messages", 200))
    metrics.replied.append(("GET /v1/anthropic/models/{model}", 404))
    metrics.refusal("model_not_found")
    found = samples(metrics)
    assert value(found, "hatz_replies_total", route="messages", status="200") == 2
    route = "GET /v1/anthropic/models/{model}"
    assert value(found, "hatz_replies_total", route=route, status="404") == 1
    assert value(found, "hatz_refusals_total", reason="model_not_found") == 1


def test_labels_with_strange_characters_come_back_as_they_were() -> None:
    name = 'back\\slash "quoted" and\nbroken'
    metrics = Metrics()
    metrics.ended.append(entry(model=name))
    metrics.refusal(name)
    found = samples(metrics)
    assert value(found, "hatz_attempts_total", model=name, provider="p") == 1
    assert value(found, "hatz_refusals_total", reason=name) == 1


def test_every_family_says_what_it_is() -> None:
    metrics = Metrics()
    metrics.ended.append(entry())
    families = list(text_string_to_metric_families(exposition(metrics).decode()))
    assert len(families) > 10
    for family in families:
        assert family.name.startswith(("hatz_", "gen_ai_"))
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
    metrics.pools["https://x\tbusy"] = 2
    metrics.streams.gap_in.fresh.append(0.02)
    metrics.splits.append(arrival(known_s=101.0, resolved_s=101.0, admitted_s=102.0).split(110.0))
    metrics.ended.append(entry("a"))
    metrics.ended.append(entry("b", Outcome.PARTIAL))
    metrics.replied.append(("messages", 200))
    metrics.refusal("burst_limit")
    return metrics


def test_the_workers_counts_are_added_up() -> None:
    own, other = busy(), busy()
    other.ended.append(entry("only there"))
    other.journal_healthy = 0
    total = merged(own, [export(other), export(Metrics())])
    found = samples(total)
    assert value(found, "hatz_generations_total", model="a", provider="p", outcome="completed") == 2
    there = {"model": "only there", "provider": "p", "outcome": "completed"}
    assert value(found, "hatz_generations_total", **there) == 1
    of_b = OF_M | {"gen_ai_request_model": "b"}
    assert value(found, "gen_ai_server_time_to_first_token_seconds_count", **of_b) == 2
    assert value(found, "gen_ai_server_time_to_first_token_seconds_bucket", **of_b, le="0.04") == 2
    assert value(found, "hatz_stage_seconds_count", stage="auth") == 2
    assert value(found, "hatz_stream_gap_seconds_count", direction="in") == 2
    connections = {"origin": "https://x", "state": "busy"}
    assert value(found, "hatz_upstream_connections", **connections) == 4
    assert value(found, "hatz_workers") == 3
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
        b'{"models":{"a\\tp":{"first_token":{"counts":[1,2,3],"total":1.0}}}}',
        id="other buckets",
    ),
]


@pytest.mark.parametrize("exported", BROKEN)
def test_what_another_release_wrote_is_left_out(exported: bytes) -> None:
    own = busy()
    assert export(merged(own, [exported])) == export(own)


def test_letters_are_counted_by_what_became_of_them() -> None:
    one, other = Metrics(letters={"sent": 2}), Metrics(letters={"sent": 1, "given_up": 3})
    found = samples(merged(one, [export(other)]))
    assert value(found, "hatz_letters_total", outcome="sent") == 3
    assert value(found, "hatz_letters_total", outcome="given_up") == 3
