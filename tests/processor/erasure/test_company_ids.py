"""Ids of companies as people type them, and the texts that name one."""

import json

import pytest

from processor.erasure.company_ids import names_company, normalized, spellings

ID = "1b1bf54f-5fe0-4ab6-b42b-3b1d5c4e5a01"


def test_a_uuid_may_be_written_in_either_case_and_the_given_one_is_tried_first() -> None:
    assert spellings(ID) == (ID, ID.upper())
    assert spellings(f" {ID.upper()}\n") == (f" {ID.upper()}\n", ID.upper(), ID)
    assert normalized(f" {ID.upper()}\n") == ID


@pytest.mark.parametrize("named", ["Company-1", "", " "])
def test_any_other_id_is_only_itself(named: str) -> None:
    assert spellings(named) == ((named,) if named.strip() else ())
    assert normalized(named) == named.strip()


@pytest.mark.parametrize("text", ["{}", '"{}"', "half a message about {} and", '{{"a": ["/x/{}/y"]}}'])
def test_a_uuid_is_found_wherever_it_stands(text: str) -> None:
    assert names_company(text.format(ID.upper()).encode(), ID)
    assert not names_company(text.format(ID[:-1]).encode(), ID)


def test_any_other_id_only_as_a_whole_value() -> None:
    deep = b"[" * 100_000
    assert names_company(json.dumps({"x": [{"companyId": "c"}]}).encode(), "c")
    assert names_company(json.dumps("h\u00e4ndler").encode(), "h\u00e4ndler")
    for body in (b'{"c": "companies"}', b"c", b"", b"\xff", b"7", deep):
        assert not names_company(body, "c")
