"""Sending again and giving up, over HTTP, as each generation does it."""

import socket
from collections.abc import Callable
from typing import Any

import pytest
from standardwebhooks import Webhook

from processor.simulator import Generation, SimulatorClient, SimulatorServer
from tests.processor.simulator.receiving import Receiver

MakeServer = Callable[..., SimulatorServer]
QUICK = 1e-6
LEGACY = frozenset({Generation.LEGACY})


def deliveries(control: SimulatorClient) -> list[dict[str, Any]]:
    result = control.deliveries()["deliveries"]
    assert isinstance(result, list)
    return result


def test_a_message_is_the_same_at_every_attempt_and_signed_anew(
    make_server: MakeServer, receiver: Receiver
) -> None:
    now = iter(range(1_800_000_000, 1_900_000_000, 60))
    server = make_server(retry_scale=QUICK, clock=lambda: float(next(now)))
    receiver.answers.extend([(500, {}), (404, {}), (301, {"Location": "/"})])
    with SimulatorClient(server.url) as control:
        control.create_company("Corner Shop")
    first, *others = receiver.wait_for(4)
    for other in others:
        assert other.raw == first.raw
        assert other.headers["webhook-id"] == first.headers["webhook-id"]
    assert len({request.headers["webhook-timestamp"] for request in receiver.received}) == 4
    assert len({request.headers["webhook-signature"] for request in receiver.received}) == 4


def test_each_attempt_is_signed_so_that_it_verifies(make_server: MakeServer, receiver: Receiver) -> None:
    server = make_server(retry_scale=QUICK)
    receiver.answers.append((503, {}))
    with SimulatorClient(server.url) as control:
        control.create_company("Corner Shop")
    for answer in receiver.wait_for(2):
        Webhook(server.config.webhook_secret).verify(answer.raw, dict(answer.headers))


def test_the_current_generation_gives_up_after_eight_attempts(
    make_server: MakeServer, receiver: Receiver
) -> None:
    server = make_server(retry_scale=QUICK)
    receiver.answers.extend([(400, {})] * 20)
    with SimulatorClient(server.url) as control:
        control.create_company("Corner Shop")
        assert server.simulation.wait_until_idle(60)
        records = deliveries(control)
    assert len(receiver.received) == 8
    assert [record["attempt"] for record in records] == [8, 7, 6, 5, 4, 3, 2, 1]
    assert [record["outcome"] for record in records] == ["given up"] + ["failed"] * 7
    assert records[0]["next_in_s"] is None
    assert records[-1]["next_in_s"] == pytest.approx(5 * QUICK)


@pytest.mark.parametrize("status", [400, 401, 404, 422, 500, 501, 301])
def test_a_legacy_alert_is_never_sent_again_after_most_errors(
    make_server: MakeServer, receiver: Receiver, status: int
) -> None:
    server = make_server(generations=LEGACY, retry_scale=QUICK)
    receiver.answers.append((status, {}))
    with SimulatorClient(server.url) as control:
        control.connect(control.create_company("Corner Shop"), "gbol")
        assert server.simulation.wait_until_idle(60)
        assert [record["outcome"] for record in deliveries(control)] == ["given up"]
    assert len(receiver.received) == 1


@pytest.mark.parametrize("status", [408, 420, 429, 460, 502, 503, 504, 522, 524])
def test_a_legacy_alert_is_sent_three_times_more_after_some_errors(
    make_server: MakeServer, receiver: Receiver, status: int
) -> None:
    server = make_server(generations=LEGACY, retry_scale=QUICK)
    receiver.answers.extend([(status, {})] * 9)
    with SimulatorClient(server.url) as control:
        control.connect(control.create_company("Corner Shop"), "gbol")
    assert server.simulation.wait_until_idle(60)
    assert len(receiver.received) == 4
    assert len({request.raw for request in receiver.received}) == 1


def test_a_legacy_alert_comes_back_when_it_was_asked_to(make_server: MakeServer, receiver: Receiver) -> None:
    server = make_server(generations=LEGACY)
    receiver.answers.append((503, {"Retry-After": "0"}))
    with SimulatorClient(server.url) as control:
        control.connect(control.create_company("Corner Shop"), "gbol")
        receiver.wait_for(2)
        assert server.simulation.wait_until_idle(60)
        assert deliveries(control)[-1]["next_in_s"] == 0


@pytest.mark.parametrize("generation", [Generation.CURRENT, Generation.LEGACY])
def test_no_answer_in_time_is_tried_again(
    make_server: MakeServer, receiver: Receiver, generation: Generation
) -> None:
    server = make_server(generations=frozenset({generation}), retry_scale=QUICK, answer_timeout_s=0.5)
    receiver.answers.append(None)
    with SimulatorClient(server.url) as control:
        connection_id = control.connect(control.create_company("Shop", deliver="drop"), "gbol")
        assert server.simulation.wait_until_idle(60)
        records = deliveries(control)
    first = next(record for record in reversed(records) if record["connection_id"] == connection_id)
    assert (first["outcome"], first["status"], first["error"]) == ("failed", None, "ReadTimeout")
    assert records[0]["outcome"] == "delivered"


def test_a_receiver_that_is_away_is_tried_again(make_server: MakeServer) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # it stays ours, and nobody listens
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/webhooks/codat"
        server = make_server(retry_scale=QUICK, webhook_url=url)
        with SimulatorClient(server.url) as control:
            control.create_company("Corner Shop")
            assert server.simulation.wait_until_idle(60)
            records = deliveries(control)
    assert len(records) == 8
    assert {record["error"] for record in records} == {"ConnectError"}
