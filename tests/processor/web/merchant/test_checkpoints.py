"""What platforms ask of whoever connects to them, a test for each line.

Xero's certification checkpoint for connections (name, status, reconnect, disconnect) and the items about
connections of Intuit's app assessment questionnaire, as far as they concern this service and not Codat:
https://docs.codat.io/integrations/accounting/quickbooksonline/qbo-app-assessment-questionnaire
"""

import pytest

from tests.processor.simulator.pages import Browser, Page
from tests.processor.web.conftest import OpenPlace
from tests.support.visiting import Place

XERO, INTUIT = "gbol", "qhyg"
NAME = "Corner Shop (UK) Ltd"


def connected(place: Place, platform_key: str = XERO, name: str = NAME) -> tuple[str, str, str]:
    """A company with one connection to a named business: its token, its id, and the connection."""
    company_id, token = place.company()
    connection_id = place.desk.journey.connect(company_id, platform_key).connection_id
    place.change(connection_id, "authorize", account_name=name)
    return token, company_id, connection_id


def manage(visitor: Browser, token: str) -> Page:
    """The page where connections are managed."""
    return visitor.open(f"/connect/{token}/manage")


@pytest.mark.parametrize("platform_key", [XERO, INTUIT])
def test_the_name_of_the_connected_organisation_is_shown(
    place: Place, visitor: Browser, platform_key: str
) -> None:
    token, _, connection_id = connected(place, platform_key)
    for path in ("", "/manage", f"/connections/{connection_id}"):
        assert NAME in visitor.open(f"/connect/{token}{path}").text, path


def test_the_status_of_the_connection_is_shown_and_follows_the_platform(
    place: Place, visitor: Browser
) -> None:
    token, _, connection_id = connected(place)
    assert "You gave access to Xero" in manage(visitor, token).text
    place.change(connection_id, "deauthorize")
    assert "no longer gives access" in manage(visitor, token).text


def test_first_authorisation_and_last_read_are_shown(place: Place, visitor: Browser) -> None:
    token, _, connection_id = connected(place)
    place.change(connection_id, "complete-sync")
    page = manage(visitor, token).answer.text
    assert "First authorised" in page
    assert "Last sync" in page
    assert page.count('<time datetime="20') >= 2


def test_it_can_be_disconnected_and_is_at_the_platform_at_once(place: Place, visitor: Browser) -> None:
    token, _, connection_id = connected(place)
    question = visitor.open(f"/connect/{token}/connections/{connection_id}/unlink")
    assert "no new data is read" in question.text.casefold(), "it says what one loses"
    visitor.press(question, "Disconnect")
    assert place.codat.simulation.world.find_connection(connection_id).status == "Unlinked"


@pytest.mark.parametrize("end", ["unlink", "deauthorize"])
def test_it_can_be_reconnected_as_the_same_connection(place: Place, visitor: Browser, end: str) -> None:
    token, company_id, connection_id = connected(place)
    place.change(connection_id, end)
    onward = visitor.press(manage(visitor, token), "Reconnect")
    assert f"/link/{connection_id}?otp=" in onward.answer.text
    place.change(connection_id, "reauthorize")
    assert len(place.desk.journey.connections(company_id)) == 1


def test_what_is_disconnected_at_the_platform_is_noticed(place: Place, visitor: Browser) -> None:
    """Intuit: does the app handle that users disconnect it inside QuickBooks?"""
    token, _, connection_id = connected(place, INTUIT)
    place.later(120)
    place.change(connection_id, "deauthorize")
    place.later(120)
    place.settle()
    assert place.bench.state(connection_id) == "deauthorized"
    assert "connection.deauthorized" in place.bench.told_types(connection_id)
    assert "Reconnect" in manage(visitor, token).buttons()


def test_a_company_has_one_accounting_connection_and_another_is_refused_with_its_name(
    place: Place, visitor: Browser
) -> None:
    """Intuit: what happens if a user connects a second company?"""
    token, _, _ = connected(place, INTUIT)
    page = visitor.open(f"/connect/{token}")
    assert "a company has one accounting platform at a time" in page.text
    assert not any("Xero" in label for label in page.buttons())


def test_another_organisation_than_before_is_asked_about(place: Place, visitor: Browser) -> None:
    """Both: the organisation must not change without the user's notice."""
    token, company_id, connection_id = connected(place)
    place.change(connection_id, "deauthorize")
    place.later(120)
    place.change(connection_id, "reauthorize", account_name="Another Ltd")
    place.desk.journey.queue_questions(company_id)
    place.later(120)
    place.settle()
    assert f"You shared {NAME} before" in visitor.open(f"/connect/{token}/connections/{connection_id}").text


def test_intuits_own_button_is_used_with_its_hover(place: Place, visitor: Browser) -> None:
    _, token = place.company()
    place.desk.do_in_background()
    page = visitor.open(f"/connect/{token}").answer.text
    assert 'alt="Connect to QuickBooks Online"' in page
    assert f"/branding/{INTUIT}/button-hover.svg" in page


def test_no_password_of_the_platform_is_asked_for(place: Place, visitor: Browser) -> None:
    """Both: users sign in at the platform alone."""
    token, _, connection_id = connected(place)
    for path in ("", "/manage", f"/connections/{connection_id}", "/not-listed"):
        assert 'type="password"' not in visitor.open(f"/connect/{token}{path}").answer.text


def test_consent_privacy_policy_and_help_are_named_before_leaving(open_place: OpenPlace) -> None:
    """Intuit: where do users find the policy, and whom do they ask?"""
    place = open_place(
        PRODUCT_NAME="Northbank",
        PRIVACY_POLICY_URL="https://northbank.example/privacy",
        SUPPORT_EMAIL="help@northbank.example",
    )
    _, token = place.company()
    page = place.visitor().open(f"/connect/{token}").answer.text
    assert 'href="https://northbank.example/privacy"' in page
    assert 'href="mailto:help@northbank.example"' in page


def test_data_can_be_deleted_for_good(place: Place, visitor: Browser) -> None:
    """Both: what happens to the data when users leave?"""
    token, company_id, connection_id = connected(place)
    question = visitor.open(f"/connect/{token}/connections/{connection_id}/delete")
    visitor.press(question, "Delete for good")
    place.settle()
    assert place.bench.state(connection_id) == "deleted"
    assert place.codat.simulation.world.company(company_id).present == []
