"""What a company is reminded of, when, and never twice."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from handlers.connection import Connection
from handlers.events import Event
from handlers.milestones import ReminderType, described
from handlers.reminders import (
    DAY,
    READ_WITHIN,
    QuietHours,
    ReminderPolicy,
    is_still_true,
    plan_reminders,
)
from handlers.state import situation
from tests.handlers.support.story import (
    NO_KEY,
    START,
    UNLINKED,
    Story,
    created,
    ended,
    failed,
    linked,
    read,
    read_claim,
    read_more,
    relinked,
)

ALWAYS = ReminderPolicy(quiet=QuietHours(time(), time()))
DAY_S, HOUR = 86_400, timedelta(hours=1)
ONE, THREE = ReminderType.PENDING_DAY_1, ReminderType.PENDING_DAY_3


def after(*events: Event, id_: str = "connection-1", **changes: object) -> Connection:
    connection = Story(*events, policy=NO_KEY).connection
    return replace(connection, id=id_, **changes)  # type: ignore[arg-type]


class Reminded:
    """A company that is decided about as often as the plan says, and remembers what it was told."""

    def __init__(self, *connections: Connection, policy: ReminderPolicy = ALWAYS) -> None:
        self.connections = list(connections)
        self.heard_at = dict.fromkeys((connection.id for connection in connections), START)
        self.policy, self.told = policy, dict[str, datetime]()

    def decide(self, now: datetime) -> tuple[list[ReminderType], datetime | None]:
        rows = [(connection, self.heard_at[connection.id]) for connection in self.connections]
        plan = plan_reminders(rows, self.told, now, self.policy)
        self.told |= {reminder.key: reminder.about for reminder in plan.due}
        assert plan.next_at is None or plan.next_at > now, "it would be decided for ever"
        return [reminder.notification.type for reminder in plan.due], plan.next_at  # type: ignore[misc]

    def over(self, span: timedelta) -> list[tuple[timedelta, ReminderType]]:
        """What is told when, if it is decided whenever the plan says so."""
        told, now = [], START
        while now <= START + span:
            types, next_at = self.decide(now)
            told += [(now - START, type_) for type_ in types]
            if next_at is None:
                break
            now = next_at
        return told


def test_who_chose_a_platform_and_left_is_reminded_after_one_day_and_after_three() -> None:
    assert Reminded(after(created(0))).over(30 * DAY) == [(DAY, ONE), (3 * DAY, THREE)]


@pytest.mark.parametrize(
    ("looked", "told"),
    [
        ((DAY, DAY, 2 * DAY, 3 * DAY, 3 * DAY), [ONE, THREE]),
        ((4 * DAY, 5 * DAY), [THREE]),
        ((8 * DAY, 400 * DAY), []),
    ],
    ids=["often", "the clock was down for three days", "for a week"],
)
def test_however_often_and_late_it_is_decided_nothing_comes_twice_and_nothing_old(
    looked: Iterable[timedelta], told: list[ReminderType]
) -> None:
    company = Reminded(after(created(0)))
    assert [type_ for at in looked for type_ in company.decide(START + at)[0]] == told


def test_what_another_connection_did_meanwhile_is_not_asked_for_again() -> None:
    pending, other = after(created(0)), after(linked(60), read(90), id_="connection-2")
    assert Reminded(pending, other).over(10 * DAY) == []
    books = replace(other, platform_key="other books")
    assert Reminded(pending, books).over(10 * DAY) == [], "a company has one accounting platform"
    unknown = replace(pending, source_type=None, platform_key="unknown")
    assert [type_ for _, type_ in Reminded(unknown, books).over(10 * DAY)] == [ONE, THREE]
    shop = replace(other, source_type="Commerce", platform_key="shop")
    company = Reminded(pending, shop)
    company.heard_at[shop.id] += HOUR
    assert [type_ for _, type_ in company.over(10 * DAY)] == [ONE, THREE]


def test_who_lost_access_and_chose_another_platform_is_reminded_of_both() -> None:
    company = Reminded(after(linked(0), ended(DAY_S)), after(created(0), id_="connection-2"))
    company.heard_at["connection-2"] += HOUR
    lost = (4 * DAY, ReminderType.ACCESS_LOST)
    assert company.over(10 * DAY) == [(DAY + HOUR, ONE), (3 * DAY + HOUR, THREE), lost]


def test_a_reminder_has_the_fields_of_every_notification() -> None:
    connection = after(linked(0), ended(DAY_S))
    (reminder,) = plan_reminders([(connection, START)], {}, START + 5 * DAY, ALWAYS).due
    note = reminder.notification
    assert (reminder.key, reminder.about) == ("reminder.access_lost connection-1", START + DAY)
    assert (note.id, note.type, note.timestamp) == (
        "ntf_0cd3c0800ff1e059db8c898fa388cd86",
        ReminderType.ACCESS_LOST,
        START + 5 * DAY,
    )
    assert note.data == {
        **described(connection, situation(connection)),
        "previous_state": None,
        "occurred_at": START + DAY,
        "event_id": None,
        "expected": False,
        "data_types": {"complete": [], "failed": {}},
        "error": None,
        "ends_at": None,
    }
    bank = after(linked(0), read(60), source_type="Banking", on_premise=True)
    (ending,) = plan_reminders([(bank, START)], {}, START + 84 * DAY, ALWAYS).due
    assert ending.notification.data["ends_at"] == START + 90 * DAY


def test_of_several_that_were_left_the_newest_is_named() -> None:
    older, newer = after(created(0)), after(created(60), id_="connection-2")
    company = Reminded(older, newer)
    company.heard_at["connection-2"] += HOUR
    company.decide(START + DAY + 2 * HOUR)
    assert list(company.told) == [f"{ONE} connection-2"]


def test_an_end_at_the_moment_of_the_next_beginning_is_of_the_access_before() -> None:
    tenth = 10.0 * DAY_S
    company = Reminded(after(linked(0), ended(tenth), relinked(tenth), ended(tenth + DAY_S)))
    assert company.over(60 * DAY) == [(14 * DAY, ReminderType.ACCESS_LOST)]


def test_access_that_was_lost_is_reminded_of_once_each_time() -> None:
    lost = [linked(0), read(60), ended(DAY_S)]
    company = Reminded(after(*lost))
    assert company.over(60 * DAY) == [(4 * DAY, ReminderType.ACCESS_LOST)]
    company.connections = [after(*lost, relinked(10 * DAY_S), ended(11 * DAY_S))]
    assert company.decide(START + 14 * DAY)[0] == [ReminderType.ACCESS_LOST]
    assert Reminded(after(linked(0), read(60), ended(DAY_S, UNLINKED))).over(60 * DAY) == [], "given up"
    short = after(linked(0), ended(DAY_S))
    for known in (after(ended(DAY_S)), replace(short, facts=(), base=short.history)):
        assert Reminded(known).over(60 * DAY) == [(4 * DAY, ReminderType.ACCESS_LOST)]


@pytest.mark.parametrize(
    ("begun", "platform", "is_reminded"),
    [(3 * DAY_S, "gbol", False), (DAY_S, "gbol", True), (3 * DAY_S, "shop", True)],
)
def test_access_to_a_shop_is_replaced_by_a_later_one_to_the_same_platform_alone(
    begun: float, platform: str, is_reminded: bool
) -> None:
    lost = after(linked(0), ended(DAY_S), source_type="Commerce", platform_key="gbol")
    other = after(linked(begun), id_="connection-2", source_type="Commerce", platform_key=platform)
    types = [type_ for _, type_ in Reminded(lost, other).over(10 * DAY)]
    assert types == [ReminderType.ACCESS_LOST] * is_reminded


def test_when_to_decide_again_is_known_after_what_was_told() -> None:
    assert Reminded(after(linked(0), ended(DAY_S))).decide(START + 5 * DAY) == (
        [ReminderType.ACCESS_LOST],
        None,
    )
    read_due = Reminded(after(linked(0)))
    now = START + 26 * DAY
    assert read_due.decide(now) == ([ReminderType.READ_DUE], now + READ_WITHIN)
    assert list(read_due.told.values()) == [now], "the next one is due when this was told"
    assert read_due.decide(now + HOUR) == ([], now + READ_WITHIN)


def test_a_read_is_due_at_night_as_well_and_before_a_consent_ends() -> None:
    night = START + 26 * DAY + 13 * HOUR
    for source in ("Accounting", "Banking", None):
        company = Reminded(after(linked(0), source_type=source), policy=ReminderPolicy())
        assert company.decide(night)[0] == [ReminderType.READ_DUE]


def test_only_a_read_that_succeeded_uses_a_token() -> None:
    refused = Story(linked(0), read_more(20.0 * DAY_S, bills="AuthError"), policy=NO_KEY).connection
    assert Reminded(refused).decide(START + 26 * DAY)[0] == [ReminderType.READ_DUE]
    succeeded = Story(linked(0), read_more(20.0 * DAY_S, bills="Complete"), policy=NO_KEY).connection
    assert Reminded(succeeded).decide(START + 26 * DAY) == ([], START + 45 * DAY)


def test_a_connector_that_is_read_once_is_no_lost_access() -> None:
    once = after(linked(0), read(60), ended(90), platform_name="Sage 50", on_premise=True)
    assert situation(once).end_expected
    assert Reminded(once).over(60 * DAY) == []


def test_an_open_banking_consent_is_renewed_in_its_last_week() -> None:
    bank = after(linked(0), read(60), source_type="Banking", on_premise=True)
    assert Reminded(bank).over(400 * DAY) == [(83 * DAY, ReminderType.CONSENT_ENDING)]
    company = Reminded(bank)
    assert company.decide(START + 90 * DAY)[0] == [], "it is over"
    assert Reminded(bank, policy=replace(ALWAYS, banking_consent=180 * DAY)).over(400 * DAY) == [
        (173 * DAY, ReminderType.CONSENT_ENDING)
    ]


def test_a_token_is_used_before_a_month_is_over() -> None:
    company = Reminded(after(linked(0), read(60)))
    assert [type_ for _, type_ in company.over(110 * DAY)] == [ReminderType.READ_DUE] * 4
    for last in (read(20 * DAY_S, id="again"), read_claim(20 * DAY_S)):
        assert Reminded(after(linked(0), last)).decide(START + 26 * DAY) == ([], START + 45 * DAY)


@pytest.mark.parametrize(
    ("zone", "due", "told"),
    [
        ("UTC", "2026-03-03 19:59", "2026-03-03 19:59"),
        ("UTC", "2026-03-03 20:00", "2026-03-04 08:00"),
        ("UTC", "2026-03-04 03:00", "2026-03-04 08:00"),
        ("UTC", "2026-03-04 08:00", "2026-03-04 08:00"),
        ("America/New_York", "2026-03-03 03:00", "2026-03-03 13:00"),
        ("America/New_York", "2026-03-07 23:00", "2026-03-07 23:00"),
        ("Asia/Kolkata", "2026-03-03 14:30", "2026-03-04 02:30"),
        ("Europe/Berlin", "2026-03-28 21:00", "2026-03-29 06:00"),
    ],
)
def test_nobody_is_reminded_at_night_where_the_company_is(zone: str, due: str, told: str) -> None:
    """The last one: the clocks go forward in that night."""
    hours = QuietHours(time(20), time(8), ZoneInfo(zone))
    moment = datetime.fromisoformat(due).replace(tzinfo=UTC)
    assert hours.end_after(moment) == datetime.fromisoformat(told).replace(tzinfo=UTC)


def test_quiet_hours_may_lie_within_a_day_and_move_what_is_due() -> None:
    noon = QuietHours(time(8), time(12))
    for moment, end in ((0, 3), (-1, 3), (-2, -2), (3, 3)):
        assert noon.end_after(START + moment * HOUR) == START + end * HOUR
    told = Reminded(after(created(0)), policy=ReminderPolicy(quiet=noon)).over(30 * DAY)
    assert [at for at, _ in told] == [DAY + 3 * HOUR, 3 * DAY + 3 * HOUR]


def test_quiet_hours_may_end_within_the_hour_that_comes_twice() -> None:
    hours = QuietHours(time(20), time(1, 30), ZoneInfo("Europe/London"))
    second = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)
    assert hours.end_after(second) == second + timedelta(minutes=20)
    assert hours.end_after(second - 4 * HOUR) == second - timedelta(minutes=40)


def test_an_end_that_is_said_again_and_again_is_reminded_of_once() -> None:
    events = [linked(0), read(60)]
    company, told = Reminded(after(*events)), []
    for day in range(1, 20):
        events.append(ended(day * DAY_S))
        company.connections = [after(*events)]
        told += [(day, type_) for type_ in company.decide(START + day * DAY + HOUR)[0]]
    assert told == [(4, ReminderType.ACCESS_LOST)]


def test_what_waited_for_the_mail_server_is_looked_at_again() -> None:
    def is_so(type_: ReminderType, connection: Connection, *others: Connection) -> bool:
        authorization = 0 if type_ in (ONE, THREE) else 1
        return is_still_true(type_, connection, authorization, START, others)

    pending, lost = after(created(0)), after(linked(0), ended(60))
    other = after(linked(60), id_="connection-2")
    for reminder in (ONE, THREE):
        assert is_so(reminder, pending)
        assert not is_so(reminder, pending, other)
        assert not is_so(reminder, after(created(0), failed(60)))
    assert is_so(ONE, pending, replace(other, source_type=None))
    assert is_so(ONE, pending, replace(other, source_type="Commerce", platform_key="shop"))
    assert not is_so(ONE, after(created(0), linked(60)))
    assert is_so(ReminderType.ACCESS_LOST, lost)
    assert not is_so(ReminderType.ACCESS_LOST, lost, other)
    assert not is_so(ReminderType.ACCESS_LOST, after(linked(0)))
    shops = [replace(other, source_type="Commerce", platform_key=key) for key in ("shop", "other shop")]
    assert not is_so(
        ReminderType.ACCESS_LOST, replace(lost, source_type="Commerce", platform_key="shop"), *shops
    )
    assert not is_so(ReminderType.ACCESS_LOST, after(linked(0), ended(60), relinked(90), ended(99)))
    assert not is_so(ReminderType.CONSENT_ENDING, lost)
    assert is_so(ReminderType.CONSENT_ENDING, after(linked(0)), other)
    assert is_so(ReminderType.READ_DUE, after(linked(0)), other), "each connection is read"
