"""What is asked for: which platforms are offered, how far the whole is, and what is left for later."""

import gzip
import re
import zlib
from typing import Any

import httpx
import pytest

from processor.errors import Invalid
from processor.simulator import platforms as simulated
from processor.web.compression import LEVEL
from tests.processor.web.conftest import OpenPlace
from tests.support.visiting import OURS, Place

ASKED = [
    {"source_type": "banking"},
    {"source_type": "Accounting"},
    {"source_type": "commerce", "need": "optional"},
]
MOST_BYTES = 60_000
"""Of a page with 300 platforms, compressed: about a second on a slow phone."""


def company(place: Place, **details: Any) -> tuple[str, str]:
    result = place.sign_up(name="Shop", **details)
    return result.company_id, result.connect_url.rpartition("/")[2]


def test_source_types_are_offered_in_their_order_and_the_whole_has_a_progress(place: Place) -> None:
    company_id, token = company(place, asked_for=ASKED)
    visitor = place.visitor()
    page = visitor.open(f"/connect/{token}")
    assert "0 of 3 connected" in page.text
    offered = [page.answer.text.index(f'id="group-{name}"') for name in ("Banking", "Accounting", "Commerce")]
    assert offered == sorted(offered)
    assert 'id="group-Expense"' not in page.answer.text
    place.linked(company_id, "gbol")
    page = visitor.open(f"/connect/{token}")
    assert "1 of 3 connected" in page.text
    answer = visitor.press(page, "Skip for now").answer
    assert answer.status_code == 303
    page = visitor.open(f"/connect/{token}")
    assert "1 of 2 connected" in page.text
    assert 'id="group-Commerce"' not in page.answer.text
    journey = place.desk.journey.overview(company_id)
    assert (journey["outcome"], journey["missing"]) == ("left", ["Banking"])
    assert (journey["steps_done"], journey["steps"]) == (1, 2)
    assert [(step["source_type"], step["outcome"], step["is_skipped"]) for step in journey["asked_for"]] == [
        ("Banking", None, False),
        ("Accounting", "syncing", False),
        ("Commerce", None, True),
    ]
    visitor.press(page, "Take it up again")
    assert "1 of 3 connected" in visitor.open(f"/connect/{token}").text


def test_where_everything_is_left_for_later_nothing_is_offered(place: Place) -> None:
    """After the last one was skipped, all platforms were there again."""
    wanted = [{"source_type": name, "need": "optional"} for name in ("banking", "commerce")]
    _, token = company(place, asked_for=wanted)
    visitor = place.visitor()
    for _ in wanted:
        page = visitor.open(f"/connect/{token}")
        visitor.press(page, "Skip for now")
    page = visitor.open(f"/connect/{token}")
    assert 'name="platform_key"' not in page.answer.text
    assert "There is no platform" not in page.text
    assert "Take it up again" in page.text


def test_a_new_state_keeps_the_way_back(open_place: OpenPlace) -> None:
    place = open_place(RETURN_URL_ORIGINS="https://lender.example")
    company_id, _ = company(place, return_url="https://lender.example/back", state="one")
    changed = place.desk.journey.change_company(company_id, state="two")
    assert (changed.return_url, changed.state) == ("https://lender.example/back", "two")


def test_the_way_back_is_ready_only_when_everything_required_is(open_place: OpenPlace) -> None:
    place = open_place(RETURN_URL="https://lender.example/", ASK_FOR="accounting,banking:required")
    company_id, token = company(place)
    xero = place.linked(company_id, "gbol")
    place.change(xero, "complete-sync")
    page = place.visitor().open(f"/connect/{token}/connections/{xero}")
    assert "outcome=left" in page.answer.text
    assert "Next: Bank accounts" in page.text
    bank = place.linked(company_id, "pldx")
    page = place.visitor().open(f"/connect/{token}/connections/{xero}")
    assert "outcome=syncing" in page.answer.text
    assert "Next:" not in page.text
    place.change(bank, "complete-sync")
    assert place.desk.journey.overview(company_id)["outcome"] == "ready"
    assert "Everything that is needed is connected." in place.visitor().open(f"/connect/{token}").text


def test_what_is_required_cannot_be_left_for_later(place: Place) -> None:
    company_id, _ = company(place, asked_for=ASKED)
    with pytest.raises(Invalid):
        place.desk.journey.skip(place.desk.journey.company(company_id), "Banking")


@pytest.mark.parametrize(
    ("environ", "choice", "shown", "not_shown"),
    [
        ({}, None, ["Xero", "Plaid"], ["Codat Sandbox"]),
        ({"ALLOW_SANDBOX": "true"}, None, ["Codat Sandbox"], []),
        ({"PLATFORMS_SHOWN": "gbol,strp"}, None, ["Xero", "Stripe"], ["Plaid", "FreeAgent"]),
        ({"PLATFORMS_HIDDEN": "gbol"}, None, ["Plaid"], ["Xero"]),
        ({"PLATFORMS_HIDDEN": "gbol"}, {"hidden": ["pldx"]}, ["Xero"], ["Plaid"]),
        ({"PLATFORMS_SHOWN": "gbol"}, {"shown": ["pldx"]}, ["Plaid"], ["Xero"]),
    ],
)
def test_platforms_are_shown_and_hidden_by_settings_and_company(
    open_place: OpenPlace, environ: dict[str, str], choice: Any, shown: list[str], not_shown: list[str]
) -> None:
    place = open_place(**environ)
    _, token = company(place, platforms=choice)
    visitor = place.visitor()
    page = visitor.open(f"/connect/{token}")
    for name in shown:
        assert name in page.text, name
    for name in not_shown:
        assert name not in page.text, name


def test_a_hidden_platform_cannot_be_chosen_on_the_pages(place: Place) -> None:
    company_id, token = company(place, platforms={"hidden": ["pldx"]})
    visitor = place.visitor()
    page = visitor.open(f"/connect/{token}")
    answer = visitor.press(page, "Xero", platform_key="pldx").answer
    assert answer.status_code == 422
    assert place.desk.journey.connections(company_id) == []
    assert visitor.press(page, "Xero").answer.status_code == 200


def test_recommended_platforms_stand_first_and_say_so(open_place: OpenPlace) -> None:
    place = open_place(PLATFORMS_RECOMMENDED="fbrh")
    _, token = company(place)
    text = place.visitor().open(f"/connect/{token}").answer.text
    assert text.index("FreeAgent") < text.index("Sage Business Cloud")
    assert text.count("Recommended") == 1


FIRST_FLIGHT_BYTES = 14_600 - 1_600
"""What a server may send before the browser answers (10 segments), without headers and TLS records.

https://www.rfc-editor.org/rfc/rfc6928
"""

BLOCKING = re.compile(r"<link rel=\"stylesheet\"(?![^>]*media=\"print\")|<script(?![^>]* defer)")
"""What a browser waits for before it shows anything."""


def bytes_before(packed: bytes, text: str) -> int:
    """How much of a compressed page has to arrive before this text is there."""
    unpacking, page = zlib.decompressobj(wbits=31), b""
    for number, byte in enumerate(packed, 1):
        page += unpacking.decompress(bytes([byte]))
        if text.encode() in page:
            return number
    raise AssertionError(f"{text} is not there")


def test_three_hundred_platforms_are_small_for_a_phone(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    many = [
        simulated.SimulatedPlatform(f"p{number:03}", f"Ledger {number} Online", kind, "#123456", "L")
        for number, kind in enumerate(("Accounting", "Banking", "Commerce") * 100)
    ]
    monkeypatch.setattr("processor.simulator.api.PLATFORMS", tuple(many))
    monkeypatch.setattr(
        "processor.simulator.api.platform_of", {platform.key: platform for platform in many}.get
    )
    _, token = company(place)
    with httpx.Client(transport=httpx.WSGITransport(app=place.app), base_url=OURS) as http:
        page = http.get(f"/connect/{token}", headers={"Accept-Encoding": "gzip"})
        assert page.text.count('name="platform_key"') == 300
        assert int(page.headers["Content-Length"]) < MOST_BYTES
        answer = http.get(f"/connect/{token}/found?q=ledger")
        assert len(gzip.compress(answer.content)) < MOST_BYTES
        first_tile = page.text.index('class="tile"')
        until_its_end = page.text[first_tile : page.text.index("</button>", first_tile)]
        again = http.get(f"/connect/{token}").text
    assert page.text.count("<img") == page.text.count('loading="lazy"') + page.text.count("powered-by")
    packed = gzip.compress(page.content, LEVEL, mtime=0)
    assert bytes_before(packed, until_its_end) < FIRST_FLIGHT_BYTES, "the first tile takes one round trip"
    assert BLOCKING.findall(page.text) == [], "and no second request"
    assert len(BLOCKING.findall(again)) == 1, "which a browser keeps"
    assert "<style>" not in again
