"""Our own findings become bodies, and bodies the same events again."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from handlers.events import (
    Aspect,
    Company,
    CompanyCreated,
    CompanyDeleted,
    ConnectionCreated,
    ConnectionDeleted,
    ConnectionDetails,
    ConnectionEnded,
    ConnectionFailed,
    ConnectionGone,
    ConnectionLinked,
    ConnectionSeen,
    HistorySeen,
    LinkStatus,
    Problem,
    QuestionUnanswered,
    Source,
    Trigger,
    UnhandledEvent,
)
from handlers.reads import Dataset
from processor.codat.models import ConnectionResponse, HistoryResponse
from processor.codat.observation_types import (
    COMPANY_DELETED,
    COMPANY_GONE,
    COMPANY_SEEN,
    CONNECTION_CREATED,
    CONNECTION_DELETED,
    CONNECTION_FAILED,
    CONNECTION_GONE,
    CONNECTION_SEEN,
    CONNECTION_UNLINKED,
    HISTORY_SEEN,
    KINDS,
    UNANSWERED,
)
from processor.codat.observations import (
    connection_gone,
    connection_seen,
    decode,
    encode,
    history_seen,
    question_unanswered,
)

RECEIVED = datetime(2026, 11, 22, 15, 0, 0, 5, tzinfo=UTC)
THEIRS = datetime(2026, 11, 22, 14, 59, 58, tzinfo=UTC)
ACME = Company("c-1", "Acme", {"merchantId": "m-1"})

texts = st.text(st.characters(), max_size=20)
maybe = st.none() | texts
moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
statuses = st.sampled_from(LinkStatus)
companies = st.none() | st.builds(
    Company, id=texts, name=maybe, tags=st.dictionaries(texts, texts, max_size=3)
)
connections = st.builds(
    ConnectionDetails,
    id=texts,
    platform_key=maybe,
    platform_name=maybe,
    source_type=maybe,
    integration_id=maybe,
    status=st.none() | statuses,
)
datasets = st.builds(
    Dataset,
    connection_id=texts,
    data_type=texts,
    status=texts,
    requested=st.none() | moments,
    completed=st.none() | moments,
    progress=st.integers(0, 100),
    message=maybe,
)


def events(kind, event_type, **particulars):
    source = Source.JOURNEY if event_type.startswith("journey.") else Source.CODAT_API
    return st.builds(
        kind,
        event_id=texts,
        event_type=st.just(event_type),
        source=st.just(source),
        received_at=moments,
        at=moments,
        timed=st.booleans(),
        company=companies,
        trigger=st.none() | st.builds(Trigger, texts, st.booleans(), st.booleans()),
        **particulars,
    )


findings = st.one_of(
    events(ConnectionSeen, CONNECTION_SEEN, connection=connections, status=statuses),
    events(ConnectionGone, CONNECTION_GONE, connection=connections),
    events(QuestionUnanswered, UNANSWERED, connection=connections, aspect=st.sampled_from(Aspect)),
    events(
        HistorySeen,
        HISTORY_SEEN,
        asked_for=st.lists(texts, max_size=3).map(tuple),
        datasets=st.lists(datasets, max_size=4).map(tuple),
    ),
    events(ConnectionCreated, CONNECTION_CREATED, connection=connections),
    events(ConnectionDeleted, CONNECTION_DELETED, connection=connections),
    events(ConnectionEnded, CONNECTION_UNLINKED, connection=connections, reason=st.just(LinkStatus.UNLINKED)),
    events(CompanyDeleted, COMPANY_DELETED),
    events(CompanyDeleted, COMPANY_GONE),
    events(CompanyCreated, COMPANY_SEEN),
    events(
        ConnectionFailed,
        CONNECTION_FAILED,
        connection=connections,
        problem=st.none() | st.builds(Problem, maybe, maybe, maybe),
    ),
)


@given(findings)
def test_what_is_encoded_is_decoded_to_the_same_event(event):
    body = encode(event)

    assert decode(body, event_id=event.event_id, received_at=event.received_at) == event
    assert encode(decode(body, event_id="x", received_at=RECEIVED)) == body


def test_a_history_that_0_1_0_wrote_is_read():
    """Its rows end with the message: a store of that release had become full of messages that are none."""
    row = Dataset("k-1", "invoices", "Complete", completed=THEIRS, progress=100)
    event = history_seen(HistoryResponse(THEIRS, (row,)), received_at=RECEIVED, company=ACME, asked_for=())
    doc = json.loads(encode(event))
    assert doc["datasets"][0].pop() is False

    decoded = decode(json.dumps(doc).encode(), event_id=event.event_id, received_at=RECEIVED)

    assert decoded == event


@given(st.binary(max_size=200) | texts.map(lambda text: json.dumps(text).encode()))
@example(b"")
@example(b"null")
@example(b"{}")
@example(b"[" * 100_000)
@example(b'{"version": 1}')
@example(b'{"version": 1, "event_type": []}')
def test_what_is_none_of_ours_is_refused(body):
    with pytest.raises(ValueError, match="not an observation"):
        decode(body, event_id="x", received_at=RECEIVED)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts | moments.map(lambda at: at.isoformat()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@given(findings, st.data())
def test_a_finding_that_was_tampered_with_never_breaks_anything(event, data):
    """Either it is refused, or what comes out can be written again."""
    doc = json.loads(encode(event))
    place = data.draw(st.sampled_from(sorted(doc)))
    inner = doc[place]
    if isinstance(inner, dict) and inner and data.draw(st.booleans()):
        inner[data.draw(st.sampled_from(sorted(inner)))] = data.draw(json_values)
    elif isinstance(inner, list) and inner and data.draw(st.booleans()):
        inner[0] = data.draw(json_values)
    else:
        doc[place] = data.draw(json_values)
    try:
        decoded = decode(json.dumps(doc).encode(), event_id="x", received_at=RECEIVED)
    except ValueError:
        return
    encode(decoded)


def test_every_kind_of_finding_has_a_type_of_its_own():
    changing = {name: kind for name, kind in KINDS.items() if kind is not UnhandledEvent}
    by_source = {(name.split(".")[0], kind) for name, kind in changing.items()}
    assert len(by_source) == len(changing) == 12
    assert {name.split(".")[0] for name in KINDS} == {"codat-api", "journey"}


@pytest.mark.parametrize(
    ("event_type", "source"),
    [
        ("connection.connected", Source.CODAT_API),
        (CONNECTION_CREATED, Source.CODAT_API),
        (CONNECTION_SEEN, Source.CODAT_API),
    ],
)
def test_an_event_that_is_no_finding_is_not_encoded(event_type, source):
    kind = ConnectionLinked if event_type != CONNECTION_CREATED else ConnectionCreated
    event = kind(
        event_id="x",
        event_type=event_type,
        source=source,
        received_at=RECEIVED,
        at=THEIRS,
        connection=ConnectionDetails("k-1"),
    )

    with pytest.raises(ValueError, match="not an observation"):
        encode(event)


def test_an_answer_about_a_connection_becomes_what_was_seen_and_when():
    details = ConnectionDetails("k-1", platform_key="gbol", status=LinkStatus.LINKED)
    answer = ConnectionResponse(details=details, status=LinkStatus.LINKED, asked_at=THEIRS)

    event = connection_seen(answer, received_at=RECEIVED, company=ACME)

    assert (event.at, event.received_at, event.timed) == (THEIRS, RECEIVED, True)
    assert (event.status, event.connection, event.company) == (LinkStatus.LINKED, details, ACME)
    assert (event.source, event.event_type) == (Source.CODAT_API, "codat-api.connection")


def test_what_is_gone_and_what_stayed_unanswered_name_their_connection():
    gone = connection_gone("k-1", received_at=RECEIVED, company=None, asked_at=THEIRS)
    unanswered = question_unanswered("k-1", Aspect.HISTORY, received_at=RECEIVED, company=ACME)

    assert (gone.connection_ids, gone.at, gone.timed) == (("k-1",), THEIRS, True)
    assert (unanswered.connection_ids, unanswered.at, unanswered.timed) == (("k-1",), RECEIVED, False)
    assert unanswered.aspect is Aspect.HISTORY


def test_a_history_holds_the_rows_that_were_asked_for():
    rows = tuple(Dataset(f"k-{number}", "invoices", "Complete") for number in (1, 2, 3))
    answer = HistoryResponse(THEIRS, rows)

    some = history_seen(answer, received_at=RECEIVED, company=ACME, asked_for=["k-3", "k-1", "k-3", "k-9"])
    every = history_seen(answer, received_at=RECEIVED, company=ACME, asked_for=())

    assert some.asked_for == ("k-3", "k-1", "k-9")
    assert some.datasets == (rows[0], rows[2])
    assert every.datasets == rows
