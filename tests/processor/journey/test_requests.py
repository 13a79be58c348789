"""What callers wish for is refused with the field named, before Codat is asked anything."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.errors import Invalid
from processor.journey import requests


def errors(**given) -> Any:
    wish = {"merchant_id": "m-1", "name": None, "contact_email": None, "tags": None} | given
    with pytest.raises(Invalid) as caught:
        requests.sign_up_request(**wish)
    return caught.value.errors


@pytest.mark.parametrize("text", ["", " ", "\t", "m\x00", "m\n1", "\ud800", "x" * 101, " m", "m ", "\u200b"])
def test_a_merchant_id_that_codat_could_not_give_back_is_refused(text: str) -> None:
    assert list(errors(merchant_id=text)) == ["merchant_id"]


def test_ten_tags_are_the_most_and_the_merchants_is_one_of_them() -> None:
    nine = {f"t{number}": "x" for number in range(9)}
    assert len(requests.sign_up_request(merchant_id="m", name=None, contact_email=None, tags=nine).tags) == 10
    assert list(errors(tags={**nine, "t9": "x"})) == ["tags"]
    assert list(errors(tags={f"t{number}": "x" for number in range(11)})) == ["tags"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("k" * 28, "v"),
        ("", "v"),
        (" k", "v"),
        ("k\n", "v"),
        ("k", "v" * 101),
        ("k", ""),
        ("k", "\x07"),
        ("k", "\ud800"),
        ("merchantId", "another"),
    ],
)
def test_a_tag_beyond_codats_limits_is_refused_by_its_key(key: str, value: str) -> None:
    assert list(errors(tags={"fine": "x", key: value})["tags"]) == [key]


def test_the_largest_tag_fits() -> None:
    tags = {"k" * 27: "v" * 100, "merchantId": "m-1"}
    assert requests.sign_up_request(merchant_id="m-1", name=None, contact_email=None, tags=tags).tags == tags


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nobody",
        "a@",
        "@b.co",
        "a b@c.co",
        "a@b",
        "a@b.co\nBcc: x@y.co",
        "a@b.co,c@d.co",
        "x" * 250 + "@b.co",
    ],
)
def test_a_broken_address_is_refused(text: str) -> None:
    assert list(errors(contact_email=text)) == ["contact_email"]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("zoe@bücher.example", "zoe@xn--bcher-kva.example"),
        ("zoe@BÜCHER.example", "zoe@xn--bcher-kva.example"),
        ("zoe@straße.example", "zoe@xn--strae-oqa.example"),
        ("zoe@例え.example", "zoe@xn--r8jz45g.example"),
        ("zoe@Shop.example", "zoe@Shop.example"),
    ],
)
def test_an_international_domain_is_kept_as_mail_servers_take_it(text: str, kept: str) -> None:
    """``zoe@bücher.example`` was taken at sign-up and a dead letter at the first mail."""
    wish = requests.sign_up_request(merchant_id="m", contact_email=text)
    assert wish.local_fields == {"contact_email": kept}


@pytest.mark.parametrize(
    "text",
    [
        "zoë@shop.example",
        "\u0437\u043e\u044f@shop.example",
        "zoe@-ü.example",
        "zoe@" + "ü" * 250 + ".example",
    ],
)
def test_an_address_that_no_mail_reaches_is_refused_at_sign_up(text: str) -> None:
    """``zoë@shop.example`` was taken at sign-up and a dead letter at the first mail."""
    assert list(errors(contact_email=text)) == ["contact_email"]


@pytest.mark.parametrize("text", ["a@b.co", "ann.o'neil+x@mail.example.org"])
def test_a_sound_address_is_taken(text: str) -> None:
    wish = requests.sign_up_request(merchant_id="m", contact_email=text)
    assert wish.local_fields == {"contact_email": text}


def test_every_field_to_blame_is_named_at_once() -> None:
    result = errors(merchant_id="", name=" ", contact_email="x", tags={"k" * 28: "v"})
    assert set(result) == {"merchant_id", "name", "contact_email", "tags"}


@pytest.mark.parametrize(
    ("merchant_id", "name", "at_codat"),
    [
        ("Acme 1", None, "Acme 1"),
        ("acme_1:x", None, "acme-1-x"),
        ("m", "Café Zoë", "Cafe Zoe"),
        ("m", "Acme, Ltd.", "Acme, Ltd."),
        ("会社", None, "Company"),
    ],
)
def test_the_name_is_the_given_one_or_the_merchants_id_cleaned_where_needed(
    merchant_id: str, name: str | None, at_codat: str
) -> None:
    wish = requests.sign_up_request(merchant_id=merchant_id, name=name, contact_email=None, tags=None)
    assert wish.name == at_codat
    assert wish.tags == {"merchantId": merchant_id}
    assert wish.local_fields.get("given_name") == name, "as it was given, whatever Codat takes"


def test_parameters_of_a_link_are_bounded() -> None:
    assert requests.link_parameters(None) == {}
    assert requests.link_parameters({"a": "b"}) == {"a": "b"}
    for wrong in ({"": "x"}, {"a": "\ud800"}, {"a": "x" * 501}, {str(number): "x" for number in range(21)}):
        with pytest.raises(Invalid) as caught:
            requests.link_parameters(wrong)
        assert list(caught.value.errors) == ["parameters"]


@given(
    st.text(), st.none() | st.text(), st.none() | st.text(), st.none() | st.dictionaries(st.text(), st.text())
)
def test_any_wish_is_either_taken_or_refused_by_field(
    merchant_id: str, name: str, contact_email: Any, tags: Any
) -> None:
    wrong: set[str] = set()
    try:
        wish = requests.sign_up_request(
            merchant_id=merchant_id, name=name, contact_email=contact_email, tags=tags
        )
    except Invalid as refused:
        wrong = set(refused.errors)
    if wrong:
        assert wrong <= {"merchant_id", "name", "contact_email", "tags"}
    else:
        assert wish.tags["merchantId"] == merchant_id
        assert wish.name
