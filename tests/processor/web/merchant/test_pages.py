"""The pages of the journey, as somebody without JavaScript uses them."""

import dataclasses
import re
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs, unquote

import httpx
import pytest

from processor.simulator.platforms import PLATFORMS
from processor.store import keys
from processor.web import create_app
from tests.processor.simulator.pages import Browser, Page
from tests.processor.web.conftest import OpenPlace
from tests.support.visiting import OURS, Place
from tests.support.workbench import Moving


def links(page: Page) -> str:
    """The page's HTML."""
    return page.answer.text


def test_platforms_stand_in_groups_with_full_name_and_logo(place: Place, visitor: Browser) -> None:
    _, token = place.company()
    page = visitor.open(f"/connect/{token}")
    assert page.answer.status_code == 200
    heads = ["Accounting software", "Bank accounts", "Online shops and payments", "Expenses and cards"]
    places = [page.text.index(head) for head in heads]
    assert places == sorted(places)
    assert {"Xero", "Sage Business Cloud", "Plaid", "Shopify", "Stripe"} <= set(page.buttons())
    assert "Exact Online" not in page.text, "it is not enabled"
    assert f'src="{place.codat.url}/branding/gbol/square.svg"' in links(page)
    assert page.inputs <= page.labels
    assert "Corner Shop" in page.text
    assert "powered-by-codat.svg" in links(page)


def test_the_search_box_is_a_form(place: Place, visitor: Browser) -> None:
    _, token = place.company()
    page = visitor.open(f"/connect/{token}?q=%20shop%20")
    assert "Shopify" in page.buttons()
    assert "Xero" not in page.buttons()
    assert "3 platforms for “shop”" in page.text, "its group is named like that"
    nothing = visitor.open(f"/connect/{token}?q=<b>nowhere</b>")
    assert "Nothing by that name" in nothing.text
    assert "<b>nowhere" not in links(nothing)


def test_what_is_found_while_typing_is_what_the_button_finds(place: Place, visitor: Browser) -> None:
    """The script filtered what the server had left: "stripe" after "sage" was "Nothing by that name"."""
    _, token = place.company()
    page = visitor.open(f"/connect/{token}?q=sage")
    assert f'data-search="/connect/{token}/found"' in links(page)
    typed = visitor.open(f"/connect/{token}/found?q=stripe")
    assert "<html" not in links(typed)
    assert "Stripe" in typed.buttons()
    assert "Sage Business Cloud" not in typed.buttons()
    assert visitor.press(typed, "Stripe").answer.status_code == 200


def test_without_any_platform_nobody_is_told_to_search(
    place: Place, visitor: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("processor.simulator.api.PLATFORMS", ())
    _, token = place.company()
    page = visitor.open(f"/connect/{token}")
    assert "There is no platform to choose from yet" in page.text
    assert "Nothing by that name" not in page.text
    assert "Search by name" not in page.text


def test_the_company_is_called_as_it_calls_itself(place: Place, visitor: Browser) -> None:
    _, token = place.company(name="O\u2019Brien & Sœn")
    page = visitor.open(f"/connect/{token}")
    assert page.text.count("O\u2019Brien & Sœn") == 2
    assert "O%E2%80%99Brien%20%26%20S%C5%93n" in links(page)
    assert "O\u2019Brien & Sœn" in visitor.open(f"/connect/{token}/manage").text


def test_a_name_that_turns_the_direction_of_writing_turns_nothing_but_itself(
    place: Place, visitor: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    turning = dataclasses.replace(PLATFORMS[0], name="Pay\u202eyaP")
    arabic = dataclasses.replace(PLATFORMS[1], name="دفع")
    monkeypatch.setattr("processor.simulator.api.PLATFORMS", (turning, arabic))
    _, token = place.company()
    html = links(visitor.open(f"/connect/{token}"))
    assert "\u202e" not in html
    assert "PayyaP" in html
    assert "\u2068دفع\u2069" in html


def test_intuits_own_button_with_hover_is_what_is_pressed(place: Place, visitor: Browser) -> None:
    _, token = place.company()
    html = links(visitor.open(f"/connect/{token}"))
    assert f'{place.codat.url}/branding/qhyg/button.svg" alt="Connect to QuickBooks Online"' in html
    assert f"{place.codat.url}/branding/qhyg/button-hover.svg" in html
    assert "/branding/gbol/button" not in html


def test_choosing_leads_to_the_link_page_of_codat(place: Place, visitor: Browser) -> None:
    company_id, token = place.company()
    page = visitor.press(visitor.open(f"/connect/{token}"), "Xero")
    assert page.answer.status_code == 200
    (connection,) = place.codat.simulation.world.company(company_id).present
    assert f'content="0; url={place.codat.url}/link/{connection.id}?otp=' in links(page)
    assert "Go to Xero now" in page.text
    place.settle()
    again = visitor.open(f"/connect/{token}")
    assert "Waiting for you to give access" in again.text
    assert "Continue with Xero" in again.buttons()
    assert "Started" in again.text


def test_a_pending_connection_is_gone_on_with_instead_of_beginning_a_second(
    place: Place, visitor: Browser
) -> None:
    company_id, token = place.company()
    visitor.press(visitor.open(f"/connect/{token}"), "Xero")
    place.settle()
    page = visitor.open(f"/connect/{token}")
    visitor.press(page, "Xero")
    onward = visitor.press(page, "Continue with Xero")
    (connection,) = place.codat.simulation.world.company(company_id).present
    assert f"/link/{connection.id}?otp=" in links(onward)


def test_with_accounting_connected_no_other_accounting_can_be_chosen(place: Place, visitor: Browser) -> None:
    company_id, token = place.company()
    place.linked(company_id)
    before = visitor.open(f"/connect/{token}")
    assert "Xero is connected, and a company has one accounting platform at a time" in before.text
    assert "FreeAgent" not in before.buttons()
    assert "Shopify" in before.buttons(), "any number of the others may be added"
    form = next(before.forms_with("Shopify"))
    forced = visitor.http.post(form.action, data={**form.fields, "platform_key": "fbrh"})
    assert forced.status_code == 409
    assert "Xero" in forced.text


def test_what_can_only_be_refused_has_no_button_and_says_why(place: Place, visitor: Browser) -> None:
    company_id, token = place.company()
    waiting = place.desk.journey.connect(company_id, "fbrh").connection_id
    ended = place.linked(company_id, "qhyg")
    place.change(ended, "unlink")
    place.linked(company_id)
    for path in ("", "/manage", f"/connections/{waiting}", f"/connections/{ended}"):
        page = visitor.open(f"/connect/{token}{path}")
        assert not {"Continue with FreeAgent", "Connect again", "Reconnect"} & set(page.buttons()), path
        assert "a company has one accounting platform at a time." in page.text, path
        assert "To change, disconnect it under “Manage” first." in page.text, path
        assert "allow access. This page notices" not in page.text, path
    shop = place.desk.journey.connect(company_id, "shpf").connection_id
    place.settle()
    assert "Continue with Shopify" in visitor.open(f"/connect/{token}/connections/{shop}").buttons()


def test_the_link_can_be_sent_to_an_accountant(open_place: OpenPlace) -> None:
    place = open_place(PUBLIC_URL="https://connect.example")
    _, token = place.company(name="Corner & Sons, Ltd")
    html = links(place.visitor().open(f"/connect/{token}"))
    mail = html.partition('href="mailto:?')[2].partition('"')[0].replace("&amp;", "&")
    said = parse_qs(mail)
    assert said["subject"] == ["Please connect the accounts of Corner & Sons, Ltd"]
    assert f"https://connect.example/connect/{token}" in said["body"][0]
    assert f'readonly value="https://connect.example/connect/{token}"' in html
    assert re.search("It works until [0-9]+ [A-Z][a-z]+ 20[0-9]+, [0-9:]+ UTC", unquote(mail))


def test_there_is_a_way_out_when_a_platform_is_missing(open_place: OpenPlace) -> None:
    place = open_place(SUPPORT_EMAIL="help@example.com", PRODUCT_NAME="Lender")
    _, token = place.company()
    visitor = place.visitor()
    html = links(visitor.open(f"/connect/{token}"))
    assert f'href="/connect/{token}/not-listed"' in html
    page = visitor.open(f"/connect/{token}/not-listed")
    assert "help@example.com" in page.text
    assert "Accounting File Upload" in page.buttons()
    assert "Lender" in page.text
    assert "mailto:?" in links(page)


@pytest.mark.parametrize(
    ("events", "title", "advice"),
    [
        ([], "Waiting for you to give access", "finish later with the same link"),
        ([("fail", {})], "You did not give access", "Try again"),
        ([("fail", {"status_code": 500})], "Xero could not be connected", "Try again"),
        ([("authorize", {})], "You gave access to Xero", "about to begin"),
        (
            [("authorize", {}), ("start-sync", {})],
            "Reading your data from Xero",
            "reading goes on without it",
        ),
        ([("authorize", {}), ("complete-sync", {})], "Xero is connected", "nothing more to do"),
        (
            [("authorize", {}), ("complete-sync", {"outcomes": {"bills": "FetchError"}})],
            "your data could not be read",
            "disconnect Xero under “Manage”",
        ),
        ([("authorize", {}), ("deauthorize", {})], "Xero no longer gives access", "Connect again to go on"),
        ([("authorize", {}), ("unlink", {})], "Xero is disconnected", "Connect again"),
        ([("delete", {})], "The connection to Xero was deleted", "add a new connection"),
    ],
)
def test_each_state_is_told_in_plain_words_with_what_to_do_next(
    place: Place, visitor: Browser, events: list[tuple[str, dict[str, Any]]], title: str, advice: str
) -> None:
    company_id, token = place.company()
    connection_id = place.desk.journey.connect(company_id, "gbol").connection_id
    place.settle()
    for name, options in events:
        place.change(connection_id, name, **options)
    address = f"/connect/{token}/connections/{connection_id}"
    place.later(5)
    visitor.open(address)
    place.settle()
    page = visitor.open(address)
    assert title in page.text
    assert advice in page.text


def test_progress_is_shown_whole_and_per_data_type(place: Place, visitor: Browser) -> None:
    company_id, token = place.company()
    connection_id = place.linked(company_id)
    place.change(connection_id, "start-sync")
    first = place.codat.simulation.world.find_connection(connection_id).first_read
    assert first is not None
    for number, dataset in enumerate(first.datasets):
        dataset.status, dataset.progress = "Fetching", 10 * number
    first.datasets[0].end("Complete", place.codat.simulation.world.ticker.now(), "Xero")
    place.later(5)
    visitor.open(f"/connect/{token}/connections/{connection_id}")
    place.settle()
    html = links(visitor.open(f"/connect/{token}/connections/{connection_id}"))
    assert '<progress id="progress-' in html
    assert '<span class="what">Chart of accounts</span><span class="says">Reading 20%</span>' in html
    assert '<span class="what">Bank accounts</span><span class="says">Done</span>' in html


def test_what_could_not_be_read_is_told_though_the_rest_is_ready(place: Place, visitor: Browser) -> None:
    company_id, token = place.company()
    connection_id = place.linked(company_id)
    place.change(
        connection_id, "complete-sync", outcomes={"bills": "PermissionsError", "invoices": "Complete"}
    )
    page = visitor.open(f"/connect/{token}/connections/{connection_id}")
    assert "Xero is connected, but was read in part only" in page.text
    assert "Some of it could not be read" in page.text
    assert "nothing more to do" not in page.text
    assert "Your login may not see this" in page.text
    for path in ("", "/manage"):
        assert "Read in part" in visitor.open(f"/connect/{token}{path}").text
    onward = visitor.press(page, "Connect again")
    assert f"/link/{connection_id}?otp=" in links(onward)


def test_each_line_of_a_list_speaks_for_itself_by_name(place: Place, visitor: Browser) -> None:
    """One change spoke the whole list, and not what had changed."""
    company_id, token = place.company()
    connection_id = place.linked(company_id)
    place.desk.journey.connect(company_id, "shpf")
    place.settle()
    for path in ("live", "manage/live"):
        html = links(visitor.open(f"/connect/{token}/{path}"))
        assert html.count("data-say=") == 2
        assert f'id="row-{connection_id}" data-say="You gave access to Xero."' in html
        assert 'data-say="Shopify: Waiting for you to give access."' in html


def test_looking_at_a_page_has_codat_asked_ever_more_seldom(place: Place, visitor: Browser) -> None:
    company_id, token = place.company()
    connection_id = place.linked(company_id)
    clock = Moving(place.desk.clock())  # stands still between two looks, however slow the machine is
    app = create_app(dataclasses.replace(place.container, clock=clock))
    asked_at = []
    with httpx.Client(transport=httpx.WSGITransport(app=app), base_url=OURS) as watcher:
        for second in range(600):
            clock.forward(1)
            watcher.get(f"/connect/{token}/connections/{connection_id}/live")
            if place.container.redis.delete(keys.questions()):
                asked_at.append(second)
    waits = [later - earlier for earlier, later in pairwise(asked_at)]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (2, 60)
    assert len(asked_at) < 30
    visitor.open(f"/connect/{token}")
    visitor.http.get(f"/return?statusCode=200&connectionId={connection_id}")
    assert place.container.redis.exists(keys.questions()), "who has just come back does not wait"


def test_the_changing_part_is_had_alone_and_only_when_it_changed(place: Place, visitor: Browser) -> None:
    company_id, token = place.company()
    connection_id = place.linked(company_id)
    for path in ("live", "manage/live", f"connections/{connection_id}/live"):
        url = f"/connect/{token}/{path}"
        first = visitor.http.get(url)
        assert first.status_code == 200
        assert "<html" not in first.text
        assert "Xero" in first.text
        same = visitor.http.get(url, headers={"If-None-Match": first.headers["ETag"]})
        assert same.status_code == 304
        assert not same.content
    place.change(connection_id, "deauthorize")
    changed = visitor.http.get(url, headers={"If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200
    assert "no longer gives access" in changed.text


def test_manage_shows_when_and_lets_disconnect_reconnect_and_delete(place: Place, visitor: Browser) -> None:
    company_id, token = place.company()
    connection_id = place.linked(company_id)
    before = links(visitor.open(f"/connect/{token}/manage"))
    assert "First authorised" in before
    assert '<time datetime="20' in before
    assert before.count("Not yet") == 1, "it was authorised and never read"
    place.change(connection_id, "complete-sync")
    assert "Not yet" not in links(visitor.open(f"/connect/{token}/manage"))

    base = f"/connect/{token}/connections/{connection_id}"
    question = visitor.open(f"{base}/unlink")
    assert "Disconnect Xero?" in question.text
    answer = visitor.press(question, "Disconnect").answer
    assert (answer.status_code, answer.headers["Location"]) == (
        303,
        f"/connect/{token}/manage?done=disconnected",
    )
    assert place.codat.simulation.world.find_connection(connection_id).status == "Unlinked"
    place.settle()
    shown = visitor.open(answer.headers["Location"])
    assert "Xero is disconnected" in shown.text
    assert "no new data is read" in shown.text

    onward = visitor.press(shown, "Reconnect")
    assert f"/link/{connection_id}?otp=" in links(onward)

    question = visitor.open(f"{base}/delete")
    assert "for good" in question.text
    answer = visitor.press(question, "Delete for good").answer
    assert answer.status_code == 303
    place.settle()
    shown = visitor.open(answer.headers["Location"])
    assert "Nothing is connected" in shown.text
    assert place.bench.state(connection_id) == "deleted"
    again = visitor.press(question, "Delete for good").answer
    assert again.status_code == 303, "deleted twice is deleted"


def test_disconnecting_what_is_not_linked_is_done_already_and_not_asked(
    place: Place, visitor: Browser
) -> None:
    company_id, token = place.company()
    connection_id = place.linked(company_id)
    address = f"/connect/{token}/connections/{connection_id}/unlink"
    question = visitor.open(address)
    visitor.press(question, "Disconnect")
    place.settle()
    again = visitor.press(question, "Disconnect").answer
    assert (again.status_code, again.headers["Location"]) == (
        303,
        f"/connect/{token}/manage?done=disconnected",
    )
    unasked = visitor.http.get(address)
    assert (unasked.status_code, unasked.headers["Location"]) == (303, f"/connect/{token}/manage")


def test_what_codat_refuses_is_told_with_its_reference_and_changes_nothing(
    place: Place, visitor: Browser
) -> None:
    company_id, token = place.company()
    connection_id = place.linked(company_id)
    question = visitor.open(f"/connect/{token}/connections/{connection_id}/delete")
    place.codat.simulation.faults.plan({"status": 500, "count": 5})
    page = visitor.press(question, "Delete for good")
    assert page.answer.status_code in (502, 503)
    assert "Reference for support" in page.text
    assert "Load this page again" in page.text
    place.settle()
    assert place.bench.state(connection_id) == "authorized"


@pytest.mark.parametrize(
    ("fault", "title"),
    [
        ({"status": 401}, "We have to mend this"),
        ({"status": 402}, "We have to mend this"),
        ({"status": 403}, "We have to mend this"),
        ({"status": 429}, "This does not work just now"),
        ({"broken_json": True}, "This does not work just now"),
    ],
)
def test_what_goes_wrong_is_told_to_a_shopkeeper_and_not_to_an_operator(
    place: Place, visitor: Browser, fault: dict[str, Any], title: str
) -> None:
    """The page said "Codat does not accept CODAT_API_KEY (401): Unauthorized. Wait a minute"."""
    _, token = place.company()
    page = visitor.open(f"/connect/{token}")
    place.codat.simulation.faults.plan({"path": "/connections", "count": 5, **fault})
    said = visitor.press(page, "Xero")
    assert title in said.text
    for word in ("API_KEY", "401", "402", "403", "JSON", "Codat refused", "limit of"):
        assert word not in said.text
    assert ("Load this page again" in said.text) == (title == "This does not work just now")
    assert ("Tell whoever sent you the link" in said.text) == (title == "We have to mend this")


def test_while_codat_is_away_connections_are_shown_and_the_list_says_so(place: Place) -> None:
    company_id, token = place.company()
    place.desk.do_in_background()
    connection_id = place.linked(company_id)
    place.codat.stop()
    visitor = place.visitor()
    assert visitor.open(f"/connect/{token}/connections/{connection_id}").answer.status_code == 200
    page = visitor.open(f"/connect/{token}/manage")
    assert "Xero" in page.text


def test_every_page_works_without_scripts_and_for_a_screen_reader(place: Place, visitor: Browser) -> None:
    company_id, token = place.company()
    connection_id = place.linked(company_id)
    base = f"/connect/{token}"
    for path in (
        "",
        "/not-listed",
        "/manage",
        f"/connections/{connection_id}",
        f"/connections/{connection_id}/delete",
    ):
        page = visitor.open(base + path)
        html = links(page)
        assert page.answer.status_code == 200
        assert '<html lang="en">' in html
        assert html.count("<h1") == 1, path
        assert html.count("<title>") == 1
        assert 'href="#main"' in html
        assert 'name="viewport"' in html
        assert "style=" not in html, "the policy forbids it"
        assert "onclick" not in html
        assert html.count("<script") == html.count("<script src=") == 1
        assert html.count("<img") == html.count(' alt="'), path
        assert page.inputs <= page.labels, path


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/connect", 404),
        ("/connect/", 404),
        ("/connect/nonsense", 404),
        ("/connect/nonsense/manage", 404),
        ("/connect/{token}/nowhere/at/all", 404),
        ("/connect/{token}/connections/unknown", 404),
        ("/connect/{token}/connections/unknown/live", 404),
        ("/connect/{token}/connections/unknown/delete", 404),
        ("/connect/{token}x", 404),
        ("/connect/{token}/connections", 303),
        ("/connect/{token}/", 200),
    ],
)
def test_addresses_that_lead_nowhere_get_a_page(
    place: Place, visitor: Browser, path: str, status: int
) -> None:
    _, token = place.company()
    answer = visitor.http.get(path.replace("{token}", token))
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"


def test_an_expired_link_says_so(place: Place, visitor: Browser) -> None:
    _, token = place.company()
    place.later(24 * 3600 + 1)
    page = visitor.open(f"/connect/{token}")
    assert page.answer.status_code == 410
    assert "This link has expired" in page.text
    assert "Ask whoever sent it" in page.text
    assert "Send a new link" not in page.buttons(), "there is no contact"


def test_a_key_taken_out_of_the_list_revokes_its_links_and_a_new_first_one_does_not(
    open_place: OpenPlace,
) -> None:
    old = open_place(SECRET_KEY="the old signing key")
    _, token = old.company()
    both = open_place(SECRET_KEY="the new signing key,the old signing key")
    assert both.visitor().open(f"/connect/{token}").answer.status_code == 200
    new = open_place(SECRET_KEY="the new signing key")
    assert new.visitor().open(f"/connect/{token}").answer.status_code == 404


def test_a_link_of_a_deleted_company_says_what_is_true(place: Place, visitor: Browser) -> None:
    """It said "incomplete, copy all of it" of a link that was whole."""
    company_id, token = place.company()
    place.desk.journey.delete_company(company_id)
    place.settle()
    for path in ("", "/manage", "/connections/c1"):
        page = visitor.open(f"/connect/{token}{path}")
        assert page.answer.status_code == 410
        assert "This company was deleted here" in page.text
        assert "copy all of it" not in page.text
    assert "/connect/" not in visitor.open("/return?statusCode=200").answer.text


def test_an_expired_link_of_a_deleted_company_says_deleted_too(place: Place, visitor: Browser) -> None:
    """The page said "expired, ask for a new link" of a company to which no new link leads."""
    deleted_id, deleted = place.company()
    place.desk.journey.delete_company(deleted_id)
    place.settle()
    place.later(2 * 86_400)
    page = visitor.open(f"/connect/{deleted}")
    assert page.answer.status_code == 410
    assert "This company was deleted here" in page.text
    assert "expired" not in page.text


def test_a_mailed_link_works_for_a_week_and_others_for_a_day(open_place: OpenPlace) -> None:
    """The link in Friday evening's mail was dead on Monday."""
    place = open_place(LINK_DAYS="7")
    company_id, token = place.company()
    mailed = place.desk.journey.mailed_url(company_id).rpartition("/")[2]
    visitor = place.visitor()
    place.later(6.9 * 86_400)
    assert visitor.open(f"/connect/{token}").answer.status_code == 410
    assert visitor.open(f"/connect/{mailed}").answer.status_code == 200
    place.later(0.2 * 86_400)
    assert visitor.open(f"/connect/{mailed}").answer.status_code == 410


def test_without_a_key_for_codat_there_is_a_page_that_says_so(place: Place, open_place: OpenPlace) -> None:
    _, token = place.company()
    bare = open_place(api_key=None)
    page = bare.visitor().open(f"/connect/{token}")
    assert page.answer.status_code == 200
    assert "The list cannot be shown now" in page.text
