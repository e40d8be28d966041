"""The way traces and metrics go: OpenTelemetry's SDK, imported only where a collector is named."""

import os
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Protocol, cast

from prometheus_client.metrics_core import Metric

from proxy.domain.fault import Fault, Kind, Source
from proxy.observe.traces import Ended

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
