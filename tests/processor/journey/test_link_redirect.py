"""The way back from Link: names in any case, everything possibly missing, foreign or hostile."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from processor.journey.link_redirect import MAX_MESSAGE_CHARS, MAX_NAME_CHARS, LinkRedirect

CONNECTION = "2e9d2c44-f675-40ba-8049-353bfcb5e171"


@pytest.mark.parametrize(
    ("code", "kind"),
    [("200", "connected"), ("201", "left"), ("403", "cancelled"), ("500", "failed"), ("501", "unsupported")],
)
@pytest.mark.parametrize("name", ["statusCode", "statuscode", "STATUSCODE", "StatusCode"])
def test_each_code_has_its_kind_whatever_the_case_of_its_name(code: str, kind: str, name: str) -> None:
    outcome = LinkRedirect.from_query({name: code, "ConnectionId": CONNECTION, "COMPANYID": "c-1"})
    assert (outcome.kind, outcome.status_code) == (kind, int(code))
    assert (outcome.connection_id, outcome.company_id) == (CONNECTION, "c-1")


@pytest.mark.parametrize(
    "code", ["", "abc", "2000", "20", "-200", "404", "٢٠٠", "200 OK", "{statusCode}", "2e2", "200\n5"]
)
def test_any_other_code_is_unknown(code: str) -> None:
    assert LinkRedirect.from_query({"statusCode": code}).kind == "unknown"


def test_nothing_at_all_is_an_outcome_too() -> None:
    assert LinkRedirect.from_query({}) == LinkRedirect()


def test_the_message_is_codats_error_or_else_its_status() -> None:
    both = {"errorMessage": " The user\n cancelled ", "statusText": "Cancelled"}
    assert LinkRedirect.from_query(both).message == "The user cancelled"
    assert LinkRedirect.from_query({"statusText": "Cancelled"}).message == "Cancelled"
    assert LinkRedirect.from_query({"errorMessage": "  ", "statusText": "Cancelled"}).message == "Cancelled"


def test_placeholders_that_codat_left_unfilled_say_nothing() -> None:
    left = {
        "errorMessage": "{errorMessage}",
        "platformName": "{platformName}",
        "connectionId": "{connectionId}",
    }
    assert LinkRedirect.from_query(left) == LinkRedirect()


@pytest.mark.parametrize(
    "id_", ["", "../../v1", "a b", "x" * 101, "<script>", "%00", "é", "a\n", "javascript:alert(1)"]
)
def test_what_is_no_id_is_no_id(id_: str) -> None:
    outcome = LinkRedirect.from_query({"connectionId": id_, "companyId": id_})
    assert (outcome.connection_id, outcome.company_id) == (None, None)


def test_text_is_bounded_and_cannot_turn_around_what_follows() -> None:
    outcome = LinkRedirect.from_query(
        {
            "errorMessage": "pay\u202e here\u0000\u200b" + "x" * 10_000,
            "platformName": "X\ud800\u2066" + "y" * 999,
        }
    )
    assert outcome.message is not None
    assert outcome.message.startswith("pay herexxx")
    assert len(outcome.message) == MAX_MESSAGE_CHARS
    assert outcome.platform_name is not None
    assert outcome.platform_name.startswith("Xyy")
    assert len(outcome.platform_name) == MAX_NAME_CHARS


def test_of_several_of_a_name_the_first_counts() -> None:
    args = MultiDict([("statusCode", "200"), ("statusCode", "500"), ("STATUSCODE", "403")])
    assert LinkRedirect.from_query(args).kind == "connected"


@given(
    st.dictionaries(
        st.sampled_from(["statusCode", "errorMessage", "platformName", "connectionId"]), st.text()
    )
)
def test_whatever_somebody_types_is_read_and_printable(args: Any) -> None:
    outcome = LinkRedirect.from_query(args)
    for text in (outcome.message, outcome.platform_name, outcome.connection_id):
        assert text is None or (text.strip() == text and text.isprintable())
