"""What a rebuild finds becomes known and is told to nobody; what happens afterwards is told."""

from datetime import UTC, datetime, timedelta

import pytest

from handlers.connection import Connection
from handlers.effects import DecisionOutcome, Notify
from handlers.events import (
    Company,
    ConnectionDetails,
    ConnectionEnded,
    ConnectionFailed,
    ConnectionLinked,
    ConnectionSeen,
    Dataset,
    Event,
    HistorySeen,
    LinkStatus,
    LinkStatusClaimed,
    Source,
    Trigger,
)
from handlers.machine import Transition, advance
from handlers.registry import Context, Policy

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
QUIET = Trigger("found by a rebuild", quiet=True)
HEADING = {"company": Company("company-1"), "source": Source.CODAT_API}
DETAILS = ConnectionDetails("connection-1", "gbol", "Xero", "Accounting")


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def seen(second: float, status: LinkStatus, trigger: Trigger | None = QUIET) -> Event:
    moment = at(second)
    return ConnectionSeen(
        event_id=f"seen-{second}",
        event_type="codat-api.connection",
        received_at=moment,
        at=moment,
        connection=DETAILS,
        status=status,
        trigger=trigger,
        **HEADING,  # type: ignore[arg-type]
    )


def read(second: float, status: str, trigger: Trigger | None = QUIET) -> Event:
    moment = at(second)
    row = Dataset("connection-1", "invoices", status, requested=moment, completed=moment)
    return HistorySeen(
        event_id=f"read-{second}",
        event_type="codat-api.history",
        received_at=moment,
        at=moment,
        asked_for=("connection-1",),
        datasets=(row,),
        trigger=trigger,
        **HEADING,  # type: ignore[arg-type]
    )


def linked(second: float, *, known: float) -> Event:
    return ConnectionLinked(
        event_id=f"linked-{second}",
        event_type="connection.connected",
        source=Source.CURRENT,
        received_at=at(known),
        at=at(second),
        company=Company("company-1"),
        connection=DETAILS,
    )


def learn(*events: Event, policy: Policy | None = None) -> list[Transition]:
    connection, steps = Connection("connection-1", "company-1"), []
    for event in events:
        step = advance(connection, event, Context(event.received_at, policy or Policy(can_ask=True)))
        connection = step.connection
        steps.append(step)
    return steps


def told(steps: list[Transition]) -> list[str]:
    return [
        effect.notification.type for step in steps for effect in step.effects if isinstance(effect, Notify)
    ]


def test_nothing_is_told_and_everything_is_explained() -> None:
    steps = learn(seen(0, LinkStatus.LINKED), read(0, "Complete"))

    assert told(steps) == []
    assert steps[-1].after.state == "ready"
    verdicts = [(one.kind, one.outcome) for step in steps for one in step.entry.decisions]
    assert verdicts == [
        ("connection.authorized", DecisionOutcome.KNOWN),
        ("initial_sync.completed", DecisionOutcome.KNOWN),
    ]
    assert steps[0].entry.reason.endswith("; found by a rebuild")


def test_an_end_is_known_at_once_without_a_check() -> None:
    (step,) = learn(seen(0, LinkStatus.DEAUTHORIZED))

    assert step.connection.checks == ()
    assert step.effects == ()
    assert [entry.kind for entry in step.connection.ledger] == ["connection.deauthorized"]


def test_a_message_of_what_a_rebuild_found_is_not_told_either() -> None:
    assert told(learn(seen(0, LinkStatus.LINKED), linked(-9_000, known=30))) == []


def test_what_happens_after_a_rebuild_is_told() -> None:
    ended = ConnectionEnded(
        event_id="ended",
        event_type="connection.disconnected",
        source=Source.CURRENT,
        received_at=at(100),
        at=at(100),
        company=Company("company-1"),
        connection=DETAILS,
        reason=LinkStatus.UNLINKED,
    )
    steps = learn(seen(0, LinkStatus.LINKED), read(50, "Complete", None), ended, policy=Policy(can_ask=False))

    assert told(steps) == ["initial_sync.completed", "connection.unlinked"]


def test_what_waited_for_codats_word_before_is_told_when_a_rebuild_confirms_it() -> None:
    """A message told of an end; the look of a rebuild that came a second later used to swallow it."""
    ended = ConnectionEnded(
        event_id="ended",
        event_type="connection.disconnected",
        source=Source.CURRENT,
        received_at=at(100),
        at=at(100),
        company=Company("company-1"),
        connection=DETAILS,
        reason=LinkStatus.UNLINKED,
    )
    early = learn(ended, seen(101, LinkStatus.UNLINKED))
    assert told(early) == []
    assert [check.kind for check in early[-1].connection.checks] == ["connection.unlinked"]

    assert told(learn(ended, seen(110, LinkStatus.UNLINKED))) == ["connection.unlinked"]


def test_an_end_that_waited_is_told_also_when_codat_gives_another_reason() -> None:
    """A quiet look used to swallow it: what waited was the very same milestone or nothing."""
    ended = ConnectionEnded(
        event_id="ended",
        event_type="connection.disconnected",
        source=Source.CURRENT,
        received_at=at(100),
        at=at(100),
        company=Company("company-1"),
        connection=DETAILS,
        reason=LinkStatus.UNLINKED,
    )

    assert told(learn(ended, seen(160, LinkStatus.DEAUTHORIZED))) == ["connection.deauthorized"]


def alert(second: float, old: LinkStatus, new: LinkStatus) -> Event:
    return LinkStatusClaimed(
        event_id=f"alert-{second}",
        event_type="alert",
        source=Source.LEGACY,
        received_at=at(second),
        at=at(second),
        timed=False,
        company=Company("company-1"),
        connection=DETAILS,
        old=old,
        new=new,
    )


@pytest.mark.parametrize(
    ("old", "new", "notice"),
    [
        (LinkStatus.PENDING, LinkStatus.LINKED, "connection.authorized"),
        (LinkStatus.LINKED, LinkStatus.UNLINKED, "connection.unlinked"),
    ],
)
def test_an_alert_that_waited_for_codats_word_is_told_when_a_quiet_look_gives_it(
    old: LinkStatus, new: LinkStatus, notice: str
) -> None:
    """The alert is news, though it says no time and nothing is due before Codat was asked."""
    before = seen(0, old)

    assert told(learn(before, alert(100, old, new))) == []
    assert told(learn(before, alert(100, old, new), seen(140, new))) == [notice]


def test_an_alert_that_a_quiet_look_denies_makes_no_news_of_what_was_there_before() -> None:
    steps = learn(alert(100, LinkStatus.LINKED, LinkStatus.UNLINKED), seen(140, LinkStatus.LINKED))

    assert told(steps) == []
    assert [entry.kind for entry in steps[-1].connection.ledger] == ["connection.authorized"]


def test_an_alert_that_nobody_confirmed_in_time_is_not_forgotten_by_a_quiet_look() -> None:
    steps = learn(
        seen(0, LinkStatus.LINKED),
        alert(100, LinkStatus.LINKED, LinkStatus.UNLINKED),
        read(3_000, "Complete"),
        seen(3_010, LinkStatus.UNLINKED),
    )

    assert [check.kind for check in steps[2].connection.checks] == ["connection.unlinked"]
    assert told(steps) == ["connection.unlinked"]


def failed(second: float, source: Source, trigger: Trigger | None = None) -> Event:
    return ConnectionFailed(
        event_id=f"failed-{second}-{source}",
        event_type="connection.failed",
        source=source,
        received_at=at(abs(second) + 5),
        at=at(second),
        company=Company("company-1"),
        connection=DETAILS,
        trigger=trigger,
    )


def test_a_failure_that_codats_api_shows_and_its_message_are_one() -> None:
    """The times that they carry differ by moments."""
    shown, message = failed(0, Source.CODAT_API), failed(1.5, Source.CURRENT)
    assert told(learn(shown, message)) == ["connection.authorization_failed"]
    assert told(learn(message, shown)) == ["connection.authorization_failed"]


def test_another_attempt_that_fails_later_is_told_again() -> None:
    steps = learn(failed(0, Source.CODAT_API), failed(400, Source.CODAT_API))
    assert told(steps) == ["connection.authorization_failed"] * 2
    steps = learn(failed(0, Source.CURRENT), failed(30, Source.CURRENT))
    assert told(steps) == ["connection.authorization_failed"] * 2
