"""OpenTelemetry traces (extra `otel`): a span for each request, and one for each part of it that took time.

Nothing is imported before [serve] traces names a collector, and no environment variable names one in its place.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

from feilun.errors import ExtraMissing
from feilun.logs import REQUEST_ID
from feilun.version import __version__

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

SEND_WITHIN_S = 5.0
MOST_PARTS = 128  # of one request; more would be a trace that nobody reads
_PARENT = re.compile(rb"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class Traces:
    """Makes spans and sends them, in a thread of its own, to the collector at `url`; what it cannot send is dropped.

    Raises:
        ExtraMissing: OpenTelemetry is not installed.
    """

    def __init__(self, url: str) -> None:
        try:
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider, sampling
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ImportError as error:
            raise _missing() from error
        self._provider = TracerProvider(
            sampler=sampling.ParentBased(sampling.ALWAYS_ON),
            resource=Resource.create({"service.name": "feilun", "service.version": __version__}),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(BatchSpanProcessor(_exporter(url)))
        self._tracer = self._provider.get_tracer("feilun", __version__)

    def begin(self, headers: list[tuple[bytes, bytes]]) -> RequestTrace:
        """Called when a request comes in; goes on with the trace that its `traceparent` names."""
        parent = next((value for name, value in headers if name == b"traceparent"), b"")
        return RequestTrace(self._tracer, parent.decode() if _PARENT.fullmatch(parent) else "")

    def close(self) -> None:
        """Send what waits."""
        self._provider.shutdown()


class RequestTrace:
    """One request while it is worked on. `note` may be called from any thread."""

    def __init__(self, tracer: Any, parent: str) -> None:
        self._tracer, self._parent = tracer, parent
        self._began_ns = time.time_ns()
        self._parts: list[tuple[str, int, int]] = []

    def note(self, name: str, began_ns: int, ended_ns: int) -> None:
        """A part of the work."""
        if len(self._parts) < MOST_PARTS:
            self._parts.append((name, began_ns, ended_ns))

    def end(self, scope: Any, *, status: int) -> None:
        """Make the spans. They tell of the route and the status, of nothing that the client wrote."""
        from opentelemetry.trace import SpanKind, StatusCode, set_span_in_context
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        method, route = scope["method"][:16], getattr(scope.get("route"), "path", "none")
        span = self._tracer.start_span(
            f"{method} {route}",
            context=TraceContextTextMapPropagator().extract({"traceparent": self._parent}),
            kind=SpanKind.SERVER,
            start_time=self._began_ns,
            attributes={
                "http.request.method": method,
                "http.route": route,
                "http.response.status_code": status,
                "feilun.request_id": REQUEST_ID.get(),
            },
        )
        for name, began_ns, ended_ns in self._parts:
            part = self._tracer.start_span(name, context=set_span_in_context(span), start_time=began_ns)
            part.end(ended_ns)
        if status >= 500:
            span.set_status(StatusCode.ERROR)
        span.end(time.time_ns())


def _exporter(url: str) -> SpanExporter:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError as error:
        raise _missing() from error
    return OTLPSpanExporter(endpoint=url, timeout=SEND_WITHIN_S)


def _missing() -> ExtraMissing:
    return ExtraMissing(feature="[serve] traces", package="opentelemetry-exporter-otlp-proto-http", extra="otel")
