"""Companies of one group are shown together, and a link leads from one to the others while it works."""

import re
from collections.abc import Mapping

from processor.erasure.erase import CompanyEraser
from processor.journey.groups import Groups
from processor.store import keys
from tests.support.visiting import Place

GROUP = "Harbour Holding"


def member(place: Place, merchant_id: str, name: str) -> tuple[str, str]:
    result, _ = place.desk.journey.sign_up(merchant_id=merchant_id, name=name, group=GROUP)
    place.desk.do_in_background()
    return result.company_id, result.connect_url.rpartition("/")[2]


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


def test_revoking_the_links_of_a_company_ends_those_of_its_group(place: Place) -> None:
    """A link of the group led to a fresh link of the company whose links had been revoked."""
    bakery, token = member(place, "m-1", "Bakery")
    _, other = member(place, "m-2", "Café")
    place.desk.journey.links.revoke(bakery)
    for revoked in (token, other):
        assert place.visitor().open(f"/connect/{revoked}").answer.status_code == 404


def test_a_company_that_changed_its_group_stands_in_one(place: Place) -> None:
    bakery, _ = member(place, "m-1", "Bakery")
    place.desk.journey.change_company(bakery, group="Another")
    assert not place.desk.client.exists(keys.company_group(GROUP))
    place.desk.journey.sign_up(merchant_id="m-1", group="Third")
    assert not place.desk.client.exists(keys.company_group("Another"))
    CompanyEraser(place.desk.client).erase(bakery, place.desk.clock())
    assert not place.desk.client.exists(keys.company_group("Third"))


def test_a_large_group_is_read_only_in_part(place: Place) -> None:
    for number in range(5):
        member(place, f"m-{number}", f"Shop {number}")
    read: list[str] = []
    company = place.desk.journey.groups._company

    def counted(company_id: str) -> Mapping[str, str] | None:
        read.append(company_id)
        return company(company_id)

    assert len(Groups(place.desk.client, counted).others("none", GROUP, most=2)) == 2
    assert len(read) == 2
