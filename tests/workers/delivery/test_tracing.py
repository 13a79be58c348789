"""One message is one trace, from Codat's POST to the receivers' answers, and one event id in the log."""

import logging
from collections.abc import Iterator

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from processor.clock import utc_now
from processor.runtime import tracing
from tests.support import messages
from tests.support.serving import serving
from tests.support.workbench import Workbench
from tests.workers.delivery.post import Post
from tests.workers.delivery.receiving import MakeReceiver, Receiver, status


@pytest.fixture
def collector(receiver: MakeReceiver, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """Takes the spans of this process."""
    collector = receiver()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{collector.url}/v1/traces")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    assert tracing.configure("test")
    yield collector
    tracing.stop()


def spans(collector: Receiver) -> list[Span]:
    """All spans, after the last was exported."""
    tracing.stop()
    requests = [ExportTraceServiceRequest.FromString(request.raw) for request in collector.received]
    return [
        span
        for request in requests
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def tell(redis_url: str, post: Post) -> None:
    """Codat posts a message, a worker handles it, and another delivers what follows."""
    body = messages.connected("company-1", "connection-1")
    answer = serving(redis_url).post("/webhooks/codat", data=body, headers=messages.signed(body, "msg_1"))
    assert answer.status_code == 202
    bench = Workbench(post.client, clock=post.clock)
    assert bench.drain_all() == 1
    post.fan_out()
    post.dispatcher().run_once()


def test_one_message_is_one_trace_to_the_receivers_answers(
    redis_url: str, post: Post, receiver: MakeReceiver, collector: Receiver
) -> None:
    asks, other = receiver(), receiver(always=status(503))
    post.subscribers.add(url=asks.url, traceparent=True, headers={"Traceparent": "mine"})
    post.subscribers.add(url=other.url)
    tell(redis_url, post)
    exported = spans(collector)
    by_name = {span.name: span for span in exported}
    assert by_name.keys() == {"receive", "handle", "decide", "deliver"}
    assert {span.trace_id.hex() for span in exported} == {tracing.trace_id_of("msg_1")}
    root = by_name["receive"]
    assert root.parent_span_id == b""
    assert {span.parent_span_id for span in exported if span is not root} == {root.span_id}
    deliveries = [span for span in exported if span.name == "deliver"]
    assert sorted(span.status.code for span in deliveries) == [
        Status.STATUS_CODE_UNSET,
        Status.STATUS_CODE_ERROR,
    ]
    (passed_on,) = (request.headers["traceparent"] for request in asks.received)
    version, trace_id, span_id, flags = passed_on.split("-")
    assert (version, trace_id, flags) == ("00", tracing.trace_id_of("msg_1"), "01")
    assert span_id in {span.span_id.hex() for span in deliveries}
    assert all("traceparent" not in request.headers for request in other.received)


@pytest.mark.parametrize(("ratio", "names"), [("0", set()), ("1", {"receive", "handle"})])
def test_a_trace_is_exported_as_a_whole_or_not_at_all(
    collector: Receiver, monkeypatch: pytest.MonkeyPatch, ratio: str, names: set[str]
) -> None:
    tracing.stop()
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", ratio)
    assert tracing.configure("test")
    for name in ("receive", "handle"):
        tracing.record(name, "msg_1", utc_now(), utc_now())
    flag = tracing.traceparent("msg_1", "ab" * 8).rpartition("-")[2]
    assert flag == ("01" if names else "00")
    assert {span.name for span in spans(collector)} == names


def test_without_an_exporter_nothing_is_recorded_and_a_receiver_still_gets_the_header(
    redis_url: str, post: Post, receiver: MakeReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in tracing.ENDPOINTS:
        monkeypatch.delenv(name, raising=False)
    assert not tracing.configure("test")
    assert not tracing.is_on()
    asks = receiver()
    post.subscribers.add(url=asks.url, traceparent=True)
    tell(redis_url, post)
    _, trace_id, _, flags = asks.received[0].headers["traceparent"].split("-")
    assert (trace_id, flags) == (tracing.trace_id_of("msg_1"), "00")


def test_every_line_about_a_message_has_its_event_id(
    redis_url: str, post: Post, receiver: MakeReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    post.subscribers.add(url=receiver().url)
    with caplog.at_level(logging.INFO):
        tell(redis_url, post)
    said = [record.getMessage() for record in caplog.records if vars(record).get("event_id") == "msg_1"]
    assert said == [
        "a message was received",
        "a message was handled",
        "a notification was decided",
        "a notification was delivered",
    ]
