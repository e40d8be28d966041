"""The way traces go: OpenTelemetry's SDK, imported only where a collector is named."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Protocol, cast

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
    named = "OTEL_SERVICE_NAME" in environ or "service.name=" in environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
    module = import_module("proxy.observe.otlp")
    return cast(Spans, module.Spans(endpoint, environ_names_service=named))
