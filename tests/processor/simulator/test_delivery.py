"""Sending: tried again as each generation is, lost, doubled, held back and in a given mode on demand."""

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from processor.simulator import Generation, SimulatorClient, SimulatorServer
from processor.simulator.clients import http_client
from tests.processor.simulator.receiving import Receiver
from tests.support.service import until

MakeServer = Callable[..., SimulatorServer]
QUICK = 1e-6
LEGACY = frozenset({Generation.LEGACY})


def deliveries(control: SimulatorClient) -> list[dict[str, Any]]:
    result = control.deliveries()["deliveries"]
    assert isinstance(result, list)
    return result


def test_without_an_endpoint_nothing_is_sent(make_server: MakeServer) -> None:
    server = make_server(webhook_url=None)
    with SimulatorClient(server.url) as control:
        control.create_company("Corner Shop")
        assert control.deliveries() == {"deliveries": [], "pending": 0, "held": 0}


def test_messages_keep_their_order_with_one_sender(
    server: SimulatorServer, control: SimulatorClient, receiver: Receiver
) -> None:
    ids = [control.create_company(f"Shop {number}") for number in range(30)]
    assert server.simulation.wait_until_idle(60)
    assert [request.body["payload"]["id"] for request in receiver.received] == ids


def test_lost_messages_are_never_sent(
    server: SimulatorServer, control: SimulatorClient, receiver: Receiver
) -> None:
    control.disturb(drop=1)
    control.create_company("Corner Shop")
    control.disturb(drop=0)
    control.create_company("Other Shop")
    assert server.simulation.wait_until_idle(60)
    assert [request.body["payload"]["name"] for request in receiver.received] == ["Other Shop"]
    assert [record["outcome"] for record in deliveries(control)] == ["delivered", "dropped"]


def test_doubled_messages_are_the_same_message(
    server: SimulatorServer, control: SimulatorClient, receiver: Receiver
) -> None:
    control.disturb(duplicate=1)
    control.create_company("Corner Shop")
    assert server.simulation.wait_until_idle(60)
    first, second = receiver.received
    assert first.raw == second.raw
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


def test_held_messages_wait_for_their_release(
    server: SimulatorServer, control: SimulatorClient, receiver: Receiver
) -> None:
    control.disturb(hold=True)
    ids = [control.create_company(f"Shop {number}") for number in range(5)]
    assert server.simulation.wait_until_idle(60)
    assert receiver.received == []
    assert control.deliveries()["held"] == 5
    assert control.release() == 5
    assert control.release() == 0
    assert server.simulation.wait_until_idle(60)
    assert [request.body["payload"]["id"] for request in receiver.received] == ids


def test_released_messages_come_in_another_order_when_shuffled(
    server: SimulatorServer, control: SimulatorClient, receiver: Receiver
) -> None:
    control.disturb(hold=True, shuffle=True, duplicate=1, seed=7)
    ids = [control.create_company(f"Shop {number}") for number in range(10)]
    assert control.release() == 20
    assert server.simulation.wait_until_idle(60)
    came = [request.body["payload"]["id"] for request in receiver.received]
    assert sorted(came) == sorted(ids * 2)
    assert came != [item for item in ids for _ in range(2)]


def test_shuffled_messages_overtake_each_other_without_being_held(
    server: SimulatorServer, control: SimulatorClient, receiver: Receiver
) -> None:
    control.disturb(shuffle=True, seed=1)
    with server.simulation.lock:  # all in one moment, so that the delays alone decide
        ids = [server.simulation.world.create_company(f"Shop {number}").id for number in range(12)]
    assert server.simulation.wait_until_idle(60)
    came = [request.body["payload"]["id"] for request in receiver.received]
    assert sorted(came) == sorted(ids)
    assert came != ids


def test_delayed_messages_come_later(control: SimulatorClient, receiver: Receiver) -> None:
    control.disturb(delay_s=[0.2, 0.3])
    before = time.monotonic()
    control.create_company("Corner Shop")
    receiver.wait_for(1)
    assert time.monotonic() - before >= 0.2


def test_decisions_with_a_seed_repeat(
    server: SimulatorServer, control: SimulatorClient, receiver: Receiver
) -> None:
    def survivors() -> list[str]:
        receiver.received.clear()
        control.disturb(drop=0.5, seed=42)
        for number in range(20):
            control.create_company(f"Shop {number}")
        assert server.simulation.wait_until_idle(60)
        return [request.body["payload"]["name"] for request in receiver.received]

    first = survivors()
    assert 0 < len(first) < 20
    assert survivors() == first


def test_a_single_change_can_be_lost_held_or_spared(
    server: SimulatorServer, control: SimulatorClient, receiver: Receiver
) -> None:
    control.create_company("Lost", deliver="drop")
    control.create_company("Held", deliver="hold")
    control.disturb(drop=1)
    control.create_company("Spared", deliver="normal")
    control.release()
    assert server.simulation.wait_until_idle(60)
    assert [request.body["payload"]["name"] for request in receiver.received] == ["Spared", "Held"]


def test_a_change_in_a_given_mode_of_a_connection_leaves_the_truth_alone(
    server: SimulatorServer, control: SimulatorClient, receiver: Receiver
) -> None:
    company_id = control.create_company("Shop")
    connection_id = control.connect(company_id, "gbol")
    control.change(connection_id, "authorize", deliver="drop")
    assert server.simulation.wait_until_idle(60)
    assert receiver.types() == ["company.created", "connection.created"]
    truth: Any = control.truth()
    assert truth["companies"][company_id]["connections"][connection_id]["status"] == "Linked"


@pytest.mark.parametrize(
    "chaos",
    [
        {"drop": 2},
        {"drop": -1},
        {"drop": True, "nothing": 1},
        {"delay_s": [2, 1]},
        {"delay_s": 1},
        {"hold": 1},
        {"seed": "x"},
    ],
)
def test_a_disturbance_that_makes_no_sense_is_refused(api: httpx.Client, chaos: object) -> None:
    before = api.get("/simulator/chaos").json()
    assert api.patch("/simulator/chaos", json=chaos).status_code == 400
    assert api.get("/simulator/chaos").json() == before


def test_consumers_get_what_they_asked_for_under_the_same_id(
    make_server: MakeServer, receiver: Receiver
) -> None:
    server = make_server(webhook_url=None, generations=frozenset({Generation.CURRENT, Generation.LEGACY}))
    headers = {"Authorization": server.config.api_authorization}
    with http_client(base_url=server.url, headers=headers) as api, SimulatorClient(server.url) as control:
        url = receiver.url
        wanted = {"eventTypes": ["connection.created"], "companyTags": ["kind:shop", "kind:inn"]}
        api.post("/webhooks", json={"url": f"{url}?a", **wanted})
        api.post("/webhooks", json={"url": f"{url}?b"})
        api.post("/webhooks", json={"url": f"{url}?c", "disabled": True})
        control.connect(control.create_company("Shop", {"kind": "shop"}), "gbol")
        control.connect(control.create_company("Other", {"kind": "other"}), "gbol")
        assert server.simulation.wait_until_idle(60)
        records = [(record["url"][-1], record["event_type"]) for record in reversed(deliveries(control))]
    everything = [("b", "company.created"), ("b", "connection.created")]
    assert sorted(records) == sorted([*everything, *everything, ("a", "connection.created")])
    ids = [
        request.headers["webhook-id"] for request in receiver.received if request.type == "connection.created"
    ]
    assert len(ids) == 3
    assert len(set(ids)) == 2


def test_an_endpoint_that_is_a_consumer_too_gets_each_message_once(
    server: SimulatorServer, api: httpx.Client, control: SimulatorClient, receiver: Receiver
) -> None:
    api.post("/webhooks", json={"url": receiver.url})
    control.create_company("Shop")
    assert server.simulation.wait_until_idle(60)
    assert len(receiver.received) == 1


def test_generations_can_be_changed_on_the_way(
    server: SimulatorServer, control: SimulatorClient, api: httpx.Client
) -> None:
    company_id = control.create_company("Shop")
    control.change_settings(generations=["legacy", "migrated"])
    control.connect(company_id, "strp")
    control.change_settings(generations=[])
    control.connect(company_id, "sqre")
    assert server.simulation.wait_until_idle(60)
    assert [record["generation"] for record in deliveries(control)] == ["migrated", "legacy", "current"]
    assert api.patch("/simulator/settings", json={"generations": ["future"]}).status_code == 400
    assert api.patch("/simulator/settings", json={"sync_s": -1}).status_code == 400


def test_the_simulator_stops_at_once_with_messages_waiting(
    make_server: MakeServer, receiver: Receiver
) -> None:
    server = make_server(retry_scale=1_000.0)
    receiver.answers.append((500, {}))
    with SimulatorClient(server.url) as control:
        control.create_company("Shop")
        until(lambda: deliveries(control) and control.pending() == 1)  # it was refused, and waits
        control.disturb(hold=True)
        control.create_company("Shop")
        assert control.pending() == 1
    before = time.monotonic()
    server.stop()
    assert time.monotonic() - before < 60
    assert len(receiver.received) == 1
    with http_client() as http, pytest.raises(httpx.ConnectError):
        http.get(server.url)
