"""Companies of one group are shown together, and a link leads from one to the others while it works."""

import re

from processor.erasure.erase import CompanyEraser
from processor.store import keys
from tests.support.visiting import Place

GROUP = "Harbour Holding"


def member(place: Place, merchant_id: str, name: str) -> tuple[str, str]:
    found, _ = place.desk.journey.sign_up(merchant_id=merchant_id, name=name, group=GROUP)
    place.desk.do_in_background()
    return found.company_id, found.connect_url.rpartition("/")[2]


def test_the_companies_of_a_group_lead_to_each_other(place: Place) -> None:
    bakery, token = member(place, "m-1", "Bakery")
    cafe, _ = member(place, "m-2", "Café")
    place.desk.journey.sign_up(merchant_id="m-3", name="Stranger")
    place.linked(cafe)
    visitor = place.visitor()
    for path in ("", "/manage"):
        page = visitor.open(f"/connect/{token}{path}")
        assert "Other companies of your group" in page.text
        assert "1 connected" in page.text
        assert "Stranger" not in page.text
    (address,) = re.findall(r'href="(/connect/[^"/]+)">Café', page.answer.text)
    assert "Café" in visitor.open(address).text
    ours = place.desk.journey.tokens.claims(token)
    theirs = place.desk.journey.tokens.claims(address.rpartition("/")[2])
    assert theirs.company_id == cafe
    assert theirs.expires_at <= ours.expires_at, "following links makes none last longer"
    journey = place.desk.journey.overview(bakery)
    assert (journey["group"], [row["merchant_id"] for row in journey["group_companies"]]) == (GROUP, ["m-2"])


def test_a_company_leaves_its_group_and_is_erased_from_it(place: Place) -> None:
    bakery, _ = member(place, "m-1", "Bakery")
    cafe, token = member(place, "m-2", "Café")
    place.desk.journey.change_company(bakery, group=None)
    assert "Other companies" not in place.visitor().open(f"/connect/{token}").text
    assert place.desk.journey.overview(cafe)["group_companies"] == []
    CompanyEraser(place.desk.client).erase(cafe, place.desk.clock())
    assert not place.desk.client.exists(keys.company_group(GROUP))
