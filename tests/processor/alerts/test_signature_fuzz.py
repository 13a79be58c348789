"""The library ``standardwebhooks`` and we agree, and nothing but a refusal ever comes out."""

import base64
import contextlib
import re
from datetime import UTC, datetime

import time_machine
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from processor.alerts.signature import AuthenticatedBy, Authenticator, NotAuthentic, event_id_of
from tests.support.effort import examples

NOW = 1_790_000_000
OLD_KEY = b"the key before that, also 32 ..."
ACCEPTED = "Basic Y2xpZW50OnBhc3N3b3Jk"
EVENT_ID = re.compile(r"[!-~]{1,256}")

Headers = dict[str, str]


def authenticator(*keys: bytes) -> Authenticator:
    secrets = ["whsec_" + base64.b64encode(key).decode() for key in keys]
    return Authenticator(secrets=secrets, authorizations=[ACCEPTED], clock=lambda: NOW)


def signed_by_the_library(key: bytes, message_id: str, timestamp: int, body: str) -> Headers:
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": Webhook(key).sign(message_id, datetime.fromtimestamp(timestamp, UTC), body),
    }


HEADER_TEXT = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=40)
KEYS = st.binary(min_size=1, max_size=64)
BODIES = st.text(max_size=200)


def library_accepts(key: bytes, headers: Headers, body: bytes) -> bool:
    with time_machine.travel(datetime.fromtimestamp(NOW, UTC), tick=False):
        try:
            Webhook(key).verify(body, headers, json_parse=False)
        except WebhookVerificationError:
            return False
        return True


def we_accept(key: bytes, headers: Headers, body: bytes) -> bool:
    try:
        return authenticator(key).authenticate(headers, body) is AuthenticatedBy.SIGNATURE
    except NotAuthentic:
        return False


@given(key=KEYS, message_id=HEADER_TEXT, offset_s=st.integers(-300, 300), body=BODIES)
def test_what_the_library_signs_verifies_here(key: bytes, message_id: str, offset_s: int, body: str) -> None:
    headers = signed_by_the_library(key, message_id, NOW + offset_s, body)
    assert authenticator(OLD_KEY, key).authenticate(headers, body.encode()) is AuthenticatedBy.SIGNATURE


@settings(max_examples=examples(300))
@given(
    key=KEYS,
    signing_key=st.none() | KEYS,
    message_id=HEADER_TEXT,
    offset_s=st.integers(-310, 310) | st.integers(-NOW, 10**6),
    body=BODIES,
    sent=st.none() | BODIES,
    others=st.lists(st.sampled_from(["v1,AAAA", "v1a,AAAA", "v2,AAAA", "v1," + "A" * 43 + "="]), max_size=3),
    first=st.booleans(),
)
def test_the_library_and_we_accept_the_same_well_formed_messages(
    key: bytes,
    signing_key: bytes | None,
    message_id: str,
    offset_s: int,
    body: str,
    sent: str | None,
    others: list[str],
    first: bool,
) -> None:
    headers = signed_by_the_library(signing_key or key, message_id, NOW + offset_s, body)
    entries = [headers["webhook-signature"], *others]
    headers["webhook-signature"] = " ".join(entries if first else reversed(entries))
    received = (body if sent is None else sent).encode()
    assert we_accept(key, headers, received) == library_accepts(key, headers, received)


NAMES = st.sampled_from(
    [
        f"{family}-{part}"
        for family in ("webhook", "Webhook", "svix", "SVIX")
        for part in ("id", "timestamp", "signature")
    ]
    + ["Authorization", "authorization"]
)
VALUES = st.text() | st.sampled_from([str(NOW), "v1,AAAA", f"{NOW}.0", "v1,", ACCEPTED])


@settings(max_examples=examples(500))
@given(
    headers=st.dictionaries(NAMES | st.text(), VALUES | st.text(st.characters(categories=["Cs", "Lo"]))),
    body=st.binary(),
)
def test_authenticate_raises_nothing_but_its_refusal(headers: Headers, body: bytes) -> None:
    with contextlib.suppress(NotAuthentic):
        assert authenticator(OLD_KEY).authenticate(headers, body) is AuthenticatedBy.AUTHORIZATION


@settings(max_examples=examples(300))
@given(headers=st.dictionaries(NAMES, VALUES), body=st.binary())
def test_an_event_id_is_always_fit_for_a_key_and_an_address(headers: Headers, body: bytes) -> None:
    event_id = event_id_of(headers, body)
    assert EVENT_ID.fullmatch(event_id)
    assert not set(event_id) & set("/\\")
    assert event_id not in (".", "..")
