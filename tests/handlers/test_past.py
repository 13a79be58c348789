"""What was believed at a time is what the machine held then, for every short history in every order."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from handlers.connection import Connection
from handlers.events import Event, LinkStatus
from handlers.facts import FactKind
from handlers.fold import AuthorizationHistory
from handlers.machine import advance
from handlers.past import RecordedDecision, RecordedEntry, believed_at, summed_up_facts
from handlers.registry import Context, Policy
from handlers.state import State, situation
from handlers.timeline import TimelineEntry
from tests.handlers.support.codat_history import BASE, INITIAL_READS, all_histories
from tests.handlers.support.codat_messages import CONNECTION_ID, current_message
from tests.handlers.support.deliveries import ARRIVAL, NOBODY_TO_ASK, Deliveries
from tests.handlers.support.story import (
    ASKS,
    NO_KEY,
    Story,
    at,
    claim,
    dataset,
    ended,
    failed,
    history,
    linked,
    read,
    read_more,
    relinked,
    seen,
    unanswered,
)
from tests.handlers.test_facts import fact

DAYS = [timedelta(days=1), timedelta(minutes=3), timedelta(hours=5)]
A_MINUTE = timedelta(minutes=1)


def recorded(event: Event, entry: TimelineEntry, handled_at: datetime) -> RecordedEntry:
    """The entry as the timeline keeps it."""
    decisions = tuple(
        RecordedDecision(decision.kind, decision.outcome, decision.notification_id or None)
        for decision in entry.decisions
    )
    return RecordedEntry(event.event_id, event.at, handled_at, entry.before, entry.after, decisions)


def statuses(connection: Connection) -> dict[str, str]:
    """The outcome of each data type."""
    return {name: data_type.status for name, data_type in connection.data_types.items()}


def check(
    order: Sequence[Event], handled_at: Sequence[datetime], policy: Policy = NOBODY_TO_ASK.policy
) -> int:
    """Step through the messages and compare each step with what is believed of it later.

    Returns how many beliefs are incomplete.
    """
    connection = Connection(CONNECTION_ID)
    steps: list[tuple[datetime, Connection]] = []
    entries: list[RecordedEntry] = []
    for event, moment in zip(order, handled_at, strict=True):
        transition = advance(connection, event, Context(moment, policy))
        connection = transition.connection
        steps.append((moment, connection))
        entries.append(recorded(event, transition.entry, moment))
    incomplete = 0
    ends = [*handled_at[1:], handled_at[-1] + A_MINUTE]
    halves = [(moment + (end - moment) / 2, then) for (moment, then), end in zip(steps, ends, strict=True)]
    for moment, then in (*steps, *halves):
        belief = believed_at(connection, situation(connection).state, entries, moment)
        assert belief.state == situation(then).state
        assert belief.connection.facts == then.facts
        assert belief.connection.ledger == then.ledger
        assert belief.connection.claims == then.claims
        assert belief.connection.checks == then.checks
        if belief.complete:
            assert statuses(belief.connection) == statuses(then)
        incomplete += not belief.complete
    return incomplete // 2


def test_a_belief_is_what_the_machine_held_then() -> None:
    incomplete = total = 0
    for length in (1, 2, 3):
        for sequence in all_histories(length):
            changes = Deliveries(DAYS, BASE).changes(sequence, INITIAL_READS)
            for order in itertools.permutations(range(length)):
                times = [ARRIVAL + A_MINUTE * step for step in range(length)]
                events = [
                    current_message(changes[place], f"event-{place}", arrived)
                    for place, arrived in zip(order, times, strict=True)
                ]
                incomplete += check(events, times)
                total += length
    assert incomplete < total / 10


def test_a_message_that_was_handled_late_was_not_believed_before() -> None:
    """It arrived, its handling raised, and a replay an hour later handled it."""
    for sequence in all_histories(3):
        changes = Deliveries(DAYS, BASE).changes(sequence, INITIAL_READS)
        first, second, third = (
            current_message(change, f"event-{place}", ARRIVAL + A_MINUTE * place)
            for place, change in enumerate(changes)
        )
        hour = ARRIVAL + timedelta(hours=1)
        check([first, third, second], [ARRIVAL, ARRIVAL + 2 * A_MINUTE, hour])


def test_before_everything_nothing_was_believed() -> None:
    belief = believed_at(Connection(CONNECTION_ID), "pending", [], ARRIVAL)
    assert (belief.state, belief.connection.facts, belief.complete) == ("pending", (), True)


def told(*events: Event, policy: Policy = ASKS) -> tuple[Connection, list[RecordedEntry]]:
    """The connection after ``events``, which are handled as they arrive, and its timeline."""
    story, entries = Story(policy=policy), []
    for event in events:
        transition = story.hear(event)
        assert transition is not None
        entries.append(recorded(event, transition.entry, event.received_at))
    return story.connection, entries


def test_what_waited_for_codat_was_neither_told_nor_forgotten() -> None:
    """An end is checked and told; a failed attempt waits behind another one."""
    orders = [
        [linked(10), ended(20), seen(23.5, LinkStatus.DEAUTHORIZED)],
        [linked(10), failed(240), ended(200, known=90_000), unanswered(90_060)],
        [linked(10), failed(240), ended(200, known=90_000)],
    ]
    for order in orders:
        assert check(order, [event.received_at for event in order], ASKS) == 0


def test_an_outcome_is_believed_from_the_moment_of_its_message_on() -> None:
    connection, entries = told(linked(10), read_more(20, bills="Complete"), policy=NO_KEY)
    for moment, state, outcomes in (
        (at(19), State.AUTHORIZED, {}),
        (at(20), State.SYNCING, {"bills": "Complete"}),
    ):
        belief = believed_at(connection, State.SYNCING, entries, moment)
        assert (belief.state, statuses(belief.connection), belief.complete) == (state, outcomes, True)


def test_an_outcome_that_codats_history_showed_later_was_not_believed_before() -> None:
    connection, entries = told(
        linked(10), history(100, dataset("bills", "Complete", requested=11, completed=20))
    )
    belief = believed_at(connection, State.READY, entries, at(50))
    assert (belief.state, statuses(belief.connection), belief.complete) == (State.AUTHORIZED, {}, True)


def test_an_outcome_of_later_is_not_believed_before_whenever_it_was_shown() -> None:
    rows = [dataset("bills", "Complete", requested=11, completed=60)]
    connection, entries = told(linked(10), read(20), history(100, *rows))
    for moment, outcomes in ((at(50), {"invoices"}), (at(100), {"bills", "invoices"})):
        assert set(believed_at(connection, State.READY, entries, moment).connection.data_types) == outcomes


def test_a_belief_without_an_outcome_that_was_replaced_since_is_incomplete() -> None:
    connection, entries = told(linked(10), read(20), read_more(100, invoices="FetchError"), policy=NO_KEY)
    belief = believed_at(connection, State.READY, entries, at(50))
    assert (belief.state, statuses(belief.connection)) == (State.READY, {"invoices": "Complete"})
    assert not belief.complete
    assert believed_at(connection, State.READY, entries, at(100)).complete


def test_a_belief_from_before_what_was_summed_up_is_incomplete() -> None:
    """Compaction keeps the last authorisation alone of what it sums up."""
    summed_up, entries = told(linked(10), read(20, known=30), policy=NO_KEY)
    connection = replace(summed_up, facts=(), base=summed_up.history)
    assert believed_at(connection, State.READY, entries, at(30)).complete
    early = believed_at(connection, State.READY, entries, at(29))
    assert (early.state, early.complete) == (State.AUTHORIZED, False)
    entries[1] = replace(entries[1], handled_at=at(40))
    assert not believed_at(connection, State.READY, entries, at(35)).complete


def test_what_came_again_later_was_believed_from_the_first_time_on() -> None:
    connection, entries = told(
        linked(10),
        read_more(20, bills="Complete"),
        linked(10, known=60),
        read_more(20, known=61, bills="Complete"),
    )
    belief = believed_at(connection, State.SYNCING, entries, at(50))
    assert (len(belief.connection.facts), statuses(belief.connection)) == (1, {"bills": "Complete"})


def test_where_the_timeline_no_longer_says_so_what_became_known_later_was_not_believed() -> None:
    story = Story(linked(10), claim(500, LinkStatus.UNLINKED, LinkStatus.LINKED), policy=ASKS)
    assert story.connection.claims
    belief = believed_at(story.connection, State.PENDING, [], at(9))
    assert (belief.connection.facts, belief.connection.claims, belief.complete) == ((), (), True)
    summed_up = replace(story.connection, facts=(), base=story.connection.history)
    assert not believed_at(summed_up, State.AUTHORIZED, [], at(9)).complete
    assert believed_at(summed_up, State.AUTHORIZED, [], at(10)).complete


def test_outcomes_of_the_authorisation_before_are_believed_until_something_is_read() -> None:
    events = [linked(10), read_more(20, bills="Complete"), ended(30), relinked(40)]
    connection, entries = told(*events, policy=NO_KEY)
    belief = believed_at(connection, State.AUTHORIZED, entries, at(50))
    assert (statuses(belief.connection), belief.complete) == ({"bills": "Complete"}, True)
    connection, entries = told(*events, read_more(100, bills="FetchError"), policy=NO_KEY)
    assert not believed_at(connection, State.SYNCING, entries, at(50)).complete


def test_every_fact_that_was_summed_up_counts() -> None:
    first, second, *others = (fact(FactKind.READ, number) for number in range(6))
    base = AuthorizationHistory(
        begun=first,
        ended=second,
        failed=others[0],
        deleted=others[1],
        initial_reads=(others[2],),
        orphaned_reads=(others[3],),
    )
    assert summed_up_facts(Connection("c", base=base)) == [first, second, *others]
