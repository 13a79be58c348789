"""What is told: what is due now, minus what was told."""

import itertools
from dataclasses import replace
from typing import Any

import pytest

from handlers.connection import Connection
from handlers.effects import Notify
from handlers.events import Event
from handlers.machine import advance
from handlers.milestones import NotificationType
from handlers.registry import Context
from tests.handlers.support.codat_messages import COMPANY, CONNECTION_ID
from tests.handlers.support.story import (
    ASKS,
    DEAUTHORIZED,
    LINKED,
    UNLINKED,
    Story,
    at,
    created,
    dataset,
    deleted,
    ended,
    failed,
    gone,
    history,
    linked,
    read,
    read_more,
    relinked,
    seen,
)


def test_the_body_of_a_notification_has_the_fields_of_the_contract() -> None:
    story = Story(linked(10, known=11), read_more(15, invoices="Complete"))
    story.hear(
        read(20, known=22, id="webhook-7", invoices="Complete", bills="FetchError", items="NotSupported")
    )
    note = story.notes[-1]
    assert note.id.startswith("ntf_")
    assert note.type is NotificationType.SYNC_COMPLETED
    assert note.timestamp == at(22)
    assert note.data == {
        "merchant_id": "merchant-1",
        "company_id": COMPANY.id,
        "connection_id": CONNECTION_ID,
        "platform_key": "gbol",
        "platform_name": "Xero",
        "source_type": "Accounting",
        "state": "ready",
        "previous_state": "syncing",
        "authorization": 1,
        "authorized_at": at(10),
        "occurred_at": at(20),
        "event_id": "webhook-7",
        "expected": False,
        "account_name": None,
        "data_types": {"complete": ["invoices"], "failed": {"bills": "FetchError"}},
        "error": None,
    }


def test_a_failed_attempt_says_what_went_wrong() -> None:
    story = Story(created(5), failed(10))
    assert story.told == ["connection.authorization_failed"]
    assert story.notes[0].data["error"] == {
        "status_code": "403",
        "status_text": "Forbidden",
        "message": "The user said no.",
    }
    assert (story.notes[0].data["state"], story.notes[0].data["authorization"]) == ("authorization_failed", 0)


def test_a_failed_attempt_is_told_once_per_attempt() -> None:
    story = Story(failed(10), failed(20), failed(10, known=30, id="again"), failed(20, known=31, id="too"))
    assert story.told == ["connection.authorization_failed"] * 2
    assert story.notes[0].id != story.notes[1].id


def test_a_failed_attempt_that_was_overtaken_is_not_told() -> None:
    assert Story(linked(20), failed(10, known=30)).told == ["connection.authorized"]
    assert Story(ended(20, known=25), failed(10, known=30)).told == ["connection.deauthorized"]


def test_a_failed_attempt_to_reconnect_is_told() -> None:
    story = Story(linked(10), ended(20), failed(30))
    assert story.told[-1] == "connection.authorization_failed"
    assert story.state.value == "deauthorized"


def test_the_first_authorisation_is_authorized_and_each_later_one_reauthorized() -> None:
    story = Story(linked(10), ended(20), relinked(30), ended(40, UNLINKED), relinked(50))
    assert story.told == [
        "connection.authorized",
        "connection.deauthorized",
        "connection.reauthorized",
        "connection.unlinked",
        "connection.reauthorized",
    ]
    assert [note.data["authorization"] for note in story.notes] == [1, 1, 2, 2, 3]


def test_authorized_and_reauthorized_are_one_kind() -> None:
    story = Story(relinked(50), linked(10, known=60), ended(20, known=61))
    assert story.told == ["connection.authorized"]
    assert story.now.authorization == 2


def test_what_was_overtaken_before_it_became_known_is_never_told() -> None:
    story = Story(ended(20), linked(10, known=21), read(15, known=22))
    assert story.told == ["connection.deauthorized"]
    story = Story(relinked(30), ended(20, known=31), read(15, known=32), linked(10, known=33))
    assert story.told == ["connection.authorized"]


def test_an_end_is_not_told_again_when_the_last_thing_told_said_so() -> None:
    story = Story(linked(10), ended(20), ended(25))
    assert story.told == ["connection.authorized", "connection.deauthorized"]
    story.hear(seen(60, DEAUTHORIZED))
    assert story.told == ["connection.authorized", "connection.deauthorized"]


def test_an_end_with_another_reason_is_told() -> None:
    story = Story(linked(10), ended(20, DEAUTHORIZED), ended(25, UNLINKED))
    assert story.told[1:] == ["connection.deauthorized", "connection.unlinked"]


def test_a_linked_twin_tells_nothing() -> None:
    assert Story(linked(10), linked(40), seen(60, LINKED)).told == ["connection.authorized"]


def test_the_outcome_of_the_first_sync_is_told_once_and_again_after_the_next_authorisation() -> None:
    story = Story(linked(10), read(20), read(25, bills="Complete"), ended(30), relinked(40), read(50))
    assert story.told == [
        "connection.authorized",
        "initial_sync.completed",
        "connection.deauthorized",
        "connection.reauthorized",
        "initial_sync.completed",
    ]


def test_a_first_sync_of_which_nothing_succeeded_is_told_as_failed() -> None:
    story = Story(linked(10), read(20, invoices="MapError", bills="NotSupported"))
    assert story.told[-1] == "initial_sync.failed"
    assert story.notes[-1].data["data_types"] == {"complete": [], "failed": {"invoices": "MapError"}}


def test_a_first_sync_of_which_something_is_still_read_has_no_outcome_to_tell() -> None:
    story = Story(linked(10), read(20, invoices="MapError", bills="Fetching"))
    assert story.told == ["connection.authorized"]


def test_a_read_that_comes_before_its_authorisation_tells_both_in_order() -> None:
    story = Story(read(20))
    assert story.told == ["connection.authorized", "initial_sync.completed"]
    assert [note.data["data_types"]["complete"] for note in story.notes] == [[], ["invoices"]]
    story.hear(linked(10, known=21))
    assert story.told == ["connection.authorized", "initial_sync.completed"]


@pytest.mark.parametrize("event", [deleted(70), gone(70)], ids=["told", "seen"])
def test_a_deletion_is_told_when_anything_was_told_before(event: Event) -> None:
    assert Story(created(5), event).told == []
    assert Story(created(5), failed(10), event).told[-1] == "connection.deleted"
    assert Story(linked(5), event, deleted(80), gone(190)).told.count("connection.deleted") == 1


def test_nothing_is_told_after_a_deletion() -> None:
    story = Story(
        linked(5), deleted(50), linked(6, known=60), read(20, known=61), ended(30, known=62), failed(70)
    )
    assert story.told == ["connection.authorized", "connection.deleted"]


def test_a_milestone_has_one_id_by_whatever_order_and_message_it_is_learnt() -> None:
    events = [linked(10), read(20), ended(30), relinked(40)]
    ids: dict[tuple[str, object], set[str]] = {}
    for order in itertools.permutations(events):
        for suffix in ("", "-twin"):
            renamed = [replace(event, event_id=f"{event.event_id}{suffix}") for event in order]
            for note in Story(*renamed).notes:
                kind = note.type.value.replace("re", "")
                ids.setdefault((kind, note.data["occurred_at"]), set()).add(note.id)
    assert all(len(value) == 1 for value in ids.values()), ids
    assert len(set().union(*ids.values())) == len(ids)


def test_ids_of_different_connections_differ() -> None:
    ids = set()
    for name in ("connection-1", "connection-2"):
        transition = advance(Connection(id=name), linked(10), Context(now=at(10)))
        (tell,) = (effect for effect in transition.effects if isinstance(effect, Notify))
        assert tell.notification.data["connection_id"] == name
        ids.add(tell.notification.id)
    assert len(ids) == 2


def test_the_ledger_is_written_in_the_step_that_decides() -> None:
    story = Story(linked(10))
    (entry,) = story.connection.ledger
    assert (entry.kind, entry.at, entry.id) == ("connection.authorized", at(10), story.notes[0].id)
    assert story.verdicts == [("connection.authorized", "told")]


def test_a_milestone_never_occurred_before_the_authorisation_that_it_belongs_to() -> None:
    story = Story(seen(30, LINKED), policy=ASKS)
    story.hear(history(35, dataset("invoices", "Complete", requested=10, completed=20)))
    assert story.told == ["connection.authorized", "initial_sync.completed"]
    for note in story.notes:
        assert note.data["occurred_at"] >= note.data["authorized_at"]


def test_the_newest_description_of_the_platform_wins_and_older_ones_fill_gaps() -> None:
    def described(event: Any, **details: object) -> Any:
        return replace(event, connection=replace(event.connection, **details))

    new = described(relinked(50), platform_name="Xero (new)", source_type=None)
    old = described(linked(10, known=60), platform_name="Xero (old)", integration_id="integration-1")
    story = Story(new, old)
    assert story.connection.platform_name == "Xero (new)"
    assert story.connection.source_type == "Accounting"
    assert story.connection.integration_id == "integration-1"
    assert story.connection.merchant_id == "merchant-1"
