"""What is counted while requests pass: plain figures, read only when somebody asks.

The hot path adds to attributes, small dicts and lists; `observe/exposition.py` makes Prometheus
text of them at a scrape. Several workers on one port each keep a `Metrics`; `export` and `merged`
let the one that is asked answer for all (see `observe/workers.py`).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

import msgspec

from proxy.domain.call import Split
from proxy.domain.entry import Entry, Outcome
from proxy.observe.histogram import (
    FirstTokenSeconds,
    GapSeconds,
    Histogram,
    LagSeconds,
    ReplySeconds,
    SilenceSeconds,
    StageSeconds,
    TokenCounts,
    TokenSeconds,
)

STALL_S = 5.0
"""A silence inside a stream that is counted as a stall."""
_came_to_pass = (0.0).__le__
_kind = attrgetter("model", "provider", "outcome")
_figures = attrgetter(
    *("total_ms", "first_byte_ms", "attempts", "input_tokens", "output_tokens"),
    *("cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens"),
)
_LEAST = frozenset(("journal_healthy",))
"""Of all workers the worst one is shown, not the sum."""


class ModelCounts(msgspec.Struct, omit_defaults=True):
    """What went to one model at one provider. `durations` are parted by the ledger's outcomes."""

    durations: dict[str, ReplySeconds] = {}
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    attempts: int = 0
    first_token: FirstTokenSeconds = msgspec.field(default_factory=FirstTokenSeconds)
    per_token: TokenSeconds = msgspec.field(default_factory=TokenSeconds)
    tokens_in: TokenCounts = msgspec.field(default_factory=TokenCounts)
    tokens_out: TokenCounts = msgspec.field(default_factory=TokenCounts)

    def count(self, outcome: str, entries: Sequence[Entry]) -> None:
        """Generations that ended thus."""
        durations = self.durations.setdefault(str(outcome), ReplySeconds())
        total_ms, first_ms, attempts, read, written, cached, *writes = zip(
            *map(_figures, entries), strict=True
        )
        durations.fresh += [ms / 1000 for ms in total_ms]
        self.first_token.fresh += [ms / 1000 for ms in first_ms if ms is not None]
        self.attempts += sum(attempts)
        self.input_tokens += sum(read)
        self.output_tokens += sum(written)
        self.cache_read_tokens += sum(cached)
        self.cache_write_tokens += sum(map(sum, writes))
        # By OpenTelemetry's rule cached tokens are input, too.
        self.tokens_in.fresh += map(sum, zip(read, cached, *writes, strict=True))
        self.tokens_out.fresh += written
        self.per_token.fresh += [
            (entry.total_ms - entry.first_byte_ms) / 1000 / (entry.output_tokens - 1)
            for entry in entries
            if entry.streamed and entry.output_tokens > 1 and entry.first_byte_ms is not None
        ]


class Stages(msgspec.Struct, omit_defaults=True):
    """Where the time of calls goes, in the order they pass."""

    auth: StageSeconds = msgspec.field(default_factory=StageSeconds)
    """Who asks: from memory, or storage is asked."""
    resolve: StageSeconds = msgspec.field(default_factory=StageSeconds)
    """The head of the body read, its model found."""
    limits: StageSeconds = msgspec.field(default_factory=StageSeconds)
    """Admitted: from memory, or other workers are asked."""
    translate: StageSeconds = msgspec.field(default_factory=StageSeconds)
    """The request in the provider's language, where that is another."""
    connect: StageSeconds = msgspec.field(default_factory=StageSeconds)
    """Until a connection is at hand for the first attempt."""
    first_byte: StageSeconds = msgspec.field(default_factory=StageSeconds)
    """Until the provider begins to answer, further attempts included."""
    relay: StageSeconds = msgspec.field(default_factory=StageSeconds)
    """From the first byte to the last."""


class Streams(msgspec.Struct, omit_defaults=True):
    """How evenly streams flow: in from providers, out to clients."""

    gap_in: GapSeconds = msgspec.field(default_factory=GapSeconds)
    gap_out: GapSeconds = msgspec.field(default_factory=GapSeconds)
    silence_in: SilenceSeconds = msgspec.field(default_factory=SilenceSeconds)
    silence_out: SilenceSeconds = msgspec.field(default_factory=SilenceSeconds)
    stalls_of_providers: int = 0
    """Silences of `STALL_S` and more."""
    stalls_of_clients: int = 0
    """How often a provider had to wait because its client did not read."""


class Metrics(msgspec.Struct, omit_defaults=True):
    """All figures of one process. `models` is bounded by the catalogue, `replies` by route names
    and statuses, `pools` by the providers."""

    ended: list[Entry] = []
    """Generations that ended and are not counted yet, as `Histogram.fresh`; so are the next two."""
    splits: list[Split] = []
    replied: list[tuple[str, int]] = []
    """Route and status of replies."""
    models: dict[str, ModelCounts] = {}
    """By model and provider, parted by a tab."""
    stages: Stages = msgspec.field(default_factory=Stages)
    streams: Streams = msgspec.field(default_factory=Streams)
    loop_lag: LagSeconds = msgspec.field(default_factory=LagSeconds)
    """How late a timer of the event loop fired, ten times a second."""
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
    requests_waiting: int = 0
    """Messages requests that wait for a place."""
    deployments_out: dict[str, int] = {}
    """Provider and model, parted by a tab, of deployments that are asked last because they failed:
    in how many processes. Bounded by the deployments."""
    ejections: int = 0
    retries_withheld: int = 0
    draining: int = 0
    """Answers that are read on though their clients left."""
    failovers: int = 0
    stale_retries: int = 0
    open_connections: int = 0
    open_streams: int = 0
    pools: dict[str, int] = {}
    """Connections by origin and state (`busy`, `idle`, `connecting`), parted by a tab."""
    pools_waiting: dict[str, int] = {}
    """Calls that wait for a connection, by origin."""
    connects: dict[str, int] = {}
    """Connections ever begun, by origin and result (`opened`, `failed`), parted by a tab."""
    limit_questions: int = 0
    """Requests that waited until the other workers had been asked."""
    limit_blind: int = 0
    """Decisions near a limit while somebody who had to be asked did not answer."""
    limit_tickets_expired: int = 0
    journal_lost: int = 0
    journal_healthy: int = 1
    journal_rows: int = 0
    journal_rejected: int = 0
    refusals_dropped: int = 0
    spool_bytes: int = 0
    spool_limit_bytes: int = 0
    log_lines_dropped: int = 0
    workers: int = 1
    stopping: int = 0
    resident_bytes: int = 0
    cpu_seconds: float = 0.0

    def model(self, model_id: str, provider: str) -> ModelCounts:
        """The counts of one model at one provider."""
        key = f"{model_id}\t{provider}"
        counts = self.models.get(key)
        if counts is None:
            counts = self.models[key] = ModelCounts()
        return counts

    def left_out(self, fields: Iterable[str]) -> None:
        """These fields of one request did not go on."""
        for field in fields:
            self.dropped[field] = self.dropped.get(field, 0) + 1

    def refusal(self, reason: str) -> None:
        """One request was refused."""
        self.refusals[reason] = self.refusals.get(reason, 0) + 1

    def fold(self) -> None:
        """Count what was measured since the last time; nearly all of it in C, many at once."""
        self._count_ended()
        splits, self.splits = self.splits, []
        for name, column in zip(Stages.__struct_fields__, zip(*splits, strict=True), strict=False):
            stage: StageSeconds = getattr(self.stages, name)
            stage.fresh += filter(_came_to_pass, column)
        replied, self.replied = self.replied, []
        for (route, status), number in Counter(replied).items():
            key = f"{route} {status}"
            self.replies[key] = self.replies.get(key, 0) + number
        _fold(self)

    def _count_ended(self) -> None:
        ended, self.ended = self.ended, []
        groups: dict[tuple[str, str, Outcome], list[Entry]] = {}
        for entry in ended:
            groups.setdefault(_kind(entry), []).append(entry)
        for (model, provider, outcome), entries in groups.items():
            self.model(model, provider).count(outcome, entries)

    def add(self, other: "Metrics") -> None:
        """All figures of another process."""
        _add(self, other)


def export(metrics: Metrics) -> bytes:
    """All counts as bytes for another process."""
    metrics.fold()
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


def _fold(struct: msgspec.Struct) -> None:
    for name in struct.__struct_fields__:
        value = getattr(struct, name)
        if isinstance(value, Histogram):
            value.fold()
        elif isinstance(value, msgspec.Struct):
            _fold(value)
        elif isinstance(value, dict):
            for each in value.values():
                if isinstance(each, Histogram):
                    each.fold()
                elif isinstance(each, msgspec.Struct):
                    _fold(each)


def _add(mine: msgspec.Struct, theirs: msgspec.Struct) -> None:
    for name in mine.__struct_fields__:
        ours, others = getattr(mine, name), getattr(theirs, name)
        if name in _LEAST:
            setattr(mine, name, min(ours, others))
        else:
            setattr(mine, name, _sum(ours, others))


def _sum(ours: Any, others: Any) -> Any:
    if isinstance(ours, Histogram):
        ours.add(others)
    elif isinstance(ours, msgspec.Struct):
        _add(ours, others)
    elif isinstance(ours, dict):
        for key, value in others.items():
            ours[key] = _sum(ours[key], value) if key in ours else value
    else:
        return ours + others
    return ours
