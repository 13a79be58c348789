"""Access that ends with the first sync, as of a connector on the customer's computer that is read once."""

from dataclasses import replace
from datetime import timedelta

import pytest

from handlers.connection import Connection
from handlers.effects import Notify
from handlers.events import ConnectionDetails, ConnectionEvent, Event
from handlers.machine import Transition, advance
from handlers.milestones import Notification, NotificationType
from handlers.registry import Context, Policy
from handlers.state import situation
from tests.handlers.support.codat_messages import COMPANY, CONNECTION_ID
from tests.handlers.support.story import (
    ASKS,
    DEAUTHORIZED,
    UNLINKED,
    at,
    ended,
    failed,
    linked,
    read,
    relinked,
    seen,
)

DESKTOP = ConnectionDetails(CONNECTION_ID, "pqsw", "QuickBooks Desktop", "Accounting")
AWAY = timedelta(seconds=1)


def heard(
    *events: Event,
    platform: ConnectionDetails = DESKTOP,
    policy: Policy | None = None,
    on_premise: dict[str, bool] | None = None,
) -> tuple[Transition, list[Notification]]:
    """The last step, and all that was told, of a connection to ``platform``."""
    connection = Connection(
        CONNECTION_ID, COMPANY.id, platform_key=platform.platform_key, platform_name=platform.platform_name
    )
    notes: list[Notification] = []
    for event in events:
        if isinstance(event, ConnectionEvent):
            event = replace(event, connection=platform)
        context = Context(event.received_at, policy or Policy(), on_premise=on_premise or {})
        step = advance(connection, event, context)
        connection = step.connection
        notes += [effect.notification for effect in step.effects if isinstance(effect, Notify)]
    return step, notes


def test_a_connector_that_is_read_once_ends_as_expected() -> None:
    """QuickBooks Desktop set to one-time sync lost access right after its complete first read.

    It was told as bad news: the consumer could not tell it from a login that was revoked.
    """
    events = (linked(10), read(3600, invoices="Complete", bills="FetchError"), ended(3605))
    step, _ = heard(*events)
    assert step.after.end_expected
    assert "as expected" in step.entry.reason
    _, notes = heard(*events, failed(3700))
    assert [(note.type, note.data["expected"]) for note in notes] == [
        (NotificationType.AUTHORIZED, False),
        (NotificationType.SYNC_COMPLETED, False),
        (NotificationType.DEAUTHORIZED, True),
        (NotificationType.AUTHORIZATION_FAILED, False),
    ]


def test_it_is_checked_with_codat_like_every_end() -> None:
    """An expected end is an end all the same: what Codat denies is not told."""
    events = [linked(10), read(3600, invoices="Complete"), ended(3605)]
    _, unasked = heard(*events, policy=ASKS)
    assert NotificationType.DEAUTHORIZED not in [note.type for note in unasked]
    _, asked = heard(*events, seen(3700, DEAUTHORIZED), policy=ASKS)
    assert (asked[-1].type, asked[-1].data["expected"]) == (NotificationType.DEAUTHORIZED, True)


def test_the_times_of_the_two_messages_may_lie_the_other_way_round() -> None:
    """Both messages are written in the same second, the end a little before the read."""
    step, _ = heard(linked(10), ended(3600), read(3601, invoices="Complete"))
    assert step.after.end_expected


@pytest.mark.parametrize(
    "events",
    [
        [linked(10), read(60, invoices="Complete"), ended(60 + 2 * 3600)],
        [linked(10), read(60, invoices="FetchError"), ended(65)],
        [linked(10), ended(65)],
        [linked(10), ended(65), read(65 + 2 * 3600, invoices="Complete")],
        [linked(10), read(60, invoices="Complete"), ended(65, UNLINKED)],
        [linked(10), read(60, invoices="Complete"), ended(65), relinked(90), ended(95)],
        [linked(10), read(60, invoices="Complete"), ended(65), relinked(90)],
    ],
    ids=[
        "later",
        "nothing read",
        "no read",
        "read later",
        "given up",
        "another authorisation",
        "linked again",
    ],
)
def test_other_ends_are_bad_news(events: list[Event]) -> None:
    """The Sage 50 connector was uninstalled hours later: that is an end that somebody has to mend."""
    step, notes = heard(*events)
    assert not step.after.end_expected
    assert notes[-1].data["expected"] is False


@pytest.mark.parametrize(
    ("name", "on_premise", "expected"),
    [
        ("Xero", {}, False),
        (None, {}, False),
        ("Sage 50 UK", {}, True),
        ("Some Ledger", {"pqsw": True}, True),
        ("Sage 50 Cloud", {"pqsw": False}, False),
        ("Some Ledger", {"gbol": True}, False),
    ],
)
def test_what_codat_says_of_the_platform_counts_before_its_name(
    name: str | None, on_premise: dict[str, bool], expected: bool
) -> None:
    """The sweep knew on-premise platforms by name, the pages by Codat's flag: two truths."""
    platform = replace(DESKTOP, platform_name=name)
    step, _ = heard(
        linked(10), read(60, invoices="Complete"), ended(65), platform=platform, on_premise=on_premise
    )
    assert step.after.end_expected is expected
    assert situation(step.connection).end_expected is expected


def test_the_flag_stays_with_the_connection() -> None:
    """Codat's list of platforms may be lost later: what was known of the platform is not."""
    step, _ = heard(linked(10), platform=replace(DESKTOP, platform_name="Ledger"), on_premise={"pqsw": True})
    later = advance(step.connection, seen(400, DEAUTHORIZED), Context(at(400) + AWAY))
    assert later.connection.is_on_premise
