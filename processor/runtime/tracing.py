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
import threading
from datetime import datetime
from importlib import import_module
from typing import Any

trace: Any = None
sdk: Any = None
export: Any = None
exporters: Any = None
resources: Any = None
id_generators: Any = None
with contextlib.suppress(ImportError):  # an extra
    trace = import_module("opentelemetry.trace")
    sdk = import_module("opentelemetry.sdk.trace")
    export = import_module("opentelemetry.sdk.trace.export")
    resources = import_module("opentelemetry.sdk.resources")
    id_generators = import_module("opentelemetry.sdk.trace.id_generator")
    exporters = import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
SERVICE_NAME = "codat-processor"
ROOT = "receive"
"""The first span of a trace; all others are its children."""

_tracer: Any = None
_provider: Any = None
_ids: Any = None
_lock = threading.Lock()


def configure(role: str) -> bool:
    """Export spans of this process if the extra is installed and the environment names an exporter."""
    global _tracer, _ids, _provider
    if sdk is None or not any(os.environ.get(name) for name in ENDPOINTS):
        return False
    attributes = {"service.name": os.environ.get("OTEL_SERVICE_NAME", SERVICE_NAME), "process.role": role}
    _ids = _make_ids()
    _provider = sdk.TracerProvider(resource=resources.Resource.create(attributes), id_generator=_ids)
    _provider.add_span_processor(export.BatchSpanProcessor(exporters.OTLPSpanExporter()))
    _tracer = _provider.get_tracer(SERVICE_NAME)
    return True


def stop() -> None:
    """Export what waits, and record nothing more; at the end of a process it happens by itself."""
    global _tracer, _provider
    if _provider is not None:
        _provider.shutdown()
    _tracer = _provider = None


def is_on() -> bool:
    """Whether spans are exported."""
    return _tracer is not None


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
    """Record a span of the trace of a message. ``span_id`` is one of :func:`span_id_of`."""
    if _tracer is None or not event_id:
        return
    trace_id, root_id = trace_id_of(event_id), span_id_of(event_id)
    fixed_span_id = root_id if name == ROOT else span_id
    context = None
    if name != ROOT:
        flags = trace.TraceFlags(trace.TraceFlags.SAMPLED if _is_sampled(trace_id) else 0)
        parent = trace.SpanContext(int(trace_id, 16), int(root_id, 16), is_remote=True, trace_flags=flags)
        context = trace.set_span_in_context(trace.NonRecordingSpan(parent))
    fields = {name: value for name, value in attributes.items() if value is not None}
    with _lock:
        _ids.fixed = (int(trace_id, 16), int(fixed_span_id, 16) if fixed_span_id else None)
        span = _tracer.start_span(
            name, context=context, start_time=_nanoseconds(began), attributes={"event_id": event_id, **fields}
        )
        _ids.fixed = None
    if is_error:
        span.set_status(trace.StatusCode.ERROR)
    span.end(_nanoseconds(ended))


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


def _make_ids() -> Any:
    """A generator of random ids, except where ``fixed`` says the trace and, perhaps, the span."""

    class Ids(id_generators.RandomIdGenerator):  # type: ignore[misc]
        fixed: tuple[int, int | None] | None = None

        def generate_trace_id(self) -> int:
            """The fixed id, or a random one."""
            return self.fixed[0] if self.fixed else int(super().generate_trace_id())

        def generate_span_id(self) -> int:
            """The fixed id, or a random one."""
            fixed_id = self.fixed[1] if self.fixed else None
            return fixed_id if fixed_id is not None else int(super().generate_span_id())

    return Ids()
