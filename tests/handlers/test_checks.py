"""Bad news and late news wait for Codat's word before they are told."""

from collections.abc import Callable

import pytest

from handlers.events import Aspect, Event, LinkStatus
from handlers.registry import Policy
from handlers.state import State
from handlers.verification import CONTRADICTED
from tests.handlers.support.story import (
    ASKS,
    DEAUTHORIZED,
    IMPATIENT,
    LINKED,
    NO_KEY,
    PENDING,
    UNLINKED,
    Story,
    at,
    claim,
    deleted,
    ended,
    failed,
    gone,
    linked,
    read,
    read_more,
    relinked,
    seen,
    unanswered,
)

DEAUTHORIZED_NOTICE = "connection.deauthorized"


def test_an_end_changes_the_state_at_once_and_is_told_only_after_a_check() -> None:
    story = Story(linked(10), ended(20), policy=ASKS)
    assert (story.state, story.outcome) == (State.DEAUTHORIZED, "applied")
    assert story.told == ["connection.authorized"]
    assert story.verdicts == [(DEAUTHORIZED_NOTICE, "checking")]
    (ask,) = story.asks
    assert (ask.aspect, ask.not_before, ask.deadline) == (Aspect.CONNECTION, at(23), at(80))


def test_codat_is_asked_at_once_about_a_change_that_is_older_than_three_seconds() -> None:
    story = Story(linked(10), ended(20, known=40), policy=ASKS)
    assert [(ask.not_before, ask.deadline) for ask in story.asks] == [(at(40), at(100))]


def test_a_confirmed_end_is_told() -> None:
    story = Story(linked(10), ended(20), seen(23.5, DEAUTHORIZED), policy=ASKS)
    assert story.told == ["connection.authorized", DEAUTHORIZED_NOTICE]
    assert story.verdicts == [(DEAUTHORIZED_NOTICE, "told")]
    note = story.notes[-1]
    assert (note.data["occurred_at"], note.timestamp) == (at(20), at(23.5))
    assert (note.data["previous_state"], note.data["state"]) == ("authorized", "deauthorized")
    assert (story.connection.checks, story.asks) == ((), [])


def test_an_end_that_was_overtaken_is_recorded_and_not_told() -> None:
    story = Story(linked(10), ended(20), seen(24, LINKED), policy=ASKS)
    assert story.told == ["connection.authorized"]
    story.hear(seen(80, LINKED))
    assert (DEAUTHORIZED_NOTICE, "overtaken") in story.verdicts
    assert story.told == ["connection.authorized", "connection.reauthorized"]
    assert (story.state, story.connection.checks) == (State.AUTHORIZED, ())


def test_the_message_of_the_next_change_overtakes_an_end_as_well() -> None:
    story = Story(linked(10), ended(20), relinked(22), policy=ASKS)
    assert (DEAUTHORIZED_NOTICE, "overtaken") in story.verdicts
    assert story.told == ["connection.authorized", "connection.reauthorized"]


def test_an_answer_too_close_to_the_change_confirms_nothing() -> None:
    story = Story(linked(10), ended(20), seen(21.5, DEAUTHORIZED), policy=ASKS)
    assert story.told == ["connection.authorized"]
    assert [ask.aspect for ask in story.asks] == [Aspect.CONNECTION]


def test_an_end_is_told_unchecked_when_codat_does_not_answer_in_time() -> None:
    story = Story(linked(10), ended(20), unanswered(80), policy=ASKS)
    assert story.told == ["connection.authorized", DEAUTHORIZED_NOTICE]
    assert story.connection.checks == ()


def test_an_end_waits_until_patience_is_over() -> None:
    story = Story(linked(10), ended(20), unanswered(79), policy=ASKS)
    assert story.told == ["connection.authorized"]
    assert [ask.deadline for ask in story.asks] == [at(80)]


def test_patience_begins_when_we_learn_of_the_news() -> None:
    story = Story(linked(10), ended(20, known=50), unanswered(80), policy=ASKS)
    assert story.told == ["connection.authorized"]
    story.hear(unanswered(110))
    assert story.told == ["connection.authorized", DEAUTHORIZED_NOTICE]


def test_the_same_end_again_does_not_prolong_the_wait() -> None:
    story = Story(linked(10), ended(20), ended(20, known=70, id="again"), policy=ASKS)
    assert [ask.deadline for ask in story.asks] == [at(80)]
    assert story.outcome == "twin"


@pytest.mark.parametrize("policy", [NO_KEY, IMPATIENT], ids=["without a key", "without patience"])
def test_bad_news_and_late_news_are_told_at_once_where_nothing_is_checked(policy: Policy) -> None:
    story = Story(linked(10, known=5000), ended(20, known=5001), policy=policy)
    assert story.told == ["connection.authorized", DEAUTHORIZED_NOTICE]
    assert story.asks == []


def test_an_end_that_codat_showed_is_told_at_once() -> None:
    story = Story(linked(10), seen(70, UNLINKED), policy=ASKS)
    assert story.told == ["connection.authorized", "connection.unlinked"]


@pytest.mark.parametrize(
    ("later", "told"),
    [(seen(120, UNLINKED), "connection.unlinked"), (seen(160, LINKED), "connection.reauthorized")],
)
def test_an_end_that_codat_showed_before_it_showed_access_waits(later: Event, told: str) -> None:
    """The answers came in the other order: the end was told, although Codat's newest word denied it."""
    story = Story(linked(10), seen(100, LINKED), seen(97, UNLINKED, known=101), policy=ASKS)
    assert (story.state, story.verdicts) == (State.UNLINKED, [("connection.unlinked", "checking")])
    assert [ask.aspect for ask in story.asks] == [Aspect.CONNECTION]
    story.hear(later)
    assert story.told == ["connection.authorized", told]


def test_an_end_of_an_alert_to_which_codat_said_nothing_in_time_is_told_at_once() -> None:
    story = Story(linked(10), claim(100, LINKED, DEAUTHORIZED), unanswered(160), policy=ASKS)
    assert (story.told[-1], story.connection.checks) == (DEAUTHORIZED_NOTICE, ())


def test_an_end_that_only_an_old_look_shows_is_checked() -> None:
    """A look that said nothing when it came became the end by a late message, and was told minutes later."""
    looks = (seen(13, DEAUTHORIZED), seen(72, LINKED), seen(95, DEAUTHORIZED))
    story = Story(linked(1), ended(10), *looks, policy=ASKS)
    told = story.told
    assert told[-1] == "connection.reauthorized"
    story.hear(relinked(15, known=300))
    assert (story.state, story.told, story.verdicts) == (
        State.DEAUTHORIZED,
        told,
        [(DEAUTHORIZED_NOTICE, "checking")],
    )
    story.hear(seen(303, LINKED))
    assert (story.state, story.told.count(DEAUTHORIZED_NOTICE)) == (State.AUTHORIZED, 1)


def test_an_end_that_only_an_old_look_shows_is_told_when_the_next_look_agrees() -> None:
    looks = (seen(13, DEAUTHORIZED), seen(72, LINKED), seen(95, DEAUTHORIZED))
    story = Story(linked(1), ended(10), *looks, relinked(15, known=300), policy=ASKS)
    assert story.told.count(DEAUTHORIZED_NOTICE) == 1
    story.hear(seen(303, DEAUTHORIZED))
    assert (story.told[-1], story.connection.checks) == (DEAUTHORIZED_NOTICE, ())


@pytest.mark.parametrize("second", [290, 295])
@pytest.mark.parametrize("first", ["look", "read"])
def test_access_that_ended_right_after_the_first_read_is_not_given_by_that_read(
    first: str, second: float
) -> None:
    """The read of five seconds before a look made it count for nothing: access was told after its end, and
    the next look told the end a second time. Codat did not answer in between."""
    events = [seen(295, DEAUTHORIZED), read(second, known=297)]
    story = Story(*(events if first == "look" else reversed(events)), policy=ASKS)
    story.hear(unanswered(360), seen(447, DEAUTHORIZED))
    given = [] if first == "look" else ["connection.authorized", "initial_sync.completed"]
    assert (story.state, story.told) == (State.DEAUTHORIZED, [*given, DEAUTHORIZED_NOTICE])


def test_a_first_sync_after_an_end_that_was_shown_is_told_with_the_access_that_it_belongs_to() -> None:
    story = Story(seen(295, DEAUTHORIZED), read(320), relinked(310, known=330), policy=ASKS)
    assert story.told == [DEAUTHORIZED_NOTICE, "connection.reauthorized", "initial_sync.completed"]


def test_access_that_ended_right_after_an_ordinary_read_is_not_given_by_that_read() -> None:
    story = Story(read_more(290, bills="Complete"), seen(295, DEAUTHORIZED), policy=ASKS)
    story.hear(unanswered(352), unanswered(420))
    assert (story.told, story.now.authorized_at) == ([DEAUTHORIZED_NOTICE], at(290))


@pytest.mark.parametrize("policy", [ASKS, IMPATIENT], ids=["asks", "without patience"])
def test_access_that_codat_shows_after_an_end_and_an_older_read_is_told(policy: Policy) -> None:
    story = Story(seen(295, DEAUTHORIZED), read(290, known=297), unanswered(390), policy=policy)
    assert story.told == [DEAUTHORIZED_NOTICE]
    story.hear(seen(447, LINKED))
    assert (story.state, story.connection.checks) == (State.READY, ())
    assert story.told == [DEAUTHORIZED_NOTICE, "connection.authorized", "initial_sync.completed"]


@pytest.mark.parametrize(
    ("begins", "reason"), [(relinked, UNLINKED), (linked, DEAUTHORIZED)], ids=["again", "first"]
)
def test_an_end_shown_less_than_a_minute_after_a_first_read_may_be_that_of_before(
    begins: Callable[..., Event], reason: LinkStatus
) -> None:
    """Codat lagged: the end of before was told, and nothing else after it although access went on."""
    story = Story(read(110), seen(115, reason), begins(100, known=118), seen(175, LINKED), policy=ASKS)
    assert (story.state, story.told) == (State.READY, ["connection.authorized", "initial_sync.completed"])


def test_a_read_in_the_second_of_an_end_that_codat_showed_is_not_of_the_next_authorisation() -> None:
    """The time of a look has whole seconds; the read of the second before the end was told once more."""
    looks = (seen(120, DEAUTHORIZED, known=121.6), seen(371, LINKED, known=372))
    story = Story(linked(1), read(120.8), *looks, policy=ASKS)
    assert (story.state, story.told) == (
        State.AUTHORIZED,
        ["connection.authorized", "initial_sync.completed", DEAUTHORIZED_NOTICE, "connection.reauthorized"],
    )


@pytest.mark.parametrize(
    ("events", "told"),
    [
        ((linked(10), seen(30, UNLINKED), read(20, known=31)), "initial_sync.completed"),
        (
            (linked(1), ended(10), seen(75, DEAUTHORIZED), seen(96, DEAUTHORIZED), relinked(80, known=97)),
            "connection.reauthorized",
        ),
    ],
    ids=["first sync", "access again"],
)
def test_news_that_codat_contradicted_is_told_where_codat_says_no_more(
    events: tuple[Event, ...], told: str
) -> None:
    story = Story(*events, policy=ASKS)
    assert story.verdicts == [(told, "checking")]
    story.hear(unanswered(160))
    assert story.verdicts == [(told, "told")]


@pytest.mark.parametrize(
    "event", [deleted(20), deleted(20, known=5000), gone(70)], ids=["told", "late", "seen"]
)
def test_a_deletion_is_told_at_once(event: object) -> None:
    story = Story(linked(10), event, policy=ASKS)  # type: ignore[arg-type]
    assert story.told == ["connection.authorized", "connection.deleted"]
    assert story.asks == []


def test_a_deletion_overtakes_an_end_that_is_being_checked() -> None:
    story = Story(linked(10), ended(20, known=78), gone(80), policy=ASKS)
    assert story.told == ["connection.authorized", "connection.deleted"]
    assert (DEAUTHORIZED_NOTICE, "overtaken") in story.verdicts


def test_a_deletion_overtakes_all_that_was_never_told() -> None:
    story = Story(linked(10, known=5000), deleted(5001), policy=ASKS)
    assert (story.told, story.connection.checks) == ([], ())
    assert story.verdicts == [("connection.authorized", "overtaken")]


def test_news_that_codat_contradicts_says_so_where_nothing_is_checked() -> None:
    story = Story(seen(295, DEAUTHORIZED), read(290, known=297), policy=IMPATIENT)
    assert story.last is not None
    assert {decision.reason for decision in story.last.entry.decisions} == {CONTRADICTED}


def test_a_second_end_is_told_although_the_first_was_seen_just_before_access_was_given_again() -> None:
    """The end of the authorisation before was seen within two seconds before the next began; it was
    taken for an end of the next one, whose own end was never told."""
    story = Story(linked(10), seen(80, DEAUTHORIZED), relinked(81.5), ended(160), policy=ASKS)
    story.hear(seen(163.5, DEAUTHORIZED))
    assert story.told == [
        "connection.authorized",
        DEAUTHORIZED_NOTICE,
        "connection.reauthorized",
        DEAUTHORIZED_NOTICE,
    ]


def test_an_end_for_another_reason_that_codat_shows_is_told() -> None:
    """Two messages were lost, and the state went on naming the reason of the end before."""
    story = Story(linked(10), seen(80, DEAUTHORIZED), seen(500, UNLINKED), policy=ASKS)
    assert (story.state, story.told[-1]) == (State.UNLINKED, "connection.unlinked")


def test_one_question_covers_all_that_waits() -> None:
    story = Story(linked(10, known=5000), read(20, known=5001), policy=ASKS)
    assert len(story.asks) == 1
    assert story.asks[0].deadline == at(5060)


def test_ordinary_reads_do_not_disturb_a_check() -> None:
    story = Story(linked(10), ended(20), read_more(19, known=21, invoices="Complete"), policy=ASKS)
    assert [check.kind for check in story.connection.checks] == [DEAUTHORIZED_NOTICE]
    assert [(ask.not_before, ask.deadline) for ask in story.asks] == [(at(23), at(80))]


def test_a_read_after_an_end_asks_codat_who_settles_it() -> None:
    story = Story(linked(10), ended(20), seen(23.5, DEAUTHORIZED), read(60), policy=ASKS)
    assert (story.state, story.outcome) == (State.DEAUTHORIZED, "doubt")
    assert [(ask.aspect, ask.not_before) for ask in story.asks] == [(Aspect.CONNECTION, at(60))]
    story.hear(seen(61, LINKED), seen(80, LINKED))
    assert (story.state, story.now.authorized_at) == (State.READY, at(60))
    assert story.told[-2:] == ["connection.reauthorized", "initial_sync.completed"]


def test_a_company_that_we_do_not_know_makes_us_ask() -> None:
    story = Story(policy=ASKS)
    story.hear(linked(10), company_known=False)
    assert [(ask.aspect, ask.deadline) for ask in story.asks] == [(Aspect.CONNECTION, at(70))]
    assert story.told == ["connection.authorized"]


def test_nothing_is_asked_without_a_key() -> None:
    story = Story(linked(10), ended(20), read(60), read_more(70, invoices="AuthError"), policy=NO_KEY)
    assert story.asks == []
    story.hear(linked(80), company_known=False)
    assert story.asks == []


@pytest.mark.parametrize(("second", "is_asked"), [(9, False), (10, True), (40, True)])
def test_a_look_from_the_moment_of_a_change_on_that_contradicts_it_is_repeated(
    second: float, is_asked: bool
) -> None:
    """Codat's API may show the state before a change for a minute; a look before it contradicts nothing."""
    assert bool(Story(seen(second, PENDING), linked(10), policy=ASKS).asks) == is_asked
    (ask,) = Story(linked(10), seen(40, PENDING), policy=ASKS).asks
    assert (ask.not_before, ask.deadline) == (at(70), at(130))
    assert not Story(linked(10), seen(40, LINKED), policy=ASKS).asks


def test_a_look_that_contradicts_a_change_is_repeated_once_whatever_else_is_heard() -> None:
    story = Story(linked(10), seen(40, PENDING), policy=ASKS)
    story.hear(read_more(41, bills="Complete"))
    assert story.asks == []


@pytest.mark.parametrize(("second", "is_told"), [(12, True), (12.5, False)])
def test_a_look_within_two_seconds_of_a_change_does_not_contradict_it(second: float, is_told: bool) -> None:
    story = Story(seen(second, PENDING), linked(10, known=13), policy=ASKS)
    assert story.told == ["connection.authorized"] * is_told


def test_a_look_of_the_moment_at_which_a_check_begins_counts() -> None:
    story = Story(seen(4_990, PENDING, known=5_000), failed(10, known=5_000), policy=ASKS)
    assert story.told == []
    story.hear(unanswered(5_010))
    assert story.told == ["connection.authorization_failed"]


def test_what_waits_for_other_news_alone_is_not_asked_about() -> None:
    """A first sync waits behind an authorisation that turns out to be earlier, so its check is the older."""
    story = Story(linked(10, known=5_000), read(4_990, known=5_001), linked(5, known=5_002), policy=ASKS)
    assert [check.since for check in story.connection.checks] == [at(5_002), at(5_001)]
    assert [ask.deadline for ask in story.asks] == [at(5_062)]
