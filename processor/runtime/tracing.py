"""Traces of messages by OpenTelemetry: an extra, and nothing without it or without an exporter's address.

The ids of a trace follow from the ``event_id``, so the processes that receive, handle and deliver a message
take part in one trace without passing anything on (decision 33).

At its end a process exports what waits. A web process that granian forked ends without that before Python
3.13, and then the spans of its last five seconds are lost.
https://www.w3.org/TR/trace-context/
"""

import contextlib
import hashlib
import os
import secrets
from datetime import datetime
from importlib import import_module
from typing import Any

trace: Any = None
sdk: Any = None
export: Any = None
exporters: Any = None
resources: Any = None
instrumentation: Any = None
with contextlib.suppress(ImportError):  # an extra
    trace = import_module("opentelemetry.trace")
    sdk = import_module("opentelemetry.sdk.trace")
    export = import_module("opentelemetry.sdk.trace.export")
    resources = import_module("opentelemetry.sdk.resources")
    instrumentation = import_module("opentelemetry.sdk.util.instrumentation")
    exporters = import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
SERVICE_NAME = "codat-processor"
ROOT = "receive"
"""The first span of a trace; all others are its children."""

_provider: Any = None
_processor: Any = None


def configure(role: str) -> bool:
    """Export spans of this process if the extra is installed and the environment names an exporter."""
    global _provider, _processor
    if sdk is None or not any(os.environ.get(name) for name in ENDPOINTS):
        return False
    attributes = {"service.name": os.environ.get("OTEL_SERVICE_NAME", SERVICE_NAME), "process.role": role}
    _provider = sdk.TracerProvider(resource=resources.Resource.create(attributes))
    _processor = export.BatchSpanProcessor(exporters.OTLPSpanExporter())
    _provider.add_span_processor(_processor)
    return True


def stop() -> None:
    """Export what waits, and record nothing more; at the end of a process it happens by itself."""
    global _provider
    if _provider is not None:
        _provider.shutdown()
    _provider = None


def is_on() -> bool:
    """Whether spans are exported."""
    return _provider is not None


def record(
    name: str,
    event_id: str | None,
    began: datetime,
    ended: datetime,
    *,
    span_id: str | None = None,
    is_error: bool = False,
    **attributes: str | int | None,
) -> None:
    """Record a span of the trace of a message. ``span_id`` is one of :func:`span_id_of`, else random.

    A tracer would choose the ids of a span itself, so the span is made here, with the sampler's decision.
    """
    if _provider is None or not event_id or not _is_sampled(trace_id_of(event_id)):
        return
    root_id = span_id_of(event_id)
    span_id = root_id if name == ROOT else span_id or secrets.token_hex(8)
    span = sdk.ReadableSpan(
        name,
        _context(event_id, span_id, is_remote=False),
        None if name == ROOT else _context(event_id, root_id, is_remote=True),
        _provider.resource,
        {
            "event_id": event_id,
            **{name: value for name, value in attributes.items() if value is not None},
        },
        status=trace.Status(trace.StatusCode.ERROR if is_error else trace.StatusCode.UNSET),
        start_time=_nanoseconds(began),
        end_time=_nanoseconds(ended),
        instrumentation_scope=instrumentation.InstrumentationScope(SERVICE_NAME),
    )
    _processor.on_end(span)


def _context(event_id: str, span_id: str, *, is_remote: bool) -> Any:
    """What identifies a span that is exported."""
    flags = trace.TraceFlags(trace.TraceFlags.SAMPLED)
    return trace.SpanContext(int(trace_id_of(event_id), 16), int(span_id, 16), is_remote, flags)


def _is_sampled(trace_id: str) -> bool:
    """Whether the sampler of this process (``OTEL_TRACES_SAMPLER``) takes the first span of a trace."""
    return bool(_provider.sampler.should_sample(None, int(trace_id, 16), ROOT).decision.is_sampled())


def trace_id_of(event_id: str) -> str:
    """The id of the trace of a message: 32 hexadecimal digits."""
    return _digest("trace", event_id)[:32]


def span_id_of(*parts: str) -> str:
    """The id of a span: 16 hexadecimal digits."""
    return _digest("span", *parts)[:16]


def traceparent(event_id: str, span_id: str) -> str:
    """The header ``traceparent`` with which a receiver continues the trace of a message.

    Its flag says whether our own spans of this trace are exported.
    """
    trace_id = trace_id_of(event_id)
    return f"00-{trace_id}-{span_id}-{'01' if is_on() and _is_sampled(trace_id) else '00'}"


def attempt_span_id(notification_id: str, lane_id: str, tries: int) -> str:
    """The id of the span of an attempt, which ``traceparent`` names."""
    return span_id_of(notification_id, lane_id, str(tries))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000) * 1_000
