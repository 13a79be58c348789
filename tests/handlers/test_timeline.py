"""The outcome of an event and its reason, by what was known before and what is known after it."""

from dataclasses import replace

import pytest

from handlers.connection import Connection
from handlers.events import LinkStatus
from handlers.facts import Claim, DataType, Fact, FactKind
from handlers.fold import AuthorizationHistory, Link
from handlers.registry import HandlerResult
from handlers.state import Situation, State, SyncOutcome
from handlers.timeline import EXPECTED_END, explain
from tests.handlers.support.story import (
    DEAUTHORIZED,
    LINKED,
    PENDING,
    UNLINKED,
    Story,
    at,
    failed,
    linked,
    read,
)
from tests.handlers.test_facts import alert, fact

BEGUN, READ = fact(FactKind.LINKED, 10), fact(FactKind.READ, 20)
END = fact(FactKind.ENDED, 40, UNLINKED)
LIVE = AuthorizationHistory(Link.LINKED, 1, BEGUN, BEGUN.at, initial_reads=(READ,))
OVER = replace(LIVE, link=Link.ENDED, ended=END)
KNOWN = Connection("c", facts=(BEGUN, READ))
APPLIED, NO_CHANGE, STALE, TWIN, DOUBT = "applied", "no_change", "stale", "twin", "doubt"


def held(history: AuthorizationHistory, state: State = State.READY, **more: object) -> Situation:
    return Situation(
        **{  # type: ignore[arg-type]
            "state": state,
            "authorization": history.authorization,
            "authorized_at": history.begun_at,
            "outcome": None,
            "history": history,
            **more,
        }
    )


def explained(
    before: Situation,
    after: Situation,
    *facts: Fact,
    known: Connection = KNOWN,
    learnt: Connection = KNOWN,
    expired: tuple[Claim, ...] = (),
    **result: object,
) -> tuple[str, str]:
    handled = HandlerResult(facts=facts, **result)  # type: ignore[arg-type]
    outcome, reason = explain(known, learnt, before, after, handled, expired)
    return outcome.value, reason


def synced(**types: str) -> SyncOutcome:
    return SyncOutcome(State.READY, types, READ)


# The state


def test_an_end_is_expected_or_is_not_any_more() -> None:
    plain, expected = held(OVER, State.DEAUTHORIZED), held(OVER, State.DEAUTHORIZED, end_expected=True)

    assert explained(plain, expected) == (APPLIED, EXPECTED_END)
    assert explained(expected, plain) == (APPLIED, "access did not end with the first sync")
    assert explained(held(LIVE), expected) == (APPLIED, f"ready → deauthorized; {EXPECTED_END}")
    assert explained(held(LIVE), plain) == (APPLIED, "ready → deauthorized")


def test_an_event_of_which_nothing_follows_says_what_it_was() -> None:
    assert explained(held(LIVE), held(LIVE)) == (NO_CHANGE, "nothing follows for this connection")
    assert explained(held(LIVE), held(LIVE), remark="A company was made") == (NO_CHANGE, "A company was made")


# Claims that were not answered


def test_an_alert_without_an_answer_is_taken_at_its_word_or_left_as_a_doubt() -> None:
    claim = Claim("alert", at(30), at(30), new=LINKED)
    other = replace(LIVE, initial_reads=())

    assert explained(held(LIVE), held(other), expired=(claim,)) == (APPLIED, "an alert was taken at its word")
    outcome, reason = explained(held(LIVE), held(LIVE), expired=(claim,))
    assert (outcome, reason) == (DOUBT, "an alert that does not fit what we know was left as a doubt")
    assert explained(held(LIVE), held(LIVE), doubt="It cannot be") == (DOUBT, "It cannot be")


# Facts that leave the state as it is


MORE = replace(LIVE, initial_reads=(READ, fact(FactKind.READ, 30)))
EARLIER = replace(LIVE, begun_at=at(5))
FAILED = AuthorizationHistory(failed=fact(FactKind.FAILED, 10))


@pytest.mark.parametrize(
    ("before", "after", "outcome", "reason"),
    [
        (held(LIVE), held(MORE, outcome=synced()), APPLIED, "the first sync read more data types"),
        (held(LIVE, outcome=synced()), held(MORE), APPLIED, "the first sync read more data types"),
        (
            held(LIVE, outcome=synced(bills="Complete")),
            held(MORE, outcome=synced(bills="Complete", invoices="Complete")),
            APPLIED,
            "the first sync read more data types",
        ),
        (
            held(LIVE, outcome=synced(bills="Complete")),
            held(EARLIER, outcome=synced(invoices="Complete")),
            APPLIED,
            "the authorisation is known to have begun at another time",
        ),
        (held(LIVE, outcome=synced()), held(EARLIER, outcome=synced()), TWIN, "this change is known already"),
        (held(LIVE), held(EARLIER), TWIN, "this change is known already"),
        (
            held(LIVE, outcome=synced(bills="Complete")),
            held(EARLIER, outcome=SyncOutcome(State.READY, {"bills": "Complete"}, BEGUN)),
            TWIN,
            "this change is known already",
        ),
        (held(OVER), held(replace(OVER, orphaned_reads=(READ,))), APPLIED, "a fact was added"),
        (held(OVER), held(replace(OVER, failed=fact(FactKind.FAILED, 50))), APPLIED, "a fact was added"),
        (
            held(FAILED),
            held(AuthorizationHistory(failed=fact(FactKind.FAILED, 20))),
            APPLIED,
            "a fact was added",
        ),
        (
            held(FAILED),
            held(AuthorizationHistory(failed=fact(FactKind.FAILED, 10, claimed=True))),
            APPLIED,
            "a fact was added",
        ),
    ],
)
def test_a_correction_of_a_known_time_is_a_twin_and_anything_else_was_applied(
    before: Situation, after: Situation, outcome: str, reason: str
) -> None:
    assert explained(before, after, READ) == (outcome, reason)


def test_a_history_that_moves_without_a_fact_of_the_event_was_applied() -> None:
    moved = held(EARLIER)
    assert explained(held(LIVE), moved) == (
        APPLIED,
        "the authorisation is known to have begun at another time",
    )


def test_a_twin_says_of_what_unless_its_handler_did() -> None:
    same = held(LIVE)
    assert explained(same, same, twin=True) == (TWIN, "this change is known already")
    assert explained(same, same, twin=True, remark="Known exactly") == (TWIN, "Known exactly")


# Facts without any effect


@pytest.mark.parametrize(
    ("new", "history", "outcome", "reason"),
    [
        (BEGUN, LIVE, TWIN, "this change is known already"),
        (fact(FactKind.LINKED, 15), LIVE, TWIN, "this change is known already"),
        (fact(FactKind.READ, 15), LIVE, TWIN, "this change is known already"),
        (
            fact(FactKind.READ, 15),
            replace(LIVE, initial_reads=()),
            STALE,
            "it lies before the last change (read)",
        ),
        (
            fact(FactKind.READ, 20.5),
            replace(LIVE, initial_reads=()),
            NO_CHANGE,
            "it changes nothing while ready",
        ),
        (fact(FactKind.CREATED, 5), LIVE, STALE, "it lies before the last change (read)"),
        (fact(FactKind.CREATED, 20), LIVE, NO_CHANGE, "it changes nothing while ready"),
        (fact(FactKind.ENDED, 15, UNLINKED), LIVE, STALE, "it lies before the last change (read)"),
        (fact(FactKind.LINKED, 15), AuthorizationHistory(), STALE, "it lies before the last change (read)"),
        (
            fact(FactKind.LINKED, 15),
            replace(LIVE, previous_end_at=at(15)),
            STALE,
            "it lies before the last change (read)",
        ),
        (
            fact(FactKind.LINKED, 15),
            replace(LIVE, previous_end_at=at(14)),
            TWIN,
            "this change is known already",
        ),
        (fact(FactKind.ENDED, 15, UNLINKED), OVER, TWIN, "this change is known already"),
        (fact(FactKind.ENDED, 15, DEAUTHORIZED), OVER, STALE, "it lies before the last change (read)"),
        (fact(FactKind.LINKED, 15), OVER, STALE, "it lies before the last change (read)"),
        (
            fact(FactKind.ENDED, 15, UNLINKED),
            replace(OVER, deleted=fact(FactKind.DELETED, 50)),
            STALE,
            "it lies before the last change (read)",
        ),
        (
            fact(FactKind.DELETED, 15),
            replace(OVER, deleted=fact(FactKind.DELETED, 50)),
            TWIN,
            "this change is known already",
        ),
        (fact(FactKind.DELETED, 15), OVER, STALE, "it lies before the last change (read)"),
    ],
)
def test_a_fact_that_changes_nothing_repeats_something_or_is_late(
    new: Fact, history: AuthorizationHistory, outcome: str, reason: str
) -> None:
    assert explained(held(history), held(history), new) == (outcome, reason)


def test_the_last_change_is_no_observation() -> None:
    known = Connection("c", facts=(BEGUN, READ, fact(FactKind.SEEN, 30, LINKED)))
    late, same = fact(FactKind.CREATED, 15), held(LIVE)

    assert explained(same, same, late, known=known) == (STALE, "it lies before the last change (read)")
    only_seen = Connection("c", facts=(fact(FactKind.SEEN, 30, LINKED),))
    assert explained(same, same, late, known=only_seen) == (NO_CHANGE, "it changes nothing while ready")


def test_a_fact_of_the_compacted_time_is_late() -> None:
    known = replace(KNOWN, facts=(), compacted_until=at(20))

    assert explained(held(LIVE), held(LIVE), READ, known=known) == (
        STALE,
        "it lies before what was summed up",
    )


def test_an_alert_that_an_exact_message_superseded_is_a_twin() -> None:
    claimed = alert(12, LINKED, PENDING)
    learnt = replace(KNOWN, facts=(BEGUN, claimed, READ))

    outcome, reason = explained(held(LIVE), held(LIVE), claimed, learnt=learnt)

    assert (outcome, reason) == (TWIN, "a message with an exact time told of this change already")


@pytest.mark.parametrize(
    ("second", "status", "reason"),
    [
        (30, UNLINKED, "it may be from before the last change: Codat is asked again"),
        (30, LINKED, "what Codat shows agrees with what we know"),
        (12, LINKED, "it lies too close to an exact change, which counts instead"),
    ],
)
def test_an_observation_that_changes_nothing_says_why(second: float, status: LinkStatus, reason: str) -> None:
    shown = fact(FactKind.SEEN, second, status)
    learnt = KNOWN.with_facts([shown])

    assert explained(held(LIVE), held(LIVE), shown, learnt=learnt) == (NO_CHANGE, reason)


# Outcomes of data types


@pytest.mark.parametrize(
    ("now", "outcome", "reason"),
    [
        ({"bills": ("Complete", 20)}, NO_CHANGE, "read again with the same outcome"),
        ({"bills": ("FetchError", 20)}, APPLIED, "a data type has a new outcome"),
        ({"bills": ("Complete", 10), "items": ("Complete", 20)}, APPLIED, "a data type has a new outcome"),
    ],
)
def test_outcomes_are_new_or_read_again(now: dict[str, tuple[str, float]], outcome: str, reason: str) -> None:
    learnt = replace(
        KNOWN, data_types={name: DataType(name, status, at(second)) for name, (status, second) in now.items()}
    )
    known = replace(KNOWN, data_types={"bills": DataType("bills", "Complete", at(10))})
    same = held(LIVE)

    read_now = tuple(learnt.data_types.values())
    assert explained(same, same, known=known, learnt=learnt, data_types=read_now) == (outcome, reason)
    known_already = explained(same, same, known=learnt, learnt=learnt, data_types=read_now)
    assert known_already == (TWIN, "these outcomes are known already")
    older = (DataType("bills", "Complete", at(5)),)
    late = explained(same, same, known=known, learnt=known, data_types=older)
    assert late == (STALE, "newer outcomes of these data types are known")


# The same, told by events


def test_a_second_first_sync_of_other_data_types_was_applied() -> None:
    story = Story(linked(10), read(20, bills="Complete"), read(30, invoices="Complete"))
    assert story.last is not None
    assert (story.outcome, story.last.entry.reason) == (APPLIED, "the first sync read more data types")


def test_each_failed_attempt_was_applied() -> None:
    assert Story(failed(10), failed(20)).outcome == APPLIED
