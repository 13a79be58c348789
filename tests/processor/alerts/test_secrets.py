"""The form of a signing secret."""

import base64

import pytest

from processor.alerts.signature import decode_secret


def secret_of(key: bytes) -> str:
    return "whsec_" + base64.b64encode(key).decode()


@pytest.mark.parametrize(
    "key", [b"k", b"a key of our own making, 32 long", bytes(range(128)), b"\xff\xfe\xfd"]
)
def test_a_secret_is_decoded_with_and_without_padding(key: bytes) -> None:
    assert decode_secret(secret_of(key)) == key
    assert decode_secret(secret_of(key).rstrip("=")) == key


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "whsec_=",
        "whsec_==",
        "Y29ycmVjdGhvcnNl",
        "WHSEC_Y29ycmVjdGhvcnNl",
        "whsec_Y29y cmVj",
        "whsec_Y",
        "whsec_Y29ycm===",
        "whsec_Y29y-_Vj",
        "whsec_Y29yé",
        "whsec_\ud800",
        "whsec_Y29ycmVj\n",
        " whsec_Y29ycmVj",
    ],
)
def test_a_malformed_secret_is_refused_without_being_shown(secret: str) -> None:
    with pytest.raises(ValueError, match=r"^a signing secret ") as refusal:
        decode_secret(secret)
    body_of_secret = secret.removeprefix("whsec_").strip("=")
    assert len(body_of_secret) < 2 or body_of_secret not in str(refusal.value)
    assert refusal.value.__cause__ is None
    assert type(refusal.value) is ValueError
