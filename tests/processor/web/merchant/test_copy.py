"""The words of the pages: total over everything that Codat can say."""

from datetime import UTC, datetime, timedelta

import pytest

from handlers.connection import Connection, LedgerEntry
from handlers.facts import ENDED_STATUSES, DataType, Fact, FactKind
from handlers.state import State
from processor.errors import ProcessorError
from processor.humanize import data_type
from processor.journey import AlreadyConnected, LinkRedirect, PlatformView
from processor.journey.search import OTHER, group_of
from processor.web.merchant.cards import STEPS, card, dates_of
from processor.web.merchant.copy import errors, redirect_outcomes, terms
from processor.web.merchant.tiles import groups

NOON = datetime(2026, 11, 22, 12, 4, tzinfo=UTC)


def view(state: State, **said: object) -> dict[str, object]:
    """A connection as the API shows it."""
    return {
        "id": "c1",
        "platform_key": "gbol",
        "platform_name": "Xero",
        "account_name": None,
        "source_type": "Accounting",
        "state": state.value,
        "progress": 0,
        "data_types": [],
        "on_premise": False,
        "first_sync_missing": False,
        "end_expected": False,
        "error": None,
        "authorized_at": None,
        **said,
    }


@pytest.mark.parametrize("state", State)
def test_every_state_has_words_steps_and_a_next_step_where_something_is_wrong(state: State) -> None:
    found = card(view(state), {})
    assert "{" not in "".join(filter(None, (found.words.title, found.words.text, found.words.advice)))
    assert found.words.badge
    assert not found.steps or [step.label for step in found.steps] == list(STEPS)
    if found.words.tone == "bad":
        assert found.words.advice


@pytest.mark.parametrize("status", [*sorted(ENDED_STATUSES), "Fetching", "SomethingNew"])
def test_every_status_of_a_data_type_has_words(status: str) -> None:
    said = terms.of_status(status, "Xero", failed=status != "Fetching")
    assert said
    assert "Error" not in said
    assert "{" not in said


def _below(kind: type[ProcessorError]) -> list[type[ProcessorError]]:
    return [kind, *(one for sub in kind.__subclasses__() for one in _below(sub))]


@pytest.mark.parametrize("kind", _below(ProcessorError), ids=lambda kind: kind.__name__)
def test_every_error_has_words_for_a_merchant(kind: type[ProcessorError]) -> None:
    error = kind.__new__(kind)
    error.detail, error.title = "Redis: ECONNREFUSED", "operator's"
    if isinstance(error, AlreadyConnected):
        error.connection_id, error.platform_name = "f8cac1d2", "Xero"
    said = errors.of(error)
    text = f"{said.title} {said.text}"
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
    kinds = [
        {"data_type": "bills", "status": one, "progress": 100, "at": "", "message": None, "current": True}
        for one in (status, "Complete")
    ]
    found = card(view(state, data_types=kinds), {})
    assert (found.words.action == "Connect again") == (status != "FetchError")
    assert "nothing more to do" not in found.words.text
    assert found.words.advice


def test_names_stay_as_they_are_unless_they_turn_the_sentence() -> None:
    assert terms.name_of("O\u2019Brien & Sœn 商店") == "O\u2019Brien & Sœn 商店"
    assert terms.name_of("a\u202eb\u2069c") == "abc"
    assert terms.name_of("متجر\u2069") == "\u2068متجر\u2069"


@pytest.mark.parametrize(
    ("name", "said"),
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
def test_data_types_are_named_in_words(name: str, said: str) -> None:
    assert data_type(name) == said


def test_an_unknown_source_type_stands_with_the_others() -> None:
    assert group_of("Accounting") == "Accounting"
    assert group_of("Unknown") == group_of(None) == OTHER


def test_a_platform_without_name_or_logo_can_be_shown() -> None:
    found = card(view(State.PENDING, platform_name=None, platform_key=None, source_type=None), {})
    assert (found.name, found.logo_url) == ("your platform", None)
    assert found.initials


def test_groups_keep_their_order_and_empty_ones_are_left_out() -> None:
    made = [
        PlatformView("a", "A", "Commerce"),
        PlatformView("b", "B", "Accounting"),
        PlatformView("c", "C", "Strange"),
    ]
    assert [group.key for group in groups(made, [])] == ["Accounting", "Commerce", "Other"]


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
    known = Connection("c1", ledger=(LedgerEntry("connection.authorized", NOON, "n1"),), data_types=reads)
    found = dates_of(known.with_facts(facts))
    assert found.first_authorized == NOON
    assert found.last_sync == later + timedelta(hours=1)


def test_somebody_unknown_is_promised_nothing_below() -> None:
    for kind in ("connected", "left", "cancelled", "failed", "unsupported", "unknown"):
        said = redirect_outcomes.notice_of(LinkRedirect(kind=kind), to_stranger=True)
        assert "below" not in said.text.lower()


def test_moments_are_written_out() -> None:
    assert terms.moment(NOON) == "22 November 2026, 12:04 UTC"
