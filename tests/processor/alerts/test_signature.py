"""Authentication: what is accepted, what is refused, and that nothing else ever comes out."""

import base64
import hashlib
import hmac
from collections.abc import Callable

import pytest

from processor.alerts.signature import AuthenticatedBy, Authenticator, NotAuthentic, event_id_of

NOW = 1_790_000_000
KEY = b"a key of our own making, 32 long"
OLD_KEY = b"the key before that, also 32 ..."
BODY = b'{"eventType": "connection.connected"}'
ACCEPTED = "Basic Y2xpZW50OnBhc3N3b3Jk"

Headers = dict[str, str]


def secret_of(key: bytes) -> str:
    return "whsec_" + base64.b64encode(key).decode()


def signature_of(
    body: bytes, *, message_id: str = "msg_1", timestamp: str = str(NOW), key: bytes = KEY
) -> str:
    content = f"{message_id}.{timestamp}.".encode("latin-1") + body
    return "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()


def signed(
    body: bytes = BODY,
    *,
    message_id: str = "msg_1",
    timestamp: str = str(NOW),
    key: bytes = KEY,
    family: str = "webhook",
) -> Headers:
    signature = signature_of(body, message_id=message_id, timestamp=timestamp, key=key)
    return {f"{family}-id": message_id, f"{family}-timestamp": timestamp, f"{family}-signature": signature}


def authenticator(
    keys: tuple[bytes, ...] = (KEY,),
    authorizations: tuple[str, ...] = (ACCEPTED,),
    clock: Callable[[], float] = lambda: NOW,
) -> Authenticator:
    secrets = [secret_of(key) for key in keys]
    return Authenticator(secrets=secrets, authorizations=authorizations, clock=clock)


def assert_refused(headers: Headers, body: bytes = BODY, judge: Authenticator | None = None) -> str:
    with pytest.raises(NotAuthentic) as refusal:
        (judge or authenticator()).authenticate(headers, body)
    return refusal.value.reason


# Signatures


def test_a_right_signature_is_accepted() -> None:
    assert authenticator().authenticate(signed(), BODY) is AuthenticatedBy.SIGNATURE


def test_the_older_header_names_are_accepted() -> None:
    assert authenticator().authenticate(signed(family="svix"), BODY) is AuthenticatedBy.SIGNATURE


@pytest.mark.parametrize("spell", [str.upper, str.title, str.lower])
def test_header_names_are_taken_in_any_case(spell: Callable[[str], str]) -> None:
    headers = {spell(name): value for name, value in signed().items()}
    assert authenticator().authenticate(headers, BODY) is AuthenticatedBy.SIGNATURE
    assert event_id_of(headers, BODY) == "msg_1"


@pytest.mark.parametrize("body", [b"", b"\xff\xfe\x00not utf-8", b"\xed\xa0\x80", b"\x00", b"[" * 100_000])
def test_an_authentic_body_verifies_whatever_its_bytes(body: bytes) -> None:
    """The library decodes the body as UTF-8 first; such a body is 422, not 401."""
    assert authenticator().authenticate(signed(body), body) is AuthenticatedBy.SIGNATURE


@pytest.mark.parametrize("key", [KEY, OLD_KEY])
def test_every_configured_secret_is_accepted_while_one_is_rotated(key: bytes) -> None:
    both = authenticator(keys=(KEY, OLD_KEY))
    assert both.authenticate(signed(key=key), BODY) is AuthenticatedBy.SIGNATURE


@pytest.mark.parametrize(
    "around",
    [
        "{} v1,bm90IHRoaXMgb25l",
        "v1,bm90IHRoaXMgb25l {}",
        "v1a,AAAA v2,BBBB {}",
        "nonsense v1 , v1, ,,, {}",
        "  {}  ",
    ],
)
def test_one_right_entry_among_several_is_enough(around: str) -> None:
    headers = signed()
    headers["webhook-signature"] = around.format(headers["webhook-signature"])
    assert authenticator().authenticate(headers, BODY) is AuthenticatedBy.SIGNATURE


@pytest.mark.parametrize(
    "entry",
    [
        "v1",
        "v1,",
        ",",
        "v1,%%%",
        "v1,AAA",
        "v1,é",
        "v1,\ud800",
        "v1,\x00",
        " ",
        "\u2003",
        "v1,a,b",
        "1" * 70_000,
    ],
)
def test_a_malformed_signature_is_refused_without_another_exception(entry: str) -> None:
    assert_refused(signed() | {"webhook-signature": entry})


@pytest.mark.parametrize("version", ["v1a", "v2", "V1", "v", ""])
def test_a_right_digest_under_another_version_is_refused(version: str) -> None:
    headers = signed()
    headers["webhook-signature"] = version + headers["webhook-signature"][2:]
    assert_refused(headers)


def test_a_changed_body_id_or_timestamp_is_refused() -> None:
    assert_refused(signed(), BODY + b" ")
    assert_refused(signed() | {"webhook-id": "msg_2"})
    assert_refused(signed() | {"webhook-timestamp": str(NOW + 1)})


def test_a_signature_under_an_unknown_secret_is_refused() -> None:
    assert_refused(signed(key=OLD_KEY))


def test_a_signed_message_is_refused_where_no_secret_is_configured() -> None:
    assert_refused(signed() | {"Authorization": ACCEPTED}, judge=authenticator(keys=()))


@pytest.mark.parametrize("offset_s", [-300, -299, 0, 299, 300])
def test_a_timestamp_within_five_minutes_is_accepted(offset_s: int) -> None:
    assert authenticator().authenticate(signed(timestamp=str(NOW + offset_s)), BODY)


@pytest.mark.parametrize("offset_s", [-301, 301, -NOW])
def test_a_timestamp_further_away_is_refused(offset_s: int) -> None:
    assert_refused(signed(timestamp=str(NOW + offset_s)))


def test_the_tolerance_can_be_set() -> None:
    narrow = Authenticator(secrets=[secret_of(KEY)], authorizations=[], tolerance_s=10, clock=lambda: NOW)
    assert narrow.authenticate(signed(timestamp=str(NOW - 10)), BODY)
    assert_refused(signed(timestamp=str(NOW - 11)), judge=narrow)


@pytest.mark.parametrize(
    "timestamp",
    [
        f"{NOW}.0",
        f"{NOW}.5",
        f"+{NOW}",
        f" {NOW}",
        f"{NOW}\n",
        "1_790_000_000",
        "1.79e9",
        "nan",
        "inf",
        "-inf",
        "0x6AB13D80",
        "9" * 13,
        "9" * 5_000,
        "-1",
        "",
        "soon",
        "1\u0667\u0669\u0660000000",
        "\uff11790000000",
        "\ud800",
    ],
)
def test_a_timestamp_that_is_not_whole_seconds_in_ascii_digits_is_refused(timestamp: str) -> None:
    content = b"msg_1." + timestamp.encode("utf-8", "surrogatepass") + b"." + BODY
    signature = "v1," + base64.b64encode(hmac.new(KEY, content, hashlib.sha256).digest()).decode()
    headers = {"webhook-id": "msg_1", "webhook-timestamp": timestamp, "webhook-signature": signature}
    assert_refused(headers)


# What a signature header claims


@pytest.mark.parametrize("family", ["webhook", "svix"])
@pytest.mark.parametrize("part", ["id", "timestamp", "signature"])
@pytest.mark.parametrize("value", ["x", ""])
def test_a_single_signature_header_is_not_rescued_by_the_authorization(
    family: str, part: str, value: str
) -> None:
    assert_refused({f"{family}-{part}": value, "Authorization": ACCEPTED})


def test_a_wrong_signature_is_not_rescued_by_the_authorization() -> None:
    assert_refused(signed(key=OLD_KEY) | {"Authorization": ACCEPTED})


@pytest.mark.parametrize("part", ["id", "timestamp", "signature"])
def test_a_missing_or_empty_part_is_refused(part: str) -> None:
    headers = signed()
    assert_refused(headers | {f"webhook-{part}": ""})
    del headers[f"webhook-{part}"]
    assert_refused(headers)


def test_an_empty_id_is_refused_even_where_it_was_signed() -> None:
    assert_refused(signed(message_id=""))


def test_a_right_signature_needs_no_authorization_and_minds_none() -> None:
    assert (
        authenticator().authenticate(signed() | {"Authorization": "wrong"}, BODY) is AuthenticatedBy.SIGNATURE
    )


def test_parts_of_the_two_families_are_never_combined() -> None:
    webhook, svix = signed(), signed(family="svix")
    assert_refused(
        {name: value for name, value in webhook.items() if name != "webhook-id"} | {"svix-id": "msg_1"}
    )
    assert_refused(
        {"webhook-id": "msg_1", "svix-timestamp": str(NOW), "svix-signature": svix["svix-signature"]}
    )


def test_of_two_complete_families_the_newer_names_count() -> None:
    assert authenticator().authenticate(signed() | signed(family="svix", key=OLD_KEY), BODY)
    assert_refused(signed(key=OLD_KEY) | signed(family="svix"))


def test_an_unsigned_id_beside_a_signed_message_gives_it_no_new_identity() -> None:
    """A captured svix-* message, sent again with a webhook-id of the attacker's, passed as new."""
    headers = signed(family="svix", message_id="msg_signed") | {"webhook-id": "msg_forged"}
    assert authenticator().authenticate(headers, BODY) is AuthenticatedBy.SIGNATURE
    assert event_id_of(headers, BODY) == "msg_signed"


# Authorization


@pytest.mark.parametrize("name", ["Authorization", "authorization", "AUTHORIZATION"])
def test_an_accepted_authorization_is_enough_without_signature_headers(name: str) -> None:
    assert authenticator().authenticate({name: ACCEPTED}, BODY) is AuthenticatedBy.AUTHORIZATION


def test_every_configured_authorization_is_accepted() -> None:
    judge = authenticator(authorizations=("Bearer one", "Bearer two"))
    for value in ("Bearer one", "Bearer two"):
        assert judge.authenticate({"Authorization": value}, BODY) is AuthenticatedBy.AUTHORIZATION


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        ACCEPTED.lower(),
        ACCEPTED + " ",
        ACCEPTED[:-1],
        "Bearer",
        "é",
        "\u20ac",
        "\ud800",
        "\x00",
        "*",
    ],
)
def test_any_other_authorization_is_refused(value: str) -> None:
    assert_refused({"Authorization": value})


def test_a_message_without_any_proof_is_refused() -> None:
    assert_refused({})
    assert_refused({"Content-Type": "application/json"}, judge=authenticator(authorizations=()))
    assert_refused({"Authorization": ""}, judge=authenticator(keys=(), authorizations=()))


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_an_authorization_beyond_ascii_is_accepted_in_either_encoding(encoding: str) -> None:
    as_the_server_passes_it_on = "Bearer pässwörd".encode(encoding).decode("latin-1")
    judge = authenticator(authorizations=("Bearer pässwörd",))
    assert judge.authenticate({"Authorization": as_the_server_passes_it_on}, BODY)


@pytest.mark.parametrize("blank", ["", "  "])
def test_a_blank_authorization_is_no_setting(blank: str) -> None:
    with pytest.raises(ValueError, match="blank"):
        authenticator(authorizations=(ACCEPTED, blank))


def test_a_single_string_is_not_taken_for_a_sequence_of_one_letter_values() -> None:
    with pytest.raises(ValueError, match="sequences"):
        Authenticator(secrets=[], authorizations="abc")


# What a refusal and an identity show


def test_reasons_hold_neither_the_message_nor_a_secret() -> None:
    hidden = [secret_of(KEY), secret_of(KEY)[6:], ACCEPTED, "msg_1", "wrong-token"]
    attempts = [
        {},
        {"Authorization": "wrong-token"},
        signed(key=OLD_KEY),
        signed(timestamp="1"),
        {"webhook-id": "msg_1"},
    ]
    for headers in attempts:
        reason = assert_refused(headers)
        assert not [word for word in hidden if word in reason]


def test_the_event_id_is_the_signed_id() -> None:
    assert (
        event_id_of(signed(message_id="msg_2KWPBgLlAfxdpX2AI54pPJ85f4W"), BODY)
        == "msg_2KWPBgLlAfxdpX2AI54pPJ85f4W"
    )
    assert event_id_of(signed(message_id="svix_1", family="svix"), BODY) == "svix_1"


def test_the_event_id_without_a_signed_id_is_the_hash_of_the_body() -> None:
    assert event_id_of({"Authorization": ACCEPTED}, BODY) == "sha256-" + hashlib.sha256(BODY).hexdigest()


@pytest.mark.parametrize("message_id", ["a", "x" * 256, "a.b", "...", "a:b", "{a}", "a=b@c~d", "%2F"])
def test_an_id_of_visible_ascii_is_kept_as_it_is(message_id: str) -> None:
    assert event_id_of(signed(message_id=message_id), BODY) == message_id


@pytest.mark.parametrize(
    "message_id", ["x" * 257, "a b", "a/b", "a\\b", ".", "..", "é", "a\x00", "a\n", "\x7f", "\t"]
)
def test_an_id_that_cannot_stand_in_an_address_is_authentic_and_replaced_by_its_hash(message_id: str) -> None:
    """An authentic message is never lost for its id, and its repetitions are still recognised."""
    headers = signed(message_id=message_id)
    assert authenticator().authenticate(headers, BODY) is AuthenticatedBy.SIGNATURE
    assert event_id_of(headers, BODY) == "sha256-" + hashlib.sha256(message_id.encode("latin-1")).hexdigest()
    assert event_id_of(headers, b"another body") == event_id_of(headers, BODY)
