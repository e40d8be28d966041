"""A collector: takes spans and metrics over OTLP/HTTP as OpenTelemetry's own does, and keeps
them."""

import contextlib
import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.kit.running import until


class Collector:
    """`spans` in the order they came; `resources` what each batch said of its sender."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.spans: list[Span] = []
        self.metrics: list[dict[str, Metric]] = []
        """By name, an export at a time."""
        self.metrics_from: list[dict[str, Any]] = []
        self.resources: list[dict[str, Any]] = []
        self.requests: list[dict[str, str]] = []
        self.refuses = False

    def wait(self, count: int) -> list[Span]:
        """Until so many are here."""
        until(lambda: len(self.spans) >= count, f"{count} spans", 30.0)
        return self.spans

    def take_metrics(self, body: bytes) -> None:
        """One export of them."""
        for batch in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            self.metrics_from.append(attributes(batch.resource))
            [scope] = batch.scope_metrics
            self.metrics.append({metric.name: metric for metric in scope.metrics})

    def take(self, body: bytes) -> None:
        """One export of spans."""
        asked = ExportTraceServiceRequest.FromString(body)
        for batch in asked.resource_spans:
            self.resources.append(attributes(batch.resource))
            for scope in batch.scope_spans:
                self.spans.extend(scope.spans)


def attributes(of: Any) -> dict[str, Any]:
    """Names to values of a span, an event or a resource."""
    found = {}
    for each in of.attributes:
        kind = each.value.WhichOneof("value")
        value = getattr(each.value, kind)
        if kind == "array_value":
            value = [item.string_value for item in value.values]
        assert each.key not in found, f"{each.key} is there twice"
        found[each.key] = value
    return found


@contextlib.contextmanager
def collector() -> Iterator[Collector]:
    """One that listens."""

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            there.requests.append({"path": self.path, **dict(self.headers.items())})
            if there.refuses:
                self.send_response(400)
                self.send_header("content-length", "0")
                self.end_headers()
                return
            (there.take_metrics if self.path == "/v1/metrics" else there.take)(body)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args: object) -> None:
            """In silence."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    there = Collector(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield there
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
