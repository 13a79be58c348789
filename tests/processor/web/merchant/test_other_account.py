"""Another account than before is shown, and asked about before it counts as the same connection."""

from processor.erasure.erase import CompanyEraser
from processor.store import keys
from tests.processor.simulator.pages import Browser
from tests.support.visiting import Place


def moved(place: Place, company_id: str, after: str = "South Shop") -> str:
    """A connection to one shop that was then given access to another."""
    shop = place.desk.journey.connect(company_id, "shpf").connection_id
    place.change(shop, "authorize", account_name="North Shop")
    place.change(shop, "deauthorize")
    place.later(120)
    place.change(shop, "reauthorize", account_name=after)
    place.desk.journey.queue_questions(company_id)
    place.later(120)
    place.settle()
    return shop


def outcome(place: Place, company_id: str) -> tuple[str, bool]:
    journey = place.desk.journey.overview(company_id)
    return journey["outcome"], journey["connections"][0]["account_confirmed"]


def test_another_account_counts_only_after_somebody_said_that_it_is_meant(
    place: Place, visitor: Browser
) -> None:
    company_id, token = place.company()
    shop = moved(place, company_id)
    view = place.desk.journey.connection(shop)
    assert (view["previous_account_name"], view["account_name"]) == ("North Shop", "South Shop")
    assert outcome(place, company_id) == ("left", False)
    for path in ("", "/manage"):
        assert "another account than North Shop" in visitor.open(f"/connect/{token}{path}").text, path
    page = visitor.open(f"/connect/{token}/connections/{shop}")
    assert "You shared North Shop before, and South Shop now." in page.text
    assert f"/connect/{token}/connections/{shop}/unlink" in page.answer.text
    answer = visitor.press(page, "Yes, share South Shop").answer
    assert answer.status_code == 303
    place.settle()
    assert "before, and South Shop now" not in visitor.open(f"/connect/{token}/connections/{shop}").text
    assert outcome(place, company_id) == ("syncing", True)
    timeline = place.desk.reader.timeline(shop, limit=5, cursor=None).items
    assert any("the user confirmed that it is South Shop now" in entry["reason"] for entry in timeline)


def test_a_third_account_is_asked_about_again_and_an_old_form_confirms_nothing(
    place: Place, visitor: Browser
) -> None:
    company_id, token = place.company()
    shop = moved(place, company_id)
    old = visitor.open(f"/connect/{token}/connections/{shop}")
    place.change(shop, "deauthorize")
    place.later(120)
    place.change(shop, "reauthorize", account_name="West Shop")
    place.desk.journey.queue_questions(company_id)
    place.later(120)
    place.settle()
    assert visitor.press(old, "Yes, share South Shop").answer.status_code == 409
    assert outcome(place, company_id) == ("left", False)


def test_the_same_account_is_not_asked_about(place: Place, visitor: Browser) -> None:
    company_id, token = place.company()
    shop = moved(place, company_id, after="North Shop")
    assert "another account" not in visitor.open(f"/connect/{token}/connections/{shop}").text
    assert outcome(place, company_id) == ("syncing", True)


def test_what_was_confirmed_is_erased_with_the_company(place: Place) -> None:
    company_id, _ = place.company()
    shop = moved(place, company_id)
    place.desk.journey.accounts.confirm(shop, "South Shop", company_id=company_id)
    place.settle()
    assert place.desk.client.exists(keys.confirmed_accounts(company_id))
    CompanyEraser(place.desk.client).erase(company_id, place.desk.clock())
    assert not place.desk.client.exists(keys.confirmed_accounts(company_id))
