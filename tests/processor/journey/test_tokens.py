"""Links of the journey: signed, for one company, for a day, revoked by taking a key away."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.journey.errors import TokenExpired, TokenInvalid
from processor.journey.tokens import Tokens
from tests.support.journeying import Desk

OLD, NEW = "old-key-of-at-least-sixteen", "new-key-of-at-least-sixteen"
DAY_S = 86_400


class Hand:
    """A clock that is set by hand, in seconds since 1970."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def tokens(*keys: str, clock: Any = None) -> Tokens:
    return Tokens(lambda: keys, clock=clock or Hand())


def test_a_token_says_whose_it_is() -> None:
    assert tokens(NEW).claims(tokens(NEW).make("company-1")).company_id == "company-1"


def test_it_works_for_a_day_and_then_says_that_it_expired() -> None:
    clock = Hand()
    own = tokens(NEW, clock=clock)
    token = own.make("company-1")
    clock.now += DAY_S
    assert own.claims(token).company_id == "company-1"
    clock.now += 1
    with pytest.raises(TokenExpired):
        own.claims(token)


def test_a_token_may_say_itself_how_long_it_works() -> None:
    """One lifetime for all killed the links in e-mails over a weekend."""
    clock = Hand()
    own = tokens(NEW, clock=clock)
    token = own.make("company-1", lifetime_s=7 * DAY_S)
    assert own.claims(token).expires_at.timestamp() == clock.now + 7 * DAY_S
    clock.now += 7 * DAY_S
    assert own.claims(token).company_id == "company-1"
    clock.now += 1
    with pytest.raises(TokenExpired) as expired:
        own.claims(token)
    assert expired.value.company_id == "company-1"


def test_the_first_key_signs_and_all_are_accepted() -> None:
    before = tokens(OLD).make("company-1")
    during = tokens(NEW, OLD)
    assert during.claims(before).company_id == "company-1"
    assert tokens(NEW).claims(during.make("company-1")).company_id == "company-1"


def test_taking_a_key_away_revokes_what_it_signed() -> None:
    with pytest.raises(TokenInvalid):
        tokens(NEW).claims(tokens(OLD).make("company-1"))


def test_every_changed_character_makes_it_invalid() -> None:
    token = tokens(NEW).make("company-1")
    for place in range(len(token) - 1):  # the last of base64 may hold bits that do not count
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        with pytest.raises(TokenInvalid):
            tokens(NEW).claims(changed)


def test_tokens_of_two_companies_cannot_be_mixed() -> None:
    token, other = tokens(NEW).make("company-1").split("."), tokens(NEW).make("company-2").split(".")
    with pytest.raises(TokenInvalid):
        tokens(NEW).claims(".".join([token[0], *other[1:]]))


@given(st.text())
def test_nothing_that_somebody_types_is_more_than_invalid(text: str) -> None:
    with pytest.raises(TokenInvalid):
        tokens(NEW).claims(text)


def test_a_token_is_fit_for_an_address() -> None:
    token = tokens(NEW).make("5368b8b6-b20b-48a6-b203-db5ed12df549")
    assert set(token) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
    assert len(token) < 200


def test_without_a_secret_key_all_processes_share_one_that_is_made(open_desk: Callable[..., Desk]) -> None:
    first, second = open_desk(), open_desk()
    token = first.journey.tokens.make("company-1")
    assert second.journey.tokens.claims(token).company_id == "company-1"


def test_a_given_secret_key_signs_alone(open_desk: Callable[..., Desk]) -> None:
    given, made = open_desk(SECRET_KEY=NEW), open_desk()
    with pytest.raises(TokenInvalid):
        made.journey.tokens.claims(given.journey.tokens.make("company-1"))
