"""The way traces and metrics go: OpenTelemetry's SDK, imported only where a collector is named."""

import asyncio
import os
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Protocol, cast

from prometheus_client.metrics_core import Metric

from proxy.config.settings import Observability
from proxy.domain.fault import Fault, Kind, Source
from proxy.observe.exposition import families
from proxy.observe.metrics import Metrics
from proxy.observe.traces import Ended, Traces

_EXPORTER = "opentelemetry.exporter.otlp.proto.http"


class Spans(Protocol):
    """Implemented by `observe/otlp.py`."""

    def export(self, ended: Sequence[Ended]) -> None:
        """Make spans of these and queue them. May be called in any one thread at a time."""
        ...

    def close(self) -> None:
        """Send what is queued; blocks."""
        ...


class Figures(Protocol):
    """Implemented by `observe/otlp_metrics.py`."""

    def send(self, families: Iterable[Metric], now_ns: int) -> bool:
        """Blocks. False: the collector did not take them."""
        ...

    def close(self) -> None:
        """Send no more."""
        ...


class Telemetry:
    """What one worker sends of traces and metrics, where a collector is named; else nothing.
    Raises Fault where the SDK is wanted and not installed."""

    def __init__(
        self, wanted: Observability, environ: Mapping[str, str], worker: str, metrics: Metrics
    ) -> None:
        self.traces: Traces | None = None
        self._spans: Spans | None = None
        self._figures: Figures | None = None
        self._metrics = metrics
        self._every_s = metrics_every_s(environ)
        if wanted.otlp_endpoint:
            self._spans = open_spans(wanted.otlp_endpoint, environ)
            self._figures = open_figures(wanted.otlp_endpoint, environ, worker)
            self.traces = Traces(wanted.trace_ratio, os.urandom, tells=wanted.trace_providers)

    async def send_spans(self) -> None:
        """What is over becomes spans in another thread."""
        if self.traces is None or self._spans is None:
            return
        ended = self.traces.flush()
        if ended:
            await asyncio.to_thread(self._spans.export, ended)

    async def send_figures(self) -> None:
        """This worker's, as often as wanted and for ever."""
        while self._figures is not None:
            await asyncio.sleep(self._every_s)
            await self._send(self._figures)

    async def close(self) -> None:
        """Send what there is, and no more."""
        if self._spans is not None:
            await self.send_spans()
            await asyncio.to_thread(self._spans.close)
        if self._figures is not None:
            await self._send(self._figures)
            self._figures.close()

    async def _send(self, figures: Figures) -> None:
        shown = families(self._metrics)
        await asyncio.to_thread(figures.send, shown, time.time_ns())


def is_installed() -> bool:
    """Is the SDK there, without importing it?"""
    try:
        return find_spec(_EXPORTER) is not None
    except ModuleNotFoundError:
        return False


def open_spans(endpoint: str, environ: Mapping[str, str]) -> Spans:
    """Raises Fault where the SDK is not installed."""
    if not is_installed():
        raise Fault(
            Kind.HOUSE,
            "observability.otlp_endpoint is set, but OpenTelemetry's SDK is not installed.",
            hint="Install `hatz-messages-gateway[otlp]`, or leave the setting empty.",
            source=Source.HOUSE,
        )
    module = import_module("proxy.observe.otlp")
    return cast(Spans, module.Spans(endpoint, environ_names_service=_names_service(environ)))


def open_figures(endpoint: str, environ: Mapping[str, str], worker: str) -> Figures:
    """After `open_spans`, whose Fault tells what is missing."""
    module = import_module("proxy.observe.otlp_metrics")
    figures = module.Figures(
        endpoint,
        f"{socket.gethostname()}:{worker}.{os.getpid()}",
        time.time_ns(),
        environ_names_service=_names_service(environ),
    )
    return cast(Figures, figures)


def metrics_every_s(environ: Mapping[str, str]) -> float:
    """How often metrics are sent, by OpenTelemetry's own variable, which counts milliseconds."""
    wanted = environ.get("OTEL_METRIC_EXPORT_INTERVAL", "")
    return max(1.0, int(wanted) / 1000) if wanted.isdecimal() else 60.0


def _names_service(environ: Mapping[str, str]) -> bool:
    return "OTEL_SERVICE_NAME" in environ or "service.name=" in environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
