"""Connections survive being written down."""

from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.connection import Check, Connection, LedgerEntry
from handlers.events import LinkStatus, Problem
from handlers.facts import Claim, DataType, Fact, FactKind
from handlers.fold import AuthorizationHistory, Link
from handlers.milestones import NotificationType
from handlers.state import State
from processor.store import serialization
from tests.support.effort import examples

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
"""Any text that can be stored: readers of messages replace lone surrogates."""

TIMES = st.datetimes(datetime(1969, 1, 1), datetime(2300, 1, 1)).map(
    lambda moment: moment.replace(tzinfo=UTC)
)
STATUSES = st.sampled_from(LinkStatus)
PROBLEMS = st.builds(Problem, *[st.none() | TEXTS] * 3)
FACTS = st.builds(
    Fact,
    kind=st.sampled_from(FactKind),
    at=TIMES,
    known_at=TIMES,
    event_id=TEXTS,
    status=st.none() | STATUSES,
    types=st.lists(st.tuples(TEXTS, TEXTS), max_size=3).map(lambda types: tuple(sorted(types))),
    problem=st.none() | PROBLEMS,
    claimed=st.booleans(),
)
SOME_FACTS = st.lists(FACTS, max_size=3).map(tuple)
WALKS = st.builds(
    AuthorizationHistory,
    link=st.sampled_from(Link),
    authorization=st.integers(0, 9),
    begun=st.none() | FACTS,
    begun_at=st.none() | TIMES,
    previous_end_at=st.none() | TIMES,
    ended=st.none() | FACTS,
    initial_reads=SOME_FACTS,
    orphaned_reads=SOME_FACTS,
    failed=st.none() | FACTS,
    deleted=st.none() | FACTS,
)
DATA_TYPES = st.builds(
    DataType,
    name=TEXTS,
    status=TEXTS,
    at=TIMES,
    timed=st.booleans(),
    progress=st.integers(0, 100),
    message=st.none() | TEXTS,
)
CONNECTIONS = st.builds(
    Connection,
    id=TEXTS,
    **dict.fromkeys(
        (
            "company_id",
            "merchant_id",
            "platform_key",
            "platform_name",
            "source_type",
            "integration_id",
            "account_name",
            "previous_account_name",
        ),
        st.none() | TEXTS,
    ),
    described_at=st.none() | TIMES,
    facts=SOME_FACTS,
    base=WALKS,
    compacted_until=st.none() | TIMES,
    data_types=st.lists(DATA_TYPES, max_size=3).map(lambda kinds: {kind.name: kind for kind in kinds}),
    claims=st.lists(
        st.builds(
            Claim,
            event_id=TEXTS,
            arrived_at=TIMES,
            since=TIMES,
            old=st.none() | STATUSES,
            new=st.none() | STATUSES,
        ),
        max_size=2,
    ).map(tuple),
    checks=st.lists(
        st.builds(
            Check,
            kind=st.sampled_from([notice.value for notice in NotificationType]),
            at=TIMES,
            since=TIMES,
            previous_state=st.sampled_from([state.value for state in State]),
        ),
        max_size=2,
    ).map(tuple),
    ledger=st.lists(
        st.builds(
            LedgerEntry,
            kind=st.sampled_from([notice.value for notice in NotificationType]),
            at=TIMES,
            id=TEXTS,
            is_observed=st.booleans(),
        ),
        max_size=2,
    ).map(tuple),
)


@given(CONNECTIONS)
@settings(max_examples=examples(200))
def test_a_connection_is_read_as_it_was_written(connection):
    assert serialization.load(serialization.dump(connection)) == connection


def test_every_field_of_every_part_is_written():
    """A field that is added and forgotten in the codec would be lost in silence."""
    at = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    fact = Fact(
        FactKind.READ, at, at, "e", LinkStatus.LINKED, (("bills", "Complete"),), Problem("1", "2", "3"), True,
        LinkStatus.PENDING, (("bills", at),),
    )  # fmt: skip
    kind = DataType("bills", "Fetching", at, False, 7, "slow")
    walk = AuthorizationHistory(Link.LINKED, 2, fact, at, at, fact, (fact,), (fact,), fact, fact)
    connection = Connection(
        "c", "co", "m", "gbol", "Xero", "Accounting", "i", at, (fact,), walk, at, {"bills": kind},
        (Claim("e", at, at, LinkStatus.PENDING, LinkStatus.LINKED),),
        (Check("connection.unlinked", at, at, "ready"),),
        (LedgerEntry("connection.unlinked", at, "n", True),), "North Shop", True, at, "South Shop",
    )  # fmt: skip
    blank = Connection("c")

    loaded = serialization.load(serialization.dump(connection))

    assert loaded == connection
    assert [name for name in Connection.__slots__ if getattr(loaded, name) == getattr(blank, name)] == ["id"]
    without = Fact(FactKind.READ, at, at, "e")
    said_nothing = [name for name in Fact.__slots__ if getattr(fact, name) == getattr(without, name)]
    assert said_nothing == ["kind", "at", "known_at", "event_id"]


def test_little_is_written_of_a_connection_of_which_nothing_is_known():
    assert len(serialization.dump(Connection("c"))) <= 70


def test_fields_of_a_newer_release_are_passed_over():
    document = msgspec.msgpack.encode({"id": "c", "colour": "green"})
    assert serialization.load(document) == Connection("c")


def test_a_long_life_stays_readable_after_it_was_summed_up():
    """Base, floor and ledger of a compacted connection."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    turns = [FactKind.RELINKED, FactKind.ENDED] * 60
    facts = [
        Fact(kind, at + timedelta(hours=hour), at, f"e{hour}", LinkStatus.UNLINKED if hour % 2 else None)
        for hour, kind in enumerate(turns)
    ]
    connection = Connection("c").with_facts(facts).compacted()

    loaded = serialization.load(serialization.dump(connection))

    assert loaded.compacted_until is not None
    assert (loaded, loaded.history) == (connection, connection.history)
