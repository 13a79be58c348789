"""The texts of the pages cover everything that Codat can report."""

from datetime import UTC, datetime, timedelta

import pytest

from handlers.connection import Connection, LedgerEntry
from handlers.facts import ENDED_STATUSES, DataType, Fact, FactKind
from handlers.state import State
from processor.errors import ProcessorError
from processor.humanize import data_type
from processor.journey.errors import AlreadyConnected
from processor.journey.link_redirect import Kind, LinkRedirect
from processor.journey.models import OTHER, PlatformView
from processor.journey.search import group_of
from processor.languages import current
from processor.web.merchant.cards import card_of, dates_of
from processor.web.merchant.copy import connection_states, errors, redirect_outcomes, terms
from processor.web.merchant.tiles import groups

NOON = datetime(2026, 11, 22, 12, 4, tzinfo=UTC)


def view(state: State, **members: object) -> dict[str, object]:
    """A connection as the API represents it."""
    return {
        "id": "c1",
        "platform_key": "gbol",
        "platform_name": "Xero",
        "account_name": None,
        "previous_account_name": None,
        "authorization": 1,
        "source_type": "Accounting",
        "state": state.value,
        "progress": 0,
        "data_types": [],
        "on_premise": False,
        "first_sync_missing": False,
        "end_expected": False,
        "paused_until": None,
        "error": None,
        "authorized_at": None,
        **members,
    }


@pytest.mark.parametrize("state", State)
def test_every_state_has_words_steps_and_a_next_step_where_something_is_wrong(state: State) -> None:
    card = card_of(view(state), {})
    assert "{" not in "".join(filter(None, (card.text.title, card.text.body, card.text.advice)))
    assert card.text.badge
    assert not card.steps or [step.label for step in card.steps] == list(connection_states.STEP_LABELS)
    if card.text.tone == "bad":
        assert card.text.advice


@pytest.mark.parametrize("status", [*sorted(ENDED_STATUSES), "Fetching", "SomethingNew"])
def test_every_status_of_a_data_type_has_words(status: str) -> None:
    text = terms.of_status(status, "Xero", failed=status != "Fetching")
    assert text
    assert "Error" not in text
    assert "{" not in text


def _with_subclasses(error_type: type[ProcessorError]) -> list[type[ProcessorError]]:
    subclasses = error_type.__subclasses__()
    return [error_type, *(below for subclass in subclasses for below in _with_subclasses(subclass))]


@pytest.mark.parametrize("error_type", _with_subclasses(ProcessorError), ids=lambda kind: kind.__name__)
def test_every_error_has_words_for_a_merchant(error_type: type[ProcessorError]) -> None:
    error = error_type.__new__(error_type)
    error.detail, error.title = "Redis: ECONNREFUSED", "operator's"
    if isinstance(error, AlreadyConnected):
        error.connection_id, error.platform_name = "f8cac1d2", "Xero"
    merchant_error = errors.of(error)
    text = f"{merchant_error.title} {merchant_error.text}"
    for word in ("Codat", "Redis", "store", "API", "id", "ECONNREFUSED", "operator", "f8cac1d2"):
        assert word not in text.split()
        assert word == "id" or word not in text


@pytest.mark.parametrize(
    ("status", "title"), [(404, "nothing here"), (413, "not be used"), (500, "wrong here")]
)
def test_what_the_framework_refuses_has_words_too(status: int, title: str) -> None:
    error = ProcessorError("whatever")
    error.status = status
    assert title in errors.of(error).title


@pytest.mark.parametrize("state", [State.READY, State.SYNC_FAILED])
@pytest.mark.parametrize("status", ["AuthError", "PermissionsError", "FetchError"])
def test_what_only_the_user_can_mend_has_a_button(state: State, status: str) -> None:
    rows = [
        {
            "data_type": "bills",
            "status": row_status,
            "progress": 100,
            "at": "",
            "message": None,
            "current": True,
            "paused_until": None,
        }
        for row_status in (status, "Complete")
    ]
    card = card_of(view(state, data_types=rows), {})
    assert (card.text.action == "Connect again") == (status != "FetchError")
    assert "nothing more to do" not in card.text.body
    assert card.text.advice


def test_names_stay_as_they_are_unless_they_turn_the_sentence() -> None:
    assert terms.name_of("O\u2019Brien & Sœn 商店") == "O\u2019Brien & Sœn 商店"
    assert terms.name_of("a\u202eb\u2069c") == "abc"
    assert terms.name_of("متجر\u2069") == "\u2068متجر\u2069"


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("chartOfAccounts", "Chart of accounts"),
        ("invoices", "Invoices"),
        ("billCreditNotes", "Bill credit notes"),
        ("banking-accountBalances", "Account balances"),
        ("commerce-productCategories", "Product categories"),
        ("taxRates", "Tax rates"),
        ("---", "---"),
    ],
)
def test_data_types_are_named_in_words(name: str, label: str) -> None:
    assert data_type(name) == label


def test_an_unknown_source_type_stands_with_the_others() -> None:
    assert group_of("Accounting") == "Accounting"
    assert group_of("Unknown") == group_of(None) == OTHER


def test_a_platform_without_name_or_logo_can_be_shown() -> None:
    card = card_of(view(State.PENDING, platform_name=None, platform_key=None, source_type=None), {})
    assert (card.name, card.logo_url) == ("your platform", None)
    assert card.initials


def test_groups_keep_their_order_and_empty_ones_are_left_out() -> None:
    platforms = [
        PlatformView("a", "A", "Commerce"),
        PlatformView("b", "B", "Accounting"),
        PlatformView("c", "C", "Strange"),
    ]
    assert [group.key for group in groups(platforms, [])] == ["Accounting", "Commerce", "Other"]


def test_dates_are_those_of_the_first_authorisation_and_the_last_good_read() -> None:
    assert dates_of(Connection("c1")).first_authorized is None
    assert dates_of(Connection("c1")).last_sync is None
    later = NOON + timedelta(days=40)
    facts = [
        Fact(FactKind.LINKED, NOON, NOON, "e1"),
        Fact(FactKind.ENDED, NOON + timedelta(days=1), NOON, "e2"),
        Fact(FactKind.RELINKED, later, later, "e3"),
    ]
    reads = {
        "bills": DataType("bills", "FetchError", later + timedelta(hours=9)),
        "invoices": DataType("invoices", "Complete", later + timedelta(hours=1)),
    }
    ledger = (LedgerEntry("connection.authorized", NOON, "n1"),)
    connection = Connection("c1", ledger=ledger, data_types=reads)
    dates = dates_of(connection.with_facts(facts))
    assert dates.first_authorized == NOON
    assert dates.last_sync == later + timedelta(hours=1)


@pytest.mark.parametrize("kind", ["connected", "left", "cancelled", "failed", "unsupported", "unknown"])
def test_somebody_unknown_is_promised_nothing_below(kind: Kind) -> None:
    notice = redirect_outcomes.notice_of(LinkRedirect(kind=kind), to_stranger=True)
    assert "below" not in notice.text.lower()


def test_moments_are_written_out() -> None:
    assert current.moment(NOON) == "22 November 2026, 12:04 UTC"
