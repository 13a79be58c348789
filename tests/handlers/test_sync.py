"""What the handlers of reads say: facts, doubts and what Codat is asked."""

import pytest

from handlers.events import Aspect
from tests.handlers.support.story import ASKS, NO_KEY, Story, ended, linked, read, read_more
from tests.handlers.test_limits import handled

REFUSED = "the platform refused access while reading items"
GIVEN = "data was read, so access was given"


@pytest.mark.parametrize(
    ("items", "doubt"),
    [("Complete", "data was read although access had ended, as far as we know"), ("AuthError", REFUSED)],
)
def test_a_read_after_access_had_ended_asks_why(items: str, doubt: str) -> None:
    result = handled(Story(linked(10), ended(20)), read_more(30, bills="Complete", items=items))
    assert result.doubt == doubt
    assert [(question.aspect, question.reason) for question in result.questions] == [
        (Aspect.CONNECTION, doubt)
    ]


def test_a_read_without_a_known_access_says_that_access_was_given() -> None:
    event = read_more(20, bills="Complete", items="AuthError")
    assert handled(Story(), event, NO_KEY).remark == GIVEN
    result = handled(Story(), event, ASKS)
    assert result.remark == f"{GIVEN}: Codat is asked"
    assert [question.reason for question in result.questions] == [REFUSED, GIVEN]


def test_two_messages_of_one_first_sync_are_one_whatever_the_order_of_their_data_types() -> None:
    story = Story(linked(10), read(20, items="Complete", bills="Complete"))
    story.hear(read(20, id="again", bills="Complete", items="Complete"))
    assert (len(story.connection.facts), story.outcome) == (2, "twin")
