"""What is sent about each change, and how it can be told to be Codat's."""

import base64
import re
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from processor.simulator import Generation, SimulatorClient, SimulatorConfig, SimulatorServer
from tests.processor.simulator.receiving import Received, Receiver

MakeServer = Callable[..., SimulatorServer]
STATUS_CHANGED = "DataConnectionStatusChanged"


def played(
    make_server: MakeServer, receiver: Receiver, generation: Generation, key: str, *changes: str
) -> list[Received]:
    """Everything that one generation sends of a new connection that goes through the changes."""
    server = make_server(generations=frozenset({generation}))
    with SimulatorClient(server.url) as control:
        connection_id = control.connect(control.create_company("Corner Shop", {"merchantId": "m-1"}), key)
        for change in changes:
            control.change(connection_id, change)
    assert server.simulation.wait_until_idle(60)
    return receiver.received


@pytest.mark.parametrize(
    ("key", "changes", "current", "legacy"),
    [
        ("gbol", [], [], []),
        ("gbol", ["authorize"], ["connection.connected"], [STATUS_CHANGED]),
        ("gbol", ["fail"], ["connection.failed"], []),
        (
            "gbol",
            ["authorize", "complete-sync"],
            ["connection.connected", "read.completed.initial"],
            [STATUS_CHANGED, "New company synchronized"],
        ),
        (
            "upld",
            ["authorize", "read"],
            ["connection.connected", "read.completed"],
            [STATUS_CHANGED, "Data sync completed", "Dataset data changed"],
        ),
        (
            "gbol",
            ["authorize", "deauthorize", "reauthorize", "unlink"],
            [
                "connection.connected",
                "connection.disconnected",
                "connection.reconnected",
                "connection.disconnected",
            ],
            [STATUS_CHANGED] * 4,
        ),
        ("gbol", ["delete"], ["connection.deleted"], []),
        ("strp", ["delete"], ["connection.deleted"], ["Sync Connection Deleted"]),
    ],
)
def test_each_change_is_told_in_each_generations_words(
    make_server: MakeServer,
    receiver: Receiver,
    key: str,
    changes: list[str],
    current: list[str],
    legacy: list[str],
) -> None:
    played(make_server, receiver, Generation.CURRENT, key, *changes)
    assert receiver.types() == ["company.created", "connection.created", *current]
    receiver.received.clear()
    played(make_server, receiver, Generation.LEGACY, key, *changes)
    assert receiver.types() == [STATUS_CHANGED, *legacy]


def test_a_first_sync_without_any_success_has_no_legacy_alert(
    make_server: MakeServer, receiver: Receiver
) -> None:
    server = make_server(generations=frozenset({Generation.CURRENT, Generation.LEGACY}))
    with SimulatorClient(server.url) as control:
        connection_id = control.connect(control.create_company("Corner Shop"), "gbol")
        control.change(connection_id, "authorize")
        control.change(connection_id, "complete-sync", outcomes={"bills": "FetchError"})
        control.change(connection_id, "read", outcomes={"bills": "AuthError", "items": "NotSupported"})
    assert server.simulation.wait_until_idle(60)
    assert "New company synchronized" not in receiver.types()
    alert = receiver.received[-1].body
    assert alert["RuleType"] == "Data Sync Status Changed To Error"
    assert alert["Data"]["datasetStatus"] == "AuthError"
    assert alert["DataConnectionId"] == connection_id


def test_current_messages_are_signed_and_nothing_else(make_server: MakeServer, receiver: Receiver) -> None:
    secret = "whsec_" + base64.b64encode(b"a secret of the tests").decode()
    server = make_server(webhook_secret=secret)
    with SimulatorClient(server.url) as control:
        control.create_company("Corner Shop")
    message = receiver.wait_for(1)[0]
    Webhook(secret).verify(message.raw, dict(message.headers))
    with pytest.raises(WebhookVerificationError):
        Webhook(SimulatorConfig().webhook_secret).verify(message.raw, dict(message.headers))
    assert message.headers["webhook-id"].startswith("msg_")
    assert "authorization" not in message.headers
    assert "x-codat-clientid" not in message.headers


def test_legacy_alerts_have_a_password_and_no_signature(make_server: MakeServer, receiver: Receiver) -> None:
    settings = {"alert_authorization": "Basic abc=", "client_id": "client-1"}
    server = make_server(generations=frozenset({Generation.LEGACY}), **settings)
    with SimulatorClient(server.url) as control:
        control.connect(control.create_company("Corner Shop"), "gbol")
    message = receiver.wait_for(1)[0]
    assert message.headers["authorization"] == "Basic abc="
    assert message.headers["x-codat-clientid"] == "client-1"
    assert not [name for name in message.headers if name.startswith("webhook-")]
    assert message.body["ClientId"] == "client-1"


def test_migrated_rules_have_the_legacy_body_with_password_and_signature(
    make_server: MakeServer, receiver: Receiver
) -> None:
    server = make_server(generations=frozenset({Generation.MIGRATED}))
    with SimulatorClient(server.url) as control:
        control.connect(control.create_company("Corner Shop"), "gbol")
    message = receiver.wait_for(1)[0]
    assert message.body["RuleType"] == STATUS_CHANGED
    assert message.headers["authorization"] == server.config.alert_authorization
    Webhook(server.config.webhook_secret).verify(message.raw, dict(message.headers))


def test_messages_have_their_own_webhook_id_but_share_a_body_id(
    make_server: MakeServer, receiver: Receiver
) -> None:
    messages = played(make_server, receiver, Generation.CURRENT, "gbol", "authorize", "complete-sync")
    assert len({message.headers["webhook-id"] for message in messages}) == len(messages)
    assert len({message.body["id"] for message in messages}) == 1


def test_alerts_about_equal_changes_differ_in_their_bytes(
    make_server: MakeServer, receiver: Receiver
) -> None:
    changes = ["authorize", "unlink", "reauthorize", "unlink", "reauthorize"]
    messages = played(make_server, receiver, Generation.LEGACY, "gbol", *changes)
    assert len({message.raw for message in messages}) == len(messages) == 6


def test_times_are_utc_with_seven_digits_and_rise(make_server: MakeServer, receiver: Receiver) -> None:
    changes = ["authorize", "complete-sync", "deauthorize", "reauthorize", "unlink", "delete"]
    messages = played(make_server, receiver, Generation.CURRENT, "gbol", *changes)
    times = [message.body["generatedDate"] for message in messages]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z", time) for time in times)
    microseconds = [
        datetime.strptime(time[:26], "%Y-%m-%dT%H:%M:%S.%f").replace(tzinfo=UTC) for time in times
    ]
    assert all(earlier < later for earlier, later in pairwise(microseconds))


def test_times_rise_also_when_the_clock_stands_still(make_server: MakeServer, receiver: Receiver) -> None:
    server = make_server(clock=lambda: 1_800_000_000.0)
    with SimulatorClient(server.url) as control:
        control.connect(control.create_company("Corner Shop"), "gbol")
    created, connected = (message.body["generatedDate"] for message in receiver.wait_for(2))
    assert created == "2027-01-15T08:00:00.0000000Z"
    assert connected == "2027-01-15T08:00:00.0000017Z"
    assert receiver.received[0].headers["webhook-timestamp"] == "1800000000"


def test_tags_and_platform_come_back_with_every_message(make_server: MakeServer, receiver: Receiver) -> None:
    messages = played(make_server, receiver, Generation.CURRENT, "gbol", "authorize", "complete-sync")
    for message in messages[1:]:
        assert message.body["payload"]["referenceCompany"]["tags"] == {"merchantId": "m-1"}
    connection = messages[2].body["payload"]["connection"]
    assert connection["platformName"] == "Xero"
    assert connection["integrationKey"] == "gbol"
    assert connection["sourceType"] == "Accounting"
    assert "otp" not in connection["linkUrl"]


def test_an_end_of_access_says_which_and_why(make_server: MakeServer, receiver: Receiver) -> None:
    messages = played(
        make_server, receiver, Generation.CURRENT, "gbol", "authorize", "deauthorize", "reauthorize", "unlink"
    )
    deauthorized, reconnected, unlinked = (message.body["payload"]["connection"] for message in messages[3:])
    assert deauthorized["status"] == "Deauthorized"
    assert deauthorized["dataConnectionErrors"][-1]["status"] == "Active"
    assert deauthorized["dataConnectionErrors"][-1]["statusCode"] == "401"
    assert reconnected["dataConnectionErrors"][-1]["status"] == "Resolved"
    assert unlinked["status"] == "Unlinked"


def test_legacy_status_changes_name_both_statuses(make_server: MakeServer, receiver: Receiver) -> None:
    messages = played(make_server, receiver, Generation.LEGACY, "gbol", "authorize", "deauthorize")
    changes = [
        (message.body["Data"].get("oldStatus"), message.body["Data"]["newStatus"]) for message in messages
    ]
    assert changes == [(None, "PendingAuth"), ("PendingAuth", "Linked"), ("Linked", "Deauthorized")]


def test_a_deleted_connection_keeps_its_last_status_in_the_message(
    make_server: MakeServer, receiver: Receiver
) -> None:
    messages = played(make_server, receiver, Generation.CURRENT, "gbol", "authorize", "delete")
    assert messages[-1].type == "connection.deleted"
    assert messages[-1].body["payload"]["connection"]["status"] == "Linked"


def test_secrets_are_not_shown(make_server: MakeServer) -> None:
    config = make_server(api_key="very-secret").config
    for secret in (config.api_key, config.webhook_secret, config.alert_authorization):
        assert secret not in repr(config)
