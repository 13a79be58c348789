"""Records with a quick constructor behave as those of the standard library."""

import dataclasses

import pytest

from handlers.connection import Connection
from handlers.facts import Fact, FactKind
from handlers.records import dataclass, replace
from tests.support.messages import LONG_AGO

FACT = Fact(FactKind.LINKED, LONG_AGO, LONG_AGO, "msg_1")
CONNECTION = Connection("connection-1", "company-1", facts=(FACT,))


@pytest.mark.parametrize(
    ("record", "changes"),
    [(CONNECTION, {"merchant_id": "m-1", "facts": ()}), (FACT, {"claimed": True}), (FACT, {})],
)
def test_a_replaced_record_is_the_one_of_the_standard_library(record, changes):
    assert replace(record, **changes) == dataclasses.replace(record, **changes)
    assert replace(record) == record


def test_a_field_that_does_not_exist_is_not_replaced():
    with pytest.raises(KeyError):
        replace(FACT, nothing=1)  # type: ignore[call-arg]


def test_equal_records_have_one_hash_and_take_no_other_attribute():
    @dataclass(frozen=True, slots=True)
    class Pair:
        first: int
        second: int

    assert {Pair(1, 2), Pair(1, 2)} == {Pair(1, 2)}
    with pytest.raises(AttributeError):
        Pair(1, 2).third = 3  # type: ignore[attr-defined]
