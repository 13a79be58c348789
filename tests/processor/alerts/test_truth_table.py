"""What Codat publishes, and a small body of each of its shapes, given to the application in every way.

The meaning of each published body stands in the index beside them; they are read in place, never copied. The
effect is compared with the meaning: the answer, the status of the message, the state, and what was told.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from flask.testing import FlaskClient
from redis import Redis

from tests.processor.alerts.truth_bodies import NIL, Sent, cases, found_in
from tests.support import messages
from tests.support.messages import signed
from tests.support.serving import ADDRESS, serving
from tests.support.workbench import Moving, Workbench

LONG_BEFORE = datetime(2019, 1, 1, tzinfo=UTC)


def seeds(sent: Sent) -> list[bytes]:
    """What happened before, where the meaning says that something did."""
    if sent.company is None:
        return []
    given = messages.connected(sent.company, sent.connection, at=LONG_BEFORE)
    ended = messages.disconnected(sent.company, sent.connection, at=LONG_BEFORE + timedelta(days=1))
    if sent.meaning.startswith("state change: reauthorized"):
        return [given, ended]
    before = ("deleted", "unlinked", "deauthorized", "a commerce connection", "a connection of the company")
    starts = (
        *(f"state change: {item}" for item in before),
        "company: deleted",
        "read: first sync of the whole",
    )
    return [given] if sent.meaning.startswith(starts) else []


def outcomes(sent: Sent) -> dict[str, str]:
    """The outcome per data type that the body tells of its connection."""
    payload = sent.said.get("payload", {})
    told = {row["dataType"]: row["status"] for row in payload.get("dataTypes", [])}
    if not told:
        status = next(found_in(sent.said, "datasetstatus"), "Complete")
        told = {next(found_in(sent.said, "datatype")): status}
    return told


def check_state(sent: Sent, bench: Workbench, state: str, told: Sequence[str]) -> None:
    assert bench.state(sent.connection) == state
    assert bench.told_types(sent.connection)[-len(told) or len(told) :] == list(told)


def check_read(sent: Sent, bench: Workbench) -> None:
    """Outcomes are known; something complete proves access and, as nothing was known, the first sync."""
    stored = bench.reader.connection(sent.connection)
    assert stored is not None
    types = outcomes(sent)
    assert {name: kind.status for name, kind in stored.connection.data_types.items()} == types
    proves = "Complete" in types.values()
    assert stored.state == ("ready" if proves else "pending")
    told = ["connection.authorized", "initial_sync.completed"] if proves else []
    assert bench.told_types(sent.connection) == told


def check_doubt(sent: Sent, bench: Workbench) -> None:
    """Which connection is meant is not said: each of the company is in doubt, and none is made up."""
    assert bench.state(sent.connection) == "authorized"
    assert bench.timeline(sent.connection)[-1]["outcome"] == "doubt"


def check_nothing(sent: Sent, bench: Workbench) -> None:
    assert bench.state(sent.connection) is None
    assert bench.told(sent.connection) == []


def check_company(sent: Sent, bench: Workbench) -> None:
    assert sent.company is not None
    row = bench.reader.company(sent.company)
    assert row is not None
    assert ("deleted_at" in row) == sent.meaning.startswith("company: deleted")
    if "deleted_at" in row:
        check_state(sent, bench, "deleted", ["connection.deleted"])


def state_is(state: str, *told: str) -> Callable[[Sent, Workbench], None]:
    return lambda sent, bench: check_state(sent, bench, state, told)


SYNCED = state_is("ready", "connection.authorized", "initial_sync.completed")
EFFECTS: Mapping[str, Callable[[Sent, Workbench], None]] = {
    "none": check_nothing,
    "company": check_company,
    "state change: pending": state_is("pending"),
    "state change: authorized": state_is("authorized", "connection.authorized"),
    "state change: legacy claim PendingAuth -> Linked": state_is("authorized", "connection.authorized"),
    "state change: authorization_failed": state_is("authorization_failed", "connection.authorization_failed"),
    "state change: reauthorized": state_is("authorized", "connection.reauthorized"),
    "state change: unlinked": state_is("unlinked", "connection.unlinked"),
    "state change: deauthorized": state_is("deauthorized", "connection.deauthorized"),
    "state change: deleted": state_is("deleted", "connection.deleted"),
    "state change: a c": check_doubt,
    "read: first sync failed": state_is("sync_failed", "connection.authorized", "initial_sync.failed"),
    "read: first sync": SYNCED,
    "read: outcomes per data type": check_read,
    "read: ": check_read,
}


def effect_of(sent: Sent) -> Callable[[Sent, Workbench], None]:
    if "names no connection" in sent.meaning:
        return check_nothing
    return next(check for meaning, check in EFFECTS.items() if sent.meaning.startswith(meaning))


def test_every_body_has_the_effect_of_its_meaning(redis_url: str) -> None:
    """Of what Codat publishes 27 bodies were refused for good or did nothing: the type stood under another
    key, was a narrower one, or the nil id became a connection.
    """
    with Redis.from_url(redis_url) as store:
        check_every_body(serving(redis_url), Workbench(store, clock=Moving(datetime.now(UTC))))


def check_every_body(client: FlaskClient, bench: Workbench) -> None:
    all_sent = cases()
    for sent in all_sent:
        for number, body in enumerate(seeds(sent)):
            headers = signed(body, f"seed_{number}_{sent.event_id}")
            assert client.post(ADDRESS, data=body, headers=headers).status_code == 202
    bench.drain_all()
    statuses: dict[str, str] = {}
    for sent in all_sent:
        answer = client.post(ADDRESS, data=sent.body, headers=sent.headers)
        quarantined = sent.meaning.startswith(("none: no type", "none: a skeleton"))
        status = "quarantined" if quarantined else "accepted"
        assert (answer.status_code, answer.json["status"]) == (202, status), (sent.name, answer.text)
        statuses[answer.json["event_id"]] = "quarantined" if quarantined else "processed"
    bench.drain_all()
    wrong = []
    for sent, (event_id, status) in zip(all_sent, statuses.items(), strict=True):
        try:
            assert bench.status(event_id) == status
            effect_of(sent)(sent, bench)
        except AssertionError as error:
            wrong.append(f"{sent.name} ({sent.way}), {sent.meaning}: {error}")
    assert not wrong, "\n\n".join(wrong)
    assert bench.state(NIL) is None
